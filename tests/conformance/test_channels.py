"""What every channel promises the relay, over real HTTP and a real NATS server; and what each adds of its own."""

import asyncio
import base64
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from adapters.channels.department import DepartmentChannel
from adapters.channels.posting import MAX_ANSWER_BYTES, Outgoing, Poster, parse_retry_after
from adapters.channels.signed_events import parse_secret
from adapters.http_client import ExchangeFailed, HttpRequest
from adapters.http_wire import write
from gateway.crypto.jwk import export_jwk
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import BODY_WITHOUT_POSITION, AttemptOutcome
from gateway.errors import Owner, PartnerUnavailable
from gateway.partners.errors import PartnerTermsRejected
from gateway.partners.model import Endpoint, KeyUse
from gateway.partners.terms import check_endpoint_url
from mock_services.jose import KeySet, read_claims
from mock_services.utility.webhooks import check_delivery
from schemas.departments import ReviewRequest
from schemas.events import CloudEvent
from tests.support.approvals import ROAD, UTILITY
from tests.support.channel_bench import (
    NEW_SECRET_TEXT,
    REQUEST,
    SECRET_TEXT,
    Bench,
    department_takes,
    running_bench,
)
from tests.support.partners import ISSUER, es256_key
from tests.support.receivers import Received, answering, reset, stall
from tests.support.storage import NOON
from tests.support.tiny_tls import tls_server


@pytest.fixture(params=["webhook", "department", "nats"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with running_bench(request.param) as made:
        yield made


@pytest.fixture(params=["webhook", "department"])
async def http_bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with running_bench(request.param) as made:
        yield made


@pytest.fixture(params=["webhook", "nats"])
async def to_utility(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
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
    unproven = status in (502, 504) or bench.prefix == "nats"  # a proxy's word, or that of anybody who may publish
    assert error.outcome is (AttemptOutcome.UNKNOWN if unproven else AttemptOutcome.DECLINED)


@pytest.mark.parametrize("status", [410, 422])
async def test_what_the_receiver_will_never_take_is_refused(http_bench: Bench, status: int) -> None:
    http_bench.receiver.behave = answering(status)
    with pytest.raises(DeliveryRefused) as caught:
        await http_bench.send()
    assert (caught.value.status, caught.value.partner) == (status, http_bench.event.destination)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("120", 120), ("0", 0), ("Mon, 02 Mar 2026 04:01:00 GMT", 60), ("Mon, 02 Mar 2026 03:00:00 GMT", 0)],
)
async def test_retry_after_is_honoured(bench: Bench, given: str, seconds: int) -> None:
    bench.receiver.behave = answering(429, Retry_After=given)
    assert (await bench.unavailable()).retry_after == seconds


DATE = "Mon, 02 Mar 2026 04:01:00 GMT"


@pytest.mark.parametrize("value", [None, "1, 2", "soon", "-1", "１２", "1.5", "9" * 40, "", f"{DATE}, {DATE}"])
def test_a_retry_after_that_is_none_is_no_wait(value: str | None) -> None:
    assert parse_retry_after(value, NOON) is None


async def test_a_reset_a_stall_and_a_closed_port_are_tried_again(http_bench: Bench) -> None:
    http_bench.receiver.behave = reset
    assert (await http_bench.unavailable()).check.startswith(f"{http_bench.prefix}.no_answer")
    http_bench.receiver.behave = stall
    assert (await http_bench.unavailable()).check == f"{http_bench.prefix}.timeout"
    http_bench.directory.set_endpoint(http_bench.event.destination, http_bench.prefix, "http://127.0.0.1:9/receive")
    assert (await http_bench.unavailable()).check.startswith(f"{http_bench.prefix}.no_answer")


async def cut_mid_answer(got: Received) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "500"})
    await answer.prepare(got.request)
    await answer.write(b"half an answ")
    assert got.request.transport is not None
    got.request.transport.abort()
    return answer


async def test_what_was_sent_without_an_answer_is_told_from_what_was_never_sent(http_bench: Bench) -> None:
    for behave in (reset, stall, cut_mid_answer):
        http_bench.receiver.behave = behave
        assert await http_bench.outcome() is AttemptOutcome.UNKNOWN
    http_bench.receiver.behave = answering(200, b"no receipt")
    assert await http_bench.outcome() is AttemptOutcome.DECLINED
    sent = len(http_bench.receiver.received)
    for url in ("http://127.0.0.1:9/receive", "http://no-such-host.invalid/receive", "https://127.0.0.1:9/receive"):
        http_bench.directory.set_endpoint(http_bench.event.destination, http_bench.prefix, url)
        assert await http_bench.outcome() is AttemptOutcome.NOT_SENT, url
    http_bench.directory.suspend(http_bench.event.destination)
    assert await http_bench.outcome() is AttemptOutcome.NOT_SENT
    assert len(http_bench.receiver.received) == sent


