"""``bandian audit`` on a record that someone with the database in his hands has tampered with."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from adapters.head_keeper import HeadFiles, head_paths, read_head
from adapters.storage.engine import create_database_engine
from adapters.storage.record_audit import SqlAuditReader
from adapters.storage.statements import Statements
from adapters.storage.transactions import reading
from gateway.records.audit import AuditReport, audit
from gateway.records.entries import RecordEntry, encode_entry
from gateway.records.log import Seal
from gateway.records.merkle import leaf_hash
from tests.support.databases import Databases
from tests.support.storage import AT_REST, NOON, SEAL_KEYS, SetClock, opened

FORGED = encode_entry(RecordEntry("test.done", NOON, "nobody", subject="app_1", facts={"number": 999}))
FORGERY = {"leaf": FORGED, "hash": leaf_hash(FORGED)}
OF_LAST_SEAL = "(SELECT max(number) FROM record_seals)"
NO_ENTRIES, NO_SEALS, NO_LOGS = (f"DELETE FROM record_{table}" for table in ("entries", "seals", "logs"))
REWOUND = "UPDATE record_logs SET size = 0, seals = 0, peaks = :none, last_seal_hash = :genesis"
LAST_SEAL_GONE = (
    "DELETE FROM record_entries WHERE sequence >= "
    f"(SELECT first_sequence FROM record_seals WHERE number = {OF_LAST_SEAL})",
    f"DELETE FROM record_seals WHERE number = {OF_LAST_SEAL}",
)
REFERENCES = (
    "INSERT INTO stage_events (application_id, event_id, content_digest, record_id, heard_at) "
    "VALUES ('app_1', 'evt_1', 'd', :named, '2026-03-02T04:00:00.000000Z')"
)


@dataclass(frozen=True)
class Recorded:
    """Thirty entries about ``app_1``, in several batches, and the head that was kept of their log."""

    database_url: str
    log_id: str
    head: Seal

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @contextmanager
    def tampered(self, *statements: str, **parameters: Any) -> Iterator[Callable[..., AuditReport]]:
        """Run ``statements`` behind the gateway's back, yield an audit of what they leave, and take them back."""
        engine = create_database_engine(self.database_url, pool_size=1)
        with closing(engine.connect()) as connection:
            loosen = "PRAGMA foreign_keys=OFF" if self.sqlite else "SET session_replication_role = replica"
            connection.connection.cursor().execute(loosen)
            for statement in statements:
                given = {name: value for name, value in parameters.items() if f":{name}" in statement}
                assert connection.execute(text(statement), given).rowcount != 0, statement
            reader = SqlAuditReader(Statements(connection, AT_REST, savepoint=False))
            yield lambda *kept: audit(reader, SEAL_KEYS, kept=kept)
        engine.dispose()

    def tamper(self, *statements: str, **parameters: Any) -> None:
        """The same, for good."""
        with self.tampered(*statements, **parameters):
            pass

    def named(self, sequence: int) -> str:
        return f"{self.log_id}-{sequence}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def recorded(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    """One for all tests: each takes back what it did to it."""
    with databases.postgresql() if request.param == "postgresql" else nullcontext(databases.sqlite()) as url:
        yield asyncio.run(record(url, tmp_path_factory.mktemp("heads")))


async def record(database_url: str, heads: Path) -> Recorded:
    def append(number: int) -> Any:
        entry = RecordEntry("test.done", NOON, "gateway", subject="app_1", facts={"n": number})
        return lambda tx: tx.records.append(entry)

    with opened(database_url, SetClock(), HeadFiles(heads)) as transactions:
        for batch in range(3):
            await asyncio.gather(*(transactions.write(append(batch * 10 + n)) for n in range(10)))
    (head,) = heads_in(heads)
    return Recorded(database_url, head.log_id, head)


def audited(database_url: str, *kept: Seal) -> AuditReport:
    with reading(database_url) as unit:
        return audit(unit.record_reader, SEAL_KEYS, kept=kept)


def heads_in(directory: Path) -> list[Seal]:
    return [read_head(path) for path in head_paths(directory)]


def reasons(report: AuditReport) -> list[tuple[str, str]]:
    return [(broken.where, broken.reason) for broken in report.broken]


async def test_what_nobody_touched_is_whole(recorded: Recorded) -> None:
    report = audited(recorded.database_url, recorded.head)
    assert (report.logs, report.entries, report.heads, report.unkept) == (1, 30, 1, 0)
    assert report.broken == ()
    assert audited(recorded.database_url).unkept == 1


@pytest.mark.parametrize(
    ("statement", "sequence", "reason"),
    [
        ("UPDATE record_entries SET leaf = :leaf WHERE sequence = 17", 17, "the entry was changed"),
        ("DELETE FROM record_entries WHERE sequence = 17", 17, "the entry is missing"),
        ("UPDATE record_entries SET sequence = -4 WHERE sequence = 17", -4, "outside its log"),
        ("UPDATE record_entries SET action = 'test.hidden' WHERE sequence = 17", 17, "another action or subject"),
        ("UPDATE record_entries SET subject = 'app_2' WHERE sequence = 17", 17, "another action or subject"),
        ("UPDATE record_entries SET subject = NULL WHERE sequence = 17", 17, "another action or subject"),
        (
            "INSERT INTO record_entries (log_id, sequence, leaf, leaf_hash, action) "
            "SELECT log_id, 31, :leaf, :hash, 'x' FROM record_logs",
            31,
            "no seal covers this entry",
        ),
        ("DELETE FROM record_seals WHERE number = 1", 1, "seal 1 is missing"),
        ("UPDATE record_seals SET signature = :zeros WHERE number = 1", 1, "seal 1 has a wrong signature"),
        ("UPDATE record_seals SET key_id = 'other' WHERE number = 1", 1, "a key that this audit was not given"),
        ("UPDATE record_seals SET root = :genesis WHERE number = 1", 1, "not those that seal 1 covers"),
        ("UPDATE record_logs SET size = 29, peaks = :peaks", 30, "not that of its last seal"),
        ("UPDATE record_logs SET peaks = :peaks", 31, "not that of its last seal"),
        ("UPDATE record_logs SET peaks = :zeros", 31, "do not fit its size"),
        ("UPDATE record_logs SET seals = seals + 1", 31, "cut off"),
        ("UPDATE record_logs SET seals = seals - 1", 31, "not that of its last seal"),
        ("UPDATE record_logs SET last_seal_hash = :genesis", 31, "not that of its last seal"),
    ],
)
async def test_the_first_broken_entry_is_named(recorded: Recorded, statement: str, sequence: int, reason: str) -> None:
    with recorded.tampered(statement, **FORGERY, zeros=bytes(64), genesis=bytes(32), peaks=bytes(4 * 32)) as audit_it:
        (broken,) = audit_it().broken
    assert reason in broken.reason
    assert broken.where == recorded.named(sequence)


async def test_a_forgery_with_its_hash_is_told_by_the_seal_over_it(recorded: Recorded) -> None:
    forged = "UPDATE record_entries SET leaf = :leaf, leaf_hash = :hash WHERE sequence = 17"
    with recorded.tampered(forged, **FORGERY) as audit_it:
        (broken,) = audit_it().broken
    assert "are not those that seal" in broken.reason


@pytest.mark.parametrize(
    ("statements", "sequence", "reason"),
    [
        (LAST_SEAL_GONE, None, "the log was cut off: its head counts 30 entries"),
        ((NO_ENTRIES,), 1, "the entry is missing"),
        ((NO_SEALS,), 1, "no seal covers this entry"),
        ((NO_ENTRIES, NO_SEALS), 1, "the log was cut off: its head counts 30 entries"),
        ((NO_ENTRIES, NO_SEALS, REWOUND), 1, "was kept outside the database"),
        ((NO_ENTRIES, NO_SEALS, NO_LOGS), 1, "was kept outside the database"),
    ],
)
async def test_a_log_cut_off_or_emptied_is_told(
    recorded: Recorded, statements: Sequence[str], sequence: int | None, reason: str
) -> None:
    expected = sequence or recorded.head.first_sequence
    with recorded.tampered(*statements, none=b"", genesis=bytes(32)) as audit_it:
        alone, with_head = audit_it(), audit_it(recorded.head)
    if "kept outside" in reason:
        assert alone.broken == ()
        (broken,) = with_head.broken
    else:
        (broken,) = alone.broken
    assert (broken.where, reason in broken.reason) == (recorded.named(expected), True), broken


async def test_a_log_without_its_head_is_walked_all_the_same(recorded: Recorded) -> None:
    with recorded.tampered(NO_LOGS) as audit_it:
        report = audit_it()
    assert (report.logs, report.entries) == (1, 30)
    assert reasons(report) == [(recorded.log_id, "the head of the log is missing")]
    with recorded.tampered(NO_LOGS, NO_SEALS) as audit_it:
        assert reasons(audit_it()) == [(recorded.named(1), "no seal covers this entry")]


async def test_a_log_cut_off_with_its_head_rewound_is_told_by_the_head_outside(
    database_url: str, tmp_path: Path
) -> None:
    """What a restored backup does: all that is there is genuine, and the end is missing."""
    early = await record(database_url, tmp_path / "heads")
    with reading(database_url) as unit:
        (head,) = unit.record_reader.heads(early.log_id)
    with opened(database_url, SetClock(), HeadFiles(tmp_path / "heads")) as transactions:
        await transactions.write(lambda tx: tx.records.append(RecordEntry("test.done", NOON, "gateway")))
    (kept,) = heads_in(tmp_path / "heads")
    early.tamper(
        *LAST_SEAL_GONE,
        "UPDATE record_logs SET size = 30, seals = seals - 1, peaks = :peaks, last_seal_hash = :hash",
        "COMMIT",
        peaks=b"".join(head.frontier.peaks),
        hash=head.last_seal_hash,
    )
    assert audited(database_url, early.head).broken == ()
    (broken,) = audited(database_url, kept).broken
    assert broken.where == early.named(31)
    assert broken.reason == f"the log was cut off: head {kept.number} was kept outside the database"

    # The gateway goes on from there; what was kept of the other end stays, and still tells.
    with opened(database_url, SetClock(), HeadFiles(tmp_path / "heads")) as transactions:
        for _ in range(3):
            await transactions.write(lambda tx: tx.records.append(RecordEntry("test.other", NOON, "gateway")))
    assert audited(database_url).broken == ()
    heads = heads_in(tmp_path / "heads")
    assert kept in heads
    assert len(heads) == 2
    assert "not the one that was kept outside" in audited(database_url, *heads).broken[0].reason


@pytest.mark.parametrize("column", ["leaf", "leaf_hash", "action", "sequence"])
async def test_a_value_that_is_missing_is_a_break_and_no_crash(recorded: Recorded, column: str) -> None:
    if recorded.sqlite:
        others = [each for each in ("log_id", "sequence", "leaf", "leaf_hash", "action", "subject") if each != column]
        statements = [
            f"CREATE TABLE looser AS SELECT {', '.join(others)}, "
            f"CASE WHEN sequence <> 17 THEN {column} END AS {column} FROM record_entries",
            "DROP TABLE record_entries",
            "ALTER TABLE looser RENAME TO record_entries",
        ]
    else:
        statements = [
            "ALTER TABLE record_entries DROP CONSTRAINT pk_record_entries",
            f"ALTER TABLE record_entries ALTER COLUMN {column} DROP NOT NULL",
            f"UPDATE record_entries SET {column} = NULL WHERE sequence = 17",
        ]
    with recorded.tampered(*statements) as audit_it:
        (broken,) = audit_it().broken
    # Nothing sorts before every number on SQLite, and after it on PostgreSQL.
    first = 17 if column != "sequence" or not recorded.sqlite else 1
    assert broken.where == recorded.named(first)


@pytest.mark.parametrize(
    ("table", "column"),
    [("entries", "leaf"), ("entries", "leaf_hash"), ("seals", "root"), ("seals", "signature"), ("logs", "peaks")],
)
async def test_text_where_bytes_are_written_is_a_break_and_no_crash(
    recorded: Recorded, table: str, column: str
) -> None:
    change = f"UPDATE record_{table} SET {column} = CAST('x' AS TEXT)"
    if not recorded.sqlite:
        change = f"ALTER TABLE record_{table} ALTER COLUMN {column} TYPE text USING encode({column}, 'base64')"
    with recorded.tampered(change) as audit_it:
        (broken,) = audit_it().broken
    assert broken.where == recorded.named(31 if table == "logs" else 1)
    assert "is not bytes" in broken.reason


@pytest.mark.parametrize("column", ["number", "first_sequence", "sealed_at", "key_id"])
async def test_a_seal_of_rubbish_is_a_break_and_no_crash(recorded: Recorded, column: str) -> None:
    change = f"UPDATE record_seals SET {column} = x'00' WHERE number = 1"
    if not recorded.sqlite:
        change = f"ALTER TABLE record_seals ALTER COLUMN {column} TYPE bytea USING {column}::text::bytea"
    with recorded.tampered(change) as audit_it:
        (broken,) = audit_it().broken
    assert broken.where == recorded.named(1)


async def test_text_in_no_encoding_is_a_break_and_no_crash(databases: Databases, tmp_path: Path) -> None:
    recorded = await record(databases.sqlite(), tmp_path)
    recorded.tamper("UPDATE record_entries SET leaf = CAST(x'ff41' AS TEXT), action = CAST(x'ff' AS TEXT)", "COMMIT")
    (broken,) = audited(recorded.database_url).broken
    assert broken.where == recorded.named(1)


async def test_a_sealed_leaf_that_is_no_entry_is_told(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.storage.records.encode_entry", lambda entry: b"[]")
    with opened(database_url, SetClock()) as transactions:
        named = await transactions.write(lambda tx: tx.records.append(RecordEntry("test.done", NOON, "gateway")))
    with reading(database_url) as unit:
        report = audit(unit.record_reader, SEAL_KEYS)
    assert reasons(report) == [(named, "the entry cannot be read")]


@pytest.mark.parametrize("sequence", ["31", "0", "-1", "01", "x", "²", "9" * 30, ""])
async def test_a_reference_to_an_entry_that_is_not_there_is_told(recorded: Recorded, sequence: str) -> None:
    with recorded.tampered(REFERENCES, named=recorded.named(30)) as audit_it:
        assert audit_it().broken == ()
    named = f"{recorded.log_id}-{sequence}"
    reason = "the entry does not exist, and stage_events app_1/evt_1 refers to it"
    with recorded.tampered(REFERENCES, named=named) as audit_it:
        assert reasons(audit_it()) == [(named, reason)]


async def test_a_row_elsewhere_shows_that_everything_was_deleted(recorded: Recorded) -> None:
    with recorded.tampered(NO_ENTRIES, NO_SEALS, NO_LOGS, REFERENCES, named=recorded.named(30)) as audit_it:
        assert [broken.where for broken in audit_it().broken] == [recorded.named(30)]


async def test_a_head_that_nobody_signed_is_told(recorded: Recorded) -> None:
    forged = Seal(**{**recorded.head.__dict__, "signature": bytes(64)})
    found = reasons(audited(recorded.database_url, forged))
    assert (recorded.named(30), "the head kept outside has a wrong signature") in found


async def test_an_audit_while_the_gateway_appends_is_clean(database_url: str, tmp_path: Path) -> None:
    """Each audit sees one moment, and no head was kept that it does not see."""
    seen: list[AuditReport] = []
    audited = threading.Event()

    def audit_again_and_again() -> None:
        while len({report.entries for report in seen if report.heads}) < 10:
            kept = heads_in(tmp_path)
            with reading(database_url) as unit:
                seen.append(audit(unit.record_reader, SEAL_KEYS, kept=kept))
        audited.set()

    with opened(database_url, SetClock(), HeadFiles(tmp_path, pause_s=0.005)) as transactions:
        auditor = asyncio.get_running_loop().run_in_executor(None, audit_again_and_again)

        async def client(number: int) -> None:
            entry = RecordEntry("test.done", NOON, "gateway", subject=f"app_{number}")
            while not audited.is_set():
                await transactions.write(lambda tx: tx.records.append(entry))

        async def reader() -> None:
            while not audited.is_set():
                seen.append(await transactions.read(lambda tx: audit(tx.record_reader, SEAL_KEYS)))

        await asyncio.wait_for(asyncio.gather(auditor, reader(), *(client(number) for number in range(8))), 60)
    assert {report.broken for report in seen} == {()}
