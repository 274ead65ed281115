"""``python -m tests.support.launching``: imports the gateway once, and forks a process of it for every start ordered.

A start of the gateway costs seconds of imports; a fork costs none, is a process of its own, and ends or dies like one.
Orders come as JSON lines on stdin (``tests.support.launched``). What is told on stdout: ``{"started": id, "pid": …}``,
``{"ended": id, "code": …}`` (negative: the signal). When stdin ends, everything that was started is killed.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
from typing import Any

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
)
"""What a started process would import anyway."""


def prepare(*more: str) -> None:
    """Import what is ``PREPARED``, and ``more`` modules."""
    for name in (*PREPARED, *more):
        importlib.import_module(name)


class Launching:
    """Forks, reaps, reports."""

    def __init__(self) -> None:
        self._started: dict[int, int] = {}

    def run(self) -> dict[str, Any] | None:
        """Until stdin ends. In a process that was forked: answers its order, which ``become`` is for."""
        gc.collect()
        gc.freeze()
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
                    order: dict[str, Any] = json.loads(line)
                    if self._forked(order):
                        return order
        for pid in self._started:
            os.kill(pid, signal.SIGKILL)
        return None

    def _forked(self, order: dict[str, Any]) -> bool:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if "out" in order else log
        pid = os.fork()
        if pid == 0:
            os.dup2(out, 1)
            os.dup2(log, 2)
        for opened in {log, out}:
            os.close(opened)
        if pid == 0:
            return True
        self._started[pid] = order["id"]
        self._report({"started": order["id"], "pid": pid})
        return False

    def _reap(self) -> None:
        while self._started:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._report({"ended": self._started.pop(pid), "code": os.waitstatus_to_exitcode(status)})

    def _report(self, said: dict[str, Any]) -> None:
        os.write(sys.stdout.fileno(), json.dumps(said).encode() + b"\n")


def become(order: dict[str, Any]) -> None:
    """In the forked process: run the order. It ends as any program does, once its threads have ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.update(order["environment"])
    sys.argv = [order["module"], *order["arguments"]]
    importlib.import_module(order["module"]).main()


def main() -> None:
    """Prepare, then start what is ordered until stdin ends."""
    prepare()
    order = Launching().run()
    if order is not None:
        become(order)


if __name__ == "__main__":
    main()
