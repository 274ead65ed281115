"""The checker is fed stores in which one thing is wrong, and has to say so – and nothing else."""

import ast
import base64
import hashlib
import inspect
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.records.checkpoints import Checkpoint, NoteSigner, sign_checkpoint
from gateway.records.entries import RecordEntry, encode_entry
from gateway.records.log import LogHead
from gateway.records.merkle import EMPTY, leaf_hash
from gateway.records.notes import ED25519_TYPE, VerifierKey
from gateway.records.super_log import SuperLeaf, encode_leaf
from mock_services.jose import SigningKey
from tests.prove import checker, record_check, super_log_check, utility
from tests.prove.checker import FAULTS, OPENED, SUBMITTED, Evidence, check

AT = datetime(2026, 11, 28, 1, 2, 3, 456789, UTC)
PERMITS = {"app-1": "prm-1", "app-2": "prm-2"}
OUTCOMES = 3
_GATEWAY = """
CREATE TABLE record_entries (log_id TEXT, sequence INTEGER, leaf_hash BLOB, leaf BLOB, action TEXT, subject TEXT);
CREATE TABLE record_seals (log_id TEXT, number INTEGER, first_sequence INTEGER, last_sequence INTEGER, root BLOB,
    previous_hash BLOB, sealed_at TEXT, key_id TEXT, signature BLOB);
CREATE TABLE record_super_leaves (position INTEGER, leaf_hash BLOB, leaf BLOB);
CREATE TABLE record_checkpoints (size INTEGER, root BLOB, note TEXT);
CREATE TABLE outbox (event_id TEXT, destination TEXT, channel TEXT, state TEXT);
"""


@dataclass
class World:
    """A run in which all went well, as it lies on the disk afterwards."""

    evidence: Evidence

    def at_utility(self, statement: str, *values: object) -> None:
        """Doctor the utility's store."""
        _execute(self.evidence.utility, statement, *values)

    def at_gateway(self, statement: str, *values: object) -> None:
        """Doctor the gateway's database."""
        _execute(Path(self.evidence.database_url.removeprefix("sqlite:///")), statement, *values)

    def departments_say(self, **said: object) -> None:
        """One line more in the departments' log."""
        with self.evidence.departments.open("a") as log:
            log.write(json.dumps(said) + "\n")