async def test_a_connection_that_is_never_made_is_nothing_sent(http_bench: Bench) -> None:
    """A full backlog: the system takes no further connection, and the sender's patience ends while connecting."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        http_bench.directory.set_endpoint(
            http_bench.event.destination, http_bench.prefix, f"http://127.0.0.1:{port}/receive"
        )
        assert await http_bench.outcome() is AttemptOutcome.NOT_SENT
        for each in waiting:
            each.close()


async def test_whoever_cannot_be_asked_is_sent_to_again(bench: Bench) -> None:
    assert await bench.channel.find_receipt(bench.event, NOON) is None
    assert bench.receiver.received == []


async def test_garbage_instead_of_http_is_tried_again(http_bench: Bench) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x00\xff this is not http \r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = http_bench.directory.endpoints[http_bench.event.destination][0]
    http_bench.directory.endpoints[http_bench.event.destination] = [replace(endpoint, url=f"http://127.0.0.1:{port}/")]
    async with server:
        assert (await http_bench.unavailable()).check.startswith(f"{http_bench.prefix}.no_answer")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(http_bench: Bench, status: int) -> None:
    http_bench.receiver.behave = answering(status, Location=http_bench.receiver.url + "/elsewhere")
    assert (await http_bench.unavailable()).check == f"{http_bench.prefix}.redirected"
    assert len(http_bench.receiver.received) == 1


@pytest.mark.parametrize("body", [b"", b"ok", b"{}", b"[]", b"null", b"a.b.c", b"\xff\xfe", b'{"permit_id": "prm_1"}'])
async def test_a_success_without_a_valid_receipt_is_no_delivery(bench: Bench, body: bytes) -> None:
    bench.receiver.behave = answering(200, body)
    await bench.unavailable()


async def test_a_status_is_told_whatever_comes_behind_it(http_bench: Bench) -> None:
    http_bench.receiver.behave = answering(503, b"x" * (MAX_ANSWER_BYTES + 1), Retry_After="7")
    error = await http_bench.unavailable()
    assert (error.check, error.retry_after) == (f"{http_bench.prefix}.status_503", 7)


async def test_an_answer_is_taken_up_to_its_limit(http_bench: Bench) -> None:
    http_bench.receiver.behave = answering(200, b"x" * MAX_ANSWER_BYTES)
    assert (await http_bench.unavailable()).check != f"{http_bench.prefix}.answer_too_long"


async def test_connections_are_kept_between_sends(http_bench: Bench) -> None:
    for _ in range(3):
        await http_bench.send()
    assert len({got.request.transport for got in http_bench.receiver.received}) == 1


async def test_no_more_is_sent_to_one_receiver_at_once_than_allowed(
    http_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = most = 0

    async def slowly(got: Received) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return await http_bench.good(got)

    http_bench.receiver.behave = slowly
    monkeypatch.setattr("adapters.channels.posting.CONNECTIONS_PER_HOST", 3)
    await asyncio.gather(*(http_bench.send() for _ in range(9)))
    assert most == 3


async def test_whoever_waits_for_a_connection_longer_than_he_may_has_sent_nothing(
    http_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.channels.posting.CONNECTIONS_PER_HOST", 1)
    outgoing = http_bench.channel._poster._outgoing  # type: ignore[attr-defined]
    places = outgoing._places[write(HttpRequest("POST", http_bench.receiver.url)).origin]
    assert places.taken()
    error = await http_bench.unavailable()
    places.give()
    assert (error.check, error.outcome) == (f"{http_bench.prefix}.timeout", AttemptOutcome.NOT_SENT)
    assert http_bench.receiver.received == []


async def test_a_receiver_must_be_whom_the_system_believes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = tls_server(tmp_path, "localhost")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for host, system, outcome in (
            ("localhost", None, AttemptOutcome.NOT_SENT),
            ("127.0.0.1", trusted, AttemptOutcome.NOT_SENT),
            ("localhost", trusted, None),
        ):
            with monkeypatch.context() as patch:
                if system is not None:
                    patch.setenv("SSL_CERT_FILE", str(system))
                async with Outgoing(timedelta(seconds=5)) as outgoing:
                    poster, endpoint = Poster(outgoing, "webhook", frozenset()), f"https://{host}:{port}/receive"
                    sending = poster.post(Endpoint("csg", "webhook", endpoint, None), b"{}", {}, NOON)
                    if outcome is None:
                        assert (await sending).body == b"ok"
                    else:
                        with pytest.raises(NotDelivered) as caught:
                            await sending
                        assert caught.value.outcome is outcome


_LABELS = st.text("abcXYZ019_~-.%:[]@!$&;=,'()*+", min_size=1, max_size=12)


@given(
    scheme=st.sampled_from(["https", "HTTPS", "http"]),
    host=st.one_of(
        st.sampled_from(["a.example", "A.Example.", "[2001:db8::1]", "127.0.0.1", "xn--a.example", "1.2.3.4.5"]),
        _LABELS,
    ),
    port=st.sampled_from(["", ":443", ":80", ":8443", ":", ":0443"]),
    path=st.sampled_from(["", "/", "/receive", "/a/../b", "/a;b", "/%2e%2e/", "//other.example/", ";x", "/@b.example"]),
)
def test_an_address_that_was_found_fit_is_where_the_request_goes(scheme: str, host: str, port: str, path: str) -> None:
    url = f"{scheme}://{host}{port}{path}"
    try:
        check_endpoint_url(url, insecure_hosts={"127.0.0.1"})
        written = write(HttpRequest("POST", url, {}, b"{}"))
    except (PartnerTermsRejected, ExchangeFailed):
        return
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    assert written.origin == (parts.scheme, host, parts.port or {"https": 443, "http": 80}[parts.scheme])
    assert b"\r\nhost: " in written.request


async def test_an_endless_answer_is_cut_off(bench: Bench) -> None:
    bench.receiver.behave = answering(200, b"x" * (MAX_ANSWER_BYTES + 1))
    assert (await bench.unavailable()).check == f"{bench.prefix}.answer_too_long"


async def test_a_compressed_answer_is_not_unpacked(http_bench: Bench) -> None:
    async def compressed(got: Received) -> web.StreamResponse:
        plain = await http_bench.good(got)
        return web.Response(body=gzip.compress(plain.body), headers={"Content-Encoding": "gzip"})

    http_bench.receiver.behave = compressed
    await http_bench.unavailable()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/", "http://utility.example/", "ftp://127.0.0.1/", "https://user:pass@127.0.0.1/", "/x"]
)
async def test_an_address_without_tls_is_not_sent_to(http_bench: Bench, url: str) -> None:
    http_bench.directory.set_endpoint(http_bench.event.destination, http_bench.prefix, url, "csg")
    error = await http_bench.unavailable()
    assert (error.check, error.owner) == (f"{http_bench.prefix}.endpoint_unfit", Owner.GATEWAY)


async def test_without_an_endpoint_or_while_suspended_nothing_is_sent(bench: Bench) -> None:
    bench.directory.suspend(bench.event.destination)
    assert (await bench.unavailable()).check == f"{bench.prefix}.endpoint_missing"
    assert bench.receiver.received == []


async def test_loopback_without_tls_needs_the_setting(http_bench: Bench) -> None:
    async with Outgoing() as outgoing:
        channel = DepartmentChannel(outgoing, http_bench.directory, lambda: http_bench.gateway_key)
        with pytest.raises(PartnerUnavailable) as caught:
            await channel.send(replace(http_bench.event, destination=ROAD), NOON)
    assert caught.value.check in ("department.endpoint_unfit", "department.endpoint_missing")
    assert http_bench.receiver.received == []


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


async def test_a_webhook_carries_a_cloud_event_under_both_signatures(to_utility: Bench) -> None:
    await to_utility.send()
    (got,) = to_utility.receiver.received
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
    to_utility.gateway_key.private_key.public_key().verify(base64.b64decode(signatures["v1a"]), signed)  # type: ignore[call-arg,union-attr]


async def test_the_sample_client_takes_the_webhook(to_utility: Bench) -> None:
    await to_utility.send()
    (got,) = to_utility.receiver.received
    keys = KeySet.parse({"keys": [export_jwk(to_utility.gateway_key.public())]})
    delivery = check_delivery(got.headers, got.body, secret=parse_secret(SECRET_TEXT), gateway_keys=keys, at=NOON)
    assert delivery.event_id == "evt_1"


async def test_the_body_is_the_same_at_every_attempt_and_a_repeated_event_is_a_duplicate(to_utility: Bench) -> None:
    first = await to_utility.send()
    again = await to_utility.channel.send(to_utility.event, NOON + timedelta(seconds=20))
    assert (first.duplicate, again.duplicate) == (False, True)
    one, two = to_utility.receiver.received
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
async def test_a_false_receipt_is_no_delivery(to_utility: Bench, check: str, false: dict[str, Any]) -> None:
    async def lie(got: Received) -> web.StreamResponse:
        return web.Response(body=to_utility.utility.receipt(got, **false).encode())

    to_utility.receiver.behave = lie
    error = await to_utility.unavailable()
    assert error.check == f"{to_utility.prefix}.receipt.{check}"
    unproven = to_utility.prefix == "nats"
    assert error.outcome is (AttemptOutcome.UNKNOWN if unproven else AttemptOutcome.DECLINED)


async def test_of_those_that_are_sent_side_by_side_only_a_false_receipt_is_none(webhook: Bench) -> None:
    async def lie_of_one(got: Received) -> web.StreamResponse:
        false = {"body_sha256": "0" * 64} if got.headers["webhook-id"] == "evt_3" else {}
        return web.Response(body=webhook.utility.receipt(got, **false).encode())

    webhook.receiver.behave = lie_of_one
    events = [replace(webhook.event, event_id=f"evt_{number}") for number in range(8)]
    answers = await asyncio.gather(*(webhook.channel.send(each, NOON) for each in events), return_exceptions=True)
    unproven = [answer for answer in answers if isinstance(answer, NotDelivered)]
    assert unproven == [answers[3]]
    assert unproven[0].check == "webhook.receipt.body_sha256"
    webhook.directory.set_endpoint(UTILITY, "webhook", webhook.receiver.url, "gone")  # its secret is taken away
    assert (await webhook.unavailable()).check == "webhook.secret_missing"


async def test_a_receipt_needs_a_key_registered_for_receipts(to_utility: Bench) -> None:
    to_utility.directory.keys.clear()
    to_utility.directory.add_key(UTILITY, to_utility.utility.key, KeyUse.CLIENT_AUTH)
    assert (await to_utility.unavailable()).check == f"{to_utility.prefix}.receipt.key_unknown"


async def test_what_changes_after_a_good_delivery_holds_at_the_next(to_utility: Bench) -> None:
    await to_utility.send()
    known = to_utility.directory.keys[UTILITY]
    to_utility.directory.keys[UTILITY] = []
    to_utility.directory.add_key(UTILITY, es256_key("receipts-new"), KeyUse.RECEIPT)
    assert (await to_utility.unavailable()).check == f"{to_utility.prefix}.receipt.key_unknown"
    to_utility.directory.keys[UTILITY] = known
    assert (await to_utility.send()).duplicate
    seen = len(to_utility.receiver.received)
    to_utility.directory.suspend(UTILITY)
    await to_utility.unavailable()
    assert len(to_utility.receiver.received) == seen


@pytest.mark.parametrize("text", [SECRET_TEXT, NEW_SECRET_TEXT], ids=["old", "new"])
async def test_while_a_secret_is_changed_the_receiver_may_hold_either(to_utility: Bench, text: str) -> None:
    to_utility.directory.set_endpoint(UTILITY, to_utility.prefix, to_utility.receiver.url, "csg-changing")
    await to_utility.send()
    (got,) = to_utility.receiver.received
    assert got.headers["webhook-signature"].count("v1,") == 2
    signed = Webhook(text).sign("evt_1", NOON, got.body.decode())
    assert signed in got.headers["webhook-signature"].split(" ")


async def test_a_secret_that_is_not_configured_is_waited_for(to_utility: Bench) -> None:
    to_utility.directory.set_endpoint(UTILITY, to_utility.prefix, to_utility.receiver.url, "unknown")
    assert (await to_utility.unavailable()).check == f"{to_utility.prefix}.secret_missing"
    to_utility.directory.set_endpoint(UTILITY, to_utility.prefix, to_utility.receiver.url)
    await to_utility.send()
    assert to_utility.receiver.received[0].headers["webhook-signature"].startswith("v1a,")


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
