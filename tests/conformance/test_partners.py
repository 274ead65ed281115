"""What the partners room and the door ask of the database, on both kinds of it."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import text

from adapters.storage.spent_tokens import CLEARED_EVERY
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.partners.directory import PartnerDirectory
from gateway.partners.errors import ProofRefused
from gateway.partners.model import Endpoint, Grant
from gateway.partners.ports import SPENT
from gateway.partners.tokens import AccessGate, TokenKeys
from gateway.transaction import Foreseen, Look
from tests.support.databases import Databases
from tests.support.partners import ISSUER, a_partner, an_agreement, partners_room
from tests.support.storage import NOON, opened

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
    endpoint = Endpoint("csg-guangzhou", "webhook", "https://h/", None, "https://h/events")
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
        assert (other.request_digest, other.holder) == ("sha", "two" if lapsed else "one")


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


async def test_a_proof_is_good_once_across_processes(databases: Databases) -> None:
    """Two gates over one database, as two processes have them."""
    uri = f"{ISSUER}/v1/things"
    with databases.postgresql() as url, partners_room(url) as room, opened(url, room.clock) as others:
        client = await room.enrol()
        token, at = await room.token_for(client), room.clock()
        gates = [
            AccessGate(PartnerDirectory(shared), TokenKeys(room.gateway_key), ISSUER, shared)
            for shared in (room.transactions, others)
        ]

        async def call(gate: AccessGate, proof: str) -> bool:
            try:
                await gate.authenticate([f"DPoP {token}"], [proof], "GET", uri, at)
            except ProofRefused as refused:
                return refused.check != "dpop.replayed"
            return True

        for _ in range(5):
            proof = client.proof(at, "GET", uri, token=token)
            assert sorted(await asyncio.gather(*(call(gate, proof) for gate in gates))) == [False, True]


async def test_what_lapsed_is_cleared_by_and_by(database_url: str) -> None:
    with partners_room(database_url) as room:

        def spend(name: str, at: datetime) -> Callable[[SqlUnitOfWork], bool]:
            return lambda tx: tx.spent_tokens.spend("a", "iss", name, at, at + timedelta(minutes=1))

        for number in range(40):
            assert await room.transactions.write(spend(f"old-{number}", NOON))
        assert await room.transactions.write(spend("old-39", LATER)), "a lapsed one may be spent again"
        assert await room.transactions.write(spend("new", LATER))
        count = text("SELECT count(*) FROM spent_tokens")
        left = await room.transactions.write(lambda tx: tx._statements.execute(count).scalar_one())
        assert left == 2


def foreseen(name: str, at: datetime) -> Foreseen[bool]:
    key = ("a", "iss", name, at, at + timedelta(minutes=1))
    return Foreseen(lambda tx: tx.spent_tokens.spend(*key), (Look(SPENT, key),))


async def test_of_those_spent_together_that_mean_the_same_one_is_the_first(database_url: str) -> None:
    with partners_room(database_url) as room:
        instants = [NOON + timedelta(milliseconds=number) for number in range(6)]
        units = [foreseen(name, at) for at in instants for name in ("one", "two")]
        spent = await asyncio.gather(*(room.transactions.write(unit) for unit in units))
        assert [sum(spent[::2]), sum(spent[1::2])] == [1, 1]
        assert not await room.transactions.write(foreseen("one", NOON))


async def test_those_that_lapsed_are_cleared_by_whoever_spends_many(database_url: str) -> None:
    with partners_room(database_url) as room:
        await asyncio.gather(*(room.transactions.write(foreseen(f"old-{number}", NOON)) for number in range(40)))
        later = [f"old-{number}" for number in range(38, 40)] + [f"new-{number}" for number in range(CLEARED_EVERY)]
        assert all(await asyncio.gather(*(room.transactions.write(foreseen(name, LATER)) for name in later)))
        count = text("SELECT count(*) FROM spent_tokens")
        assert await room.transactions.write(lambda tx: tx._statements.execute(count).scalar_one()) == len(later)
