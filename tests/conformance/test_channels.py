"""What every channel promises the relay, over real HTTP; and what each adds of its own."""

import asyncio
import base64
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from adapters.channels.department import DepartmentChannel
from adapters.channels.posting import MAX_ANSWER_BYTES, open_session, parse_retry_after
from adapters.channels.webhook import WebhookChannel, parse_secret
from gateway.approvals.review_requests import REVIEW_REQUESTED
from gateway.caller import Role
from gateway.crypto.jwk import SigningKey, export_jwk
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import BODY_WITHOUT_POSITION, AttemptOutcome, Channel, ChannelKind, Event
from gateway.errors import Owner, PartnerUnavailable
from gateway.partners.model import KeyUse
from mock_services.jose import KeySet, read_claims
from mock_services.utility.webhooks import check_delivery
from schemas.departments import ReviewRequest
from schemas.events import CloudEvent, EventType
from tests.support.approvals import LINE, ROAD, UTILITY, FixedDirectory
from tests.support.partners import ISSUER, ed25519_key, es256_key
from tests.support.receivers import Received, Receiver, UtilityBehaviour, answering, receiver, reset, stall
from tests.support.storage import NOON

NEW_SECRET_TEXT = "whsec_" + "bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldy0x"
SECRET_TEXT = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
TIMEOUT = timedelta(milliseconds=400)

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


