"""One channel with its receiver and what a good answer is, over real HTTP or a real NATS server."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from adapters.channels.department import DepartmentChannel
from adapters.channels.nats import NatsChannel
from adapters.channels.posting import Outgoing
from adapters.channels.signed_events import parse_secret
from adapters.channels.webhook import WebhookChannel
from gateway.approvals.review_requests import REVIEW_REQUESTED
from gateway.caller import Role
from gateway.crypto.jwk import SigningKey
from gateway.delivery.errors import NotDelivered
from gateway.delivery.ports import AttemptOutcome, Channel, ChannelKind, Event
from gateway.partners.model import KeyUse
from schemas.departments import ReviewRequest
from schemas.events import EventType
from tests.support.approvals import LINE, ROAD, UTILITY, FixedDirectory
from tests.support.nats import linked, nats_receiver, new_prefix
from tests.support.partners import ISSUER, ed25519_key, es256_key
from tests.support.receivers import Received, Receiver, UtilityBehaviour, receiver
from tests.support.storage import NOON

NEW_SECRET_TEXT = "whsec_" + "bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy0x"
SECRET_TEXT = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
TIMEOUT = timedelta(seconds=2)
"""Of a receiver that says nothing; a machine with more to do than it can answers within it all the same."""

WEBHOOK_EVENT = Event(
    "evt_1", UTILITY, ChannelKind.WEBHOOK, EventType.REVIEW_OPENED, "app_1", 3, 7, NOON, {"review_id": "复审"}
)
REQUEST = ReviewRequest.model_validate(
    {
        "iss": ISSUER,
        "aud": ROAD,
        "jti": "evt_1",
        "iat": int(NOON.timestamp()),
        "review_id": "rev_1",
        "permit_id": "prm_1",
        "application_id": "app_1",
        "permit": "road_occupation",
        "mode": "full",
        "region": "440106",
        "line": LINE,
        "outcomes_uri": f"{ISSUER}/v1/departments/{ROAD}/outcomes",
    }
)
REQUEST_EVENT = Event(
    "evt_1",
    ROAD,
    ChannelKind.DEPARTMENT,
    REVIEW_REQUESTED,
    "app_1",
    1,
    1,
    NOON,
    REQUEST.model_dump(mode="json", exclude_none=True),
)


@dataclass
class Bench:
    """One channel, its receiver, and what a good answer of that receiver is."""

    channel: Channel
    event: Event
    receiver: Receiver
    directory: FixedDirectory
    good: Callable[..., Any]
    prefix: str
    gateway_key: SigningKey
    utility: UtilityBehaviour

    async def send(self) -> Any:
        return await self.channel.send(self.event, NOON)

    async def unavailable(self) -> NotDelivered:
        with pytest.raises(NotDelivered) as caught:
            await self.send()
        assert caught.value.partner == self.event.destination
        return caught.value

    async def outcome(self) -> AttemptOutcome:
        return (await self.unavailable()).outcome


async def department_takes(got: Received, **changes: Any) -> web.StreamResponse:
    answer = {"permit_id": "prm_1", "department_reference": "road-0001", "duplicate": False} | changes
    return web.Response(status=202, body=orjson.dumps(answer), content_type="application/json")


class running_bench:
    """``async with running_bench(kind)``: a channel and its receiver, up until the block ends."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Bench:
        directory = FixedDirectory()
        directory.add(UTILITY, Role.UTILITY, "440100")
        directory.add(ROAD, Role.DEPARTMENT, "440100")
        utility = UtilityBehaviour(UTILITY, es256_key("receipts-1"), NOON.timestamp)
        directory.add_key(UTILITY, utility.key, KeyUse.RECEIPT)
        if self._kind == "department":
            return await self._to_department(directory, utility)
        gateway_key = ed25519_key("gateway-ed")
        secrets = {
            "csg": (parse_secret(SECRET_TEXT),),
            "csg-changing": (parse_secret(NEW_SECRET_TEXT), parse_secret(SECRET_TEXT)),
        }
        signing = (directory, ISSUER, lambda: gateway_key, lambda name: secrets.get(name, ()))
        channel: Channel
        if self._kind == "nats":
            prefix = new_prefix()
            link = await self._opened.enter_async_context(linked(prefix))
            receiving = await self._opened.enter_async_context(nats_receiver(prefix, UTILITY, utility.take))
            channel = NatsChannel(link, *signing, timeout=TIMEOUT)
        else:
            receiving = await self._opened.enter_async_context(receiver(utility.take))
            outgoing = await self._opened.enter_async_context(Outgoing(TIMEOUT))
            channel = WebhookChannel(outgoing, *signing, insecure_hosts=frozenset({"127.0.0.1"}))
        directory.set_endpoint(UTILITY, self._kind, receiving.url, "csg")
        return Bench(channel, WEBHOOK_EVENT, receiving, directory, utility.take, self._kind, gateway_key, utility)

    async def _to_department(self, directory: FixedDirectory, utility: UtilityBehaviour) -> Bench:
        gateway_key = es256_key("gateway-1")
        receiving = await self._opened.enter_async_context(receiver(department_takes))
        outgoing = await self._opened.enter_async_context(Outgoing(TIMEOUT))
        directory.set_endpoint(ROAD, "department", receiving.url)
        channel = DepartmentChannel(outgoing, directory, lambda: gateway_key, insecure_hosts=frozenset({"127.0.0.1"}))
        return Bench(channel, REQUEST_EVENT, receiving, directory, department_takes, "department", gateway_key, utility)

    async def __aexit__(self, *exc: Any) -> None:
        await self._opened.aclose()
