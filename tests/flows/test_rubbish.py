"""Rubbish at every route of the running gateway: refused as RFC 9457 says, never a fault, never echoed or logged."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from mock_services.demo.roster import UTILITY
from schemas.wire import MEDIA_PROBLEM
from tests.support.callers import Caller, key_of_mock
from tests.support.partners import es256_key, public_jwk
from tests.support.province import LiveProvince
from tests.support.rubbish import BOTH, MARKER_WORD, MARKERS, Rubbish, rubbish_for

pytestmark = pytest.mark.asyncio(loop_scope="session")
OPERATOR = "operator-test"
AT_ONCE = 16
SIGNING_OUT = ("DELETE", "/v1/verification-sessions/current")
"""What an applicant is not to send: it does what it says, and nothing sent after it would be let in."""


@dataclass
class Callers:
    """Who feeds it: nobody feeds all, an applicant, a utility and an operator what asks for their credential."""

    document: dict[str, Any]
    headers: dict[str, Callable[[Rubbish], dict[str, str]]]
    sends: dict[str, Callable[[Rubbish], bool]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(province: LiveProvince) -> Callers:
    gateway, http = province.province.gateway, province.http
    operator_key = es256_key("operator-1")
    roster = province.logs.parent / "operator.json"
    roster.write_text(
        json.dumps(
            {
                "partners": [
                    {
                        "code": OPERATOR,
                        "name": "运营方",
                        "role": "operator",
                        "regions": ["440000"],
                        "keys": [{"jwk": public_jwk(operator_key), "use": "any"}],
                    }
                ]
            }
        )
    )
    await province.apply_partners(roster)
    applicant = province.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    bearer = {"authorization": f"Bearer {applicant.token}"}
    utility_key = key_of_mock(province.province.directory / "utility" / "signing-key.pem")
    utility = await Caller(gateway, UTILITY, utility_key).sign_in(http)
    operator = await Caller(gateway, OPERATOR, operator_key).sign_in(http)
    return Callers(
        (await http.get(f"{gateway}/openapi.json")).raise_for_status().json(),
        {
            "nobody": lambda _: {},
            "applicant": lambda _: bearer,
            "utility": lambda sent: utility.headers(sent.method, sent.path),
            "operator": lambda sent: operator.headers(sent.method, sent.path),
        },
        {
            "nobody": lambda sent: not (sent.asks_for and sent.of_a_field),
            "applicant": lambda sent: sent.asks_for == "applicant_session" and (sent.method, sent.path) != SIGNING_OUT,
            "utility": lambda sent: sent.asks_for == "dpop" and not sent.path.startswith("/v1/operator"),
            "operator": lambda sent: sent.asks_for == "dpop" and sent.path.startswith("/v1/operator"),
        },
    )


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status_code: int
    headers: Mapping[str, str]
    text: str


@pytest_asyncio.fixture(loop_scope="session")
async def wire() -> AsyncIterator[aiohttp.ClientSession]:
    """Thousands of requests, as cheap as they can be had, none of them with a cookie of another's."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def send(province: LiveProvince, wire: aiohttp.ClientSession, sent: Rubbish, headers: dict[str, str]) -> Reply:
    address = province.province.gateway + sent.path + (f"?{sent.query}" if sent.query else "")
    url, headers = URL(address, encoded=True), {"idempotency-key": uuid4().hex} | headers | sent.headers
    for _ in range(2):
        with suppress(aiohttp.ClientConnectionError):  # one that was idle for long may be closed just then: once more
            async with wire.request(sent.method, url, headers=headers, data=sent.body, allow_redirects=False) as answer:
                return Reply(answer.status, answer.headers, await answer.text(errors="replace"))
    raise AssertionError(f"{sent.method} {sent.path[:90]} ({sent.why}): the connection is cut, twice")


