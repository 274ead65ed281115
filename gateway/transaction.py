"""The unit of work, as rooms see it.

A room hands over a plain function. It is run against the room's slice of the unit of work (declared in the room's
``ports.py``); its changes, its record entries and its outbox rows are committed together or not at all, and the
caller is answered only after the commit. The function may run again after a rolled-back attempt, so it touches
nothing but the unit of work, and it makes no network call.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

UnitT_co = TypeVar("UnitT_co", covariant=True)
ResultT = TypeVar("ResultT")


class Look(NamedTuple):
    """A row, or a few, that a unit of work will look at: ``what`` a room knows them by, and their key.

    To look whether a token was spent is to spend it. What was spent so stays spent, also where the unit then fails.
    """

    what: str
    key: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class Foreseen(Generic[ResultT]):
    """Work that says beforehand what it will look at. It changes nothing else that anybody looks at like that.

    Units that are committed together can then have all that they look at read at once, in the transaction that they
    share. What each sees is the same as if it read by itself.

    ``then`` is what the caller makes of its answer, once that is durable: for all whom a commit answers one right after
    the other (``gateway.rounds`` says why), in their event loop. What it raises the caller is told.
    """

    work: Callable[[Any], Any]
    looks: tuple[Look, ...]
    then: Callable[[Any], ResultT] | None = None

    def __call__(self, unit: Any) -> Any:
        return self.work(unit)


class Beside(Protocol):
    """What is committed with a unit of work, before and after it: both or neither. It touches nothing but the unit."""

    def __call__(self, unit: Any, work: Callable[[], ResultT], /) -> ResultT:
        """What ``work`` answers. Raises what it raises, or keeps it from being done by raising."""
        ...


def alone(_unit: Any, work: Callable[[], ResultT]) -> ResultT:
    """``Beside``: nothing is."""
    return work()


class Transactions(Protocol[UnitT_co]):
    """Runs functions against a unit of work."""

    async def write(self, work: "Callable[[UnitT_co], ResultT] | Foreseen[ResultT]") -> ResultT:
        """Run ``work`` and commit durably; its exception rolls back it alone.

        Raises ``Overloaded`` when the writer cannot take more or the record cannot be written: nothing was done.
        """
        ...

    def about_to_write(self) -> AbstractContextManager[None]:
        """Units of work that wait for their commit wait a moment for whoever writes in this context, to share it.

        For whoever waits for somebody else first: nobody sees him come otherwise.
        """
        ...

    async def read(self, work: Callable[[UnitT_co], ResultT]) -> ResultT:
        """Run ``work`` on a connection of its own; whatever it writes is discarded."""
        ...
