"""What a process holds after many requests, and whether it still grows."""

from collections.abc import Sequence
from typing import Any

from tests.bench.hot.gateways import Needs
from tests.bench.hot.ground import Ground
from tests.bench.hot.licences import LicenceRequests, mint
from tests.bench.hot.machine import resident_mb
from tests.bench.hot.recorded import recorded, require_recorded
from tests.bench.hot.slices import Side
from tests.bench.hot.wire import Fleet

PATH = "1b"
SAMPLES = 20
AT_ONCE = 1000


async def measure(ground: Ground, connections: int, requests: int) -> dict[str, Any]:
    """Resident memory along ``requests``, as ``build/bench.json`` holds it. Raises ``SpeedBought``."""
    await ground.gateways.run(Needs())
    stand = ground.stand
    before = recorded(stand.database_url)
    minted, granted = await mint(stand, ground.http)
    made = LicenceRequests(stand, minted, granted, fresh_tokens=False)
    side = Side("gateway", stand.pids, Fleet(stand.ports, connections), made.make)
    samples = [(0, resident_mb(stand.pids[0]))]
    step = max(1, requests // SAMPLES)
    while side.answered < requests:
        for _ in range(0, step, AT_ONCE):
            await side.slice(min(AT_ONCE, step))
        samples.append((side.answered, resident_mb(stand.pids[0])))
    side.fleet.close()
    require_recorded(stand.database_url, before, side.answered)
    return {
        "path": PATH,
        "database": ground.database,
        "connections": connections,
        "requests": side.answered,
        "resident_mb": [[asked, round(held, 1)] for asked, held in samples],
        "mb_per_100k_requests": round(slope(samples[len(samples) // 2 :]) * 100_000, 2),
    }


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Of the line closest to ``samples`` (least squares): how much the second grows with the first."""
    mean_x, mean_y = (sum(each[axis] for each in samples) / len(samples) for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0
