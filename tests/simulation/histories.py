"""Many histories, one after the other or in processes beside each other."""

import gc
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.simulation.simulation import live_through

COLLECTED_AFTER = 20_000
"""Allocations; the interpreter's own is 700."""
OF_A_PROCESS = 8
"""Histories, before another process takes over and what the first one kept is given back."""


def episodes(seed: int, applications: int, most: int) -> list[tuple[int, int]]:
    """Seed and applications of each history."""
    whole, rest = divmod(applications, most)
    sizes = [most] * whole + ([rest] if rest else [])
    return [(seed + number, size) for number, size in enumerate(sizes)]


def live_through_all(wanted: list[tuple[int, int]], processes: int, folder: Path | None) -> Iterator[dict[str, Any]]:
    """A report for each (seed, applications), as they end; with ``folder``, each history's text is written there."""
    work = [(seed, applications, folder) for seed, applications in wanted]
    if processes == 1:
        _collect_seldom()
        yield from map(live_through, work)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _collect_seldom, maxtasksperchild=OF_A_PROCESS) as pool:
        yield from pool.imap_unordered(live_through, work)


def _collect_seldom() -> None:
    """A tenth of the time went into looking for cyclic garbage among objects that live as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)
