"""A backup proves itself, a restore gives nothing out twice: on both databases, by the commands an operator has."""

import asyncio
import json
import os
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from adapters.data_keys import add_data_key
from gateway.bootstrap.foundation import Foundation, lay_foundation, open_key_provider
from gateway.cli import app
from gateway.clock import system_clock
from gateway.commands import partners
from gateway.delivery.ports import ChannelKind, Event, EventDraft
from gateway.preflight import refuse_bad_start
from gateway.records.entries import RecordEntry
from gateway.settings import Settings, load_settings
from gateway.start_refusals import StartRefused
from schemas.events import EPOCH, follows
from tests.support.databases import Databases
from tests.support.storage import NOON

PROVED, NOT_PROVED, UNREADABLE = 0, 1, 3


@dataclass(frozen=True)
class Operator:
    """Has a gateway's keys, heads and database, and the commands."""

    directory: Path
    database_url: str

    @property
    def environment(self) -> dict[str, str]:
        return {"BANDIAN_DATABASE_URL": self.database_url, "BANDIAN_KEY_DIR": str(self.directory / "keys")}

    @property
    def settings(self) -> Settings:
        return load_settings(self.environment)

    def on(self, database_url: str) -> "Operator":
        return Operator(self.directory, database_url)

    def run(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(app, list(map(str, arguments)), env=self.environment)

    def backup(self, name: str = "backup") -> Path:
        made = self.run("backup", "-o", self.directory / name)
        assert made.exit_code == 0, made.output
        return self.directory / name

    @contextmanager
    def gateway(self) -> Iterator[Foundation]:
        """What a serving process stands on, after its preflight."""
        refuse_bad_start(self.settings)
        foundation = lay_foundation(self.settings)
        try:
            yield foundation
        finally:
            foundation.close()

    def work(self, *names: str) -> dict[str, str]:
        """Record and send for each name an event about one of two applications; answers record id by event."""
        with self.gateway() as foundation:
            return asyncio.run(send(foundation, *names))

    def given(self) -> list[Event]:
        """Every event that has a number, by receiver."""
        foundation = lay_foundation(self.settings)
        try:
            reading = foundation.transactions.read(lambda tx: tx.deliveries.feed("csg-foshan", 0, 1000))
            return list(asyncio.run(_awaited(reading)))
        finally:
            foundation.close()


async def _awaited(reading):  # type: ignore[no-untyped-def]
    return await reading


async def send(foundation: Foundation, *names: str) -> dict[str, str]:
    told = {}
    for number, name in enumerate(names):
        draft = EventDraft(
            name, "csg-foshan", ChannelKind.WEBHOOK, "t", f"app-{number % 2}", system_clock(), {"name": name}
        )

        def unit(tx, draft=draft) -> str:  # type: ignore[no-untyped-def]
            tx.outbox.append(draft)
            return str(tx.records.append(RecordEntry("test.sent", draft.at, "gateway", draft.subject)))

        told[name] = await foundation.transactions.write(unit)
    return told


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BANDIAN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> Operator:
    return Operator(tmp_path, database_url)


@pytest.fixture
def elsewhere(operator: Operator, databases: Databases) -> Iterator[str]:
    """Where nothing is yet, for a database of the operator's kind."""
    with ExitStack() as stack:
        sqlite = operator.database_url.startswith("sqlite")
        yield databases.empty_sqlite() if sqlite else stack.enter_context(databases.empty_postgresql())


def change(database_url: str, statement: str) -> None:
    """What somebody does to a database by hand."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as database, database:
            database.execute(statement)
        return
    with psycopg.connect(database_url) as database:
        database.execute(statement)


def test_a_backup_taken_while_others_write_proves_itself_and_holds_no_key(operator: Operator) -> None:
    operator.work("a", "b", "c")

    async def beside(foundation: Foundation) -> Path:
        stop = asyncio.Event()

        async def write_on() -> int:
            count = 0
            while not stop.is_set():
                await send(foundation, f"later-{count}")
                count += 1
            return count

        writing = asyncio.create_task(write_on())
        file = await asyncio.to_thread(operator.backup)
        stop.set()
        assert await writing > 1, "writers went on"
        return file

    with operator.gateway() as foundation:
        file = asyncio.run(beside(foundation))
    manifest = json.loads((file.parent / "backup.manifest.json").read_text())
    assert {path.stat().st_mode & 0o777 for path in (file, file.parent / "backup.manifest.json")} == {0o600}
    kept = b"".join(path.read_bytes() for path in operator.directory.rglob("keys/**/*") if path.is_file())
    assert all(line not in file.read_bytes() for line in kept.split(b"\n") if len(line) > 20)
    proved = operator.run("prove-backup", file)
    assert proved.exit_code == PROVED, proved.output
    assert "✗" not in proved.stdout
    assert manifest["keys"]["data"]
    assert f"至第 {manifest['outbox']['csg-foshan']['last_position']} 位" in proved.stdout
    assert "备份之后至少又有" in proved.stdout, "what came later is no fault of the backup, but is told"
    assert not [path for path in file.parent.iterdir() if "scratch" in path.name]


def test_after_a_restore_of_an_older_backup_nothing_is_given_twice(operator: Operator, elsewhere: str) -> None:
    known = operator.work("a", "b", "c")
    file = operator.backup()
    lost = operator.work("lost-1", "lost-2", "lost-3")
    before = operator.given()

    assert operator.run("restore", file, "--into", elsewhere).exit_code == 0
    after = operator.on(elsewhere)
    with pytest.raises(StartRefused, match="bandian adopt-restored"):
        refuse_bad_start(after.settings)
    refused = CliRunner().invoke(partners.app, ["list"], env=after.environment)
    assert (refused.exit_code, "bandian adopt-restored" in refused.stderr) == (1, True), "no command either"
    told = after.run("audit")
    assert (told.exit_code, "the log was cut off" in told.stderr) == (1, True)

    adopted = after.run("adopt-restored", "--yes")
    assert adopted.exit_code == 0, adopted.output
    (log_id,) = {record.rpartition("-")[0] for record in [*known.values(), *lost.values()]}
    assert f"缺失：日志 {log_id}" in adopted.stdout
    whole = after.run("audit")
    assert whole.exit_code == 0, whole.output
    assert (operator.directory / "heads" / "superseded-1" / f"{log_id}.json").exists()

    new = after.work("new-1", "new-2", "new-3", "new-4")
    assert not {*new.values()} & {*known.values(), *lost.values()}, "a record id names one thing"
    now = after.given()
    positions = {event.position: event.event_id for event in before}
    sequences = {(event.subject, event.sequence): event.event_id for event in before}
    for event in now:
        assert positions.get(event.position, event.event_id) == event.event_id
        assert sequences.get((event.subject, event.sequence), event.event_id) == event.event_id
    fresh = [event for event in now if event.event_id.startswith("new")]
    assert [event.position for event in fresh] == [EPOCH + number for number in (1, 2, 3, 4)]
    assert [event.sequence for event in fresh] == [EPOCH + 1, EPOCH + 1, EPOCH + 2, EPOCH + 2]
    assert follows(fresh[0].position, before[-1].position), "a receiver that has all of before misses nothing"
    assert "无需启用" in after.run("adopt-restored", "--yes").stdout
    again = after.backup("again")
    proved = after.run("prove-backup", again)
    assert proved.exit_code == PROVED, proved.output


def test_a_subject_that_had_no_number_in_the_backup_begins_in_the_new_epoch_too(
    operator: Operator, elsewhere: str
) -> None:
    operator.work("a")
    file = operator.backup()
    assert operator.run("restore", file, "--into", elsewhere).exit_code == 0
    after = operator.on(elsewhere)
    assert after.run("adopt-restored", "--yes").exit_code == 0
    after.work("b", "of-app-1")
    assert [event.sequence for event in after.given() if event.subject == "app-1"] == [EPOCH + 1]


def test_two_histories_do_not_go_by_one_name(operator: Operator, elsewhere: str) -> None:
    """A checkpoint that left the building counts more leaves than the restored record has."""
    operator.work("a")
    file = operator.backup()
    kept = operator.directory / "heads" / "record.checkpoint"
    origin, root = operator.settings.checkpoint_origin, b64encode(bytes(32)).decode()
    kept.write_text(f"{origin}\n5\n{root}\n\n\u2014 {origin} {b64encode(bytes(68)).decode()}\n", "utf-8")
    assert operator.run("restore", file, "--into", elsewhere).exit_code == 0
    after = operator.on(elsewhere)
    refused = after.run("adopt-restored", "--yes")
    assert (refused.exit_code, "BANDIAN_RECORD_ORIGIN" in refused.stderr) == (1, True), refused.output
    renamed = CliRunner().invoke(
        app, ["adopt-restored", "--yes"], env={**after.environment, "BANDIAN_RECORD_ORIGIN": f"{origin}-2"}
    )
    assert renamed.exit_code == 0, renamed.output
    assert (kept.parent / "superseded-1" / kept.name).exists()
    assert not kept.exists()


def put_back(operator: Operator, databases: Databases, stack: ExitStack) -> str:
    """A copy of the database as somebody makes it without ``bandian``, taken before more happens."""
    if operator.database_url.startswith("sqlite"):
        copy = databases.empty_sqlite()
        shutil.copy(operator.database_url.removeprefix("sqlite:///"), copy.removeprefix("sqlite:///"))
        return copy
    url = stack.enter_context(databases.empty_postgresql())
    server, _, name = url.rpartition("/")
    with psycopg.connect(server + "/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}"')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{operator.database_url.rpartition("/")[2]}"')
    return url


def test_a_database_put_back_by_hand_is_not_served_because_its_heads_know_better(
    operator: Operator, databases: Databases
) -> None:
    operator.work("a", "b")
    with ExitStack() as stack:
        older = operator.on(put_back(operator, databases, stack))
        refuse_bad_start(older.settings)
        operator.work("lost")
        with pytest.raises(StartRefused, match="older than the heads"):
            refuse_bad_start(older.settings)
        assert older.run("adopt-restored", "--yes").exit_code == 0
        older.work("new")
        assert [event.position for event in older.given()] == [1, 2, EPOCH + 1]
        assert older.run("audit").exit_code == 0


def test_a_database_that_is_still_served_is_not_adopted(operator: Operator, databases: Databases) -> None:
    operator.work("a")
    with ExitStack() as stack:
        older = operator.on(put_back(operator, databases, stack))
        operator.work("lost")
        stale = lay_foundation(older.settings)  # it ran since before, and heard nothing of it
        try:
            asyncio.run(send(stale, "by a gateway that nobody stopped"))
            refused = older.run("adopt-restored", "--yes")
        finally:
            stale.close()
        assert (refused.exit_code, "仍有进程在使用" in refused.stderr) == (1, True), refused.output
        assert older.run("adopt-restored", "--yes").exit_code == 0
        assert older.run("audit").exit_code == 0


def test_a_restore_writes_over_nothing(operator: Operator, elsewhere: str) -> None:
    operator.work("a")
    file = operator.backup()
    for taken in (operator.database_url, elsewhere):
        if taken == elsewhere:
            assert operator.run("restore", file, "--into", taken).exit_code == 0
        refused = operator.run("restore", file, "--into", taken)
        assert (refused.exit_code, "恢复不覆盖任何数据库" in refused.stderr) == (1, True), refused.output
    assert len(operator.given()) == 1
    assert operator.run("backup", "-o", file).exit_code == 1, "a backup neither"


def test_what_is_damaged_or_of_another_kind_is_not_restored(operator: Operator, elsewhere: str, tmp_path: Path) -> None:
    operator.work("a")
    file = operator.backup()
    other = "postgresql://nobody@127.0.0.1:9/x" if elsewhere.startswith("sqlite") else f"sqlite:///{tmp_path}/x.sqlite3"
    assert "只能恢复到同类数据库" in operator.run("restore", file, "--into", other).stderr
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    for command in (["restore", file, "--into", elsewhere], ["prove-backup", file]):
        refused = operator.run(*command)
        assert refused.exit_code == (UNREADABLE if command[0] == "prove-backup" else 1)
        assert "与清单不符" in refused.stderr
    (tmp_path / "backup.manifest.json").write_text("{}")
    assert "不是备份清单" in operator.run("restore", file, "--into", elsewhere).stderr


def lose_the_data_keys(operator: Operator) -> None:
    for path in (operator.directory / "keys" / "at-rest").glob("data-*.key"):
        path.unlink()


def lose_one_data_key(operator: Operator) -> None:
    (old,) = (operator.directory / "keys" / "at-rest").glob("data-*.key")
    add_data_key(old.parent, open_key_provider(operator.settings), NOON.date())
    old.unlink()


def have_another_lookup_key(operator: Operator) -> None:
    path = operator.directory / "keys" / "lookup.key"
    path.write_text(path.read_text()[::-1])


HARM = {
    "an event was taken out": ("DELETE FROM outbox WHERE event_id = 'b'", None, "位置不连续"),
    "a counter stands too low": ("UPDATE outbox_counters SET last = 1", None, "计数器落后"),
    "a sealed value was changed": (
        "UPDATE outbox SET data = (SELECT data FROM outbox WHERE event_id = 'a') WHERE event_id = 'b'",
        None,
        "at_rest.tampered",
    ),
    "an entry was changed": ("UPDATE record_entries SET action = 'x' WHERE sequence = 2", None, "存证不符"),
    "the data keys are gone": (None, lose_the_data_keys, "没有可用的数据密钥"),
    "one of the data keys is gone": (None, lose_one_data_key, "不在本机"),
    "the look-up key is another": (None, have_another_lookup_key, "不是备份时的那一把"),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_that_cannot_be_relied_on_is_called_so(operator: Operator, harm: str) -> None:
    operator.work("a", "b", "c")
    statement, deed, said = HARM[harm]
    if statement:
        change(operator.database_url, statement)
    file = operator.backup()
    if deed:
        deed(operator)
    report = operator.run("prove-backup", file)
    assert (report.exit_code, said in report.stdout) == (NOT_PROVED, True), report.output
    assert "这份备份不可依赖" in report.stdout


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_without_the_client_tools_it_is_said_plainly(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    operator.work("a")
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = operator.run("backup", "-o", tmp_path / "b")
    assert (refused.exit_code, "本机没有 pg_dump" in refused.stderr) == (1, True)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".b", "b"))]