def faults_of(sent: Rubbish, answer: Reply) -> list[str]:
    """What is wrong with the answer."""
    faults = []
    if answer.status_code >= 500:
        faults.append(f"status {answer.status_code}")
    if answer.status_code >= 400:
        if any(marker in answer.text or marker in str(answer.headers) for marker in MARKERS):
            faults.append("echo")
        if answer.headers.get("content-type") != MEDIA_PROBLEM:
            faults.append(f"{answer.status_code} as {answer.headers.get('content-type')}")
        else:
            problem = json.loads(answer.text)
            missing = {"type", "title", "status", "check", "owner", "remedy"} - problem.keys()
            faults.extend(f"no {name}" for name in sorted(missing))
            if problem.get("status") != answer.status_code:
                faults.append("another status")
    return [f"{sent.method} {sent.path[:90]} ({sent.why}): {fault}" for fault in faults]


@pytest.mark.parametrize("who", ["nobody", "applicant", "utility", "operator"])
async def test_rubbish_is_refused_as_a_problem_and_never_echoed(
    province: LiveProvince, wire: aiohttp.ClientSession, callers: Callers, who: str
) -> None:
    faults: list[str] = []
    statuses: Counter[int] = Counter()

    async def feed(some: Iterator[Rubbish]) -> None:
        for sent in some:
            answer = await send(province, wire, sent, callers.headers[who](sent))
            statuses[answer.status_code] += 1
            faults.extend(faults_of(sent, answer))

    heap = (sent for sent in rubbish_for(callers.document) if callers.sends[who](sent))
    await asyncio.gather(*(feed(heap) for _ in range(AT_ONCE)))
    assert not faults, f"{len(faults)} faults: " + "\n".join(faults[:40])
    assert statuses.total() > 400, "hardly anything was sent"
    refused = sum(count for status, count in statuses.items() if 400 <= status < 500)
    assert refused > 0.8 * statuses.total(), statuses
    assert who == "nobody" or statuses[401] < 0.1 * statuses.total(), "who is let in has what is sent judged"


@pytest.mark.parametrize(
    "path", [f"/{BOTH}", f"/v1/{BOTH}", "/v1//applications", "/" + "p" * 6000 + MARKER_WORD, "/docs/%00", "/docs/../x"]
)
async def test_an_unknown_address_is_a_problem_too(
    province: LiveProvince, wire: aiohttp.ClientSession, path: str
) -> None:
    sent = Rubbish("GET", path, why="unknown")
    answer = await send(province, wire, sent, {})
    assert answer.status_code == 404
    assert not faults_of(sent, answer)


@pytest.mark.parametrize(
    "raw",
    [
        f"BREW /{BOTH} HTTP/1.1\r\nhost: x\r\n\r\n".encode(),
        f"GET / {BOTH}\r\n\r\n".encode(),
        b"\x00\xff" * 500 + MARKER_WORD.encode() + b"\r\n\r\n",
        f"POST /v1/intakes/face-verified HTTP/1.1\r\nhost: x\r\ncontent-length: {MARKER_WORD}\r\n\r\n".encode(),
        f"GET /healthz HTTP/1.1\r\nhost: x\r\n{'h: ' + MARKER_WORD * 9000}\r\n\r\n".encode(),
    ],
    ids=["method", "version", "binary", "length", "one-long-header"],
)
async def test_what_is_hardly_http_is_turned_away_without_an_echo(province: LiveProvince, raw: bytes) -> None:
    where = urlsplit(province.province.gateway)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(raw)
    await writer.drain()
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    assert b" 500 " not in answer.split(b"\r\n", 1)[0]
    assert not [marker for marker in MARKERS if marker.encode() in answer]


async def test_the_gateway_is_well_and_logged_none_of_it(province: LiveProvince) -> None:
    assert await province.readiness() == 200
    logs = province.gateway_logs()
    assert not [marker for marker in MARKERS if marker in logs]
    assert "[redacted]" not in logs, "something reached the last line of defence"
    assert '"level":"error"' not in logs
