"""Every refusal is there in English: its title, and each sentence that may say how it is mended, values apart."""

import re
from string import Formatter

import pytest

from gateway.errors import GatewayError, Owner
from gateway.wording.catalogues import translations, worded
from gateway.wording.phrases import Language
from tests.support.refusals import CHINESE, Written, refusals, written

ENGLISH = translations(Language.ENGLISH).gettext
KEPT_CHINESE = re.compile(r"[（“][^（）“”]*[）”]|\(容缺受理\)|天河区")
"""Words of a rule or a form that English quotes as they stand."""


@pytest.fixture(scope="module")
def found() -> Written:
    return written()


@pytest.mark.parametrize("refusal", refusals(), ids=lambda each: each.__name__)
def test_every_refusal_has_an_english_title(refusal: type[GatewayError]) -> None:
    assert CHINESE.search(refusal.title)
    assert not CHINESE.search(worded(refusal.title, Language.ENGLISH)), refusal


def test_every_refusal_that_brings_its_own_remedy_says_it_in_english() -> None:
    own = {each: each.__dict__["remedy"] for each in refusals() if isinstance(each.__dict__.get("remedy"), str)}
    assert len(own) > 5
    assert not {each.__name__ for each, remedy in own.items() if remedy and ENGLISH(remedy) == remedy}


def test_every_remedy_in_the_code_is_there_in_english(found: Written) -> None:
    assert len(found.sentences) > 500, "the search has lost its way"
    assert not {where: text for text, where in found.sentences.items() if ENGLISH(text) == text}


def test_no_remedy_is_glued_together_from_its_values(found: Written) -> None:
    assert not found.glued


def test_every_place_of_a_template_is_in_both_languages(found: Written) -> None:
    assert not {text for text in found.sentences if _places(text) != _places(ENGLISH(text))}


def test_english_leaves_no_chinese_behind(found: Written) -> None:
    left = {text: ENGLISH(text) for text in found.sentences if CHINESE.search(KEPT_CHINESE.sub("", ENGLISH(text)))}
    assert not left


def test_whose_turn_it_is_has_a_word_in_english() -> None:
    assert not [owner for owner in Owner if ENGLISH(owner.value) == owner.value]


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
