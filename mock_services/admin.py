"""``/__admin``: what every mock offers to tests and demos – reset, seed, request journal, fault switches, scenarios.

    POST   /__admin/reset                    back to the state after start; journal and faults emptied
    POST   /__admin/seed                     a JSON object that the mock understands
    GET    /__admin/requests                 what was asked (bounded); DELETE empties it
    GET    /__admin/faults                   what is still to come; PUT replaces it (a list of ``Fault``); DELETE
    GET    /__admin/scenarios                names; POST /__admin/scenario/{name} applies one

A mock builds one ``Admin``, mounts ``admin.router()`` and wraps its app in ``admin.wrap(app)``. Faults of the kinds
``delay``, ``status``, ``reset`` and ``malformed`` happen by themselves; for the others the mock asks
``admin.faults.take("wrong_signature", path)`` at the place where it can do wrong. Nothing here is protected: mocks
listen on loopback.

**Scenario files** (``scenarios/{name}.toml``): ``title``, then a table for each service. ``faults`` is an array of
tables shaped like ``Fault``; other keys go to the handler that the mock registered with ``on_scenario``. A service that
a scenario does not name is left as it is.

    title = "省平台短时繁忙"
    [[provincial_platform.faults]]
    match = "/share"
    kind = "status"
    status = 503
    times = 2
    retry_after = 1
"""

import asyncio
import inspect
import json
import re
import tomllib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

RESET_EXTENSION = "bandian.reset"
"""``scope["extensions"]`` entry of ``mock_services.serve``: call it to reset the TCP connection."""

SCENARIOS = Path(__file__).with_name("scenarios")
JOURNAL_LENGTH = 1000
JOURNAL_BODY_BYTES = 16 * 1024
_UNWATCHED = ("/__admin", "/healthz")


class FaultKind(StrEnum):
    """What can be made to go wrong."""

    DELAY = "delay"
    STATUS = "status"
    RESET = "reset"
    MALFORMED = "malformed"
    WRONG_SIGNATURE = "wrong_signature"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    LOSE = "lose"


_BY_ITSELF = (FaultKind.STATUS, FaultKind.RESET, FaultKind.MALFORMED)


class Fault(BaseModel):
    """One switch: the next ``times`` requests whose path starts with ``match`` meet it (None: all of them).

    ``delay_ms`` milliseconds for ``delay``; ``status`` with ``retry_after`` (seconds, or an HTTP date) for ``status``.
    """

    model_config = ConfigDict(extra="forbid")

    match: str = "/"
    kind: FaultKind
    times: int | None = Field(default=1, ge=1)
    delay_ms: int = Field(default=0, ge=0, le=600_000)
    status: int = Field(default=503, ge=400, le=599)
    retry_after: int | str | None = None


_FAULTS = TypeAdapter(list[Fault])


class Faults:
    """The switches that are set, first come first served."""

    def __init__(self) -> None:
        self._set: list[Fault] = []

    def replace(self, faults: Iterable[Fault]) -> None:
        """Set exactly these."""
        self._set = [fault.model_copy() for fault in faults]

    def pending(self) -> list[Fault]:
        """Those still to come."""
        return list(self._set)

    def take(self, kind: str, path: str) -> Fault | None:
        """Use up one turn of the first fault of ``kind`` that matches ``path``, if there is one."""
        for fault in self._set:
            if fault.kind == kind and path.startswith(fault.match):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._set.remove(fault)
                return fault
        return None


class Journal:
    """The last requests, with the fault that befell them and the status that was answered (None: none was)."""

    def __init__(self, length: int = JOURNAL_LENGTH) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=length)

    def open(self, scope: Scope) -> dict[str, Any]:
        """Add an entry that is completed while the request is served."""
        entry: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(),
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "headers": {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            "body": "",
            "status": None,
            "fault": None,
        }
        self._entries.append(entry)
        return entry

    def entries(self, path: str = "/") -> list[dict[str, Any]]:
        """Entries whose path starts with ``path``, oldest first."""
        return [entry for entry in self._entries if entry["path"].startswith(path)]

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()


Reset = Callable[[], Awaitable[None] | None]
Apply = Callable[[Any], Awaitable[None] | None]


