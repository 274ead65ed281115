"""Processes that are forked from one that has imported what they need: see ``tests.support.launching``.

Where a test needs a gateway and not a fresh interpreter, that spares it seconds of imports at every start.
"""

import asyncio
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from mock_services.demo.processes import Processes

_PREPARES_WITHIN = 120.0


@dataclass(eq=False)
class Child:
    """A process that was forked; ``ended`` is set with ``code`` when it is gone."""

    number: int
    pid: int = 0
    code: int | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; False where the process is gone."""
        if self.ended.is_set():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


class Starter(Protocol):
    """Starts modules of one release of the code."""

    async def start(
        self,
        module: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> Child:
        """Run ``module`` with ``arguments``; its output goes to the log, or stdout to ``out``."""
        ...


class Launcher:
    """The process that forks. ``module`` is what it runs; ``shim``: a library that is loaded before all others."""

    def __init__(self, logs: Path, shim: Path | None = None, module: str = "tests.support.launching") -> None:
        self._logs = logs
        self._shim = shim
        self._module = module
        self._children: dict[int, Child] = {}
        self._count = 0
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        logs.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> "Launcher":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BANDIAN_")}
        if self._shim is not None:
            environment["LD_PRELOAD"] = str(self._shim)
        with (self._logs / "launcher.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment,
                cwd=Path(__file__).parents[2], start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _PREPARES_WITHIN)
        if not line:
            raise RuntimeError(f"the launcher does not start: {(self._logs / 'launcher.log').read_text()[-2000:]}")
        self._listening = asyncio.create_task(self._listen(self._process.stdout))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def start(
        self,
        module: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> Child:
        """Fork ``module.main()`` with ``arguments``; its output goes to the log, or stdout to ``out``."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._count += 1
        child = self._children[self._count] = Child(self._count)
        order: dict[str, Any] = {
            "id": child.number,
            "module": module,
            "arguments": list(arguments),
            "environment": dict(environment or {}),
            "log": str(log),
        }
        if out is not None:
            order["out"] = str(out)
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await child.started.wait()
        return child

    async def _listen(self, reports: asyncio.StreamReader) -> None:
        while line := await reports.readline():
            said = json.loads(line)
            if "started" in said:
                child = self._children[said["started"]]
                child.pid = said["pid"]
                child.started.set()
            else:
                child = self._children.pop(said["ended"])
                child.code = said["code"]
                child.ended.set()


class Forked:
    """A child as ``asyncio.subprocess.Process`` would show it."""

    def __init__(self, child: Child, stdout: asyncio.StreamReader | None) -> None:
        self._child = child
        self.stdout = stdout

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        return self._child.code

    def send_signal(self, number: int) -> None:
        """Raises ``ProcessLookupError`` where the process is gone."""
        if not self._child.signal(signal.Signals(number)):
            raise ProcessLookupError(self.pid)

    def kill(self) -> None:
        """See ``send_signal``."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        await self._child.ended.wait()
        assert self._child.code is not None
        return self._child.code


class ForkedProcesses(Processes):
    """A province's processes, forked by ``launcher``, whom whoever calls sees to."""

    def __init__(self, logs: Path, launcher: Launcher) -> None:
        super().__init__(logs)
        self._launcher = launcher

    async def spawn(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        piped: bool = False,
    ) -> Forked:
        """As ``Processes`` says."""
        if not piped:
            assert log is not None
            return Forked(await self._launcher.start(_program(module), arguments, log, environment), None)
        pipe = self._logs / f"{uuid4().hex}.pipe"
        os.mkfifo(pipe)
        try:
            stdout = await _reader(pipe)
            child = await self._launcher.start(_program(module), arguments, log or pipe, environment, pipe)
        finally:
            pipe.unlink()
        return Forked(child, stdout)


def _program(module: str) -> str:
    """The module whose ``main`` is what ``python -m module`` runs."""
    found = importlib.util.find_spec(module)
    return module if found is None or found.submodule_search_locations is None else f"{module}.__main__"


async def _reader(pipe: Path) -> asyncio.StreamReader:
    """What is written to a named pipe, which none has opened yet."""
    reader = asyncio.StreamReader()
    stream = os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stream)
    return reader
