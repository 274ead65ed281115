"""Open loop: requests arrive by themselves, as people's do, and whoever comes while others wait, waits as well.

Each latency counts from the instant at which its request was to be sent, so that a program that falls behind cannot
hide it by being asked later.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.hot.machine import uncollected
from tests.bench.hot.pool import Answered, Pool
from tests.bench.hot.wire import ANSWERS_WITHIN, Exchange

MOST_CONNECTIONS = 256
FEWEST_ARRIVALS = 100


@dataclass(frozen=True)
class Arrivals:
    """What was seen at one rate: ``share`` of the closed-loop rate, answers a second, milliseconds."""

    share: float
    per_s: float
    answered_per_s: float
    p50_ms: float
    p99_ms: float

    def to_json(self) -> dict[str, float]:
        """As ``build/bench.json`` holds it."""
        return {
            "share": self.share,
            "per_s": round(self.per_s, 1),
            "answered_per_s": round(self.answered_per_s, 1),
            "p50_ms": round(self.p50_ms, 2),
            "p99_ms": round(self.p99_ms, 2),
            "p99_over_p50": round(self.p99_ms / self.p50_ms, 2),
        }


async def arrive(port: int, exchanges: Sequence[Exchange], share: float, per_s: float) -> Arrivals:
    """Poisson arrivals at ``per_s``. Raises ``RuntimeError`` at an answer that is no 2xx."""
    loop, pool, chance = asyncio.get_running_loop(), Pool(port, MOST_CONNECTIONS), random.Random(20201479)
    done: asyncio.Future[None] = loop.create_future()
    took: list[float] = []

    def ending(due: float) -> Answered:
        def ended(head: bytes, body: bytes) -> None:
            took.append(loop.time() - due)
            if not head.startswith(b"HTTP/1.1 20") and not done.done():
                done.set_exception(RuntimeError(f"an answer that was not expected: {head[:40]!r} {body[:400]!r}"))
            if len(took) == len(exchanges) and not done.done():
                done.set_result(None)

        return ended

    began = due = loop.time()
    try:
        with uncollected():
            for exchange in exchanges:
                due += chance.expovariate(per_s)
                if (early := due - loop.time()) > 0:
                    await asyncio.sleep(early)
                pool.begin(exchange, ending(due))
                if done.done():
                    break
            await asyncio.wait_for(done, ANSWERS_WITHIN)
    finally:
        pool.close()
    seconds = loop.time() - began
    took.sort()
    p50, p99 = (took[min(len(took) - 1, int(len(took) * share))] * 1000 for share in (0.5, 0.99))
    return Arrivals(share, per_s, len(took) / seconds, p50, p99)