@pytest.fixture(params=["webhook", "department"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with running_bench(request.param) as made:
        yield made


@pytest.fixture
async def webhook() -> AsyncIterator[Bench]:
    async with running_bench("webhook") as made:
        yield made


@pytest.fixture
async def department() -> AsyncIterator[Bench]:
    async with running_bench("department") as made:
        yield made


class running_bench:
    """``async with running_bench(kind)``: a channel and its receiver, up until the block ends."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    async def __aenter__(self) -> Bench:
        directory, session = FixedDirectory(), open_session(TIMEOUT)
        directory.add(UTILITY, Role.UTILITY, "440100")
        directory.add(ROAD, Role.DEPARTMENT, "440100")
        utility = UtilityBehaviour(UTILITY, es256_key("receipts-1"), NOON.timestamp)
        directory.add_key(UTILITY, utility.key, KeyUse.RECEIPT)
        good = utility.take if self._kind == "webhook" else department_takes
        self._session, self._receiving = session, receiver(good)
        receiving = await self._receiving.__aenter__()
        destination = UTILITY if self._kind == "webhook" else ROAD
        directory.set_endpoint(destination, self._kind, receiving.url, "csg" if self._kind == "webhook" else None)
        gateway_key = ed25519_key("gateway-ed") if self._kind == "webhook" else es256_key("gateway-1")
        channel: Channel
        if self._kind == "webhook":
            secrets = {
                "csg": (parse_secret(SECRET_TEXT),),
                "csg-changing": (parse_secret(NEW_SECRET_TEXT), parse_secret(SECRET_TEXT)),
            }
            channel = WebhookChannel(
                session,
                directory,
                ISSUER,
                lambda: gateway_key,
                lambda name: secrets.get(name, ()),
                insecure_hosts=frozenset({"127.0.0.1"}),
            )
        else:
            channel = DepartmentChannel(
                session, directory, lambda: gateway_key, insecure_hosts=frozenset({"127.0.0.1"})
            )
        event = WEBHOOK_EVENT if self._kind == "webhook" else REQUEST_EVENT
        return Bench(channel, event, receiving, directory, good, self._kind, gateway_key, utility)

    async def __aexit__(self, *exc: Any) -> None:
        await self._session.close()
        await self._receiving.__aexit__(*exc)


async def test_a_good_answer_is_a_receipt(bench: Bench) -> None:
    receipt = await bench.send()
    assert not receipt.duplicate
    assert receipt.document
    assert len(bench.receiver.received) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 425, 429, 500, 502, 503, 504])
async def test_what_can_be_mended_there_is_tried_again(bench: Bench, status: int) -> None:
    bench.receiver.behave = answering(status, b"no")
    error = await bench.unavailable()
    assert (error.check, error.retry_after) == (f"{bench.prefix}.status_{status}", None)
    relayed = status in (502, 504)
    assert error.outcome is (AttemptOutcome.UNKNOWN if relayed else AttemptOutcome.DECLINED)


@pytest.mark.parametrize("status", [410, 422])
async def test_what_the_receiver_will_never_take_is_refused(bench: Bench, status: int) -> None:
    bench.receiver.behave = answering(status)
    with pytest.raises(DeliveryRefused) as caught:
        await bench.send()
    assert (caught.value.status, caught.value.partner) == (status, bench.event.destination)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("120", 120), ("0", 0), ("Mon, 02 Mar 2026 04:01:00 GMT", 60), ("Mon, 02 Mar 2026 03:00:00 GMT", 0)],
)
async def test_retry_after_is_honoured(bench: Bench, given: str, seconds: int) -> None:
    bench.receiver.behave = answering(429, Retry_After=given)
    assert (await bench.unavailable()).retry_after == seconds


@pytest.mark.parametrize("lines", [[], ["1", "2"], ["soon"], ["-1"], ["１２"], ["1.5"], ["9" * 40], [""]])
def test_a_retry_after_that_is_none_is_no_wait(lines: list[str]) -> None:
    assert parse_retry_after(lines, NOON) is None


async def test_a_reset_a_stall_and_a_closed_port_are_tried_again(bench: Bench) -> None:
    bench.receiver.behave = reset
    assert (await bench.unavailable()).check.startswith(f"{bench.prefix}.no_answer")
    bench.receiver.behave = stall
    assert (await bench.unavailable()).check == f"{bench.prefix}.timeout"
    bench.directory.set_endpoint(bench.event.destination, bench.prefix, "http://127.0.0.1:9/receive")
    assert (await bench.unavailable()).check.startswith(f"{bench.prefix}.no_answer")


async def cut_mid_answer(got: Received) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "500"})
    await answer.prepare(got.request)
    await answer.write(b"half an answ")
    assert got.request.transport is not None
    got.request.transport.abort()
    return answer


async def test_what_was_sent_without_an_answer_is_told_from_what_was_never_sent(bench: Bench) -> None:
    for behave in (reset, stall, cut_mid_answer):
        bench.receiver.behave = behave
        assert await bench.outcome() is AttemptOutcome.UNKNOWN
    bench.receiver.behave = answering(200, b"no receipt")
    assert await bench.outcome() is AttemptOutcome.DECLINED
    sent = len(bench.receiver.received)
    for url in ("http://127.0.0.1:9/receive", "http://no-such-host.invalid/receive", "https://127.0.0.1:9/receive"):
        bench.directory.set_endpoint(bench.event.destination, bench.prefix, url)
        assert await bench.outcome() is AttemptOutcome.NOT_SENT, url
    bench.directory.suspend(bench.event.destination)
    assert await bench.outcome() is AttemptOutcome.NOT_SENT
    assert len(bench.receiver.received) == sent


async def test_a_connection_that_is_never_made_is_nothing_sent(bench: Bench) -> None:
    """A full backlog: the system takes no further connection, and the sender's patience ends while connecting."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        bench.directory.set_endpoint(bench.event.destination, bench.prefix, f"http://127.0.0.1:{port}/receive")
        assert await bench.outcome() is AttemptOutcome.NOT_SENT
        for each in waiting:
            each.close()


async def test_whoever_cannot_be_asked_is_sent_to_again(bench: Bench) -> None:
    assert await bench.channel.find_receipt(bench.event, NOON) is None
    assert bench.receiver.received == []


async def test_garbage_instead_of_http_is_tried_again(bench: Bench) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x00\xff this is not http \r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = bench.directory.endpoints[bench.event.destination][0]
    bench.directory.endpoints[bench.event.destination] = [replace(endpoint, url=f"http://127.0.0.1:{port}/")]
    async with server:
        assert (await bench.unavailable()).check.startswith(f"{bench.prefix}.no_answer")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(bench: Bench, status: int) -> None:
    bench.receiver.behave = answering(status, Location=bench.receiver.url + "/elsewhere")
    assert (await bench.unavailable()).check == f"{bench.prefix}.redirected"
    assert len(bench.receiver.received) == 1


@pytest.mark.parametrize("body", [b"", b"ok", b"{}", b"[]", b"null", b"a.b.c", b"\xff\xfe", b'{"permit_id": "prm_1"}'])
async def test_a_success_without_a_valid_receipt_is_no_delivery(bench: Bench, body: bytes) -> None:
    bench.receiver.behave = answering(200, body)
    await bench.unavailable()


async def test_an_endless_answer_is_cut_off(bench: Bench) -> None:
    bench.receiver.behave = answering(200, b"x" * (MAX_ANSWER_BYTES + 1))
    assert (await bench.unavailable()).check == f"{bench.prefix}.answer_too_long"


async def test_a_compressed_answer_is_not_unpacked(bench: Bench) -> None:
    async def compressed(got: Received) -> web.StreamResponse:
        plain = await bench.good(got)
        return web.Response(body=gzip.compress(plain.body), headers={"Content-Encoding": "gzip"})

    bench.receiver.behave = compressed
    await bench.unavailable()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "http://utility.example/", "ftp://127.0.0.1/", "https://user:pass@127.0.0.1/", "/x"]
)
async def test_an_address_without_tls_is_not_sent_to(bench: Bench, url: str) -> None:
    bench.directory.set_endpoint(bench.event.destination, bench.prefix, url, "csg")
    error = await bench.unavailable()
    assert (error.check, error.owner) == (f"{bench.prefix}.endpoint_unfit", Owner.GATEWAY)


