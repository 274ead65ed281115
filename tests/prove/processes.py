"""The processes of a run: started by the launcher, killed by their id, started again."""

import asyncio
import json
import os
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.prove.launch import ARMED, CLOCK, FIRED, FSYNC_FAILS, SLOT

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
    """The process that forks; see ``tests.prove.launch``."""

    def __init__(self, logs: Path, shim: Path | None) -> None:
        self._logs = logs
        self._shim = shim
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
                *(sys.executable, "-m", "tests.prove.launch"),
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


class Slot:
    """A place for one process of the gateway: what the launcher's code in it is told by files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        self.set_clock(0.0)

    @property
    def environment(self) -> dict[str, str]:
        """What its process must be started with."""
        return {SLOT: str(self.directory)}

    def arm(self, boundary: str, hit: int) -> None:
        """Die at the ``hit``-th time ``boundary`` is passed from now on."""
        self.disarm()
        draft = self.directory / "arming"
        draft.write_text(f"{boundary} {hit}", "ascii")
        draft.rename(self.directory / ARMED)

    def disarm(self) -> None:
        """Not any more."""
        for name in (ARMED, FIRED):
            (self.directory / name).unlink(missing_ok=True)

    def fired(self) -> bool:
        """Whether the process died at the boundary it was armed with."""
        return (self.directory / FIRED).exists()

    def set_clock(self, seconds: float) -> None:
        """The process's clock is so many seconds ahead (or, negative, behind)."""
        path = self.directory / CLOCK
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as stream:
            stream.write(struct.pack("<d", seconds))

    def fail_fsync(self, *, fails: bool) -> None:
        """Whether ``fsync`` fails in the process, where the shim is loaded."""
        switch = self.directory / FSYNC_FAILS
        if fails:
            switch.touch()
        else:
            switch.unlink(missing_ok=True)
