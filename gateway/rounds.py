"""The same work for all who ask for it in one round of the event loop, one piece right after the other.

Signing and verifying walk through tables of a hundred kilobytes. Done between other things they find them gone from
the processor's caches each time, which costs half as much as the work; done side by side only the first one does.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

ResultT = TypeVar("ResultT")
ArgumentTs = TypeVarTuple("ArgumentTs")


class Round:
    """Of one event loop. What is asked for now is done in the loop's next round, in the order in which it came."""

    _loop: asyncio.AbstractEventLoop
    """Of this round, once somebody asked: to be told the running loop costs a call of the system."""

    def __init__(self) -> None:
        self._asked: list[tuple[Callable[..., Any], tuple[Any, ...], asyncio.Future[Any]]] = []

    def run(self, work: Callable[[*ArgumentTs], ResultT], *arguments: *ArgumentTs) -> "asyncio.Future[ResultT]":
        """Awaited, what ``work`` answers to ``arguments``; raises what it raises. Who is cancelled is passed over."""
        if not self._asked or self._loop.is_closed():
            self._asked = []  # what a loop that was closed left has no next round
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._run_all)
        future: asyncio.Future[ResultT] = self._loop.create_future()
        self._asked.append((work, arguments, future))
        return future

    def _run_all(self) -> None:
        asked, self._asked = self._asked, []
        for work, arguments, future in asked:
            if future.done():
                continue
            try:
                result = work(*arguments)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)