async def test_without_an_endpoint_or_while_suspended_nothing_is_sent(bench: Bench) -> None:
    bench.directory.suspend(bench.event.destination)
    assert (await bench.unavailable()).check == f"{bench.prefix}.endpoint_missing"
    assert bench.receiver.received == []


async def test_loopback_without_tls_needs_the_setting(bench: Bench) -> None:
    async with aiohttp.ClientSession() as session:
        channel = DepartmentChannel(session, bench.directory, lambda: bench.gateway_key)
        with pytest.raises(PartnerUnavailable) as caught:
            await channel.send(replace(bench.event, destination=ROAD), NOON)
    assert caught.value.check in ("department.endpoint_unfit", "department.endpoint_missing")
    assert bench.receiver.received == []


# Asking for a receipt ------------------------------------------------------------------------------------------------


@pytest.fixture
async def asked(webhook: Bench) -> Bench:
    """A webhook whose receiver can be asked, and holds the event."""
    (endpoint,) = webhook.directory.endpoints[UTILITY]
    status_url = webhook.receiver.url.replace("/receive", "/events/")
    webhook.directory.endpoints[UTILITY] = [replace(endpoint, status_url=status_url)]
    await webhook.send()
    (pushed,) = webhook.receiver.received

    async def status(got: Received) -> web.StreamResponse:
        return web.Response(body=webhook.utility.receipt(pushed, status="accepted").encode())

    webhook.receiver.behave = status
    return webhook


async def test_a_held_event_is_found_by_a_signed_question(asked: Bench) -> None:
    receipt = await asked.channel.find_receipt(asked.event, NOON)
    assert receipt is not None
    assert not receipt.duplicate
    _, got = asked.receiver.received
    assert (got.request.method, got.request.path, got.body) == ("GET", "/events/evt_1", b"")
    keys = KeySet.parse({"keys": [export_jwk(asked.gateway_key.public())]})
    check_delivery(got.headers, b"", secret=parse_secret(SECRET_TEXT), gateway_keys=keys, at=NOON)


async def test_an_event_that_is_not_held_is_told(asked: Bench) -> None:
    asked.receiver.behave = answering(404)
    assert await asked.channel.find_receipt(asked.event, NOON) is None


async def test_a_receipt_for_other_bytes_does_not_resolve_anything(asked: Bench) -> None:
    with pytest.raises(NotDelivered, match=r"webhook\.receipt\.body_sha256"):
        await asked.channel.find_receipt(replace(asked.event, data={"review_id": "other"}), NOON)


@pytest.mark.parametrize("behave", [answering(503), answering(302, Location="/"), answering(200, b"{}"), reset, stall])
async def test_without_a_sound_answer_nothing_is_found(asked: Bench, behave: Any) -> None:
    asked.receiver.behave = behave
    with pytest.raises(NotDelivered):
        await asked.channel.find_receipt(asked.event, NOON)


# Webhook ------------------------------------------------------------------------------------------------------------


async def test_a_webhook_carries_a_cloud_event_under_both_signatures(webhook: Bench) -> None:
    await webhook.send()
    (got,) = webhook.receiver.received
    event = CloudEvent.model_validate_json(got.body)
    assert (event.id, event.source, event.subject) == ("evt_1", ISSUER, "app_1")
    assert (event.sequence, event.position) == (3, 7)
    assert (event.time, event.data) == (NOON, {"review_id": "复审"})
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.headers["webhook-id"] == "evt_1"
    signatures = dict(part.split(",") for part in got.headers["webhook-signature"].split(" "))
    signed = f"evt_1.{got.headers['webhook-timestamp']}.".encode() + got.body
    reference = Webhook(SECRET_TEXT).sign("evt_1", NOON, got.body.decode())
    assert f"v1,{signatures['v1']}" == reference
    webhook.gateway_key.private_key.public_key().verify(base64.b64decode(signatures["v1a"]), signed)  # type: ignore[call-arg,union-attr]


async def test_the_sample_client_takes_the_webhook(webhook: Bench) -> None:
    await webhook.send()
    (got,) = webhook.receiver.received
    keys = KeySet.parse({"keys": [export_jwk(webhook.gateway_key.public())]})
    delivery = check_delivery(got.headers, got.body, secret=parse_secret(SECRET_TEXT), gateway_keys=keys, at=NOON)
    assert delivery.event_id == "evt_1"


