"""Path 4: an intake, from the demand to the application: begun, shown, confirmed and authorised (一证办电)."""

import os
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import cycle
from typing import Any

import orjson

from mock_services.demo.applicant import Applicant
from tests.bench.hot.exchanges import ExchangePath, Sides, beside_limit
from tests.bench.hot.gateways import Needs
from tests.bench.hot.ground import Ground
from tests.bench.hot.live import recorded_envelopes, trusted
from tests.bench.hot.recorded import SpeedBought, newest_leaf, sealed_size
from tests.bench.hot.slices import Side
from tests.bench.hot.stand import Prepared
from tests.bench.hot.visitors import session_of, signed_in
from tests.bench.hot.wire import Exchange, Fleet

ENTRIES = {
    "previewed": "intake.previewed",
    "authorised": "authorisation.granted",
    "submitted": "application.submitted",
}


class IntakePath(ExchangePath):
    """Copies are at hand. The worker is away: telling the utility is another path."""

    needs: Needs | None = Needs(worker=False)
    actions = tuple(ENTRIES.values())

    @asynccontextmanager
    async def sides(self, ground: Ground, connections: int) -> AsyncIterator[Sides]:
        """As ``ExchangePath``."""
        stand = ground.stand
        visitors = await signed_in(stand, ground.http, stand.applications)
        turns = cycle(zip(stand.applications, visitors, strict=True))

        async def make(count: int) -> Sequence[Exchange]:
            return [_intake(each, visitor.token) for each, visitor in (next(turns) for _ in range(count))]

        ours = Side("gateway", stand.pids, Fleet(stand.ports, connections), make)
        seen = _Seen(stand.database_url)
        for each, visitor in zip(stand.applications, visitors, strict=True):
            accepted = await ours.fleet.ask([_intake(each, visitor.token, seen)])
            ours.answered += 1
        self.require_right(accepted.last_body)
        async with beside_limit(ground, ours, await _work(ground, visitors, seen), make) as sides:
            yield sides

    def require_right(self, answer: bytes) -> None:
        """As ``ExchangePath``: an application, and not a review of it."""
        if "application_id" not in orjson.loads(answer):
            raise SpeedBought("what was answered is not an application")


@dataclass
class _Seen:
    """An intake as it was answered, and the bytes in which it waited to be confirmed."""

    database_url: str
    opened: dict[str, Any] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)
    accepted: dict[str, Any] = field(default_factory=dict)
    stored_bytes: int = 0


def _intake(prepared: Prepared, token: str, seen: _Seen | None = None) -> Generator[bytes, bytes, None]:
    """The three requests of one intake; ``seen`` is told of it."""
    opened = orjson.loads((yield _request("POST", "/v1/intakes/one-certificate", token, prepared.demand)))
    if seen is not None:
        seen.stored_bytes = sealed_size(seen.database_url, "intakes", "body")
    view = orjson.loads((yield _request("GET", opened["href"], token)))
    choices = {
        document["document"]: document["certificates"][0]["choice"]
        for document in view["documents"]
        if document["state"] == "choose"
    }
    confirmation = {"authorise": True, "choices": choices}
    accepted = yield _request("POST", f"{opened['href']}/confirmation", token, confirmation)
    if seen is not None:
        seen.opened, seen.view, seen.accepted = opened, view, orjson.loads(accepted)


def _request(method: str, path: str, token: str, said: dict[str, Any] | None = None) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n"
    if said is None:
        return f"{head}\r\n".encode()
    body = orjson.dumps(said)
    return (
        f"{head}content-type: application/json\r\nidempotency-key: {os.urandom(16).hex()}\r\n"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )


async def _work(ground: Ground, visitors: Sequence[Applicant], seen: _Seen) -> dict[str, Any]:
    """What the limit is told: as many certificates to verify, answers and rows of the same bytes."""
    stand, envelopes = ground.stand, recorded_envelopes(ground)
    certificates = sum(len(document["certificates"]) for document in seen.view["documents"])
    url, shown = stand.database_url, len(orjson.dumps(seen.view))
    return {
        **await trusted(ground),
        "does": "intake",
        "opened": seen.opened,
        "view": seen.view,
        "accepted": seen.accepted,
        "entries": {name: orjson.loads(newest_leaf(url, action)) for name, action in ENTRIES.items()},
        "sizes": {
            "intakes": max(0, seen.stored_bytes - shown),
            "applications": sealed_size(url, "application_parties", "party"),
            "outbox": sealed_size(url, "outbox", "data"),
        },
        "kept": {
            "sessions": {
                sha256(visitor.token.encode()).hexdigest(): session_of(each)
                for each, visitor in zip(stand.applications, visitors, strict=True)
            },
            "copies": {
                each.holder_code: {"envelopes": [envelopes[each.holder_code].decode()] * certificates}
                for each in stand.applications
            },
        },
    }
