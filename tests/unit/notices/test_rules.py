"""Which recorded facts become a notice, and what it says."""

from itertools import product

import pytest

from gateway.applications.stages import STAGES, Stage
from gateway.notices.model import Notice, NoticeKind
from gateway.notices.rules import BY_OUTCOME, notice_of
from gateway.notices.words import SENTENCES, Tongue, message, sentence
from gateway.rechecks.model import ChangeKind
from gateway.records.entries import Fact, RecordEntry, Result
from schemas.departments import OutcomeKind
from tests.support.storage import NOON


def told(action: str, result: Result = "done", subject: str | None = "app_1", **facts: Fact) -> Notice | None:
    return notice_of(RecordEntry(action, NOON, "gd-planning", subject, result, facts), "log/7")


@pytest.mark.parametrize("moved", ["started", "completed", "paused", "resumed"])
def test_each_movement_of_a_stage_is_told_with_its_stage(moved: str) -> None:
    notice = told(f"stage.{moved}", stage="acceptance", reason_digest="f" * 64, claimed_at="x")
    assert notice == Notice("log/7", "app_1", NoticeKind(f"stage_{moved}"), NOON, {"stage": "acceptance"})


def test_what_was_refused_and_what_is_nobodys_is_not_told() -> None:
    assert told("stage.started", "refused", stage="acceptance") is None
    assert told("stage.started", subject=None, stage="acceptance") is None
    assert told("licence.disclosed", kind="property_certificate") is None
    assert told("certificate.rechecked", kind="property_certificate") is None


@pytest.mark.parametrize("stages", STAGES.values(), ids=lambda stages: str(len(stages)))
def test_the_last_stage_of_a_class_completes_it_and_no_other(stages: tuple[Stage, ...]) -> None:
    kinds = [notice.kind for stage in stages if (notice := told("stage.completed", stage=stage.value))]
    assert kinds == [*[NoticeKind.STAGE_COMPLETED] * (len(stages) - 1), NoticeKind.COMPLETED]


@pytest.mark.parametrize("outcome", OutcomeKind)
def test_every_outcome_of_a_permit_is_told_and_a_later_one_says_that_it_supersedes(outcome: OutcomeKind) -> None:
    first = told("outcome.received", outcome_kind=outcome.value, supersedes=None)
    later = told("outcome.received", outcome_kind=outcome.value, supersedes="out-1")
    assert first is not None
    assert later is not None
    assert (first.kind, later.kind) == (BY_OUTCOME[outcome], NoticeKind.PERMIT_SUPERSEDED)
    assert first.facts == {"department": "gd-planning", "outcome": outcome.value}


def test_a_changed_certificate_is_told_where_the_applicant_must_act_and_never_which() -> None:
    act = {kind for kind in ChangeKind if told("certificate.changed", kind="property_certificate", change=kind.value)}
    assert act == set(ChangeKind) - {ChangeKind.NEW_VERSION, ChangeKind.REINSTATED}
    notice = told("certificate.changed", kind="property_certificate", change="revoked", source="gd")
    assert notice is not None
    assert notice.facts == {}


@pytest.mark.parametrize(("kind", "tongue"), list(product(NoticeKind, Tongue)), ids=str)
def test_every_notice_has_its_sentence_in_both_languages(kind: NoticeKind, tongue: Tongue) -> None:
    times = {"begins_at": "2026-03-05T00:00:00Z", "expected_end_at": "2026-03-05T10:00:00Z"}
    facts = {"stage": "supply_plan", "due_on": "2026-03-05"} | times
    said = message(Notice("k", "app_1", kind, NOON, facts), tongue, "https://gateway.example")
    assert "{" not in said.body
    assert "app_1" in said.body
    assert "https://gateway.example/applications/app_1" in said.body
    assert "app_1" not in said.subject


def test_stage_and_day_stand_in_the_sentence() -> None:
    notice = Notice("k", "app_1", NoticeKind.OVERDUE, NOON, {"stage": "supply_plan", "due_on": "2026-03-05"})
    assert "“供电方案答复”" in sentence(notice, Tongue.CHINESE)
    assert "2026年3月5日" in sentence(notice, Tongue.CHINESE)
    assert "“Supply plan”" in sentence(notice, Tongue.ENGLISH)
    assert "5 March 2026" in sentence(notice, Tongue.ENGLISH)
    assert set(SENTENCES) == set(NoticeKind)