async def test_the_body_is_the_same_at_every_attempt_and_a_repeated_event_is_a_duplicate(webhook: Bench) -> None:
    first = await webhook.send()
    again = await webhook.channel.send(webhook.event, NOON + timedelta(seconds=20))
    assert (first.duplicate, again.duplicate) == (False, True)
    one, two = webhook.receiver.received
    assert one.body == two.body
    assert one.headers["webhook-timestamp"] != two.headers["webhook-timestamp"]


async def test_what_was_first_sent_without_its_position_is_sent_so_again(webhook: Bench) -> None:
    await webhook.channel.send(replace(webhook.event, body_form=BODY_WITHOUT_POSITION), NOON)
    (got,) = webhook.receiver.received
    assert "position" not in orjson.loads(got.body)


@pytest.mark.parametrize(
    ("check", "false"),
    [
        ("signature", {"key": es256_key("receipts-1")}),
        ("key_unknown", {"key": es256_key("other")}),
        ("typ", {"typ": "at+jwt"}),
        ("event_id", {"event_id": "evt_2"}),
        ("body_sha256", {"body_sha256": "0" * 64}),
        ("issuer", {"iss": "csg-shenzhen"}),
        ("audience", {"aud": "https://other.example"}),
        ("claims", {"status": "maybe"}),
        ("claim_missing", {"event_id": None}),
        ("issued_in_future", {"iat": int(NOON.timestamp()) + 3600}),
    ],
)
async def test_a_false_receipt_is_no_delivery(webhook: Bench, check: str, false: dict[str, Any]) -> None:
    async def lie(got: Received) -> web.StreamResponse:
        return web.Response(body=webhook.utility.receipt(got, **false).encode())

    webhook.receiver.behave = lie
    assert (await webhook.unavailable()).check == f"webhook.receipt.{check}"


async def test_a_receipt_needs_a_key_registered_for_receipts(webhook: Bench) -> None:
    webhook.directory.keys.clear()
    webhook.directory.add_key(UTILITY, webhook.utility.key, KeyUse.CLIENT_AUTH)
    assert (await webhook.unavailable()).check == "webhook.receipt.key_unknown"


@pytest.mark.parametrize("text", [SECRET_TEXT, NEW_SECRET_TEXT], ids=["old", "new"])
async def test_while_a_secret_is_changed_the_receiver_may_hold_either(webhook: Bench, text: str) -> None:
    webhook.directory.set_endpoint(UTILITY, "webhook", webhook.receiver.url, "csg-changing")
    await webhook.send()
    (got,) = webhook.receiver.received
    assert got.headers["webhook-signature"].count("v1,") == 2
    signed = Webhook(text).sign("evt_1", NOON, got.body.decode())
    assert signed in got.headers["webhook-signature"].split(" ")


async def test_a_secret_that_is_not_configured_is_waited_for(webhook: Bench) -> None:
    webhook.directory.set_endpoint(UTILITY, "webhook", webhook.receiver.url, "unknown")
    assert (await webhook.unavailable()).check == "webhook.secret_missing"
    webhook.directory.set_endpoint(UTILITY, "webhook", webhook.receiver.url)
    await webhook.send()
    assert webhook.receiver.received[0].headers["webhook-signature"].startswith("v1a,")


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "whsec_＋", "whsec_?"]
)
def test_a_secret_has_one_form(text: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret is"):
        parse_secret(text)


# Department ---------------------------------------------------------------------------------------------------------


async def test_a_review_request_is_signed_by_the_gateway(department: Bench) -> None:
    receipt = await department.send()
    (got,) = department.receiver.received
    assert got.headers["content-type"] == "application/jose"
    policy = JwsPolicy(typ=frozenset({"review-request+jwt"}), audience=frozenset({ROAD}), issuer=ISSUER)
    claims = verify_jws(got.body, [department.gateway_key.public()], policy, NOON).claims
    assert ReviewRequest.model_validate(claims) == REQUEST
    assert orjson.loads(receipt.document)["department_reference"] == "road-0001"


async def test_the_mock_department_reads_the_request(department: Bench) -> None:
    await department.send()
    (got,) = department.receiver.received
    keys = KeySet.parse({"keys": [export_jwk(department.gateway_key.public())]})
    claims = read_claims(got.body.decode(), typs={"review-request+jwt"}, keys=keys)
    assert ReviewRequest.model_validate_json(orjson.dumps(claims)) == REQUEST


async def test_a_department_tells_a_repeated_request(department: Bench) -> None:
    department.receiver.behave = lambda got: department_takes(got, duplicate=True)
    assert (await department.send()).duplicate


@pytest.mark.parametrize("false", [{"permit_id": "prm_2"}, {"department_reference": ""}, {"extra": 1}])
async def test_a_false_acknowledgement_is_no_delivery(department: Bench, false: dict[str, Any]) -> None:
    department.receiver.behave = lambda got: department_takes(got, **false)
    assert (await department.unavailable()).check.startswith("department.acknowledgement")