def _execute(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as database:
        changed = database.execute(statement, values)
        assert changed.rowcount >= 1, "nothing was doctored"
    database.close()


class _Builder:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key, self.seal_key = SigningKey.generate(), Ed25519PrivateKey.generate()
        (directory / "webhook-secret").write_text("whsec_" + base64.b64encode(bytes(32)).decode())
        self.store = utility.Utility(directory / utility.STORE, "csg", "https://gateway", self.key, bytes(32))
        self.gateway = sqlite3.connect(directory / "gateway.sqlite3")
        self.gateway.executescript(_GATEWAY)
        self.head, self.super_log = LogHead("log"), EMPTY
        self.departments: list[dict[str, object]] = []
        self.applicants: list[dict[str, object]] = []
        self.events = 0

    def record(self, action: str, **facts: str | int) -> str:
        leaf = encode_entry(RecordEntry(action, AT, "gateway", facts=facts))
        seal, self.head, _ = self.head.sealed([leaf_hash(leaf)], AT, "seal-1", self.seal_key.sign)
        self.gateway.execute(
            "INSERT INTO record_entries VALUES ('log', ?, ?, ?, ?, NULL)",
            (seal.last_sequence, leaf_hash(leaf), leaf, action),
        )
        self.gateway.execute(
            "INSERT INTO record_seals VALUES (?, ?, ?, ?, ?, ?, '2026-11-28T01:02:03.456789Z', ?, ?)",
            (
                *("log", seal.number, seal.first_sequence, seal.last_sequence),
                *(seal.root, seal.previous_hash, seal.key_id, seal.signature),
            ),
        )
        return f"log-{seal.last_sequence}"

    def deliver(self, kind: str, application: str, sequence: int, **data: object) -> None:
        self.events += 1
        event = {
            "id": f"evt-{self.events}",
            "type": kind,
            "subject": application,
            "sequence": sequence,
            "position": self.events,
            "data": data,
        }
        receipt = self.store._take(event, json.dumps(event).encode())
        self.record(
            "delivery.receipted",
            event=f"evt-{self.events}",
            receipt_sha256=hashlib.sha256(receipt.encode()).hexdigest(),
        )
        self.gateway.execute("INSERT INTO outbox VALUES (?, 'csg', 'webhook', 'delivered')", (f"evt-{self.events}",))

    def application(self, application: str, permit: str) -> None:
        self.applicants.append({"what": "application", "application": application})
        self.deliver(SUBMITTED, application, 1)
        self.applicants.append({"what": "review", "application": application, "permits": [permit]})
        self.departments.append({"what": "permit", "permit": permit})
        self.deliver(OPENED, application, 2)
        for number in range(1, OUTCOMES + 1):
            outcome = f"{permit}:{number}"
            token = f"signed {outcome}"
            self.departments.append({"what": "outcome", "outcome": outcome, "token": token})
            record_id = self.record("outcome.received", outcome=outcome)
            self.departments.append({"what": "acknowledged", "outcome": outcome, "record": record_id})
            said = {"permit_id": permit, "outcome_id": outcome, "outcome_sequence": number, "signed_outcome": token}
            self.deliver("cn.bandian.permit.outcome.v1", application, 2 + number, **said)

    def checkpoint(self) -> None:
        """The log moved: a leaf says so, and a checkpoint is signed over all leaves."""
        leaf = encode_leaf(SuperLeaf("log", self.head.frontier.size, self.head.seals, self.head.frontier.root))
        row = (self.super_log.size, leaf_hash(leaf), leaf)
        self.gateway.execute("INSERT INTO record_super_leaves VALUES (?, ?, ?)", row)
        self.super_log = self.super_log.grown([leaf_hash(leaf)])
        key = VerifierKey("gateway/record", ED25519_TYPE, self.seal_key.public_key().public_bytes_raw())
        said = Checkpoint("gateway/record", self.super_log.size, self.super_log.root)
        note = str(sign_checkpoint(said, [NoteSigner(key, self.seal_key.sign)]))
        row = (said.size, said.root, note)
        self.gateway.execute("INSERT INTO record_checkpoints VALUES (?, ?, ?)", row)

    def finish(self) -> None:
        self.gateway.commit()
        self.gateway.close()
        self.store._database.close()
        public = self.seal_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
        files = {
            "departments.jsonl": "".join(json.dumps(line) + "\n" for line in self.departments),
            "applicants.jsonl": "".join(json.dumps(line) + "\n" for line in self.applicants),
            "jwks.json": json.dumps({"keys": [{"kid": "seal-1", "kty": "OKP", "crv": "Ed25519", "x": x}]}),
            "roster.json": json.dumps({"partners": [{"code": "csg", "keys": [{"jwk": self.key.public_jwk}]}]}),
        }
        for name, content in files.items():
            (self.directory / name).write_text(content)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two applications with one permit and three outcomes each: ten events."""
    builder = _Builder(tmp_path_factory.mktemp("sound"))
    for application, permit in PERMITS.items():
        builder.application(application, permit)
        builder.checkpoint()
    builder.finish()
    return builder.directory


@pytest.fixture
def world(sound: Path, tmp_path: Path) -> World:
    """A copy of it, to be doctored."""
    at = shutil.copytree(sound, tmp_path / "world")
    return World(
        Evidence(
            departments=at / "departments.jsonl",
            applicants=at / "applicants.jsonl",
            utility=at / utility.STORE,
            roster=at / "roster.json",
            gateway_keys=at / "jwks.json",
            database_url=f"sqlite:///{at / 'gateway.sqlite3'}",
            utility_code="csg",
        )
    )


def test_a_run_that_went_well_is_said_to_have(world: World) -> None:
    report = check(world.evidence)
    assert report.findings == []
    assert report.sound
    assert report.record_intact
    assert (report.counts["outcomes"], report.counts["events"], report.counts["receipts_matched"]) == (6, 10, 10)


def lost_outcome(world: World) -> None:
    world.at_utility("DELETE FROM effects WHERE outcome_id = 'prm-1:3'")


def lost_application(world: World) -> None:
    with world.evidence.applicants.open("a") as log:
        log.write('{"what":"application","application":"app-3"}\n')


def lost_permit(world: World) -> None:
    with world.evidence.applicants.open("a") as log:
        log.write('{"what":"review","application":"app-2","permits":["prm-9"]}\n')


def undelivered_event(world: World) -> None:
    world.at_gateway("UPDATE outbox SET state = 'dead' WHERE event_id = 'evt-4'")


def doubled_effect(world: World) -> None:
    world.at_utility("INSERT INTO effects SELECT 99, 'evt-x', application_id, permit_id, outcome_id, outcome_sequence,"
                     " signed_outcome FROM effects WHERE outcome_id = 'prm-1:2'")  # fmt: skip


def permit_asked_twice(world: World) -> None:
    world.departments_say(what="permit", permit="prm-1")


def swapped_events(world: World) -> None:
    world.at_utility("UPDATE events SET sequence = 9 - sequence WHERE subject = 'app-2' AND sequence IN (4, 5)")


def swapped_outcomes(world: World) -> None:
    world.at_utility("UPDATE effects SET outcome_sequence = 3 - outcome_sequence"
                     " WHERE permit_id = 'prm-1' AND outcome_sequence IN (1, 2)")  # fmt: skip


def missing_number(world: World) -> None:
    world.at_utility("UPDATE events SET sequence = 7 WHERE subject = 'app-1' AND sequence = 5")


def missing_position(world: World) -> None:
    world.at_utility("UPDATE events SET position = 11 WHERE position = 10")


def altered_outcome(world: World) -> None:
    world.at_utility("UPDATE effects SET signed_outcome = 'signed by another' WHERE outcome_id = 'prm-2:1'")


def invented_outcome(world: World) -> None:
    world.at_utility("UPDATE effects SET outcome_id = 'prm-2:x' WHERE outcome_id = 'prm-2:1'")


def event_nobody_committed(world: World) -> None:
    world.at_gateway("DELETE FROM outbox WHERE event_id = 'evt-3'")


def receipt_gone(world: World) -> None:
    world.at_utility("DELETE FROM receipts WHERE event_id = 'evt-6'")


def receipt_for_other_bytes(world: World) -> None:
    world.at_utility("UPDATE events SET body = x'00' WHERE event_id = 'evt-6'")


def receipt_of_another_key(world: World) -> None:
    roster = {"partners": [{"code": "csg", "keys": [{"jwk": SigningKey.generate().public_jwk}]}]}
    world.evidence.roster.write_text(json.dumps(roster))


@pytest.mark.parametrize(
    ("doctor", "found"),
    [
        (lost_outcome, {"lost": 1}),
        (lost_application, {"lost": 1}),
        (lost_permit, {"lost": 1}),
        (undelivered_event, {"lost": 1}),
        (doubled_effect, {"duplicated": 1}),
        (permit_asked_twice, {"duplicated": 1}),
        (swapped_events, {"out_of_order": 1}),
        (swapped_outcomes, {"out_of_order": 1}),
        (missing_number, {"gaps": 2}),
        (missing_position, {"gaps": 1}),
        (altered_outcome, {"altered": 1}),
        (invented_outcome, {"lost": 1, "invented": 1}),
        (event_nobody_committed, {"invented": 1}),
        (receipt_gone, {"receipts_missing": 1}),
        (receipt_for_other_bytes, {"receipts_missing": 1}),
        (receipt_of_another_key, {"receipts_missing": 10}),
    ],
)
def test_what_is_wrong_is_counted_as_what_it_is(
    world: World, doctor: Callable[[World], None], found: dict[str, int]
) -> None:
    doctor(world)
    report = check(world.evidence)
    assert {fault: report.counts[fault] for fault in FAULTS if report.counts[fault]} == found
    assert not report.sound
    assert report.record_intact


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record_entries SET leaf = replace(cast(leaf AS TEXT), 'done', 'gone') WHERE sequence = 5",
        "UPDATE record_entries SET leaf_hash = zeroblob(32) WHERE sequence = 5",
        "DELETE FROM record_entries WHERE sequence = 5",
        "DELETE FROM record_entries WHERE sequence = (SELECT max(sequence) FROM record_entries)",
        "DELETE FROM record_seals WHERE number = 5",
        "DELETE FROM record_seals WHERE number = (SELECT max(number) FROM record_seals)",
        "DELETE FROM record_seals",
        "UPDATE record_seals SET signature = zeroblob(64) WHERE number = 5",
        "UPDATE record_seals SET sealed_at = '2026-11-28T01:02:04.456789Z' WHERE number = 5",
        "UPDATE record_seals SET root = zeroblob(32) WHERE number = 5",
        "DELETE FROM record_super_leaves WHERE position = 0",
        "DELETE FROM record_super_leaves WHERE position = 1",
        "UPDATE record_super_leaves SET leaf_hash = zeroblob(32) WHERE position = 1",
        "UPDATE record_super_leaves SET leaf = replace(cast(leaf AS TEXT), 'last\":', 'last\":1') WHERE position = 1",
        "UPDATE record_checkpoints SET root = zeroblob(32) WHERE size = 2",
        "UPDATE record_checkpoints SET note = replace(note, 'gateway/record', 'another/record')",
        "UPDATE record_checkpoints SET note = (SELECT note FROM record_checkpoints WHERE size = 1) WHERE size = 2",
    ],
)
def test_a_record_that_was_touched_is_not_intact(world: World, statement: str) -> None:
    world.at_gateway(statement)
    assert not check(world.evidence).record_intact


def test_an_acknowledgement_of_what_was_never_recorded_breaks_the_record(world: World) -> None:
    world.departments_say(what="acknowledged", outcome="prm-1:2", record="log-1")
    assert not check(world.evidence).record_intact


@pytest.mark.parametrize("module", [checker, record_check, super_log_check], ids=lambda module: module.__name__)
def test_the_checker_shares_no_code_with_what_it_checks(module: ModuleType) -> None:
    imported = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    foreign = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    allowed = ("cryptography.", "psycopg", "tests.prove.record_check", "tests.prove.super_log_check")
    assert [name for name in foreign if not name.startswith(allowed)] == []
