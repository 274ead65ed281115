"""What a path is measured on, and what it hands back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from tests.bench.hot.gateways import Gateways
from tests.bench.hot.slices import Measured
from tests.bench.hot.stand import Stand


@dataclass(frozen=True)
class Wanted:
    """``seconds`` of CPU in each slice, ``pairs`` of slices, so many ``applications``.

    ``connections`` at once, by path where they are more than one. ``open_loop`` are the shares of the closed-loop rate
    at which requests then arrive by themselves; ``processes``: two are set against one; ``memory`` is watched over so
    many requests; ``forked``: see ``standing``.
    """

    paths: Sequence[str]
    databases: Sequence[str]
    connections: Mapping[str, Sequence[int]]
    seconds: float
    pairs: int
    applications: int
    open_loop: Sequence[float] = ()
    processes: bool = False
    memory: int = 0
    forked: bool = False


@dataclass(frozen=True)
class Ground:
    """One database's stand. ``new_database`` makes an empty one for a limit and answers its URL."""

    stand: Stand
    gateways: Gateways
    http: httpx.AsyncClient
    database: str
    new_database: Callable[[], str]
    wanted: Wanted
    say: Callable[[str], None]


class HotPath(Protocol):
    """A path: what is done on it, and how it is measured against a limit of its own.

    ``measure`` makes sure itself that as much was recorded as was answered (``SpeedBought``); that the record is whole
    is looked at when all paths are through.
    """

    @property
    def done(self) -> str: ...
    async def measure(self, ground: Ground, connections: int) -> Measured: ...
