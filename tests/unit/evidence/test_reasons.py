"""Why somebody did something: the very words, tied to the record by their opening – or left out, and said so."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.applications.confirmation import ReviewOpened
from gateway.applications.model import IntakeKind
from gateway.evidence.verify_evidence import PROVED, UNKNOWN, WITHHELD, WRONG, Anchors, read_archive, verify_evidence
from schemas.applicant_api import Confirmation
from schemas.operator_api import SettlementRequest
from tests.support.databases import Databases
from tests.support.ecertificates import ENTERPRISE
from tests.support.evidence import PAUSED_FOR, anew, evidence_room
from tests.support.licences import SHOP, an_applicant, province
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, told

SETTLED_FOR = "已核对工商登记，为同一主体"


def reasons(bundle: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(read_archive(bundle)["reasons.json"])["reasons"]
    return found


def signed_anew(made: Made, said: object) -> bytes:
    return anew(made.whole, {"reasons.json": json.dumps({"v": 1, "reasons": said}).encode()}, made.keys.answer)


def test_the_words_are_those_whose_digest_was_recorded(made: Made) -> None:
    (stated,) = [each for each in verify_evidence(made.whole, made.anchors).findings if each.code == "reason"]
    assert (stated.mark, stated.facts["text"], stated.facts["actor"]) == (PROVED, PAUSED_FOR, "csg-guangzhou")


@pytest.mark.parametrize("form", ["redacted", "for_utility"])
def test_they_are_left_out_of_a_redacted_one_and_so_is_what_would_prove_a_guess(made: Made, form: str) -> None:
    bundle = getattr(made, form)
    assert reasons(bundle) == []
    report = verify_evidence(bundle, made.anchors)
    assert report.exit_code == 0, told(report)
    assert "reason.absent" in codes(report, WITHHELD)
    (given,) = reasons(made.whole)
    assert not any(given["opening"].encode() in body for body in read_archive(bundle).values())


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], int, str]] = {
    "other words": (lambda given: given | {"text": "等候李四补交材料"}, 1, "reason.wrong"),
    "another opening": (lambda given: given | {"opening": "00" * 32}, 1, "reason.wrong"),
    "a short opening": (lambda given: given | {"opening": given["opening"][:62]}, 1, "reason.wrong"),
    "an opening that is none": (lambda given: given | {"opening": "x"}, 1, "reason.wrong"),
    "half a character": (lambda given: given | {"text": "\ud83d"}, 1, "reason.wrong"),
    "no words": (lambda given: given | {"text": None}, 1, "reason.wrong"),
    "an entry without a reason": (
        lambda given: given | {"record_id": given["record_id"].rpartition("-")[0] + "-1"},
        1,
        "reason.wrong",
    ),
    "nothing": (lambda given: None, 2, "reason.absent"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_nothing_else_passes_for_them(made: Made, case: str) -> None:
    change, code, said = CHANGES[case]
    (given,) = reasons(made.whole)
    said_instead = [] if (instead := change(given)) is None else [instead]
    report = verify_evidence(signed_anew(made, said_instead), made.anchors)
    assert report.exit_code == code, told(report)
    assert said in codes(report, WRONG, UNKNOWN)
    assert "reason" not in codes(report, PROVED)


def test_a_reason_beside_the_right_one(made: Made) -> None:
    """Whichever of two stands there, one of them is not on record."""
    (given,) = reasons(made.whole)
    for said in ([given, given | {"text": "x"}], [given | {"text": "x"}, given]):
        report = verify_evidence(signed_anew(made, said), made.anchors)
        assert (report.exit_code, codes(report, WRONG)) == (1, {"reason.wrong"}), told(report)


async def test_an_officer_s_reason_to_accept(databases: Databases, tmp_path: Any) -> None:
    """It is on record with the review, and the applicant reads it."""
    async with evidence_room(databases.sqlite()) as made:
        room = made.room
        other = province().envelope("property_certificate", KZ_QLR="示例有限责任公司", KZ_QLRZJH=ENTERPRISE)
        room.source.hold("property_certificate", other)
        view = await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
        opened = await room.intakes.confirm(an_applicant(), view.intake_id, Confirmation(authorise=True))
        assert isinstance(opened, ReviewOpened)
        await room.reviews.look(opened.task.task_id, "gd-4407", "operator-gd")
        request = SettlementRequest(officer="gd-4407", decision="accepted", reason=SETTLED_FOR, no_interest=True)
        settled = await room.reviews.settle(opened.task.task_id, request, "operator-gd")
        assert settled.submitted is not None
        made.application_id = settled.submitted.application.application_id
        await made.anchored()
        made.write_anchors(tmp_path / "anchors")
        bundle = (await made.service.for_operator(made.application_id, "cli:test", redacted=False)).archive
        report = verify_evidence(bundle, Anchors.read(tmp_path / "anchors"))
        assert [each.facts["text"] for each in report.findings if each.code == "reason"] == [SETTLED_FOR], told(report)
        assert codes(report, WRONG) == set()
