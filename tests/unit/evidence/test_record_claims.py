"""What the record in a bundle says of times and of itself: it is one, and no entry is younger than who saw it."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.evidence import verify_evidence as alone
from gateway.evidence.verify_evidence import PROVED, UNKNOWN, WRONG, Anchors, read_archive, verify_evidence
from gateway.evidence.verify_evidence.checks.deliveries import check_deliveries
from gateway.evidence.verify_evidence.checks.manifest import check_manifest
from gateway.evidence.verify_evidence.checks.outcomes import check_outcomes
from gateway.evidence.verify_evidence.checks.record import check_record
from gateway.evidence.verify_evidence.examination import Examination
from gateway.evidence.verify_evidence.record import grown
from gateway.records import merkle
from gateway.records.entries import RecordEntry
from tests.support.databases import Databases
from tests.support.evidence import EvidenceRoom, anew, evidence_room, lone_entry, without
from tests.support.licences import UTILITY, an_applicant
from tests.unit.evidence.conftest import Made
from tests.unit.evidence.test_bundles import codes, told


@pytest.fixture
async def room(databases: Databases) -> AsyncIterator[EvidenceRoom]:
    """Everything happened, and the last of it is in no checkpoint yet."""
    async with evidence_room(databases.sqlite()) as made:
        await made.live()
        await made.noted()
        yield made


async def given(room: EvidenceRoom) -> bytes:
    return (await room.service.for_applicant(room.application_id, an_applicant(), redacted=False)).archive


@pytest.fixture
def anchors(room: EvidenceRoom, tmp_path: Any) -> Anchors:
    room.write_anchors(tmp_path / "anchors")
    return Anchors.read(tmp_path / "anchors")


class TestTimes:
    @pytest.mark.parametrize(("minutes", "right"), [(0, True), (4, True), (6, False), (60 * 24 * 365, False)])
    async def test_an_entry_is_not_younger_than_the_witness_that_saw_it(
        self, room: EvidenceRoom, anchors: Anchors, minutes: int, right: bool
    ) -> None:
        seen_at = room.room.clock() - timedelta(minutes=minutes)
        await room.anchored(seen_at)
        report = verify_evidence(await given(room), anchors)
        assert (report.exit_code == 0) is right, told(report)
        contradicted = [each for each in report.findings if each.code == "record.time"]
        assert bool(contradicted) is not right
        assert all("witness.example" in each.text("en") for each in contradicted)
        proved = {each.where for each in report.findings if each.code == "record"}
        assert proved.isdisjoint(each.where for each in contradicted)

    async def test_the_earliest_of_several_witnessed_checkpoints_counts(
        self, room: EvidenceRoom, anchors: Anchors
    ) -> None:
        """The entries' own checkpoint was seen late; an earlier one that holds them was seen before they were."""
        early = room.room.clock() - timedelta(hours=1)
        await room.anchored(early)
        one = await given(room)
        await room.noted()
        await room.anchored()
        later = await given(room)
        assert verify_evidence(later, anchors).exit_code == 0, "nothing in it tells of the earlier one"
        older = min(name for name in read_archive(one) if name.startswith("record/"))
        growth = await room.growth(one, later)
        mixed = anew(later, {older: read_archive(one)[older], "consistency.json": growth}, room.keys.answer)
        report = verify_evidence(mixed, anchors)
        assert "record.grown" in codes(report, PROVED), told(report)
        assert "record.time" in codes(report, WRONG), told(report)

    async def test_also_where_a_larger_checkpoint_was_seen_before_a_smaller_one(
        self, room: EvidenceRoom, anchors: Anchors
    ) -> None:
        """Whoever saw the larger one saw everything that the smaller one holds."""
        await room.anchored()
        one = await given(room)
        older = min(name for name in read_archive(one) if name.startswith("record/"))
        await room.noted()
        await room.anchored(room.room.clock() - timedelta(hours=1))
        later = await given(room)
        growth = await room.growth(one, later)
        mixed = anew(later, {older: read_archive(one)[older], "consistency.json": growth}, room.keys.answer)
        contradicted = {each.where for each in verify_evidence(mixed, anchors).findings if each.code == "record.time"}
        assert older in contradicted

    @pytest.mark.parametrize("order", [1, -1])
    def test_of_several_who_saw_one_checkpoint_the_earliest_counts(self, made: Made, order: int) -> None:
        at = alone.reading.epoch(json.loads(payload(made.whole, "manifest.jws"))["iat"])
        entry = RecordEntry("stage.started", at, UTILITY, made.application_id, facts={})
        lone = lone_entry(made.keys, entry, *[at, at - timedelta(hours=1)][::order])
        report = verify_evidence(anew(made.whole, lone, made.keys.answer), made.anchors)
        assert {each.where for each in report.findings if each.code == "record.time"} == {"record/lone-1.json"}

    def test_nor_than_the_manifest_over_it(self, made: Made) -> None:
        at = alone.reading.epoch(1 << 36)
        entry = RecordEntry("stage.started", at, UTILITY, made.application_id, facts={})
        lone = lone_entry(made.keys, entry, at)
        report = verify_evidence(anew(made.whole, lone, made.keys.answer), without(made.anchors, witnesses=()))
        contradicted = [each.text("en") for each in report.findings if each.code == "record.time"]
        assert len(contradicted) == 1, told(report)
        assert "the manifest" in contradicted[0]

    @pytest.mark.parametrize(("minutes", "wrong"), [(4, set()), (6, {"outcome.wrong", "receipt.wrong"})])
    def test_nothing_was_received_before_it_was_signed(self, made: Made, minutes: int, wrong: set[str]) -> None:
        """A department's and a utility's own time tell when the gateway cannot have had their documents yet."""
        examined = Examination(made.anchors)
        examined.files = read_archive(made.whole)
        assert check_manifest(examined)
        check_record(examined)
        earlier = timedelta(minutes=minutes)
        for entry in [*examined.entries.values()]:
            examined.take(replace(entry, at=entry.at - earlier))
        said = json.loads(examined.files["outcomes.json"])
        for outcome in said["outcomes"]:
            outcome["received_at"] = (datetime.fromisoformat(outcome["received_at"]) - earlier).isoformat()
        examined.files["outcomes.json"] = json.dumps(said).encode()
        check_outcomes(examined)
        check_deliveries(examined)
        assert {each.code for each in examined.findings if each.mark == WRONG} == wrong


