"""Lean departments that can be killed at any moment: what they decide and what was acknowledged is in a log with fsync.

``python -m tests.prove.department --port N --data-dir DIR --gateway URL --issuer URL --seed N``. The log is one JSON
line for each review request taken (``permit``), each outcome decided (``outcome``, before it is pushed) and each
acknowledgement (``acknowledged``, once the gateway said 202). A permit's outcomes are pushed one after the other, each
until it is acknowledged; how many may be decided in all stands in the file ``budget``.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from mock_services.departments.dialects import Outcome, claims_of
from mock_services.departments.roster import Department, departments_of
from mock_services.jose import SigningKey
from schemas.departments import OutcomeKind

LOG, BUDGET, SETTINGS = "departments.jsonl", "budget", "settings.json"
PUSHERS = 24
PUSHED_TWICE = 0.03
"""Share of acknowledged outcomes that are pushed again: the gateway has to know them."""
OPENING = (
    OutcomeKind.ACCEPTED,
    OutcomeKind.CORRECTION_REQUESTED,
    OutcomeKind.CORRECTION_RECEIVED,
    OutcomeKind.REJECTED,
)
"""What every permit goes through; from then on approval and refusal supersede one another."""


@dataclass
class Permit:
    """``pending`` is the outcome that is decided and not acknowledged: its id and its JWS."""

    permit_id: str
    department: str
    uri: str
    audience: str
    decided: int = 0
    last: str | None = None
    pending: tuple[str, str] | None = None


@dataclass
class Desk:
    """All departments of this process, and the log they share."""

    departments: dict[str, Department]
    keys: dict[str, SigningKey]
    directory: Path
    most: int
    permits: dict[str, Permit] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    decided: int = 0

    def __post_init__(self) -> None:
        path = self.directory / LOG
        if path.exists():
            self._read(path)
        self._log = path.open("ab", buffering=0)

    def _read(self, path: Path) -> None:
        """What was known before the process died; a last line that was not written whole never happened."""
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end != len(whole):
            os.truncate(path, end)
        for line in whole[:end].splitlines():
            said = json.loads(line)
            match said["what"]:
                case "permit":
                    permit = Permit(said["permit"], said["department"], said["uri"], said["audience"])
                    self.permits[permit.permit_id] = permit
                    self.references[said["request"]] = permit.permit_id
                case "outcome":
                    permit = self.permits[said["permit"]]
                    permit.decided, permit.last = said["sequence"], said["outcome"]
                    permit.pending = (said["outcome"], said["token"])
                    self.decided += 1
                case "acknowledged":
                    self.permits[said["permit"]].pending = None

    def write(self, **said: Any) -> None:
        """One line, durable when this returns."""
        self._log.write(json.dumps(said, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._log.fileno())

    def take(self, claims: dict[str, Any]) -> bool:
        """A review request; answers whether it was here before."""
        if claims["jti"] in self.references:
            return True
        permit = Permit(claims["permit_id"], claims["aud"], claims["outcomes_uri"], claims["iss"])
        self.write(
            what="permit", permit=permit.permit_id, department=permit.department, uri=permit.uri,
            audience=permit.audience, request=claims["jti"], application=claims["application_id"],
        )  # fmt: skip
        self.permits[permit.permit_id] = permit
        self.references[claims["jti"]] = permit.permit_id
        return False

    def budget(self) -> int:
        """How many outcomes may be decided by now."""
        try:
            return int((self.directory / BUDGET).read_text())
        except (OSError, ValueError):
            return 0

    def decide(self, permit: Permit) -> None:
        """The permit's next outcome, signed and durable."""
        sequence = permit.decided + 1
        kind = OPENING[sequence - 1] if sequence <= len(OPENING) else (
            OutcomeKind.APPROVED if sequence % 2 else OutcomeKind.REJECTED
        )  # fmt: skip
        department = self.departments[permit.department]
        outcome = Outcome(
            outcome_id=f"{permit.permit_id}:{sequence}",
            permit_id=permit.permit_id,
            audience=permit.audience,
            sequence=sequence,
            kind=kind,
            decided_at=datetime.now(UTC),
            reason="补正材料" if kind in OPENING[1:] else None,
            supersedes=permit.last if sequence > len(OPENING) else None,
            document_number=f"证{sequence}" if kind is OutcomeKind.APPROVED else None,
            valid_until=None,
        )
        token = self.keys[permit.department].sign("approval-outcome+jwt", claims_of(department, outcome))
        self.write(
            what="outcome", permit=permit.permit_id, outcome=outcome.outcome_id, sequence=sequence,
            department=permit.department, token=token,
        )  # fmt: skip
        permit.decided, permit.last, permit.pending = sequence, outcome.outcome_id, (outcome.outcome_id, token)
        self.decided += 1

    def acknowledged(self, permit: Permit, record_id: str) -> None:
        """The gateway has it: from here on the promise holds."""
        assert permit.pending is not None
        self.write(what="acknowledged", permit=permit.permit_id, outcome=permit.pending[0], record=record_id)
        permit.pending = None


