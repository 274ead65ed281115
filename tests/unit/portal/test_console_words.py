"""What the console calls things: every value that the rooms know has a word, and each word an English one."""

from enum import StrEnum

import pytest

from gateway.caller import Role
from gateway.conformance.model import Outcome, OverrideReason, Verdict
from gateway.delivery.ports import AttemptOutcome, DeliveryState, ReplayReason
from gateway.partners.model import ChangeReason, KeyUse
from gateway.portal.catalogues import translations
from gateway.portal.console import words
from gateway.wording.phrases import Language
from schemas.events import EventType

TABLES = [
    (words.EVENTS, EventType),
    (words.DELIVERY, DeliveryState),
    (words.ATTEMPT, AttemptOutcome),
    (words.REPLAY_REASONS, ReplayReason),
    (words.ROLES, Role),
    (words.KEY_USES, KeyUse),
    (words.CHANGE_REASONS, ChangeReason),
    (words.VERDICTS, Verdict),
    (words.RUNS, Outcome),
    (words.OVERRIDES, OverrideReason),
]


@pytest.mark.parametrize(("table", "kind"), TABLES, ids=lambda each: getattr(each, "__name__", ""))
def test_every_value_has_a_word_in_both_languages(table: dict[StrEnum, object], kind: type[StrEnum]) -> None:
    assert set(table) == set(kind)
    english = translations(Language.ENGLISH)
    said = [told[1] if isinstance(told, tuple) else told for told in table.values()]
    assert not [word for word in said if english.gettext(str(word)) == word]
