import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx
import structlog

from adapters.http_client import HttpLimits, HttpRequest, retry_after_seconds
from adapters.httpx_client import HttpxClient
from gateway.errors import PartnerUnavailable

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
URL = "https://source.example/things/4401999999"
READ = HttpRequest("GET", URL, idempotent=True, max_bytes=1000)
WRITE = HttpRequest("POST", URL, body=b"{}")


class Waits(list):
    async def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
async def client():
    waits = Waits()
    made = HttpxClient(HttpLimits(attempt=0.2), clock=lambda: NOW, sleep=waits, jitter=lambda: 1.0)
    made.waits = waits
    yield made
    await made.aclose()


async def failure(client, request=READ) -> PartnerUnavailable:
    with pytest.raises(PartnerUnavailable) as refused:
        await client.send(request, partner="gd-province")
    assert refused.value.partner == "gd-province"
    return refused.value


@respx.mock
async def test_a_reply_comes_whole_with_lower_case_headers(client):
    route = respx.get(URL).respond(200, content=b"abc", headers={"Content-Type": "Application/JSON; charset=utf-8"})
    reply = await client.send(READ, partner="p")
    assert (reply.status, reply.body, reply.media_type) == (200, b"abc", "application/json")
    assert route.calls.last.request.headers["accept-encoding"] == "identity"


@respx.mock
async def test_client_errors_are_replies_for_the_adapter_to_read(client):
    respx.get(URL).respond(404)
    assert (await client.send(READ, partner="p")).status == 404


@pytest.mark.parametrize(
    ("effect", "check"),
    [
        (httpx.ConnectTimeout("x"), "http.timeout"),
        (httpx.ReadTimeout("x"), "http.timeout"),
        (httpx.PoolTimeout("x"), "http.timeout"),
        (httpx.ConnectError("x"), "http.connection"),
        (httpx.ReadError("reset"), "http.connection"),
        (httpx.RemoteProtocolError("cut"), "http.connection"),
        (httpx.Response(500), "http.status"),
        (httpx.Response(502), "http.status"),
        (httpx.Response(503), "http.throttled"),
        (httpx.Response(429), "http.throttled"),
    ],
)
@respx.mock
async def test_a_read_is_tried_three_times_and_a_write_once(client, effect, check):
    side_effect = {"side_effect": effect} if isinstance(effect, Exception) else {"return_value": effect}
    reads = respx.get(URL).mock(**side_effect)
    writes = respx.post(URL).mock(**side_effect)
    assert (await failure(client)).check == check
    assert reads.call_count == 3
    assert client.waits == [0.1, 0.2]
    assert (await failure(client, WRITE)).check == check
    assert writes.call_count == 1


@respx.mock
async def test_a_second_try_that_succeeds_is_the_answer(client):
    respx.get(URL).mock(side_effect=[httpx.ReadError("reset"), httpx.Response(200, content=b"ok")])
    assert (await client.send(READ, partner="p")).body == b"ok"


@respx.mock
async def test_a_short_retry_after_is_waited_for_and_a_long_one_is_passed_on(client):
    respx.get(URL).mock(side_effect=[httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(200)])
    await client.send(READ, partner="p")
    assert client.waits == [1]
    later = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    route = respx.get(URL).respond(503, headers={"Retry-After": later})
    calls = route.call_count
    assert (await failure(client)).retry_after == 90
    assert route.call_count == calls + 1


@respx.mock
async def test_a_body_that_drips_past_the_time_limit_is_a_timeout(client):
    async def drip():
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    respx.get(URL).mock(side_effect=lambda _: httpx.Response(200, content=drip()))
    assert (await failure(client)).check == "http.timeout"


@pytest.mark.parametrize(
    ("reply", "check"),
    [
        (httpx.Response(200, content=b"x" * 1001), "http.oversize"),
        (httpx.Response(302, headers={"Location": "https://evil.example"}), "http.status"),
        (httpx.Response(501), "http.status"),
        (httpx.Response(200, headers={"Content-Encoding": "br"}, stream=httpx.ByteStream(b"?")), "http.encoding"),
    ],
)
@respx.mock
async def test_what_a_second_try_cannot_mend_is_refused_at_once(client, reply, check):
    route = respx.get(URL).mock(return_value=reply)
    assert (await failure(client)).check == check
    assert route.call_count == 1


async def test_an_address_that_is_none_is_refused(client):
    assert (await failure(client, HttpRequest("GET", "no address", idempotent=True))).check in (
        "http.malformed",
        "http.connection",
    )


@respx.mock
async def test_neither_logs_nor_errors_hold_address_or_body(client, caplog):
    caplog.set_level("DEBUG")
    respx.get(URL).respond(503, content=b"4401999999")
    with structlog.testing.capture_logs() as logs:
        error = await failure(client)
    assert len(logs) == 3
    assert "4401999999" not in f"{logs}{error!r}{error}{READ!r}{caplog.text}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("-1", None),
        ("１", None),
        ("soon", None),
        ("9" * 30, None),
        ("Mon, 23 Nov 2026 04:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 03:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_seconds(value, NOW) == seconds
