"""Events over NATS to a utility in a process of its own, while relay, server and utility come and go."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.channels.nats import NatsChannel
from adapters.channels.nats_link import NatsLink, StreamLimits
from adapters.storage.transactions import SqlTransactions
from gateway.caller import Role
from gateway.crypto.jwk import export_jwk, parse_jwk
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import ChannelKind, ClaimRoom, DeliveryState, EventDraft
from gateway.delivery.relay import Relay, RelayLimits
from gateway.partners.directory import HeldKey
from gateway.partners.model import KeyUse, PartnerKey
from schemas.events import EventType
from schemas.nats import events_stream
from tests.support.approvals import UTILITY, FixedDirectory
from tests.support.mock_process import running_mock
from tests.support.nats import OwnServer, client, own_server
from tests.support.partners import ed25519_key
from tests.support.storage import opened
from tests.support.tiny_server import Answer, tiny_server

pytestmark = pytest.mark.timeout(180)
SECRET_TEXT, SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", b"secret-secret-secret-secret"
PATIENCE = 60.0
LIMITS = StreamLimits(events_bytes=4 * 1024 * 1024, receipts_bytes=1024 * 1024, duplicates=timedelta(seconds=1))


async def until(look: Any, what: str) -> Any:
    ends = asyncio.get_running_loop().time() + PATIENCE
    while not (found := await look()):
        assert asyncio.get_running_loop().time() < ends, f"not within {PATIENCE} s: {what}"
        await asyncio.sleep(0.05)
    return found


@dataclass
class World:
    """A gateway's outbox and relay in this process, a NATS server and a utility in processes of their own."""

    server: OwnServer
    transactions: SqlTransactions
    directory: FixedDirectory
    gateway_url: str
    gateway_key: Any
    data: Path
    http: httpx.AsyncClient
    utility_url: str = ""
    sent: list[str] = field(default_factory=list)

    @contextmanager
    def utility(self) -> Iterator[None]:
        """The utility's process; its key becomes known to the gateway."""
        arguments = [
            f"--data-dir={self.data}",
            f"--gateway-url={self.gateway_url}",
            f"--partner={UTILITY}",
            f"--webhook-secret={SECRET_TEXT}",
            f"--nats-url={self.server.url}",
        ]
        with running_mock("mock_services.utility", *arguments) as (url, _):
            self.utility_url = url
            (jwk,) = httpx.get(f"{url}/.well-known/jwks.json").json()["keys"]
            self.directory.keys.clear()
            key = parse_jwk(jwk)
            known = PartnerKey(UTILITY, key.kid, key.kid, jwk, KeyUse.RECEIPT, datetime(2026, 1, 1, tzinfo=UTC))
            self.directory.keys[UTILITY] = [HeldKey(known, key)]
            yield

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[None]:
        """A relay of its own lease and connection, as another process would have."""
        link = NatsLink(self.server.url, "bandian", LIMITS)
        channel = NatsChannel(
            link,
            self.directory,
            self.gateway_url,
            lambda: self.gateway_key,
            lambda _: (SECRET,),
            timedelta(seconds=2),
        )
        relay = Relay(
            owner=f"relay-{len(self.sent)}",
            transactions=self.transactions,
            channels={ChannelKind.WEBHOOK: channel},
            clock=lambda: datetime.now(UTC),
            backoff=Backoff(ceiling=timedelta(milliseconds=500)),
            limits=RelayLimits(lease=timedelta(seconds=5), idle=timedelta(milliseconds=50)),
        )
        stop = asyncio.Event()
        running = asyncio.create_task(relay.run(stop))
        try:
            yield
        finally:
            stop.set()
            await running
            await link.close()

    async def append(self, *names: str) -> None:
        for name in names:
            at = datetime.now(UTC)
            said = {"application_id": "app_1", "authorisation_id": name, "withdrawn_at": at.isoformat()}
            kind = EventType.AUTHORISATION_WITHDRAWN.value
            draft = EventDraft(name, UTILITY, ChannelKind.WEBHOOK, kind, f"app_{name}", at, said)
            await self.transactions.write(lambda tx, d=draft: tx.outbox.append(d))
            self.sent.append(name)

    async def state(self, name: str) -> DeliveryState:
        view = await self.transactions.read(lambda tx: tx.deliveries.find(name))
        assert view is not None
        return view.state

    async def delivered(self, *names: str) -> None:
        async def all_are() -> bool:
            return all([await self.state(name) is DeliveryState.DELIVERED for name in names])

        await until(all_are, f"{names} are delivered")

    async def held(self) -> dict[str, int]:
        """What the utility holds, with how often each came again."""
        found = (await self.http.get(f"{self.utility_url}/__admin/events")).raise_for_status().json()
        return {each["event_id"]: each["repeats"] for each in found}


