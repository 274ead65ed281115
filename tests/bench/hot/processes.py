"""Two gateway processes on one database against one of them: is the second worth a second core?

Each process has a core of its own; load, source and database have to share what is left of them, which on a machine of
two cores is nothing. So the factor is of work per CPU-second: twice the answers that a CPU-second brings while both
work, over those of one that works alone. The rates of the wall clock stand beside it.
"""

from typing import Any

from tests.bench.hot.gateways import Needs
from tests.bench.hot.ground import Ground
from tests.bench.hot.licences import LicenceRequests, mint
from tests.bench.hot.recorded import recorded, require_recorded
from tests.bench.hot.slices import Side, compare
from tests.bench.hot.wire import Fleet

PATH = "1b"


async def measure(ground: Ground, connections: int) -> dict[str, Any]:
    """``connections`` to each process; the figures as ``build/bench.json`` holds them. Raises ``SpeedBought``."""
    await ground.gateways.run(Needs(processes=2))
    stand, wanted = ground.stand, ground.wanted
    before = recorded(stand.database_url)
    minted, granted = await mint(stand, ground.http)
    requests = LicenceRequests(stand, minted, granted, fresh_tokens=False)
    one = Side("one", stand.pids[:1], Fleet(stand.ports[:1], connections), requests.make)
    two = Side("two", stand.pids, Fleet(stand.ports, connections), requests.make)
    seen = await compare("two ÷ one", two, one, connections, seconds=wanted.seconds, pairs=wanted.pairs)
    for side in (one, two):
        side.fleet.close()
    require_recorded(stand.database_url, before, one.answered + two.answered)
    compared = seen.comparison
    return {
        "path": PATH,
        "database": ground.database,
        "connections": connections,
        "factor": round(2 * compared.ratio, 3),
        "low": round(2 * compared.low, 3),
        "high": round(2 * compared.high, 3),
        "valid": compared.spread <= 0.15,
        "one_per_cpu_s": round(compared.reference_rate, 1),
        "two_per_cpu_s": round(2 * compared.subject_rate, 1),
        "one_per_s": round(seen.limit_wall, 1),
        "two_per_s": round(seen.wall, 1),
    }
