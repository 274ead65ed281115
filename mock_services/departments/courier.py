"""Takes due steps and pushes outcomes until each is acknowledged: a permit's in order, permits in parallel."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from pydantic import ValidationError

from mock_services.departments.desk import Desk
from mock_services.departments.store import SentOutcome
from mock_services.jose import SigningKey
from schemas.departments import OutcomeAcknowledged
from schemas.wire import MEDIA_JOSE

FIRST_BACKOFF = timedelta(milliseconds=200)
LONGEST_BACKOFF = timedelta(seconds=15)
MAX_UNDER_WAY = 64
IDLE = 0.02
"""Seconds between looks at the store."""


@dataclass
class Courier:
    """``spoil(kind, department)`` asks a fault switch: ``wrong_signature``, ``malformed`` or ``duplicate``."""

    desk: Desk
    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    jitter: random.Random
    spoil: Callable[[str, str], bool] = lambda _kind, _department: False
    _under_way: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled. A permit whose push hangs keeps no other permit waiting."""
        async with asyncio.TaskGroup() as group:
            while True:
                taken = self.desk.run_due_steps(self.clock())
                due = [one for one in self.desk.store.sendable(self.clock()) if one.permit_id not in self._under_way]
                for outcome in due[: MAX_UNDER_WAY - len(self._under_way)]:
                    self._under_way.add(outcome.permit_id)
                    group.create_task(self._push(outcome))
                await asyncio.sleep(0 if taken else IDLE)

    async def _push(self, outcome: SentOutcome) -> None:
        try:
            status, wait = await self._send(outcome)
            if status is not None and status < 300 and self.spoil("duplicate", outcome.department):
                await self._send(outcome)
        finally:
            self._under_way.discard(outcome.permit_id)
        at = self.clock()
        acknowledged = status is not None and 200 <= status < 300
        next_attempt_at = None if acknowledged else at + (wait or self._backoff(outcome.attempts))
        self.desk.store.settle(outcome.outcome_id, status=status, next_attempt_at=next_attempt_at, at=at)

    async def _send(self, outcome: SentOutcome) -> tuple[int | None, timedelta | None]:
        """Status (None: no answer, or an acknowledgement that is none) and how long the gateway asked to wait."""
        try:
            response = await self.http.post(
                outcome.uri, content=self._body(outcome), headers={"Content-Type": MEDIA_JOSE}
            )
        except httpx.HTTPError:
            return None, None
        if response.is_success and not _acknowledges(response, outcome):
            return None, None
        return response.status_code, _retry_after(response)

    def _body(self, outcome: SentOutcome) -> bytes:
        if self.spoil("malformed", outcome.department):
            return b'{"outcome": "approv'
        if self.spoil("wrong_signature", outcome.department):
            head, payload, _ = outcome.token.split(".")
            forged = SigningKey.generate().sign("approval-outcome+jwt", {}).rpartition(".")[2]
            return f"{head}.{payload}.{forged}".encode()
        return outcome.token.encode()

    def _backoff(self, attempts: int) -> timedelta:
        """Exponential with full jitter, never less than half of the first."""
        ceiling = min(FIRST_BACKOFF * (1 << min(attempts, 12)), LONGEST_BACKOFF)
        return max(ceiling * self.jitter.random(), FIRST_BACKOFF / 2)


def _acknowledges(response: httpx.Response, outcome: SentOutcome) -> bool:
    try:
        return OutcomeAcknowledged.model_validate_json(response.content).outcome_id == outcome.outcome_id
    except ValidationError:
        return False


def _retry_after(response: httpx.Response) -> timedelta | None:
    value = response.headers.get("retry-after", "")
    return timedelta(seconds=min(int(value), 60)) if value.isascii() and value.isdigit() else None
