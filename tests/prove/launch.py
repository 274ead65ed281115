"""``python -m tests.prove.launch``: what ``tests.support.launching`` does, with processes that can be killed anywhere.

What is changed in the gateway is changed here and nowhere in its code: ``gateway.clock.system_clock`` reads an offset
from a file, and the functions of ``boundaries`` kill their process when its slot has been armed.
"""

import functools
import importlib
import inspect
import os
import signal
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.prove.boundaries import BOUNDARIES, Boundary, Moment
from tests.support.launching import Launching, become, prepare

SLOT = "PROVE_SLOT"
"""Variable: the directory of the process's slot; no boundary kills and no clock jumps where it is not set."""
ARMED, FIRED, CLOCK, FSYNC_FAILS = "armed", "fired", "clock", "fsync-fails"
"""Files of a slot: the boundary to die at and at which hit, the one it died at, seconds to add, a switch."""


class _SlotClock:
    """The time, and the seconds that stand in the slot's file."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._looked = False

    def __call__(self) -> datetime:
        if not self._looked:
            self._looked = True
            slot = os.environ.get(SLOT)
            self._file = os.open(Path(slot) / CLOCK, os.O_RDONLY) if slot else None
        now = datetime.now(UTC)
        if self._file is None:
            return now
        (seconds,) = struct.unpack("<d", os.pread(self._file, 8, 0))
        return now + timedelta(seconds=seconds)


class _KillPoints:
    """Counts the hits of the boundary that the slot is armed with, and dies at the n-th."""

    def __init__(self) -> None:
        self._order = ""
        self._hits = 0

    def pass_by(self, boundary: Boundary) -> None:
        slot = os.environ.get(SLOT)
        if not slot:
            return
        armed = os.path.join(slot, ARMED)
        try:
            with open(armed, encoding="ascii") as stream:
                order = stream.read()
        except FileNotFoundError:
            return
        if order != self._order:
            self._order, self._hits = order, 0
        slug, _, hit = order.partition(" ")
        if slug != boundary.slug or not hit:
            return
        self._hits += 1
        if self._hits == int(hit):
            try:
                os.rename(armed, os.path.join(slot, FIRED))
            except FileNotFoundError:  # disarmed just now
                return
            os.kill(os.getpid(), signal.SIGKILL)


def install_kill_points() -> None:
    """Wrap every function of the table. Raises ``AttributeError`` for one that is not there."""
    points = _KillPoints()
    by_function: dict[str, dict[Moment, Boundary]] = {}
    for boundary in BOUNDARIES:
        by_function.setdefault(boundary.function, {})[boundary.moment] = boundary
    for moments in by_function.values():
        owner, attribute, call = next(iter(moments.values())).place()
        setattr(owner, attribute, _wrapped(call, moments, points))


def _wrapped(call: Callable[..., Any], moments: dict[Moment, Boundary], points: _KillPoints) -> Callable[..., Any]:
    before, after = moments.get(Moment.BEFORE), moments.get(Moment.AFTER)

    @functools.wraps(call)
    def plain(*arguments: Any, **named: Any) -> Any:
        if before:
            points.pass_by(before)
        answer = call(*arguments, **named)
        if after:
            points.pass_by(after)
        return answer

    @functools.wraps(call)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        if before:
            points.pass_by(before)
        answer = await call(*arguments, **named)
        if after:
            points.pass_by(after)
        return answer

    return awaited if inspect.iscoroutinefunction(call) else plain


def _prepare() -> None:
    clock: Any = importlib.import_module("gateway.clock")
    clock.system_clock = _SlotClock()
    prepare("tests.prove.utility", "tests.prove.department")
    install_kill_points()


def main() -> None:
    """Prepare, then start what is ordered until stdin ends."""
    _prepare()
    order = Launching().run()
    if order is not None:
        become(order)


if __name__ == "__main__":
    main()