class Admin:
    """The controls of one mock. ``service`` is its name with underscores, as scenario files use it."""

    def __init__(
        self, service: str, *, reset: Reset | None = None, seed: Apply | None = None, scenarios: Path = SCENARIOS
    ) -> None:
        self.service = service
        self.faults = Faults()
        self.journal = Journal()
        self._reset = reset
        self._seed = seed
        self._scenarios = scenarios
        self._handlers: dict[str, Apply] = {}

    def on_scenario(self, key: str, handler: Apply) -> None:
        """Let ``handler`` take what scenario files say under ``{service}.{key}``; ``ValueError`` refuses it (422)."""
        self._handlers[key] = handler

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """``app`` behind the journal and the faults. Lifespan and ``/__admin`` pass untouched."""
        return _Watched(app, self.faults, self.journal)

    async def reset(self) -> None:
        """Empty journal and faults, then let the mock reset itself."""
        self.journal.clear()
        self.faults.replace(())
        if self._reset is not None:
            await _finish(self._reset())

    async def apply(self, name: str) -> str:
        """Apply scenario ``name`` and give its title. Raises ``KeyError`` (no such file) or ``ValueError``."""
        if not re.fullmatch(r"[a-z0-9-]{1,64}", name) or not (path := self._scenarios / f"{name}.toml").is_file():
            raise KeyError(name)
        scenario = tomllib.loads(path.read_text(encoding="utf-8"))
        section = dict(scenario.get(self.service, {}))
        unknown = section.keys() - self._handlers.keys() - {"faults"}
        if unknown:
            raise ValueError(f"{self.service} does not understand: {', '.join(sorted(unknown))}")
        if "faults" in section:
            self.faults.replace(_FAULTS.validate_python(section.pop("faults")))
        for key, value in section.items():
            await _finish(self._handlers[key](value))
        return str(scenario.get("title", name))

    def router(self) -> APIRouter:
        """The routes listed at the top of this module."""
        router = APIRouter(prefix="/__admin", include_in_schema=False)

        @router.post("/reset", status_code=204)
        async def reset() -> None:
            await self.reset()

        @router.post("/seed", status_code=204)
        async def seed(what: dict[str, Any]) -> None:
            if self._seed is None:
                raise HTTPException(404, "this mock takes no seed")
            try:
                await _finish(self._seed(what))
            except (ValueError, TypeError) as error:
                raise HTTPException(422, str(error)) from None
            except KeyError as missing:
                raise HTTPException(422, f"the seed lacks {missing}") from None

        @router.get("/requests")
        async def requests(path: str = "/") -> list[dict[str, Any]]:
            return self.journal.entries(path)

        @router.delete("/requests", status_code=204)
        async def forget_requests() -> None:
            self.journal.clear()

        @router.get("/faults")
        async def faults() -> list[Fault]:
            return self.faults.pending()

        @router.put("/faults")
        async def set_faults(wanted: list[Fault]) -> list[Fault]:
            self.faults.replace(wanted)
            return self.faults.pending()

        @router.delete("/faults", status_code=204)
        async def clear_faults() -> None:
            self.faults.replace(())

        @router.get("/scenarios")
        async def scenarios() -> list[str]:
            return sorted(path.stem for path in self._scenarios.glob("*.toml"))

        @router.post("/scenario/{name}")
        async def scenario(name: str) -> dict[str, str]:
            try:
                return {"name": name, "title": await self.apply(name)}
            except KeyError:
                raise HTTPException(404, "no such scenario") from None
            except (ValidationError, ValueError) as error:
                raise HTTPException(422, str(error)) from None

        return router


async def _finish(result: Awaitable[None] | None) -> None:
    if inspect.isawaitable(result):
        await result


class _Watched:
    def __init__(self, app: ASGIApp, faults: Faults, journal: Journal) -> None:
        self._app = app
        self._faults = faults
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNWATCHED):
            await self._app(scope, receive, send)
            return
        entry = self._journal.open(scope)

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(entry["body"]) < JOURNAL_BODY_BYTES:
                entry["body"] += message.get("body", b"")[:JOURNAL_BODY_BYTES].decode("utf-8", "replace")
            return message

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        path = scope["path"]
        if delay := self._faults.take(FaultKind.DELAY, path):
            entry["fault"] = FaultKind.DELAY
            await asyncio.sleep(delay.delay_ms / 1000)
        for kind in _BY_ITSELF:
            if fault := self._faults.take(kind, path):
                entry["fault"] = kind
                await _read_whole(watched_receive)
                await _misbehave(fault, scope, watched_send)
                return
        await self._app(scope, watched_receive, watched_send)


async def _read_whole(receive: Receive) -> None:
    """A request that is not read would keep a client from hearing the answer."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return


async def _misbehave(fault: Fault, scope: Scope, send: Send) -> None:
    if fault.kind is FaultKind.RESET:
        reset = scope.get("extensions", {}).get(RESET_EXTENSION)
        if reset is None:
            raise ConnectionResetError("fault: reset")
        reset()
        return
    headers = [(b"content-type", b"application/json")]
    if fault.kind is FaultKind.MALFORMED:
        status, body = 200, b'{"head": {"status": 0, "message": "\xff\xfe'
    else:
        status, body = fault.status, json.dumps({"error": f"fault: {fault.status}"}).encode()
        if fault.retry_after is not None:
            headers.append((b"retry-after", str(fault.retry_after).encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