class TestOneRecord:
    async def two_sizes(self, room: EvidenceRoom) -> bytes:
        """Some entries lie under a checkpoint that a witness signed, the rest under a later one that none did."""
        await room.anchored(cosigned=False)
        return await given(room)

    async def test_checkpoints_of_several_sizes_are_proved_to_follow_from_one_another(
        self, room: EvidenceRoom, anchors: Anchors
    ) -> None:
        report = verify_evidence(await self.two_sizes(room), anchors)
        assert codes(report, UNKNOWN, WRONG) == {"witness.none"}, told(report)
        logs = {each.facts["log"] for each in report.findings if each.code == "record.grown"}
        assert len(logs) == 2
        assert "super" in logs

    async def test_without_a_proof_they_are_not(self, room: EvidenceRoom, anchors: Anchors) -> None:
        bundle = await self.two_sizes(room)
        trusting = without(anchors, witnesses=())
        for change in (None, b'{"v": 1, "growth": []}', b'{"v": 1}'):
            report = verify_evidence(anew(bundle, {"consistency.json": change}, room.keys.answer), trusting)
            assert (report.exit_code, codes(report, UNKNOWN)) == (2, {"record.apart"}), told(report)

    async def test_every_part_of_a_proof_counts(self, room: EvidenceRoom, anchors: Anchors) -> None:
        bundle = await self.two_sizes(room)
        said = json.loads(read_archive(bundle)["consistency.json"])
        assert {each["log"] == "super" for each in said["growth"]} == {True, False}
        for growth in said["growth"]:
            proof = growth["proof"]
            zeros = base64.b64encode(bytes(32)).decode()
            for wrong in ([], proof[:-1], [*proof, zeros], proof[::-1], [zeros, *proof[1:]], [*proof[:-1], zeros]):
                if wrong != proof:
                    growth["proof"] = wrong
                    changed = {"consistency.json": json.dumps(said).encode()}
                    report = verify_evidence(anew(bundle, changed, room.keys.answer), anchors)
                    assert (report.exit_code, codes(report, WRONG)) == (1, {"record.forked"}), told(report)
            growth["proof"] = proof

    @pytest.mark.parametrize("log", ["lone", "own"])
    def test_an_entry_of_a_second_record_is_not_taken_into_the_first(self, made: Made, log: str) -> None:
        """The gateway began a record anew beside its own, and a witness signed both."""
        (name,) = [each for each in read_archive(made.whole) if each.startswith("record/") and each.endswith("-1.json")]
        log = name[7:].rpartition("-")[0] if log == "own" else log
        at = alone.reading.epoch(json.loads(payload(made.whole, "manifest.jws"))["iat"])
        entry = RecordEntry("stage.started", at, UTILITY, made.application_id, facts={})
        lone = lone_entry(made.keys, entry, at, log=log)
        report = verify_evidence(anew(made.whole, lone, made.keys.answer), made.anchors)
        assert report.exit_code in (1, 2), told(report)
        assert "record.apart" in codes(report, UNKNOWN)
        for growth in ([], [{"log": "super", "old_size": 1, "new_size": size, "proof": []} for size in range(9)]):
            changed = {**lone, "consistency.json": json.dumps({"v": 1, "growth": growth}).encode()}
            report = verify_evidence(anew(made.whole, changed, made.keys.answer), made.anchors)
            assert report.exit_code in (1, 2), told(report)

    def test_two_checkpoints_of_one_size(self, made: Made) -> None:
        at = alone.reading.epoch(json.loads(payload(made.whole, "manifest.jws"))["iat"])
        one, other = (
            lone_entry(made.keys, RecordEntry(action, at, UTILITY, made.application_id, facts={}), at, log=action)
            for action in ("a", "b")
        )
        report = verify_evidence(anew(made.whole, {**one, **other}, made.keys.answer), made.anchors)
        assert "checkpoint.forked" in codes(report, WRONG), told(report)


