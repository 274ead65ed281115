"""Loops that run beside a process's work: one that dies is told of, counted, and begun anew after a while.

Each loop waits out by itself what it knows can happen, such as a database that does not answer. What ends it is a fault
of ours, which is no reason that nothing is delivered, or no checkpoint signed, until somebody restarts the process.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

import structlog

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0

log = structlog.get_logger()

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event that it is given is set."""


class LoopWatch(Protocol):
    """Who counts what dies."""

    def loop_ended(self, loop: str, fault: str) -> None:
        """``loop`` was ended by what ``fault`` names, the type of an exception."""
        ...


class Supervisor:
    """One per process. Pauses are in seconds: each is twice the last one, until a loop has run for the longest."""

    def __init__(
        self, watch: LoopWatch, *, first_pause_s: float = FIRST_PAUSE_S, longest_pause_s: float = LONGEST_PAUSE_S
    ) -> None:
        self.restarting: dict[str, str] = {}
        """The loops that do not run now, and what ended each."""
        self._watch = watch
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s

    async def run(self, name: str, loop: Loop, stop: asyncio.Event) -> None:
        """Run ``loop`` until it returns, as it does once ``stop`` is set; never raises but for cancellation."""
        pause = self._first_pause_s
        while True:
            began = time.monotonic()
            fault = await _fault_of(loop, stop)
            if fault is None:
                return
            self._watch.loop_ended(name, fault)
            log.error("loop.ended", loop=name, fault=fault)
            if time.monotonic() - began >= self._longest_pause_s:
                pause = self._first_pause_s
            self.restarting[name] = fault
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                    return
            finally:
                del self.restarting[name]
            pause = min(2 * pause, self._longest_pause_s)


async def _fault_of(loop: Loop, stop: asyncio.Event) -> str | None:
    """What ended ``loop``; None where it returned."""
    try:
        await loop(stop)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return type(error).__name__  # what it waited for was cancelled, and not the loop
    except Exception as error:
        return type(error).__name__
    return None


async def run_until(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Run ``works``, which do not end by themselves, side by side until ``stop`` is set; they are cancelled then.

    One that fails cancels the others; what it raised is raised.
    """
    stopping = asyncio.ensure_future(stop.wait())
    running = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopping, *running):
            task.cancel()
        await asyncio.gather(stopping, *running, return_exceptions=True)
    for task in running:
        if task in done:
            task.result()
