"""What one bundle may cost. Whoever reads, unpacks, hashes or verifies says how much, and too much ends it.

A bundle can be made to be expensive: archives that unpack to gigabytes, certificates without end, a million statements.
What is spent is added up over the whole bundle. It stands beside the functions and not in their parameters, so that
none of them can forget to hand it on; outside of ``bounded`` (DIR, a program's own calls) nothing is counted.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple, TypeVar, cast

from .errors import NotProved, Refused, TooMuch

ResultT = TypeVar("ResultT")

LIMITS: Final[Mapping[str, int]] = {
    "bytes": 2 << 30,
    "bytes of JSON": 32 << 20,
    "signatures": 100_000,
    "certificates": 20_000,
    "elements": 5_000_000,
    "proof nodes": 500_000,
    "documents": 20_000,
    "statements": 20_000,
}
"""Over a whole bundle: bytes that are hashed, decoded or unpacked; elements of DER and XML. A signature by SM2 counts
as ``SM2_COST``, because it is computed slowly here. Honest bundles stay far below; a hostile one ends in a minute.
"""
SM2_COST: Final = 100
SM3_COST: Final = 4
"""How many times SHA-256's time SM3 takes."""


class _Refusal(NamedTuple):
    kind: type[Exception]
    why: str


class _Work:
    def __init__(self, limits: Mapping[str, int]) -> None:
        self.limits = limits
        self.left = dict(limits)
        self.known: dict[Hashable, object] = {}


_WORK: Final[ContextVar[_Work | None]] = ContextVar("work", default=None)


@contextmanager
def bounded(limits: Mapping[str, int]) -> Iterator[None]:
    """Count what is spent within, from nothing. ``limits`` has every member of `LIMITS`."""
    token = _WORK.set(_Work(limits))
    try:
        yield
    finally:
        _WORK.reset(token)


def spend(what: str, amount: int = 1) -> None:
    """So much of ``what`` is about to be done. Raises ``TooMuch``."""
    work = _WORK.get()
    if work is None:
        return
    work.left[what] -= amount
    if work.left[what] < 0:
        raise TooMuch(what, work.limits[what])


def once(key: Hashable, compute: Callable[[], ResultT]) -> ResultT:
    """What ``compute`` answers or refuses, worked out once for each ``key`` in a bundle."""
    work = _WORK.get()
    if work is None:
        return compute()
    if key not in work.known:
        try:
            work.known[key] = compute()
        except (Refused, NotProved) as refusal:
            work.known[key] = _Refusal(type(refusal), str(refusal))  # itself it would hold what it was about in memory
    found = work.known[key]
    if isinstance(found, _Refusal):
        raise found.kind(found.why)
    return cast(ResultT, found)