@pytest.fixture
async def world(databases: Any, tmp_path: Path) -> AsyncIterator[World]:
    gateway_key = ed25519_key("gateway-ed")
    jwks = {"keys": [{**export_jwk(gateway_key.public()), "use": "sig", "alg": "EdDSA", "kid": "gateway-ed"}]}
    directory = FixedDirectory()
    directory.add(UTILITY, Role.UTILITY, "440100")
    directory.set_endpoint(UTILITY, "nats", f"nats:{UTILITY}", "secret")
    async with AsyncExitStack() as stack:
        server = stack.enter_context(own_server(tmp_path / "jetstream"))
        gateway = stack.enter_context(tiny_server(lambda _: Answer(body=jwks)))
        transactions = stack.enter_context(opened(databases.sqlite(), lambda: datetime.now(UTC), source=gateway.url))  # type: ignore[arg-type]
        http = await stack.enter_async_context(httpx.AsyncClient())
        yield World(server, transactions, directory, gateway.url, gateway_key, tmp_path / "utility", http)


async def test_relay_server_and_utility_come_and_go_and_every_event_arrives_once_in_effect(world: World) -> None:
    with world.utility():
        async with world.relay():
            await world.append("evt_1", "evt_2")
            await world.delivered("evt_1", "evt_2")

            # The server goes away and comes back with its files: nobody is restarted.
            world.server.kill()
            await world.append("evt_3")
            await asyncio.sleep(0.5)
            assert (await world.state("evt_3")).under_way
            world.server.start()
            await world.delivered("evt_3")

    # The stream takes what no utility is there for, and that is no delivery.
    async with world.relay():
        await world.append("evt_4")

        async def in_the_stream() -> bool:
            async with client(world.server.url) as own:
                state = (await own.jetstream().stream_info(events_stream("bandian"))).state
                return state.messages >= 4

        await until(in_the_stream, "the stream has the event")
        assert (await world.state("evt_4")).under_way
    assert (await world.state("evt_4")).under_way

    # The utility answers while no relay is there; the receipt waits in its stream, and nothing is sent again.
    with world.utility():

        async def held() -> bool:
            return "evt_4" in await world.held()

        await until(held, "the utility has the event")
        repeats = (await world.held())["evt_4"]
        async with world.relay():
            await world.delivered("evt_4")
        view = await world.transactions.read(lambda tx: tx.deliveries.find("evt_4"))
        assert (view.last_reason, (await world.held())["evt_4"]) == ("found", repeats)

        # A server that lost everything gets its streams anew, and what is undelivered is sent again.
        world.server.kill()
        world.server.directory = world.server.directory.with_name("empty")
        world.server.start()
        async with world.relay():
            await world.append("evt_5")
            await world.delivered("evt_5")
        assert set(await world.held()) == {f"evt_{number}" for number in range(1, 6)}


async def test_what_the_utility_refuses_under_its_signature_is_given_up_at_once(world: World) -> None:
    with world.utility():
        async with world.relay():
            at, kind = datetime.now(UTC), EventType.AUTHORISATION_WITHDRAWN.value
            unfit = EventDraft("evt_1", UTILITY, ChannelKind.WEBHOOK, kind, "app_1", at, {"application_id": "app_1"})
            await world.transactions.write(lambda tx: tx.outbox.append(unfit))

            async def settled() -> bool:
                return not (await world.state("evt_1")).under_way

            await until(settled, "it is settled")
    view = await world.transactions.read(lambda tx: tx.deliveries.find("evt_1"))
    assert (view.state, view.attempts, view.last_reason) == (DeliveryState.DEAD, 1, "nats.status_422")


async def test_the_receipt_of_the_first_time_settles_no_replay_whose_relay_died(world: World) -> None:
    """It lies in its stream for days, and the relay that was to remove it and send died before it did."""
    with world.utility():
        async with world.relay():
            await world.append("evt_1")
            await world.delivered("evt_1")
        await world.http.post(f"{world.utility_url}/__admin/events/forget", json=["evt_1"])
        await asyncio.sleep(1.1)  # receipts count time in seconds
        at = datetime.now(UTC)
        assert await world.transactions.write(lambda tx: tx.deliveries.replay("evt_1", at))
        lease_until, room = at + timedelta(milliseconds=100), ClaimRoom(1, 1)
        (claim,) = await world.transactions.write(lambda tx: tx.deliveries.claim("dead", at, lease_until, room))
        assert claim.event.event_id == "evt_1"
        async with world.relay():
            await world.delivered("evt_1")
        view = await world.transactions.read(lambda tx: tx.deliveries.find("evt_1"))
        assert (set(await world.held()), view.last_reason) == ({"evt_1"}, "accepted")


async def test_a_replayed_event_is_really_sent_again(world: World) -> None:
    with world.utility():
        async with world.relay():
            await world.append("evt_1")
            await world.delivered("evt_1")
            await world.http.post(f"{world.utility_url}/__admin/events/forget", json=["evt_1"])
            assert await world.held() == {}
            at = datetime.now(UTC)
            assert await world.transactions.write(lambda tx: tx.deliveries.replay("evt_1", at))
            await world.delivered("evt_1")
            assert set(await world.held()) == {"evt_1"}, "the receipt of the first time settles nothing"
