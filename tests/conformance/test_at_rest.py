"""What happens to a running gateway when keys change, are missing, or what lies in the database was touched."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from adapters.data_keys import LiveDataKeys, add_data_key, open_data_keys
from adapters.key_providers import open_provider
from adapters.storage.applications import application_parties, intakes
from adapters.storage.certificates import certificate_copies
from adapters.storage.deliveries import outbox
from adapters.storage.delivery_claims import ASIDE_FOR
from adapters.storage.engine import create_database_engine
from adapters.storage.resealing import reseal_everything
from adapters.storage.sealed import AtRest, SealedValue
from adapters.storage.transactions import SqlTransactions
from gateway.applications.model import IntakeKind
from gateway.crypto.aead import Algorithm
from gateway.crypto.sealing import DataKey, FixedKeys, KeyProvider, Sealer, StoredDataUnreadable
from gateway.delivery.ports import ChannelKind, ClaimRoom, EventDraft
from tests.support.approvals import A_PARTY, an_application
from tests.support.licences import SHOP, LicencesRoom, an_applicant, licences_room
from tests.support.storage import DIGESTS, NOON, SetClock, opened
from tests.unit.retention.test_retention import retention

LOST = AtRest(Sealer(FixedKeys((DataKey("10571057", b"l" * 32),))), DIGESTS)
"""Of a gateway whose key was lost since."""


@pytest.fixture
def provider() -> KeyProvider:
    return open_provider("env:KEY", {"KEY": "ab" * 32}.get, Algorithm.AES_256_GCM, generate=False)


@contextmanager
def process(
    url: str, directory: Path, provider: KeyProvider, algorithm: Algorithm = Algorithm.AES_256_GCM
) -> Iterator[SqlTransactions]:
    """One gateway process: its own look at the data keys, its own writer."""
    found = open_data_keys(directory, provider, generate=True, on=NOON.date())
    keys = LiveDataKeys(directory, provider, found, SetClock())
    with opened(url, SetClock(), at_rest=AtRest(Sealer(keys, algorithm), DIGESTS)) as transactions:
        yield transactions


def add(number: int) -> Any:
    return lambda tx: tx.applications.add(an_application(f"app_{number}"), A_PARTY)


def party(number: int) -> Any:
    return lambda tx: tx.applications.party(f"app_{number}")


def usage(tx: Any) -> dict[str, int]:
    return dict(tx.sealed_rows.usage())


def overwrite(url: str, table: Any, column: str, change: Any) -> None:
    """Change a stored value behind the gateway's back."""
    engine = create_database_engine(url, pool_size=1)
    with engine.connect() as connection, connection.begin():
        for row in connection.execute(table.select()):
            key = [each == row._mapping[each.name] for each in table.primary_key]
            value = SealedValue(change(bytes(row._mapping[column])))
            connection.execute(update(table).where(*key).values({column: value}))
    engine.dispose()


async def test_a_key_is_changed_beside_two_serving_processes_and_the_old_one_can_go(
    database_url: str, tmp_path: Path, provider: KeyProvider
) -> None:
    directory = tmp_path / "at-rest"
    with process(database_url, directory, provider) as one, process(database_url, directory, provider) as other:
        for number in range(30):
            await one.write(add(number))
        (old,) = (await one.read(usage)).keys()
        new = add_data_key(directory, provider, NOON.date()).key.key_id
        with process(database_url, directory, provider) as third:
            await third.write(add(30))
        assert await other.read(party(30)) == A_PARTY, "a key that another process brought is found at once"
        assert set(await other.read(usage)) == {old, new}

        async def serve() -> None:
            for number in range(31, 51):
                await other.write(add(number))
                assert await one.read(party(number)) == A_PARTY
                assert await one.read(party(number - 31)) == A_PARTY

        resealed, _ = await asyncio.gather(reseal_everything(other, 0.001), serve())
        assert resealed.rows["application_parties"] >= 30
        assert (await reseal_everything(other, 0)).rows.keys() <= {"applications", "application_parties"}
        assert set(await other.read(usage)) == {new}
        for number in range(51):
            assert await other.read(party(number)) == A_PARTY


async def test_the_algorithm_is_changed_by_setting_and_old_values_open_until_they_are_resealed(
    database_url: str, tmp_path: Path, provider: KeyProvider
) -> None:
    directory = tmp_path / "at-rest"
    with process(database_url, directory, provider) as aes:
        await aes.write(add(1))
    with process(database_url, directory, provider, Algorithm.SM4_GCM) as sm4:
        assert await sm4.read(party(1)) == A_PARTY
        assert (await reseal_everything(sm4, 0)).rows == {"applications": 1, "application_parties": 1}
        assert (await reseal_everything(sm4, 0)).rows == {}
        assert await sm4.read(party(1)) == A_PARTY


