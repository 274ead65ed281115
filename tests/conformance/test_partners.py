"""What the partners room and the door ask of the database, on both kinds of it."""

import asyncio
from datetime import date, timedelta

import pytest

from gateway.partners.model import Endpoint, Grant
from tests.support.partners import a_partner, an_agreement, partners_room
from tests.support.storage import NOON

LATER = NOON + timedelta(minutes=2)


async def test_a_token_is_spent_once_per_use_and_issuer(database_url: str) -> None:
    with partners_room(database_url) as room:

        async def spend(*which: str, at=NOON) -> bool:
            return await room.transactions.write(
                lambda tx: tx.spent_tokens.spend(*which, at, at + timedelta(minutes=1))
            )

        assert await spend("a", "iss", "1")
        assert not await spend("a", "iss", "1")
        assert await spend("b", "iss", "1")
        assert await spend("a", "other", "1")
        assert await spend("a", "iss", "1", at=LATER)


async def test_of_many_at_once_one_spends(database_url: str) -> None:
    with partners_room(database_url) as room:
        spends = [
            room.transactions.write(lambda tx: tx.spent_tokens.spend("a", "iss", "1", NOON, LATER)) for _ in range(20)
        ]
        assert sum(await asyncio.gather(*spends)) == 1


async def test_everything_reads_back_as_it_was_written(database_url: str) -> None:
    grants = (Grant("business_licence", frozenset({"a", "b"})), Grant("property_right", frozenset({"c"})))
    agreement = an_agreement(grants=grants, stages=frozenset({"acceptance"}), valid_from=date(2026, 2, 28))
    endpoint = Endpoint("csg-guangzhou", "webhook", "https://h/", None)
    with partners_room(database_url) as room:
        client = await room.enrol("source-1")

        def write(tx) -> None:
            tx.partners.add_partner(a_partner())
            tx.partners.add_agreement(agreement)
            tx.partners.add_agreement(an_agreement(agreement_id="unstaged"))
            tx.partners.put_endpoint(endpoint)

        await room.transactions.write(write)

        def read(tx):
            repository = tx.partners
            return (
                repository.find_partner("csg-guangzhou"),
                list(repository.agreements("csg-guangzhou")),
                list(repository.endpoints()),
                repository.partner_keys("source-1"),
                repository.find_key("source-1", client.auth_key.kid),
            )

        partner, agreements, endpoints, keys, key = await room.transactions.read(read)
        assert partner == a_partner()
        assert agreements == [agreement, an_agreement(agreement_id="unstaged")]
        assert endpoints == [endpoint]
        assert list(keys) == [key]
        assert key.valid_from == NOON


async def test_each_advance_of_the_version_is_one_more(database_url: str) -> None:
    with partners_room(database_url) as room:
        versions = [await room.transactions.write(lambda tx: tx.partners.advance_version()) for _ in range(3)]
        assert versions == [1, 2, 3]
        assert await room.transactions.read(lambda tx: tx.partners.version()) == 3


@pytest.mark.parametrize("lapsed", [False, True])
async def test_an_idempotency_key_is_held_by_one_until_its_lease_lapses(database_url: str, lapsed: bool) -> None:
    with partners_room(database_url) as room:

        async def reserve(holder: str, sha: str = "sha", at=NOON):
            lease, expiry = at + timedelta(seconds=60), at + timedelta(hours=24)
            return await room.transactions.write(
                lambda tx: tx.idempotency.reserve("scope", sha, holder, at, lease, expiry)
            )

        assert (await reserve("one")).holder == "one"
        at = NOON + timedelta(seconds=60 if lapsed else 59)
        assert (await reserve("two", at=at)).holder == ("two" if lapsed else "one")
        other = await reserve("three", "other-sha", at=at + timedelta(hours=1))
        assert (other.request_sha256, other.holder) == ("sha", "two" if lapsed else "one")


async def test_a_kept_answer_stays_until_it_expires_and_only_its_holder_keeps_it(database_url: str) -> None:
    with partners_room(database_url) as room:

        async def reserve(holder: str, at):
            expiry = at + timedelta(hours=24)
            return await room.transactions.write(
                lambda tx: tx.idempotency.reserve("scope", "sha", holder, at, at + timedelta(minutes=1), expiry)
            )

        async def settle(holder: str, body: bytes) -> None:
            await room.transactions.write(lambda tx: tx.idempotency.settle("scope", holder, 201, "text/plain", body))

        await reserve("one", NOON)
        await settle("stranger", b"wrong")
        await settle("one", b"right")
        await room.transactions.write(lambda tx: tx.idempotency.release("scope", "one"))
        kept = await reserve("two", NOON + timedelta(hours=23))
        assert (kept.status, kept.media_type, kept.body) == (201, "text/plain", b"right")
        assert (await reserve("three", NOON + timedelta(hours=24))).status is None
