"""Flip any byte, cut it, lengthen it: something is said to be wrong, and what. Also when the gateway itself lies."""

import json
import random
from collections.abc import Iterator

import pytest

from gateway.evidence.verify_evidence import (
    MANIFEST,
    PROVED,
    UNKNOWN,
    WRONG,
    Report,
    read_archive,
    verify_evidence,
)
from tests.support.evidence import anew
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, told

pytestmark = pytest.mark.timeout(300)


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def faults(report: Report) -> list[str]:
    return [each.text("en") for each in report.findings if each.mark == WRONG]


def test_every_byte_of_the_file(made: Made) -> None:
    """One bit of each byte: of content, names, headers, directory and end."""
    chance = random.Random(0)
    names = [*read_archive(made.redacted)]
    named = 0
    for at in range(len(made.redacted)):
        report = verify_evidence(flipped(made.redacted, at, chance.randrange(8)), made.anchors)
        assert report.exit_code == 1, f"byte {at}: {told(report)}"
        (fault,) = report.findings
        assert fault.code == "archive"
        named += fault.where in names
    assert named > 0.95 * len(made.redacted), "it says in which file"


def test_bytes_of_a_whole_one(made: Made) -> None:
    """The same with everything in it, by a stride that begins elsewhere each time."""
    offset = random.SystemRandom().randrange(41)
    for at in range(offset, len(made.whole), 41):
        report = verify_evidence(flipped(made.whole, at, at % 8), made.anchors)
        assert report.exit_code == 1, f"byte {at}: {told(report)}"


@pytest.mark.parametrize("length", [1, 21, 22, 100, 0.5, -1])
def test_cut_off(made: Made, length: float) -> None:
    end = int(length * len(made.whole)) if isinstance(length, float) else length
    assert verify_evidence(made.whole[:end], made.anchors).exit_code == 1


@pytest.mark.parametrize("more", [b"\0", b"PK\x05\x06", b"x" * 1000])
def test_lengthened(made: Made, more: bytes) -> None:
    for longer in (made.whole + more, more + made.whole, made.whole[:-22] + more + made.whole[-22:]):
        assert verify_evidence(longer, made.anchors).exit_code == 1


