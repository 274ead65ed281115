"""The measured gateway: the shipped process with what a benchmark needs, started again where a path needs it otherwise.

No limit of requests, a source that is never the bottleneck, one core for each process.
"""

import asyncio
import json
from dataclasses import dataclass

import httpx

from tests.bench.hot.machine import pin
from tests.bench.hot.stand import Stand, new_port

SERVE, SERVE_LIVE = "gateway.cli", "tests.bench.hot.live_gateway"
SOURCE = "tests.bench.hot.source"


@dataclass(frozen=True)
class Needs:
    """``live``: no copy passes as fresh. ``worker``: it delivers too.

    More than one of ``processes`` listen on ports of their own, on one core each as far as there are any.
    """

    live: bool = False
    worker: bool = True
    processes: int = 1


class Gateways:
    """What is up of a stand's gateway, and of its source."""

    def __init__(self, stand: Stand, http: httpx.AsyncClient) -> None:
        self._stand, self._http = stand, http
        self._running: Needs | None = None
        self.source = 0
        """The port of the stand-in, once the gateway is up."""

    async def seal(self, seals: str) -> None:
        """Have the source answer under these ``seals`` from here on."""
        (await self._http.put(f"http://127.0.0.1:{self.source}/seals", content=seals)).raise_for_status()

    async def run(self, needs: Needs | None) -> None:
        """Have it run as ``needs`` says; what runs so already is left alone, as is whatever runs where that is None."""
        if self._running is not None and needs in (None, self._running):
            return
        needs = needs or Needs()
        stand = self._stand
        if self._running is not None:
            await self.stop()
        self.source = self.source or await self._source()
        stand.pids, stand.ports = [], []
        for number in range(needs.processes):
            port = new_port() if number else int(stand.gateway.rpartition(":")[2])
            core = (stand.core, stand.other_core)[number % 2]
            stand.pids.append(await self._start(needs, port, core))
            stand.ports.append(port)
        self._running = needs

    async def stop(self) -> None:
        """Nothing runs any more but the source."""
        await self._stand.processes.stop_named("gateway-serve")
        self._running = None

    async def _source(self) -> int:
        directory, port = self._stand.directory, new_port()
        recorded = ("--plain", str(directory / "source.json"), "--sm2", str(directory / "source-sm2.json"))
        await self._stand.program(SOURCE, "--port", str(port), *recorded, core=self._stand.other_core)
        return port

    def settings(self, needs: Needs, port: int) -> dict[str, str]:
        """The environment of a gateway on ``port``, the stand-in in its source's place."""
        stand = self._stand
        return {
            **stand.province.environment,
            **_with_source_at(stand, self.source),
            "BANDIAN_EMBEDDED_WORKER": str(needs.worker).lower(),
            "BANDIAN_PARTNER_RATE_LIMIT": "1000000",
            "BANDIAN_INTAKE_RATE_LIMIT": "6000",
            "BANDIAN_PORT": str(port),
            "BANDIAN_PUBLIC_URL": stand.gateway,
        }

    async def _start(self, needs: Needs, port: int, core: int) -> int:
        stand, settings = self._stand, self.settings(needs, port)
        log = stand.directory / f"gateway-{port}.log"
        process = await stand.processes.spawn(
            SERVE_LIVE if needs.live else SERVE, ("serve",), log=log, environment=settings
        )
        stand.processes.adopt("gateway-serve", process, log)
        for _ in range(600):
            try:
                if (await self._http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
        else:
            raise RuntimeError(f"the gateway is not ready: {log.read_text('utf-8')[-2000:]}")
        pin(core, process.pid)
        return process.pid


def _with_source_at(stand: Stand, port: int) -> dict[str, str]:
    """Settings with the stand-in in the source's place; its status lists and CRLs stay where they were."""
    environment = stand.province.environment
    source = json.loads(environment["BANDIAN_SOURCES"])[0]
    return {
        "BANDIAN_SOURCES": json.dumps([{**source, "url": f"http://127.0.0.1:{port}", "changes": False}]),
        "BANDIAN_STATUS_ORIGINS": f"{environment['BANDIAN_STATUS_ORIGINS']},{source['url']}",
    }
