"""A province in processes of its own, as the demo starts it, whose gateway and worker can be killed and started."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from mock_services.demo.applicant import Applicant
from mock_services.demo.journeys.stage import Stage, until
from mock_services.demo.processes import Processes, Running
from mock_services.demo.province import Province, set_up
from tests.support.launched import ForkedProcesses, Launcher

FEW = ("--residents", "40", "--enterprises", "40")
"""A small population: the personas are there whatever its size."""
STARTS_WITHIN = 90.0
"""Seconds: on a machine that is busy with others."""
DIRECTORY_IS_OLD = 0.6
"""Seconds after which a gateway has read its partners anew: what another process changed may be unknown until then."""


@dataclass
class LiveProvince:
    """Everything that runs, and a client to look at it with."""

    province: Province
    processes: Processes
    http: httpx.AsyncClient
    logs: Path

    @property
    def database_url(self) -> str:
        return self.province.environment["BANDIAN_DATABASE_URL"]

    def stage(self) -> Stage:
        return Stage(self.province, self.http, lambda line: print(f"    {line}"))

    def applicant(self, subject: str) -> Applicant:
        return self.stage().applicant(subject)

    def running(self, command: str) -> Running:
        """The gateway's process of ``command`` (``serve``, ``worker``) that was started last."""
        return [each for each in self.processes.running if each.name == f"gateway-{command}"][-1]

    async def end(self, command: str, number: signal.Signals) -> int:
        """Send the signal and wait for the end; answers the exit code."""
        process = self.running(command).process
        process.send_signal(number)
        return await asyncio.wait_for(process.wait(), STARTS_WITHIN)

    async def start(self, command: str) -> None:
        """Start it again; the gateway is waited for until it is ready."""
        await self.processes.gateway(command, self.province.environment, self.province.gateway)
        if command == "serve":
            await self.until_ready()

    async def until_ready(self) -> None:
        async def ready() -> bool:
            return await self.readiness() == 200

        await until(ready, "the gateway is ready", STARTS_WITHIN)

    async def readiness(self) -> int | None:
        """Status of ``/readyz``; None when nobody answers."""
        try:
            return (await self.http.get(f"{self.province.gateway}/readyz")).status_code
        except httpx.TransportError:
            return None

    async def audit(self) -> tuple[int, str]:
        """``bandian audit``: exit code and what it printed."""
        return await self.command("audit")

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run ``bandian …`` to its end."""
        return await self.processes.run("gateway.cli", arguments, self.province.environment)

    async def apply_partners(self, roster: Path) -> None:
        """``bandian partners apply``, and until the gateway knows of it."""
        code, printed = await self.command("partners", "apply", str(roster))
        assert code == 0, printed
        await asyncio.sleep(DIRECTORY_IS_OLD)

    def gateway_logs(self) -> str:
        """All that gateway and worker have written so far."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.logs.glob("gateway-*.log")))


@asynccontextmanager
async def live_province(
    directory: Path, database_url: str | None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[LiveProvince]:
    """Set up, yield, stop everything. ``settings`` are more of the gateway's environment.

    Its processes are forked: that a fresh interpreter starts them is for the demo and ``tests/flows/test_start.py``.
    """
    logs = directory / "logs"
    async with Launcher(logs) as launcher:
        processes = ForkedProcesses(logs, launcher)
        try:
            province = await set_up(processes, directory / "data", lambda _: None, database_url, FEW, settings)
            # A server lets go of a connection that was idle for five seconds; ours goes first, or both would at once.
            limits = httpx.Limits(keepalive_expiry=2.0)
            async with httpx.AsyncClient(timeout=30, limits=limits) as http:
                yield LiveProvince(province, processes, http, logs)
        finally:
            await processes.stop()