class Office:
    """The HTTP side: takes review requests, pushes outcomes."""

    def __init__(self, desk: Desk, gateway: str, chance: random.Random) -> None:
        self._desk, self._gateway, self._chance = desk, gateway, chance
        self._busy: set[str] = set()

    async def review_requests(self, request: web.Request) -> web.Response:
        """202 once the request is in the log. The gateway is known here by its address alone."""
        payload = (await request.text()).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if claims["aud"] != request.match_info["code"] or claims["aud"] not in self._desk.departments:
            return web.Response(status=404)
        duplicate = self._desk.take(claims)
        answer = {"permit_id": claims["permit_id"], "department_reference": claims["jti"], "duplicate": duplicate}
        return web.json_response(answer, status=202)

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Push as long as the server runs."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(8)) as http:
            pushers = [asyncio.create_task(self._push_on(http)) for _ in range(PUSHERS)]
            for pusher in pushers:
                pusher.add_done_callback(_end_all)
            yield

    async def _push_on(self, http: aiohttp.ClientSession) -> None:
        while True:
            permit = self._next()
            if permit is None:
                await asyncio.sleep(0.05)
                continue
            self._busy.add(permit.permit_id)
            try:
                await self._push(http, permit)
            finally:
                self._busy.discard(permit.permit_id)

    def _next(self) -> Permit | None:
        free = [permit for permit in self._desk.permits.values() if permit.permit_id not in self._busy]
        waiting = [permit for permit in free if permit.pending is not None]
        if waiting:
            return self._chance.choice(waiting)
        open_ones = [permit for permit in free if permit.decided < self._desk.most]
        if not open_ones or self._desk.decided >= self._desk.budget():
            return None
        permit = self._chance.choice(open_ones)
        self._desk.decide(permit)
        return permit

    async def _push(self, http: aiohttp.ClientSession, permit: Permit) -> None:
        assert permit.pending is not None
        outcome_id, token = permit.pending
        url = self._gateway + permit.uri[permit.uri.index("/", len("https://")) :]
        wait = 0.1
        while True:
            record_id = await _acknowledged(http, url, outcome_id, token)
            if record_id is not None:
                break
            await asyncio.sleep(wait * (0.5 + self._chance.random()))
            wait = min(wait * 2, 3.0)
        self._desk.acknowledged(permit, record_id)
        if self._chance.random() < PUSHED_TWICE:
            await _acknowledged(http, url, outcome_id, token)


async def _acknowledged(http: aiohttp.ClientSession, url: str, outcome_id: str, token: str) -> str | None:
    """The record id of the acknowledgement; None where there was none."""
    try:
        async with http.post(url, data=token, headers={"Content-Type": "application/jose"}) as response:
            if response.status != 202:
                if response.status not in (503, 429):
                    print(f"{outcome_id}: {response.status} {(await response.text())[:300]}", file=sys.stderr)
                return None
            said = await response.json(content_type=None)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None
    return str(said["record_id"]) if said.get("outcome_id") == outcome_id else None


def _end_all(pusher: asyncio.Task[None]) -> None:
    """A pusher that fails ends the process, so that nobody takes silence for success."""
    if not pusher.cancelled() and pusher.exception() is not None:
        pusher.print_stack()
        os._exit(3)


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--most", type=int, required=True, help="outcomes of one permit")
    options = parser.parse_args()
    departments = {one.code: one for one in departments_of(options.region)}
    keys = {code: SigningKey.load_or_create(options.data_dir / f"{code}.pem") for code in departments}
    office = Office(
        Desk(departments, keys, options.data_dir, options.most), options.gateway, random.Random(options.seed)
    )
    app = web.Application()
    app.add_routes([web.post("/{code}/review-requests", office.review_requests)])
    app.cleanup_ctx.append(office.run)
    web.run_app(app, host="127.0.0.1", port=options.port, print=None, access_log=None, reuse_address=True)


if __name__ == "__main__":
    main()
