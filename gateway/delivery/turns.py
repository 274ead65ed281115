"""Events that a relay holds the leases of and that wait for their turn to be sent, by receiver, in order."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.delivery.ports import ClaimedDelivery


@dataclass(frozen=True)
class Turn:
    """An event in hand. ``since`` is when its lease began, in seconds of a clock that is never set.

    ``handed`` – by the writer of this process, and not found by a look. ``probe`` – to find out whether its receiver
    works again.
    """

    claim: ClaimedDelivery
    since: float
    handed: bool
    probe: bool = False

    @property
    def destination(self) -> str:
        """To whom it goes."""
        return self.claim.event.destination


class Turns:
    """First come, first sent, to each receiver; receivers by turns."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Turn]] = {}

    def add(self, turn: Turn) -> None:
        """It comes last of those to its receiver."""
        self._queues.setdefault(turn.destination, deque()).append(turn)

    def next(self, may_begin: Callable[[str], bool]) -> Turn | None:
        """Whose turn it is, of those to receivers that something ``may_begin`` to."""
        for destination, queue in self._queues.items():
            if may_begin(destination):
                turn = queue.popleft()
                del self._queues[destination]
                if queue:
                    self._queues[destination] = queue  # its next turn comes after those of others
                return turn
        return None

    def late(self, before: float) -> Sequence[Turn]:
        """Those that have waited since ``before`` or longer; they wait no more."""
        late: list[Turn] = []
        for destination, queue in list(self._queues.items()):
            while queue and queue[0].since <= before:
                late.append(queue.popleft())
            if not queue:
                del self._queues[destination]
        return late

    def withdrawn(self, destination: str) -> Sequence[Turn]:
        """All that wait for this receiver; they wait no more."""
        return self._queues.pop(destination, deque())