async def test_a_value_that_was_changed_or_moved_is_told_from_one_whose_key_is_missing(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(database_url, SetClock()) as storage, opened(database_url, SetClock(), at_rest=LOST) as lost:
        await storage.write(add(1))
        await lost.write(add(2))
        with pytest.raises(StoredDataUnreadable) as caught:
            await storage.read(party(2))
        assert (caught.value.check, caught.value.key_id) == ("at_rest.key_unknown", "10571057")
        overwrite(database_url, application_parties, "party", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]))
        with pytest.raises(StoredDataUnreadable) as caught:
            await storage.read(party(1))
        assert caught.value.check == "at_rest.tampered"
        assert A_PARTY.name not in str(caught.value)


async def test_rows_cannot_be_swapped(database_url: str) -> None:
    with opened(database_url, SetClock()) as storage:
        await storage.write(add(1))
        await storage.write(add(2))
        moved: list[bytes] = []
        overwrite(database_url, application_parties, "party", lambda sealed: moved.append(sealed) or moved[0])
        assert await storage.read(party(1)) == A_PARTY
        with pytest.raises(StoredDataUnreadable):
            await storage.read(party(2))


def draft(number: int, subject: str) -> EventDraft:
    return EventDraft(f"evt_{number}", "csg", ChannelKind.WEBHOOK, "t", subject, NOON, {"number": number})


async def test_an_event_that_cannot_be_opened_holds_up_its_own_application_alone(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as storage:

        def append(tx: Any) -> None:
            for number, subject in ((1, "app_1"), (2, "app_1"), (3, "app_2")):
                tx.outbox.append(draft(number, subject))

        await storage.write(append)
        sealed: dict[str, bytes] = {}

        def spoil(value: bytes) -> bytes:
            sealed.setdefault("first", value)
            return spoilt(value) if value == sealed["first"] else value

        overwrite(database_url, outbox, "data", spoil)

        def claim(tx: Any) -> list[str]:
            now = clock()
            return [
                each.event.event_id
                for each in tx.deliveries.claim("relay", now, now + timedelta(seconds=9), ClaimRoom(9, 9))
            ]

        assert await storage.write(claim) == ["evt_3"]
        assert await storage.write(claim) == []
        clock.advance(seconds=10)
        assert await storage.write(claim) == ["evt_3"], "the one that cannot be opened is left for a while"
        overwrite(
            database_url, outbox, "data", lambda value: sealed["first"] if value[:-1] == sealed["first"][:-1] else value
        )
        clock.advance(seconds=ASIDE_FOR.total_seconds())
        assert await storage.write(claim) == ["evt_1", "evt_3"], "mended, it is delivered"


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def spoilt(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


async def test_a_copy_that_cannot_be_opened_is_fetched_again(room: LicencesRoom, database_url: str) -> None:
    application_id = (await room.apply()).application.application_id
    asked = len(room.source.queries)
    assert (await room.ask(application_id)).verdict == "valid"
    assert len(room.source.queries) == asked, "the copy was at hand"
    overwrite(database_url, certificate_copies, "envelope", spoilt)
    assert await room.copies("business_licence") == 0
    with licences_room(database_url) as later:  # a process that has nothing of it in memory
        assert (await later.ask(application_id)).verdict == "valid"
        assert len(later.source.queries) == 1
        assert await later.copies("business_licence") == 1


async def test_what_nobody_can_open_any_more_goes_when_its_time_is_over(room: LicencesRoom, database_url: str) -> None:
    closed = (await room.apply()).application.application_id
    await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
    await room.authorisations.withdraw(closed, an_applicant().holder_digest)
    overwrite(database_url, intakes, "body", spoilt)
    room.clock.advance(days=30)
    assert await room.intakes.purge_expired() == 1
    assert await retention(room).run() == {}


def test_sqlite_overwrites_what_it_deletes(tmp_path: Path) -> None:
    """What is deleted is sealed already; this is for what an upgrade found plain, and for keyed digests."""
    path = tmp_path / "one.sqlite3"
    engine = create_database_engine(f"sqlite:///{path}", pool_size=1)
    marker = b"MARKER-" + b"m" * 5000
    with engine.connect() as connection, connection.begin():
        connection.execute(text("CREATE TABLE notes (id INTEGER PRIMARY KEY, note BLOB)"))
        for number in range(9):
            connection.execute(text("INSERT INTO notes VALUES (:id, :note)"), {"id": number, "note": marker})
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert marker[:40] in path.read_bytes()
    with engine.connect() as connection, connection.begin():
        connection.execute(text("DELETE FROM notes WHERE id < 5"))
        connection.execute(text("UPDATE notes SET note = 'x'"))
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    assert b"MARKER" not in path.read_bytes()
