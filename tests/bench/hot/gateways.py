"""The measured gateway: the shipped process with what a benchmark needs, started again where a path needs it otherwise.

No limit of requests, a source that is never the bottleneck, one core for each process.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass

import httpx

from tests.bench.hot.machine import pin
from tests.bench.hot.stand import Stand, new_port

SERVE, SERVE_LIVE = "gateway.cli", "tests.bench.hot.live_gateway"
SOURCE = "tests.bench.hot.source"


@dataclass(frozen=True)
class Needs:
    """``live``: no copy passes as fresh. ``sm2``: the source's certificates bear SM2 seals. ``worker``: it delivers.

    More than one of ``processes`` listen on ports of their own, on one core each as far as there are any.
    """

    live: bool = False
    sm2: bool = False
    worker: bool = True
    processes: int = 1


class Gateways:
    """What is up of a stand's gateway and sources."""

    def __init__(self, stand: Stand, http: httpx.AsyncClient) -> None:
        self._stand, self._http = stand, http
        self._running: Needs | None = None
        self.sources: dict[bool, int] = {}
        """Ports of the stand-ins, by whether their seals are SM2."""

    async def run(self, needs: Needs) -> None:
        """Have it run as ``needs`` says; what runs so already is left alone."""
        if needs == self._running:
            return
        stand = self._stand
        if self._running is not None:
            await stand.processes.stop_named("gateway-serve")
        source = await self._source(sm2=needs.sm2)
        stand.pids, stand.ports = [], []
        for number in range(needs.processes):
            port = new_port() if number else int(stand.gateway.rpartition(":")[2])
            core = (stand.core, stand.other_core)[number % 2]
            stand.pids.append(await self._start(needs, source, port, core))
            stand.ports.append(port)
        self._running = needs

    async def _source(self, *, sm2: bool) -> int:
        if sm2 not in self.sources:
            stand, port = self._stand, new_port()
            answers = stand.directory / ("source-sm2.json" if sm2 else "source.json")
            await stand.program(SOURCE, "--port", str(port), "--answers", str(answers), core=stand.other_core)
            self.sources[sm2] = port
        return self.sources[sm2]

    async def _start(self, needs: Needs, source: int, port: int, core: int) -> int:
        stand = self._stand
        settings = {
            **stand.province.environment,
            **_with_source_at(stand, source),
            "BANDIAN_EMBEDDED_WORKER": str(needs.worker).lower(),
            "BANDIAN_PARTNER_RATE_LIMIT": "1000000",
            "BANDIAN_INTAKE_RATE_LIMIT": "6000",
            "BANDIAN_PORT": str(port),
            "BANDIAN_PUBLIC_URL": stand.gateway,
        }
        log = stand.directory / f"gateway-{port}.log"
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", SERVE_LIVE if needs.live else SERVE, "serve"),
                stdout=stream,
                stderr=stream,
                env={**os.environ, **settings},
                start_new_session=True,
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
