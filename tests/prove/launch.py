"""``python -m tests.prove.launch``: imports the gateway once, and forks a process of it for every start ordered.

A start of the gateway costs seconds of imports; a fork costs none, is a process of its own and dies like one. Orders
come as JSON lines on stdin (``Order``), reports go out on stdout: ``{"started": id, "pid": …}``, ``{"ended": id,
"code": …}`` (negative: the signal). When stdin ends, everything that was started is killed.

What is changed in the gateway is changed here and nowhere in its code: ``gateway.clock.system_clock`` reads an offset
from a file, and the functions of ``boundaries`` kill their process when its slot has been armed.
"""

import ctypes
import functools
import gc
import importlib
import inspect
import json
import os
import select
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.prove.boundaries import BOUNDARIES, Boundary, Moment

SLOT = "PROVE_SLOT"
"""Variable: the directory of the process's slot; no boundary kills and no clock jumps where it is not set."""
ARMED, FIRED, CLOCK, FSYNC_FAILS = "armed", "fired", "clock", "fsync-fails"
"""Files of a slot: the boundary to die at and at which hit, the one it died at, seconds to add, a switch."""
_PR_SET_PDEATHSIG = 1

PREPARED = (
    "gateway.cli",
    "gateway.main",
    "gateway.worker",
    "gateway.preflight",
    "gateway.commands.session",
    "gateway.commands.audit",
    "gateway.commands.partners",
    "gateway.commands.deliveries",
    "gateway.commands.keys",
    "gateway.commands.retention",
    "gateway.commands.reviews",
    "adapters.storage.migrate",
    "adapters.metrics_server",
    "uvicorn",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "mock_services.provincial_platform.__main__",
    "mock_services.identity_provider.__main__",
    "tests.prove.utility",
    "tests.prove.department",
)
"""What a started process would import anyway."""


class _SlotClock:
    """The time, and the seconds that stand in the slot's file."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._looked = False

    def __call__(self) -> datetime:
        if not self._looked:
            self._looked = True
            slot = os.environ.get(SLOT)
            self._file = os.open(Path(slot) / CLOCK, os.O_RDONLY) if slot else None
        now = datetime.now(UTC)
        if self._file is None:
            return now
        (seconds,) = struct.unpack("<d", os.pread(self._file, 8, 0))
        return now + timedelta(seconds=seconds)


class _KillPoints:
    """Counts the hits of the boundary that the slot is armed with, and dies at the n-th."""

    def __init__(self) -> None:
        self._order = ""
        self._hits = 0

    def pass_by(self, boundary: Boundary) -> None:
        slot = os.environ.get(SLOT)
        if not slot:
            return
        armed = os.path.join(slot, ARMED)
        try:
            with open(armed, encoding="ascii") as stream:
                order = stream.read()
        except FileNotFoundError:
            return
        if order != self._order:
            self._order, self._hits = order, 0
        slug, _, hit = order.partition(" ")
        if slug != boundary.slug or not hit:
            return
        self._hits += 1
        if self._hits == int(hit):
            try:
                os.rename(armed, os.path.join(slot, FIRED))
            except FileNotFoundError:  # disarmed just now
                return
            os.kill(os.getpid(), signal.SIGKILL)


def install_kill_points() -> None:
    """Wrap every function of the table. Raises ``AttributeError`` for one that is not there."""
    points = _KillPoints()
    by_function: dict[str, dict[Moment, Boundary]] = {}
    for boundary in BOUNDARIES:
        by_function.setdefault(boundary.function, {})[boundary.moment] = boundary
    for moments in by_function.values():
        owner, attribute, call = next(iter(moments.values())).place()
        setattr(owner, attribute, _wrapped(call, moments, points))


def _wrapped(call: Callable[..., Any], moments: dict[Moment, Boundary], points: _KillPoints) -> Callable[..., Any]:
    before, after = moments.get(Moment.BEFORE), moments.get(Moment.AFTER)

    @functools.wraps(call)
    def plain(*arguments: Any, **named: Any) -> Any:
        if before:
            points.pass_by(before)
        answer = call(*arguments, **named)
        if after:
            points.pass_by(after)
        return answer

    @functools.wraps(call)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        if before:
            points.pass_by(before)
        answer = await call(*arguments, **named)
        if after:
            points.pass_by(after)
        return answer

    return awaited if inspect.iscoroutinefunction(call) else plain


def _prepare() -> None:
    clock: Any = importlib.import_module("gateway.clock")
    clock.system_clock = _SlotClock()
    for name in PREPARED:
        importlib.import_module(name)
    install_kill_points()
    gc.collect()
    gc.freeze()


class _Launcher:
    """Forks, reaps, reports."""

    def __init__(self) -> None:
        self._started: dict[int, int] = {}

    def run(self) -> None:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        waiting = b""
        self._report({"prepared": os.getpid()})
        while True:
            ready, _, _ = select.select([sys.stdin.fileno(), reader], [], [])
            if reader in ready:
                os.read(reader, 4096)
                self._reap()
            if sys.stdin.fileno() in ready:
                data = os.read(sys.stdin.fileno(), 65536)
                if not data:
                    break
                *lines, waiting = (waiting + data).split(b"\n")
                for line in lines:
                    self._start(json.loads(line))
        for pid in self._started:
            os.kill(pid, signal.SIGKILL)

    def _start(self, order: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(order)
        self._started[pid] = order["id"]
        self._report({"started": order["id"], "pid": pid})

    def _become(self, order: dict[str, Any]) -> None:
        """In the child: run the order to its end."""
        code = 1
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            nothing, log = (
                os.open(os.devnull, os.O_RDONLY),
                os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            )
            out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if "out" in order else log
            os.dup2(nothing, 0)
            os.dup2(out, 1)
            os.dup2(log, 2)
            os.environ.update(order["environment"])
            sys.argv = ["prove", *order["arguments"]]
            importlib.import_module(order["module"]).main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._started:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._report({"ended": self._started.pop(pid), "code": os.waitstatus_to_exitcode(status)})

    def _report(self, said: dict[str, Any]) -> None:
        os.write(sys.stdout.fileno(), json.dumps(said).encode() + b"\n")


def main() -> None:
    """Prepare, then start what is ordered until stdin ends."""
    _prepare()
    _Launcher().run()


if __name__ == "__main__":
    main()
