"""What lies at the receipts of an event proves itself, or proves nothing: anybody there may publish; a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import AttemptOutcome, Channel, Event
from schemas.nats import receipt_subject
from tests.support.approvals import UTILITY
from tests.support.channel_bench import Bench, running_bench
from tests.support.nats import client
from tests.support.partners import es256_key
from tests.support.receivers import Behave, Received, answering
from tests.support.storage import NOON


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running_bench("nats") as made:
        yield made


def refusing(bench: Bench, **false: Any) -> Behave:
    async def refuse(got: Received) -> web.StreamResponse:
        return web.Response(body=bench.utility.refusal(got, **false).encode())

    return refuse


async def published(bench: Bench, document: bytes) -> None:
    """By somebody who may publish there, without being asked."""
    async with client() as somebody:
        stream_prefix = bench.receiver.url.removeprefix("nats:").rsplit(".", 1)[0]
        subject = receipt_subject(stream_prefix, UTILITY, bench.event.event_id)
        await somebody.jetstream().publish(subject, document)


async def found(channel: Channel, event: Event) -> str | None:
    """What the next attempt finds before it sends, as the relay takes it: what is no receipt is nothing."""
    try:
        receipt = await channel.find_receipt(event, NOON)
    except (NotDelivered, DeliveryRefused):
        return None
    return None if receipt is None else receipt.document


@pytest.mark.parametrize("status", [410, 422])
async def test_a_refusal_that_nobody_signed_is_not_final(bench: Bench, status: int) -> None:
    """Otherwise whoever may publish there would end the delivery of what the utility never saw."""
    bench.receiver.behave = answering(status)
    error = await bench.unavailable()
    assert (error.check, error.outcome) == (f"nats.status_{status}", AttemptOutcome.UNKNOWN)


@pytest.mark.parametrize("status", [410, 422])
async def test_a_refusal_that_the_utility_signed_is_final(bench: Bench, status: int) -> None:
    bench.receiver.behave = refusing(bench, status=status)
    with pytest.raises(DeliveryRefused) as caught:
        await bench.send()
    assert (caught.value.check, caught.value.status) == (f"nats.status_{status}", status)
    assert caught.value.partner == UTILITY


@pytest.mark.parametrize(
    ("check", "false"),
    [
        ("signature", {"key": es256_key("receipts-1")}),
        ("key_unknown", {"key": es256_key("other")}),
        ("event_id", {"event_id": "evt_2"}),
        ("body_sha256", {"body_sha256": "0" * 64}),
        ("issuer", {"iss": "csg-shenzhen"}),
        ("audience", {"aud": "https://other.example"}),
        ("claims", {"status": 500}),
        ("claims", {"status": "accepted"}),
        ("claim_missing", {"event_id": None}),
        ("issued_in_future", {"iat": int(NOON.timestamp()) + 3600}),
    ],
)
async def test_a_false_refusal_is_not_final(bench: Bench, check: str, false: dict[str, Any]) -> None:
    bench.receiver.behave = refusing(bench, **false)
    error = await bench.unavailable()
    assert (error.check, error.outcome) == (f"nats.refusal.{check}", AttemptOutcome.UNKNOWN)


async def test_a_refusal_is_no_receipt_and_a_receipt_no_refusal(bench: Bench) -> None:
    async def under_the_others_typ(got: Received) -> web.StreamResponse:
        return web.Response(body=bench.utility.receipt(got, typ="delivery-refusal+jwt").encode())

    bench.receiver.behave = under_the_others_typ
    assert (await bench.unavailable()).check == "nats.refusal.claims"
    bench.receiver.behave = refusing(bench, typ="delivery-receipt+jwt")
    assert (await bench.unavailable()).check == "nats.receipt.claims"


@pytest.mark.parametrize("document", [b"", b"{}", b'{"status": 422}', b"a.b.c", b"\xff", b"x" * 70_000])
async def test_what_somebody_else_says_first_leaves_the_utilitys_receipt_to_be_found(
    bench: Bench, document: bytes
) -> None:
    async def overtaken(got: Received) -> web.StreamResponse:
        await published(bench, document)
        return await bench.good(got)

    bench.receiver.behave = overtaken
    assert await bench.outcome() is AttemptOutcome.UNKNOWN
    (got,) = bench.receiver.received
    async with asyncio.timeout(10):
        while (document_found := await found(bench.channel, bench.event)) is None:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    assert document_found.split(".")[1] == bench.utility.receipt(got, status="accepted").split(".")[1]


async def test_the_word_of_nobody_puts_an_event_off_for_minutes_and_not_for_a_day(bench: Bench) -> None:
    bench.receiver.behave = answering(503, Retry_After="86400")
    assert (await bench.unavailable()).retry_after == 600


@pytest.mark.parametrize(("before", "counts"), [(0, True), (1, False), (3600, False)])
async def test_a_receipt_from_before_a_replay_settles_nothing(bench: Bench, before: int, counts: bool) -> None:
    """The utility lost what it signed for then: a receipt that was on its way, or was found, says nothing of now."""
    await bench.send()
    (got,) = bench.receiver.received
    told = bench.utility.receipt(got, iat=int(NOON.timestamp()) - before, status="accepted")
    replayed = replace(bench.event, replayed_at=NOON + timedelta(milliseconds=800))
    await published(bench, told.encode())
    assert await found(bench.channel, replayed) == (told if counts else None)
    assert await found(bench.channel, bench.event) == told, "without a replay it says that the event is there"

    async def late(_: Received) -> web.StreamResponse:
        return web.Response(body=told.encode())

    bench.receiver.behave = late
    if counts:
        assert (await bench.channel.send(replayed, NOON)).document == told
    else:
        with pytest.raises(NotDelivered) as caught:
            await bench.channel.send(replayed, NOON)
        assert (caught.value.check, caught.value.outcome) == ("nats.receipt.stale", AttemptOutcome.UNKNOWN)


async def test_a_refusal_from_before_a_replay_is_not_final(bench: Bench) -> None:
    bench.receiver.behave = refusing(bench, iat=int(NOON.timestamp()) - 60)
    with pytest.raises(NotDelivered) as caught:
        await bench.channel.send(replace(bench.event, replayed_at=NOON), NOON)
    assert caught.value.check == "nats.refusal.stale"


async def test_what_was_said_before_an_event_is_sent_is_no_answer_to_it(bench: Bench) -> None:
    assert await found(bench.channel, bench.event) is None  # makes the streams
    await published(bench, orjson.dumps({"status": 503}))
    assert not (await bench.send()).duplicate
