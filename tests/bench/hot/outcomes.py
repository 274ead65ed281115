"""Path 2: a department pushes a signed outcome, and it counts once the utility's receipt is verified and kept."""

import asyncio
import json
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import orjson
import psycopg
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mock_services.demo.roster import UTILITY
from mock_services.jose import SigningKey
from tests.bench.hot.gateways import Needs
from tests.bench.hot.ground import Ground
from tests.bench.hot.outcome_limit import PENDING
from tests.bench.hot.reviews import DEPARTMENTS
from tests.bench.hot.slices import Make, Measured, Side, compare
from tests.bench.hot.stand import Stand, new_port
from tests.bench.hot.tokens import base64url, es256
from tests.bench.hot.utility import SEEN
from tests.bench.hot.wire import Answered, Exchange, Fleet
from tests.support.province import DIRECTORY_IS_OLD

NAME = "outcome, from the department's push to the utility's acknowledgement kept"
ACCEPTED = b"HTTP/1.1 202"
STEPS: tuple[dict[str, str], ...] = (
    {"outcome": "accepted"},
    {"outcome": "correction_requested", "reason": "请补充移伐树木清单"},
    {"outcome": "correction_received"},
    {"outcome": "approved", "document_number": "深龙绿〔2026〕1号"},
)
"""What each permit hears, in order."""
WINDOW = 200
"""Reviews that are spoken of by turns: between two outcomes of one application lie so many of others."""
LEAST_REVIEWS = 60
ACKNOWLEDGED_WITHIN, LOOK_EVERY = 120.0, 0.002
"""Seconds."""
TRIED = 2000
"""Requests by which the utility's own speed is shown."""
_OURS = "type = 'cn.bandian.permit.outcome.v1'"


class NotAcknowledged(Exception):
    """What was taken, delivered and receipted is not the same: the figures are worth nothing."""


