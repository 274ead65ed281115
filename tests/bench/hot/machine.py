"""Which core a process runs on, and what it used."""

import gc
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_USABLE = sorted(os.sched_getaffinity(0))
"""Before anybody was pinned: a second stand would else find one core for everything."""


def cores() -> tuple[int, int]:
    """The core of what is measured, and the core of everything else; the same one where there is only one."""
    return _USABLE[0], _USABLE[-1]


def pin(core: int, pid: int = 0) -> None:
    """Keep a process and each of its threads on ``core``."""
    if pid == 0:
        os.sched_setaffinity(0, {core})
        return
    for process in (pid, *children_of(pid)):
        for task in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection of garbage in this process, the load generator: it would walk through all that was prepared.

    Whatever is due meanwhile would be sent late, and be told as the latency of who is asked.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def children_of(pid: int) -> list[int]:
    """Processes that ``pid`` started, and those that they started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time used by ``pids`` since they started, over all of their threads, to the nanosecond (clock(3))."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def cpu_seconds_of_each(pids: Iterable[int]) -> dict[int, float]:
    """See ``cpu_seconds``, by process; one that has ended is left out."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            found[pid] = cpu_seconds([pid])
    return found


def resident_mb(pid: int) -> float:
    """Resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
