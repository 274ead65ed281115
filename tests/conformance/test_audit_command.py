"""``bandian audit`` as an auditor runs it: what it needs, what it leaves alone, and what its exit code says."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from adapters.head_keeper import HeadFiles
from adapters.witnesses.files import LATEST, CheckpointFiles
from gateway.cli import app
from gateway.crypto.jwk import VerificationKey, export_jwk
from gateway.records.entries import RecordEntry
from gateway.records.ports import Submission
from tests.support.anchoring import LOG_KEY, anchoring, entry, recorded
from tests.support.databases import SERVER, Databases
from tests.support.storage import NOON, SEAL_KEYS, SetClock, opened

WHOLE, BROKEN, USAGE, UNREADABLE = 0, 1, 2, 3


@dataclass(frozen=True)
class Auditor:
    """Has the database, the public keys, and what was kept outside; no key directory."""

    directory: Path
    database_url: str

    @property
    def keys(self) -> Path:
        return self.directory / "jwks.json"

    @property
    def heads(self) -> Path:
        return self.directory / "heads"

    def audit(self, *arguments: str | Path, database_url: str | None = None, **more: str) -> Result:
        environment = {
            "BANDIAN_DATABASE_URL": database_url or self.database_url,
            "BANDIAN_KEY_DIR": str(self.directory / "keys"),
            **more,
        }
        return CliRunner().invoke(app, ["audit", *map(str, arguments)], env=environment)

    def with_keys(self, *arguments: str | Path, **more: str) -> Result:
        return self.audit("--keys", self.keys, *arguments, **more)

    def record(self, count: int = 3, heads: Path | None = None) -> None:
        async def append() -> None:
            with opened(self.database_url, SetClock(), HeadFiles(heads or self.heads)) as transactions:
                for number in range(count):
                    entry = RecordEntry("test.done", NOON, "gateway", facts={"n": number})
                    await transactions.write(lambda tx, entry=entry: tx.records.append(entry))

        asyncio.run(append())


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BANDIAN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def auditor(tmp_path: Path, database_url: str) -> Auditor:
    (kid, public_key), *_ = SEAL_KEYS.items()
    webhook = Ed25519PrivateKey.generate().public_key()
    keys = [VerificationKey(kid, public_key, frozenset({"EdDSA"}))]
    keys.append(VerificationKey("webhook-1", webhook, frozenset({"EdDSA"})))
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [export_jwk(key) for key in keys]}))
    return Auditor(tmp_path, database_url)


def contents(url: str) -> bytes | list[object]:
    """What must be as before: the bytes of a file, the rows of the log."""
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).read_bytes()
    with psycopg.connect(url) as database:
        return list(database.execute("SELECT * FROM record_logs"))


def test_a_whole_record_and_everything_left_as_it_was(auditor: Auditor) -> None:
    auditor.record()
    before = contents(auditor.database_url), sorted(auditor.directory.rglob("*"))
    said = auditor.with_keys()
    assert (said.exit_code, "完好。" in said.stdout) == (WHOLE, True), said.output
    assert "1 本日志，3 条存证" in said.stdout
    assert "库外链头 1 个相符" in said.stdout
    assert (contents(auditor.database_url), sorted(auditor.directory.rglob("*"))) == before


def test_an_empty_record_is_called_so_unless_a_head_says_otherwise(auditor: Auditor, databases: Databases) -> None:
    said = auditor.with_keys()
    assert (said.exit_code, said.stdout.splitlines()[-1]) == (WHOLE, "没有任何存证。")
    auditor.record()
    empty = Auditor(auditor.directory, databases.sqlite()).with_keys()
    assert empty.exit_code == BROKEN
    assert "was kept outside the database" in empty.stderr
    assert "没有任何存证" not in empty.stdout


def test_a_head_kept_elsewhere_is_heard(auditor: Auditor, databases: Databases) -> None:
    elsewhere = auditor.directory / "elsewhere"
    auditor.record(heads=elsewhere)
    (head,) = elsewhere.iterdir()
    assert auditor.with_keys("--head", head).exit_code == WHOLE
    without = auditor.with_keys()
    assert (without.exit_code, "没有库外链头" in without.stderr) == (WHOLE, True)
    other = Auditor(auditor.directory, databases.sqlite())
    assert other.with_keys().exit_code == WHOLE
    assert other.with_keys("--head", head).exit_code == BROKEN
    named = other.with_keys(BANDIAN_HEADS_DIR=str(elsewhere))
    assert (named.exit_code, f"{head.stem}-1：the log was cut off" in named.stderr) == (BROKEN, True)


def anchored(auditor: Auditor) -> Path:
    """Record and sign a checkpoint, kept where the gateway keeps it; answers its file."""

    async def anchor() -> None:
        clock = SetClock()
        with opened(auditor.database_url, clock) as transactions:
            await recorded(transactions, entry(1), entry(2))
            latest = await anchoring(transactions, clock).anchor_once()
            assert latest is not None

            async def proof_from(old_size: int) -> list[bytes]:
                return []

            await CheckpointFiles(auditor.heads).observe(Submission(latest.note, latest.size, proof_from))

    asyncio.run(anchor())
    return auditor.heads / LATEST


def test_a_checkpoint_kept_outside_is_heard(auditor: Auditor, databases: Databases) -> None:
    kept = anchored(auditor)
    said = auditor.with_keys()
    assert said.exit_code == WHOLE, said.output
    assert "1 个检查点" in said.stdout
    assert "库外检查点 1 个相符" in said.stdout
    other = Auditor(auditor.directory / "elsewhere", databases.sqlite())
    assert other.audit("--keys", auditor.keys).exit_code == WHOLE
    cut = other.audit("--keys", auditor.keys, "--checkpoint", kept)
    assert (cut.exit_code, "a checkpoint of 1 leaves was kept outside" in cut.stderr) == (BROKEN, True)
    kept.write_bytes(kept.read_bytes()[:-5])
    damaged = auditor.with_keys()
    assert (damaged.exit_code, kept.name in damaged.stderr) == (BROKEN, True)
    assert auditor.with_keys("--checkpoint", kept).exit_code == UNREADABLE


def test_a_copy_is_audited_without_the_gateway_s_settings(auditor: Auditor) -> None:
    kept = anchored(auditor)
    keys = auditor.directory / "keys.txt"
    keys.write_text(f"# of the gateway\n{LOG_KEY}\n")
    arguments = ("--keys", auditor.keys, "--record-keys", keys, "--checkpoint", kept)
    without = {"BANDIAN_DATABASE_URL": "sqlite:////nowhere/none.sqlite3", "BANDIAN_UNKNOWN": "x"}
    said = CliRunner().invoke(app, ["audit", *map(str, arguments), "--database", auditor.database_url], env=without)
    assert said.exit_code == WHOLE, said.output
    assert "2 条存证" in said.stdout
    keys.write_text("nonsense\n")
    assert auditor.with_keys("--record-keys", keys).exit_code == UNREADABLE
    assert auditor.with_keys("--database", "mysql://x/y").exit_code == USAGE


def test_a_damaged_head_where_the_gateway_keeps_them_is_a_doubt(auditor: Auditor) -> None:
    auditor.record()
    (head,) = auditor.heads.iterdir()
    head.write_bytes(head.read_bytes()[:-20])
    said = auditor.with_keys()
    assert (said.exit_code, head.name in said.stderr) == (BROKEN, True)


def test_keys_come_from_the_key_directory_by_default_and_none_are_made(auditor: Auditor) -> None:
    said = auditor.audit()
    assert (said.exit_code, "There is no key directory" in said.stderr) == (UNREADABLE, True)
    assert not (auditor.directory / "keys").exists()


def test_a_key_of_another_purpose_seals_nothing(auditor: Auditor) -> None:
    auditor.record()
    published = json.loads(auditor.keys.read_text())
    published["keys"][0]["kid"] = "webhook-2"
    published["keys"][1]["kid"] = "seal-2"
    auditor.keys.write_text(json.dumps(published))
    said = auditor.with_keys()
    assert (said.exit_code, "a key that this audit was not given" in said.stderr) == (BROKEN, True)


@pytest.fixture
def unreadable(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases) -> Iterator[str]:
    """The address of a database that nothing can be said about."""
    match request.param:
        case "missing file":
            yield f"sqlite:///{tmp_path / 'none' / 'bandian.sqlite3'}"
        case "garbage":
            (tmp_path / "garbage.sqlite3").write_bytes(b"no database" * 1000)
            yield f"sqlite:///{tmp_path / 'garbage.sqlite3'}"
        case "file that was never migrated":
            (tmp_path / "empty.sqlite3").touch()
            yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        case "missing database":
            yield SERVER.rsplit("/", 1)[0] + "/bandian_test_there_is_none"
        case "database that was never migrated":
            with databases.empty_postgresql() as url:
                yield url
        case "server that does not answer":
            yield "postgresql://bandian:hunter2@127.0.0.1:9/bandian"


@pytest.mark.parametrize(
    "unreadable",
    [
        "missing file",
        "garbage",
        "file that was never migrated",
        "missing database",
        "database that was never migrated",
        "server that does not answer",
    ],
    indirect=True,
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_read_is_neither_whole_nor_broken(auditor: Auditor, unreadable: str) -> None:
    before = sorted(auditor.directory.rglob("*"))
    said = auditor.with_keys(database_url=unreadable)
    assert said.exit_code == UNREADABLE, said.output
    assert said.stderr.startswith("The database ")
    assert len(said.stderr.splitlines()) == 1
    assert "hunter2" not in said.output
    assert said.stdout == ""
    assert sorted(auditor.directory.rglob("*")) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_overwritten_is_told_without_a_traceback(auditor: Auditor) -> None:
    auditor.record(50)
    path = Path(auditor.database_url.removeprefix("sqlite:///"))
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)
    said = auditor.with_keys()
    assert said.exit_code == UNREADABLE, said.output
    assert len(said.stderr.splitlines()) == 1


BAD_CALLS: dict[str, tuple[int, Callable[[Auditor], Result]]] = {
    "an option that there is not": (USAGE, lambda auditor: auditor.with_keys("--everything")),
    "a head that there is not": (USAGE, lambda auditor: auditor.with_keys("--head", "none.json")),
    "keys that there are not": (USAGE, lambda auditor: auditor.audit("--keys", "none.json")),
    "a setting that there is not": (USAGE, lambda auditor: auditor.with_keys(BANDIAN_HEAD_DIRS="x")),
    "a head that is none": (UNREADABLE, lambda auditor: auditor.with_keys("--head", auditor.keys)),
    "keys that are none": (UNREADABLE, lambda auditor: auditor.audit("--keys", __file__)),
    "heads in a file": (UNREADABLE, lambda auditor: auditor.with_keys(BANDIAN_HEADS_DIR=__file__)),
}


@pytest.mark.parametrize("call", BAD_CALLS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_call_that_cannot_be_answered(auditor: Auditor, call: str) -> None:
    code, run = BAD_CALLS[call]
    said = run(auditor)
    assert said.exit_code == code, said.output
    assert said.stdout == ""
    assert said.exception is None or isinstance(said.exception, SystemExit)


@pytest.mark.parametrize("jwks", ["[]", '{"keys": 1}', '{"keys": [{"kid": "seal-1"}]}', '{"keys": []}', "{"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_set_of_seal_keys_is_told(auditor: Auditor, jwks: str) -> None:
    auditor.keys.write_text(jwks)
    said = auditor.with_keys()
    assert (said.exit_code, "holds no seal key" in said.stderr) == (UNREADABLE, True)
