"""``bandian migrate`` over a database of the first version: what was plain is sealed, nothing that matters is lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from adapters.storage import engine as engine_room
from adapters.storage.applications import application_parties
from adapters.storage.engine import NotSwept, create_database_engine, sweep
from adapters.storage.migrate import migrate
from gateway.applications.lifecycle import to_json
from gateway.bootstrap.foundation import Foundation, lay_foundation
from gateway.certificates.verdicts import Verdict
from gateway.crypto.keyed_digest import Use
from gateway.crypto.sealing import StoredDataUnreadable
from gateway.records.entries import digest
from gateway.settings import load_settings
from tests.support.approvals import A_PARTY, an_application
from tests.support.databases import Databases
from tests.support.raw_database import every_value

PARTY = replace(A_PARTY, name="旧库里的公司", code="91440101OLDCODE00X", address="旧库路 1 号")
WORDS = [PARTY.name, PARTY.code, str(PARTY.address), "旧库里的用途", "旧库里的原因", "旧答复", "旧线路", "旧结果"]
SERIES = digest("1.2.156.3005.2.11100000000013338W011.91440101OLDCODE00X")


@pytest.fixture(params=["sqlite", "postgresql"])
def old_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    if request.param == "sqlite":
        url = databases.empty_sqlite()
        migrate(url, "0001")
        yield url
    else:
        with databases.empty_postgresql() as url:
            migrate(url, "0001")
            yield url


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_database_engine(url, pool_size=1)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


def insert(connection: Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    connection.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + name for name in values)})"), values
    )


def plain(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def fill(connection: Connection) -> None:
    """What the first version would have written, in its own form."""
    application = an_application(holder_digest="h" * 64)
    at = "2026-03-01T00:00:00.000000Z"
    closed = {
        **to_json(application.lifecycle),
        "steps": [
            {
                "action": "ended",
                "stage": None,
                "claimed_at": "2026-03-01T08:00:00+08:00",
                "heard_at": "2026-03-01T00:00:00+00:00",
                "counted_at": "2026-03-01T00:00:00+00:00",
                "reason": "旧库里的原因",
                "flags": [],
            }
        ],
    }
    document = {
        **dict.fromkeys(("source", "as_of", "identifier_digest", "content_digest", "series_digest", "version")),
        "document": "business_licence",
        "title": "营业执照",
        "verdict": Verdict.VALID.value,
        "series_digest": SERIES,
        "identifier_digest": "e" * 64,
    }
    for number, lifecycle, status in ((1, to_json(application.lifecycle), "waiting"), (2, closed, "ended")):
        insert(
            connection,
            "applications",
            application_id=f"app_{number}",
            utility=application.utility,
            region=application.region,
            customer_class=application.customer_class.value,
            intake=application.intake.value,
            applicant_kind=application.applicant_kind.value,
            holder_digest="h" * 64,
            received_at=at,
            status=status,
            demand=plain({**application.demand.__dict__, "purpose": "旧库里的用途"}),
            derivation=plain({**application.derivation.__dict__}),
            documents=plain([document]),
            lifecycle=plain(lifecycle),
        )
        insert(connection, "application_parties", application_id=f"app_{number}", party=plain({**PARTY.__dict__}))
    insert(
        connection,
        "stage_events",
        application_id="app_1",
        event_id="ev-1",
        content_digest="a" * 64,
        record_id="r",
        heard_at=at,
    )
    insert(
        connection,
        "idempotency_keys",
        scope="s",
        request_sha256="b" * 64,
        holder="x",
        lease_until=at,
        expires_at=at,
        status=200,
        media_type="application/json",
        body="旧答复".encode(),
    )
    insert(
        connection,
        "joint_reviews",
        review_id="rev_1",
        application_id="app_1",
        utility="u",
        opened_at=at,
        status="open",
        line=plain({"description": "旧线路"}),
        record_id="r",
        review=plain({"permits": ["旧线路"]}),
    )
    insert(connection, "joint_review_permits", permit_id="p", review_id="rev_1")
    insert(
        connection,
        "approval_outcomes",
        department="d",
        outcome_id="o",
        permit_id="p",
        sequence=1,
        content_digest="c" * 64,
        signed="旧结果".encode(),
        signed_digest="d" * 64,
        record_id="r",
        received_at=at,
    )
    insert(
        connection,
        "outbox",
        event_id="evt_1",
        destination="u",
        position=1,
        subject="app_1",
        sequence=1,
        at=at,
        channel="webhook",
        type="t",
        data=plain({"purpose": "旧库里的用途"}),
        state="delivered",
        attempts=1,
        settled_at=at,
    )
    insert(
        connection,
        "certificate_copies",
        kind="business_licence",
        holder_code=PARTY.code,
        digest="e" * 64,
        identifier=PARTY.code,
        envelope=PARTY.name.encode(),
        source="gd",
        level="440000",
        fetched_at=at,
    )
    insert(
        connection,
        "verification_sessions",
        session_id="ses_1",
        applicant_kind="enterprise",
        method="e_licence",
        state_digest="1",
        token_digest="2",
        nonce="n",
        code_verifier="v",
        opened_at=at,
        expires_at=at,
        status="verified",
        applicant=plain({"holder_name": PARTY.name}),
    )


def environment(url: str, directory: Path) -> dict[str, str]:
    return {"BANDIAN_DATABASE_URL": url, "BANDIAN_KEY_DIR": str(directory / "keys")}


def bandian(url: str, directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments],
        env={**os.environ, **environment(url, directory)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def foundation_of(url: str, directory: Path) -> Iterator[Foundation]:
    with closing(lay_foundation(load_settings(environment(url, directory)))) as foundation:
        yield foundation


async def test_an_upgrade_seals_what_was_plain_and_loses_nothing_that_matters(
    old_database: str, tmp_path: Path
) -> None:
    with connected(old_database) as connection:
        fill(connection)
    before = b"".join(every_value(old_database))
    assert all(word.encode() in before for word in WORDS)

    said = bandian(old_database, tmp_path, "migrate")

    assert "已加密升级前的数据 8 行" in said
    after = b"".join(every_value(old_database))
    assert [word for word in WORDS if word.encode() in after] == []
    assert SERIES.encode() not in after
    with foundation_of(old_database, tmp_path) as foundation:
        digests = foundation.transactions.at_rest.digests
        read = foundation.transactions.read
        assert await read(lambda tx: tx.applications.party("app_1")) == PARTY
        open_one = await read(lambda tx: tx.applications.find("app_1"))
        ended = await read(lambda tx: tx.applications.find("app_2"))
        assert open_one is not None
        assert ended is not None
        assert open_one.demand.purpose == "旧库里的用途"
        assert ended.lifecycle.closing_reason == "旧库里的原因"
        assert open_one.documents[0].series_digest == digests.of(Use.CERTIFICATE_SERIES, SERIES)
        assert open_one.documents[0].identifier_digest == digests.of(Use.CERTIFICATE, "e" * 64)
        series = digests.of(Use.CERTIFICATE_SERIES, SERIES)
        resting = await read(lambda tx: tx.application_certificates.of_series([series]))
        assert [row[:2] for row in resting] == [("app_1", "business_licence")], "of the open application alone"
        heard = await read(lambda tx: tx.stage_events.find("app_1", "ev-1"))
        assert heard == (digests.of(Use.STAGE_EVENT, "a" * 64), "r")
        outcome = await read(lambda tx: tx.approval_outcomes.find("d", "o"))
        assert outcome is not None
        assert outcome.signed == "旧结果".encode()
        assert outcome.content_digest == digests.of(Use.OUTCOME, "c" * 64)
        sent = await read(lambda tx: tx.deliveries.find("evt_1"))
        assert sent is not None
        assert sent.event.data == {"purpose": "旧库里的用途"}
    with connected(old_database) as connection:
        closed = connection.execute(text("SELECT application_id FROM applications WHERE closed_at IS NOT NULL")).all()
        recorded = connection.execute(text("SELECT leaf FROM record_entries WHERE action = 'storage.resealed'")).all()
    assert [row.application_id for row in closed] == ["app_2"]
    (entry,) = [json.loads(row.leaf) for row in recorded]
    assert entry["facts"]["dropped"] == ["certificate_copies:1", "verification_sessions:1"]
    assert entry["facts"]["digests_keyed"] == 9
    assert "applications:2" in entry["facts"]["rows"]
    assert "已加密" not in bandian(old_database, tmp_path, "migrate"), "there is nothing left to seal"


async def test_a_reseal_that_was_cut_off_goes_on_where_it_stopped(old_database: str, tmp_path: Path) -> None:
    with connected(old_database) as connection:
        fill(connection)
    left = migrate(old_database)
    assert left == {"unsealed": 11, "certificate_copies": 1, "verification_sessions": 1}
    with foundation_of(old_database, tmp_path) as foundation:
        with pytest.raises(StoredDataUnreadable) as caught:
            await foundation.transactions.read(lambda tx: tx.applications.party("app_1"))
        assert caught.value.check == "at_rest.unsealed"
        await foundation.transactions.write(lambda tx: tx.sealed_rows.reseal(application_parties, [("app_1",)]))
        usage = await foundation.transactions.read(lambda tx: tx.sealed_rows.usage())
        assert usage["unsealed"] == 10
    said = bandian(old_database, tmp_path, "keys", "reseal")
    assert "application_parties\t1 行" in said
    with foundation_of(old_database, tmp_path) as foundation:
        usage = await foundation.transactions.read(lambda tx: tx.sealed_rows.usage())
        assert sum(usage.values()) == 11
        assert len(usage) == 1


def test_rows_that_somebody_still_reads_are_not_taken_for_gone(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_room, "SWEEP_PATIENCE", 1.0)
    with databases.empty_postgresql() as url:
        with connected(url) as connection:
            connection.execute(text("CREATE TABLE notes (note text)"))
            connection.execute(text("INSERT INTO notes VALUES ('旧库里的用途')"))
        reader = create_database_engine(url, pool_size=1, snapshots=True)
        with reader.connect() as looking:
            looking.execute(text("SELECT * FROM pg_class")).all()
            with connected(url) as connection:
                connection.execute(text("UPDATE notes SET note = 'sealed'"))
            with pytest.raises(NotSwept, match="somebody still reads"):
                sweep(url, ["notes"])
            assert "旧库里的用途".encode() in b"".join(every_value(url))
        reader.dispose()
        sweep(url, ["notes"])
        assert "旧库里的用途".encode() not in b"".join(every_value(url))