class Pushes:
    """Outcomes about reviews that are opened as they are needed, each signed as its department does.

    ``opened`` answers so many reviews: of each its permits, by department.
    """

    def __init__(self, stand: Stand, opened: Callable[[int], Awaitable[Sequence[dict[str, str]]]]) -> None:
        self._stand, self._opened = stand, opened
        directory = stand.province.directory / "departments"
        self.keys = {code: SigningKey.load_or_create(directory / f"{code}.pem") for code in DEPARTMENTS}
        self._headers = {
            code: base64url(orjson.dumps({"typ": "approval-outcome+jwt", "alg": "ES256", "kid": key.kid}))
            for code, key in self.keys.items()
        }
        self._due: deque[tuple[str, str, int]] = deque()

    async def make(self, count: int) -> Sequence[bytes]:
        """The next ``count`` pushes, signed just now."""
        if len(self._due) < count:
            wanted = -(-(count - len(self._due)) // (len(DEPARTMENTS) * len(STEPS)))
            self._fill(await self._opened(max(wanted, LEAST_REVIEWS)))
        return [self._push(*self._due.popleft()) for _ in range(count)]

    def _fill(self, reviews: Sequence[dict[str, str]]) -> None:
        for first in range(0, len(reviews), WINDOW):
            window = reviews[first : first + WINDOW]
            self._due.extend(
                (department, review[department], step)
                for step in range(len(STEPS))
                for department in DEPARTMENTS
                for review in window
            )

    def _push(self, department: str, permit: str, step: int) -> bytes:
        claims = {
            "iss": department,
            "aud": self._stand.gateway,
            "jti": f"{permit}:{step + 1}",
            "iat": int(time.time()),
            "permit_id": permit,
            "sequence": step + 1,
            "decided_at": datetime.now(UTC).isoformat(),
            **STEPS[step],
        }
        signed = es256(
            self.keys[department].private, self._headers[department] + b"." + base64url(orjson.dumps(claims))
        )
        return (
            b"POST /v1/departments/%b/outcomes HTTP/1.1\r\nhost: gateway\r\n"
            b"content-type: application/jose\r\ncontent-length: %d\r\n\r\n%b"
        ) % (department.encode(), len(signed), signed)


async def _opened(stand: Stand, count: int) -> list[dict[str, str]]:
    like = stand.applications[0].application_id
    arguments = ("--application", like, "--count", str(count))
    code, printed = await stand.processes.run("tests.bench.hot.reviews", arguments, stand.province.environment)
    if code != 0:
        raise RuntimeError(f"no reviews: {printed[-2000:]}")
    opened: list[dict[str, str]] = json.loads(printed.splitlines()[-1])
    return opened


async def _made_up(count: int) -> list[dict[str, str]]:
    """The limit keeps no reviews, and asks for none."""
    return [{department: f"prm_{uuid.uuid4().hex[:26]}" for department in DEPARTMENTS} for _ in range(count)]


class AcknowledgedFleet(Fleet):
    """Asks, and has not done so before whatever was taken is acknowledged: ``waiting`` answers how much is not."""

    def __init__(self, port: int, connections: int, waiting: Callable[[], Awaitable[int]]) -> None:
        super().__init__([port], connections)
        self._waiting = waiting

    async def ask(self, exchanges: Sequence[Exchange], expected: bytes = ACCEPTED) -> Answered:
        """See ``Fleet.ask``; the seconds of the whole are those until the last acknowledgement."""
        began = time.perf_counter()
        answered = await super().ask(exchanges, expected)
        while await self._waiting():
            if time.perf_counter() - began > ACKNOWLEDGED_WITHIN:
                raise NotAcknowledged(f"{await self._waiting()} of {len(exchanges)} are not acknowledged")
            await asyncio.sleep(LOOK_EVERY)
        return Answered(answered.took, time.perf_counter() - began, answered.last_body)


class Database:
    """A reader beside the gateway."""

    def __init__(self, url: str) -> None:
        self._connection: Any = (
            sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            if url.startswith("sqlite:///")
            else psycopg.connect(url, autocommit=True)
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(statement)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def number(self, statement: str) -> int:
        return int(self.rows(statement)[0][0])

    async def waiting(self) -> int:
        """Whether anything is still to be delivered: 1 or 0."""
        return len(self.rows("SELECT 1 FROM outbox WHERE state = 'pending' LIMIT 1"))

    def leaf(self, action: str) -> dict[str, Any]:
        """The newest entry of ``action``."""
        found = self.rows(f"SELECT leaf FROM record_entries WHERE action = '{action}' ORDER BY sequence DESC LIMIT 1")
        leaf: dict[str, Any] = orjson.loads(bytes(found[0][0]))
        return leaf

    def close(self) -> None:
        self._connection.close()


class OutcomePath:
    """From here on the utility's events go to a stand-in that is gone: the last path of a stand."""

    done = NAME

    async def measure(self, ground: Ground, connections: int) -> Measured:
        """As ``HotPath``."""
        await ground.gateways.run(Needs())
        wanted = ground.wanted
        measured, told = await measure(
            ground.stand,
            ground.http,
            ground.new_database(),
            connections,
            seconds=wanted.seconds,
            pairs=wanted.pairs,
        )
        ground.say(f"{ground.database}: {told}")
        return measured


async def measure(
    stand: Stand, http: httpx.AsyncClient, limit_database: str, connections: int, *, seconds: float, pairs: int
) -> tuple[Measured, str]:
    """The path against its limit, and what was found afterwards. Raises ``NotAcknowledged``."""
    database, pushes = Database(stand.database_url), Pushes(stand, partial(_opened, stand))
    ours_port, theirs_port = await _utility(stand), await _utility(stand)
    speed = await _speed(theirs_port)
    await _nothing_waits(database)
    await _register(stand, ours_port)
    counted = _counts(database)
    ours = Side("gateway", stand.pids, AcknowledgedFleet(stand.ports[0], connections, database.waiting), pushes.make)
    await ours.slice(len(STEPS) * len(DEPARTMENTS))
    work = stand.directory / "work-2.json"
    sample = json.loads((await _seen(http, ours_port))["last"])
    work.write_text(json.dumps(_work(stand, pushes, database, sample), ensure_ascii=False), "utf-8")
    port = new_port()
    arguments = ("--port", str(port), "--utility-port", str(theirs_port), "--work", str(work))
    address = limit_database.removeprefix("sqlite:///")
    pid = await stand.program("tests.bench.hot.outcome_limit", *arguments, "--database", address, core=stand.core)
    theirs = Side("limit", [pid], AcknowledgedFleet(port, connections, _pending(port)), Pushes(stand, _made_up).make)
    try:
        measured = await compare(NAME, ours, theirs, connections, seconds=seconds, pairs=pairs)
        found = [after - before for after, before in zip(_counts(database), counted, strict=True)]
        require_acknowledged(ours.answered, found, await _seen(http, ours_port))
    finally:
        ours.fleet.close()
        theirs.fleet.close()
        database.close()
        await stand.processes.stop_named("tests.bench.hot.outcome_limit", "tests.bench.hot.utility")
    told = f"{ours.answered:,} outcomes, as many receipts, each once and in order"
    return measured, f"{told}; the utility by itself answers {speed:,.0f}/s"


async def outcomes_to_come(stand: Stand, count: int, times: int) -> Sequence[Make]:
    """``count`` outcomes, ``times`` over: what they are about is in the database, and a stand-in to deliver them to."""
    with closing(Database(stand.database_url)) as database:
        await _nothing_waits(database)
    await _register(stand, await _utility(stand))
    reviews = await _opened(stand, -(-count // (len(DEPARTMENTS) * len(STEPS))))

    async def opened(_: int) -> list[dict[str, str]]:
        return reviews

    return [Pushes(stand, opened).make for _ in range(times)]


async def _nothing_waits(database: Database) -> None:
    """What the stand's own applications had to tell was told: later it would be counted as somebody's push."""
    async with asyncio.timeout(120):
        while await database.waiting():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.05)


def require_acknowledged(pushed: int, found: Sequence[int], seen: dict[str, Any]) -> None:
    """Raises ``NotAcknowledged`` unless outcomes, deliveries, receipts and entries are as many as were pushed."""
    if set(found) != {pushed} or (seen["events"], seen["again"], seen["out_of_order"]) != (pushed, 0, 0):
        told = {name: count for name, count in seen.items() if name != "last"}
        raise NotAcknowledged(f"{pushed} pushed; kept, delivered, receipted, recorded: {found}; the utility: {told}")


def _counts(database: Database) -> list[int]:
    receipted = f"SELECT event_id FROM outbox WHERE {_OURS} AND state = 'delivered'"
    return [
        database.number(statement)
        for statement in (
            "SELECT count(*) FROM approval_outcomes",
            f"SELECT count(*) FROM outbox WHERE {_OURS} AND state = 'delivered'",
            f"SELECT count(*) FROM delivery_attempts WHERE outcome = 'receipted' AND event_id IN ({receipted})",
            "SELECT count(*) FROM record_entries WHERE action = 'outcome.received'",
            "SELECT count(*) FROM record_entries WHERE action = 'delivery.receipted'",
        )
    ]


async def _utility(stand: Stand) -> int:
    """Start a stand-in; answers its port."""
    port, key = new_port(), stand.province.directory / "utility" / "signing-key.pem"
    arguments = ("--port", str(port), "--partner", UTILITY, "--gateway", stand.gateway, "--key", str(key))
    await stand.program("tests.bench.hot.utility", *arguments, core=stand.other_core)
    return port


async def _speed(port: int) -> float:
    """Receipts a second that a stand-in gives to one who does nothing but ask."""
    event = orjson.dumps({"id": "evt_speed", "subject": "app_speed", "sequence": 1, "data": {"signed": "x" * 900}})
    request = b"POST / HTTP/1.1\r\nwebhook-id: evt_speed\r\ncontent-length: %d\r\n\r\n%b" % (len(event), event)
    fleet = Fleet([port], 32)
    answered = await fleet.ask([request] * TRIED)
    fleet.close()
    return TRIED / answered.seconds


async def _register(stand: Stand, port: int) -> None:
    """Have the gateway deliver to the stand-in."""
    roster = json.loads((stand.province.directory / "roster.json").read_text("utf-8"))
    for partner in roster["partners"]:
        if partner["code"] == UTILITY:
            partner["endpoints"][0] |= {"url": f"http://127.0.0.1:{port}/webhooks/bandian", "status_url": None}
    changed = stand.directory / "roster.json"
    changed.write_text(json.dumps(roster, ensure_ascii=False), "utf-8")
    await stand.processes.run_gateway(stand.province.environment, "partners", "apply", str(changed))
    await asyncio.sleep(DIRECTORY_IS_OLD)


async def _seen(http: httpx.AsyncClient, port: int) -> dict[str, Any]:
    seen: dict[str, Any] = (await http.get(f"http://127.0.0.1:{port}{SEEN}")).json()
    return seen


def _pending(port: int) -> Callable[[], Awaitable[int]]:
    fleet, request = Fleet([port], 1), PENDING + b" HTTP/1.1\r\nhost: limit\r\n\r\n"

    async def pending() -> int:
        return int((await fleet.ask([request])).last_body)

    return pending


def _work(stand: Stand, pushes: Pushes, database: Database, event: dict[str, Any]) -> dict[str, Any]:
    """What the limit is told: the same keys, and an event and entries as the gateway made them."""
    pem, public = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    secret = (stand.province.directory / "utility" / "webhook-secret").read_text("utf-8").strip()
    webhook_key = stand.gateway_key("webhook").private_bytes(pem, PrivateFormat.PKCS8, NoEncryption())
    return {
        "gateway": stand.gateway,
        "utility": UTILITY,
        "departments": {
            code: key.private.public_key().public_bytes(pem, public).decode() for code, key in pushes.keys.items()
        },
        "receipt_key": stand.utility_key().private.public_key().public_bytes(pem, public).decode(),
        "webhook_key": webhook_key.decode(),
        "secret": secret.removeprefix("whsec_"),
        "event": event,
        "received": database.leaf("outcome.received"),
        "receipted": database.leaf("delivery.receipted"),
    }
