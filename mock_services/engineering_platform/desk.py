"""What the platform does: say something of a project, sign it, push it until the gateway has acknowledged it."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import ValidationError

from mock_services.engineering_platform.store import Push, Store
from mock_services.jose import SigningKey
from schemas.project_push import ProjectAcknowledged, ProjectPush
from schemas.wire import MEDIA_JOSE, Typ

FIRST_BACKOFF = timedelta(milliseconds=200)
LONGEST_BACKOFF = timedelta(seconds=5)
HOLD_TIME = timedelta(seconds=3)
"""How long a version waits, under the fault ``out_of_order``, for a later one to overtake it."""
IDLE = 0.02
"""Seconds between looks at the store."""


@dataclass
class Desk:
    """The platform ``code``. ``spoil(kind)`` asks a fault switch: ``wrong_signature``, ``malformed``, …"""

    code: str
    key: SigningKey
    store: Store
    gateway: str
    issuer: str
    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    jitter: random.Random
    spoil: Callable[[str], bool] = lambda _kind: False
    _under_way: set[str] = field(default_factory=set)

    def say(self, tables: dict[str, Any]) -> dict[str, Any]:
        """The next version of the project that ``tables`` are of. Raises ``ValidationError`` for what is none."""
        at = self.clock()
        works_code = str(tables["xmjbxxb"]["gcdm"])
        known = self.store.project(works_code)
        version = known[0] + 1 if known else 1
        claims = {"iss": self.code, "aud": self.issuer, "iat": int(at.timestamp()), "xh": version, **tables}
        ProjectPush.model_validate(claims)
        held_until = at + HOLD_TIME if self.spoil("out_of_order") else None
        self.store.say(works_code, version, tables, self.key.sign(Typ.PROJECT_PUSH, claims), at, held_until)
        return {"works_code": works_code, "version": version}

    def change(self, works_code: str, changes: dict[str, Any]) -> dict[str, Any]:
        """The next version: whole tables replaced, and columns of the project's own row. Raises ``KeyError`` too."""
        known = self.store.project(works_code)
        if known is None:
            raise KeyError(works_code)
        row = known[1]["xmjbxxb"] | changes.get("xmjbxxb", {})
        return self.say({**known[1], **changes, "xmjbxxb": row})

    async def run(self) -> None:
        """Until cancelled. A project whose push hangs keeps no other waiting."""
        async with asyncio.TaskGroup() as group:
            while True:
                for push in self.store.sendable(self.clock()):
                    if push.works_code not in self._under_way:
                        self._under_way.add(push.works_code)
                        group.create_task(self._push(push))
                await asyncio.sleep(IDLE)

    async def _push(self, push: Push) -> None:
        try:
            status, answer = await self._send(push)
            if answer is not None and self.spoil("duplicate"):
                await self._send(push)
        finally:
            self._under_way.discard(push.works_code)
        again_at = None if answer is not None else self.clock() + self._backoff(push.attempts)
        self.store.settle(push, status, answer, again_at)

    async def _send(self, push: Push) -> tuple[int | None, str | None]:
        """Status (None: nobody answered), and the acknowledgement where the answer is one of this push."""
        url = f"{self.gateway}/v1/platforms/{self.code}/projects"
        try:
            response = await self.http.post(url, content=self._body(push), headers={"Content-Type": MEDIA_JOSE})
        except httpx.HTTPError:
            return None, None
        if not response.is_success:
            return response.status_code, None
        try:
            told = ProjectAcknowledged.model_validate_json(response.content)
        except ValidationError:
            return response.status_code, None
        return response.status_code, told.model_dump_json() if told.version == push.version else None

    def _body(self, push: Push) -> bytes:
        if self.spoil("malformed"):
            return b'{"xmjbxxb": {"xmd'
        if self.spoil("wrong_signature"):
            forged = SigningKey.generate().sign(Typ.PROJECT_PUSH, {}).rpartition(".")[2]
            return f"{push.token.rpartition('.')[0]}.{forged}".encode()
        return push.token.encode()

    def _backoff(self, attempts: int) -> timedelta:
        """Exponential with full jitter, never less than half of the first."""
        ceiling = min(FIRST_BACKOFF * (1 << min(attempts, 10)), LONGEST_BACKOFF)
        return max(ceiling * self.jitter.random(), FIRST_BACKOFF / 2)
