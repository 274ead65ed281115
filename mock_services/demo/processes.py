"""Starts and stops the processes of the demo. Each writes its log to a file of its own."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

STARTS_WITHIN = 60.0
STOPS_WITHIN = 15.0
PORTS: Final = range(20_000, 32_000)


class DidNotStart(Exception):
    """A process ended, or did not answer, before it was ready; the text names it and its log."""


class Process(Protocol):
    """What is used of ``asyncio.subprocess.Process``."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


@dataclass
class Running:
    """A process and where it answers."""

    name: str
    url: str
    process: Process
    log: Path


def free_port() -> int:
    """A loopback port that was free a moment ago: for a service whose address others must know before it starts.

    Below those that a system gives to outgoing connections, so that none has taken it when a service starts again.
    Raises ``OSError`` where none is found.
    """
    for port in random.sample(PORTS, 200):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port was found")


class Processes:
    """What was started, in order; ``stop`` ends it in the opposite order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.running: list[Running] = []
        logs.mkdir(parents=True, exist_ok=True)

    async def mock(self, module: str, *arguments: str) -> str:
        """Start ``python -m mock_services.<module>`` on a free port; answers its address, as its ready line told it."""
        log = self._logs / f"{module}.log"
        process = await self.spawn(f"mock_services.{module}", ("--port", "0", *arguments), log=log, piped=True)
        running = Running(module, "", process, log)
        self.running.append(running)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), STARTS_WITHIN)
            running.url = json.loads(line)["url"]
        except (TimeoutError, ValueError, KeyError):
            raise DidNotStart(f"{module} did not start; see {log}") from None
        return running.url

    async def gateway(self, command: str, environment: Mapping[str, str], url: str = "") -> Running:
        """Start ``bandian <command>``, which serves at ``url``."""
        log = self._logs / f"gateway-{command}.log"
        process = await self.spawn("gateway.cli", (command,), log=log, environment=environment)
        running = Running(f"gateway-{command}", url, process, log)
        self.running.append(running)
        return running

    async def run_gateway(self, environment: Mapping[str, str], *command: str) -> str:
        """Run ``bandian <command …>`` to its end; answers what it printed. Raises ``DidNotStart`` when it failed."""
        code, text = await self.run("gateway.cli", command, environment)
        if code != 0:
            raise DidNotStart(f"bandian {' '.join(command)} failed: {text.strip()[-2000:]}")
        return text

    async def run(self, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run ``python -m module`` to its end; answers its exit code and all that it printed."""
        process = await self.spawn(module, arguments, environment=environment, piped=True)
        assert process.stdout is not None
        printed = await process.stdout.read()
        return await process.wait(), printed.decode(errors="replace")

    async def spawn(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        piped: bool = False,
    ) -> Process:
        """Start ``python -m module`` with what is in ``environment`` beside our own; whoever calls sees to its end.

        With ``piped`` its stdout can be read. All else it writes goes to ``log``, or there too where no log is named.
        """
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(log.open("ab")) if log is not None else asyncio.subprocess.STDOUT
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments),
                stdout=asyncio.subprocess.PIPE if piped else stream,
                stderr=stream,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def adopt(self, name: str, process: Process, log: Path) -> None:
        """Let a process that somebody else started be stopped with the others."""
        self.running.append(Running(name, "", process, log))

    async def stop_named(self, *names: str) -> None:
        """SIGTERM to those of these names, and wait for them."""
        for running in [each for each in self.running if each.name in names]:
            running.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(running.process.wait(), STOPS_WITHIN)
            self.running.remove(running)

    async def stop(self) -> None:
        """SIGTERM to all, last started first; SIGKILL to what has not ended in time."""
        for running in reversed(self.running):
            with contextlib.suppress(ProcessLookupError):
                running.process.send_signal(signal.SIGTERM)
        for running in reversed(self.running):
            try:
                await asyncio.wait_for(running.process.wait(), STOPS_WITHIN)
            except TimeoutError:
                running.process.kill()
                await running.process.wait()
        self.running.clear()