def payload(bundle: bytes, name: str) -> bytes:
    return base64.urlsafe_b64decode(read_archive(bundle)[name].split(b".")[1] + b"==")


def test_growth_of_every_small_tree_and_of_no_other() -> None:
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(33)]
    for new in range(2, 34):
        for old in range(1, new):
            proof = merkle.consistency_proof(leaves[:new], old)
            roots = merkle.root(leaves[:old]), merkle.root(leaves[:new])
            assert grown(old, new, proof, roots[0]) == roots[1]
            for sizes in ((old, new + 1), (old + 1, new), (old, new - 1), (old - 1, new), (new, old), (new, new)):
                assert follows(*sizes, proof, *roots) is verifies(*sizes, proof, *roots), (old, new, sizes)
            for wrong in (proof[:-1], [*proof, leaves[0]], proof[::-1], [leaves[7], *proof[1:]], [b"", *proof[1:]]):
                assert follows(old, new, wrong, *roots) is verifies(old, new, wrong, *roots)


def follows(old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    try:
        return grown(old, new, proof, old_root) == new_root
    except alone.errors.Refused:
        return False


def verifies(old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    """The gateway's own; what is no growth (from nothing, or to the same size) is nothing to prove here."""
    try:
        merkle.verify_consistency(old, new, proof, old_root, new_root)
    except merkle.ProofInvalid:
        return False
    return 0 < old < new
