"""Units of work that wait for the writer, and whoever waits for them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.transaction import Foreseen, Look

Work = Callable[[SqlUnitOfWork], Any]


class Pending:
    """A unit that waits for its turn, and whoever waits for it."""

    __slots__ = ("foreseen", "future", "looks", "loop", "outcome", "put_back", "since", "spent", "then", "work")

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.since = time.monotonic()
        self.put_back = False
        self.spent: tuple[Look, ...] = ()
        """What a batch spent for it that was committed, and put it back itself."""
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.outcome: tuple[bool, Any] = (False, None)
        told = work if isinstance(work, Foreseen) else None
        self.foreseen = told is not None
        """Whether it told what it looks at, and changes nothing beyond."""
        self.looks: tuple[Look, ...] | None = None if told is None else told.looks
        """What it told; None where it told nothing."""
        self.then: Callable[[Any], Any] | None = None if told is None else told.then
        """What is to be made of its answer, if anything is."""

    @property
    def looks_only(self) -> bool:
        """Whether it may look together with others: not, where it was put back to wait by itself."""
        return self.foreseen and not self.put_back


def tell(done: Sequence[Pending]) -> None:
    """Whoever waits hears the ``outcome``, all of a loop at once: each wake-up costs it more than an answer does."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Pending]] = defaultdict(list)
    for pending in done:
        by_loop[pending.loop].append(pending)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(done: Sequence[Pending]) -> None:
    for pending in done:
        if pending.future.done():  # whoever waited was cancelled
            continue
        failed, value = pending.outcome
        if not failed and pending.then is not None:
            try:
                value = pending.then(value)
            except Exception as error:
                failed, value = True, error
        if failed:
            pending.future.set_exception(value)
        else:
            pending.future.set_result(value)