def test_a_file_changed_under_the_manifest_as_it_was(made: Made) -> None:
    for name, body in read_archive(made.whole).items():
        report = verify_evidence(anew(made.whole, {name: flipped(body, len(body) // 2, 0)}), made.anchors)
        assert report.exit_code == 1, told(report)
        assert any(name in each for each in faults(report)), faults(report)


@pytest.mark.parametrize("change", ["gone", "added"])
def test_the_manifest_tells_of_every_file(made: Made, change: str) -> None:
    name = "chain/00.der" if change == "added" else "authorisation.json"
    report = verify_evidence(anew(made.whole, {name: b"0" if change == "added" else None}), made.anchors)
    assert codes(report, WRONG) == {"file.extra" if change == "added" else "file.missing"}


def signed_documents(made: Made) -> Iterator[tuple[str, bytes]]:
    for name, body in read_archive(made.whole).items():
        if name != MANIFEST and not name.endswith("s.json") and name != "application.json":
            yield name, body


def test_a_gateway_that_signs_what_it_changed(made: Made) -> None:
    """Whoever holds the gateway's key signs a new manifest; every document but its own words still gives it away."""
    chance = random.Random(1)
    for name, body in signed_documents(made):
        for at in sorted(chance.sample(range(len(body)), 6)):
            changed = anew(made.whole, {name: flipped(body, at, chance.randrange(7))}, made.keys.answer)
            report = verify_evidence(changed, made.anchors)
            if json_says_the_same(name, body, flipped_back(changed, name)):
                continue
            assert report.exit_code in (1, 2), f"{name} {at}: {told(report)}"
            assert "fault" not in codes(report, WRONG)


def flipped_back(bundle: bytes, name: str) -> bytes:
    return read_archive(bundle)[name]


def json_says_the_same(name: str, before: bytes, after: bytes) -> bool:
    """White space, and what only the gateway says beside what is proved."""
    if not name.endswith(".json"):
        return False
    try:
        one, other = json.loads(before), json.loads(after)
    except ValueError:
        return False
    own_words = ("granted_at", "until", "withdrawn_at", "time_stamps")
    return {**one, **dict.fromkeys(own_words)} == {**other, **dict.fromkeys(own_words)}


def test_a_gateway_that_leaves_a_document_out_must_say_so(made: Made) -> None:
    for name, code in (
        ("identity/assertion.jws", "identity.absent"),
        ("certificates/", "certificate.absent"),
        ("outcomes/", "outcome.absent"),
        ("deliveries/evt_0004.jws", "receipt.absent"),
        ("status/", "certificate.unknown"),
        ("authorisation.json", "authorisation.nowords"),
        ("record/", "application.nosubmission"),
    ):
        gone = dict.fromkeys(each for each in read_archive(made.whole) if each.startswith(name))
        report = verify_evidence(anew(made.whole, gone, made.keys.answer), made.anchors)
        assert report.exit_code in (1, 2), name
        assert code in codes(report, UNKNOWN, WRONG), told(report)


def test_an_event_that_is_kept_back_leaves_a_hole(made: Made) -> None:
    account = json.loads(read_archive(made.whole)["deliveries.json"])
    account["events"] = [each for each in account["events"] if each["event_id"] != "evt_r0004"]
    gone = dict.fromkeys(each for each in read_archive(made.whole) if "evt_r0004" in each)
    changed = {**gone, "deliveries.json": json.dumps(account).encode()}
    report = verify_evidence(anew(made.whole, changed, made.keys.answer), made.anchors)
    assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"delivery.hole", "delivery.unlisted"})


def test_another_application_s_proof_in_its_place(made: Made) -> None:
    """Each is sound by itself, and signed by the gateway; together they are not about one application."""
    other = {name: body for name, body in read_archive(made.other).items() if name.startswith("record/")}
    own = sorted(name for name in read_archive(made.whole) if name.startswith("record/"))
    report = verify_evidence(anew(made.whole, other, made.keys.answer), made.anchors)
    assert "record.other" in codes(report, WRONG), told(report)
    report = verify_evidence(anew(made.whole, {**dict.fromkeys(own), **other}, made.keys.answer), made.anchors)
    assert "record.other" in codes(report, WRONG), told(report)
    report = verify_evidence(anew(made.whole, {own[0]: other[min(other)]}, made.keys.answer), made.anchors)
    assert "record.wrong" in codes(report, WRONG), told(report)
    documents = {name: body for name, body in read_archive(made.other).items() if name.endswith(".json")}
    kept = {name: body for name, body in read_archive(made.whole).items() if name.startswith("record/")}
    report = verify_evidence(anew(made.whole, {**documents, **kept}, made.keys.answer), made.anchors)
    assert "application.wrong" in codes(report, WRONG), told(report)


@pytest.mark.parametrize("name", ["certificates.json", "deliveries.json", "outcomes.json", "authorisation.json"])
def test_accounts_of_any_shape_never_end_in_a_traceback(made: Made, name: str) -> None:
    chance = random.Random(2)
    shapes = [
        b"[]",
        b"{}",
        b"null",
        b'{"events": 1}',
        b'{"events": [1]}',
        b'{"judgements": [{}]}',
        b'{"outcomes": [[]]}',
    ]
    shapes += [
        b'{"events": [{"sequence": []}]}',
        b'{"judgements": [{"kind": {}, "status_lists": 3, "verdict": "valid"}]}',
    ]
    body = read_archive(made.whole)[name]
    shapes += [flipped(body, chance.randrange(len(body)), chance.randrange(7)) for _ in range(15)]
    for shape in shapes:
        report = verify_evidence(anew(made.whole, {name: shape}, made.keys.answer), made.anchors)
        assert "fault" not in codes(report, WRONG), (shape, told(report))
    assert codes(report, PROVED)
