"""Events that a relay holds the leases of and that are to be sent: in order to each receiver, and one behind the other
where they are about the same subject.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.delivery.in_hand import Key, key_of
from gateway.delivery.ports import ClaimedDelivery

MOST_BEHIND: Final = 8
"""So many events of one receiver and subject may wait behind the one that goes: others want the room, too."""


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

    @property
    def sequence(self) -> int:
        """Its number within its subject."""
        return self.claim.event.sequence


@dataclass
class _Line:
    """What is in hand of one receiver and subject: ``front`` waits for its turn, is sent or being settled; those
    ``behind`` it, in order, follow once it is settled for good.

    ``broken``: the front will be due again, and nothing may follow it.
    """

    front: Turn
    behind: tuple[Turn, ...] = ()
    broken: bool = False

    @property
    def last(self) -> int:
        """The highest sequence in it; asked from any thread."""
        return max(turn.sequence for turn in (self.front, *self.behind[-1:]))


class Turns:
    """First come, first sent, to each receiver; receivers by turns; of a subject nothing before what is before it."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Turn]] = {}
        self._lines: dict[Key, _Line] = {}
        self._waiting: dict[str, Turn] = {}
        self._earliest = math.inf
        """Nothing that waits has waited since before this."""

    def add(self, turn: Turn) -> bool:
        """It comes last of those to its receiver, or behind what is in hand about the same subject.

        False where it may not: what it is to follow is not there, or will be due again.
        """
        line = self._lines.get(key_of(turn.claim))
        if line is None:
            if turn.claim.behind:
                return False
            self._ready(turn)
        else:
            if line.broken or turn.claim.behind not in (0, line.last):
                return False
            # One that is sent anew may be before others.
            line.behind = tuple(sorted((*line.behind, turn), key=lambda each: each.sequence))
        self._waiting[turn.claim.event.event_id] = turn
        self._earliest = min(self._earliest, turn.since)
        return True

    def may_follow(self, key: Key, sequence: int) -> bool:
        """Whether an event may wait behind the one of this number; asked from any thread."""
        line = self._lines.get(key)
        return line is not None and not line.broken and line.last == sequence and len(line.behind) < MOST_BEHIND

    def next(self, may_begin: Callable[[str], bool]) -> Turn | None:
        """Whose turn it is, of those to receivers that something ``may_begin`` to."""
        for destination, queue in self._queues.items():
            if may_begin(destination):
                turn = queue.popleft()
                del self._queues[destination]
                if queue:
                    self._queues[destination] = queue  # its next turn comes after those of others
                del self._waiting[turn.claim.event.event_id]
                return turn
        return None

    def late(self, before: float) -> Sequence[Turn]:
        """Those that have waited since ``before`` or longer, and what is behind them; they wait no more."""
        if before < self._earliest:
            return ()
        late = self._gone([turn for turn in self._waiting.values() if turn.since <= before])
        self._earliest = min((turn.since for turn in self._waiting.values()), default=math.inf)
        return late

    def withdrawn(self, destination: str) -> Sequence[Turn]:
        """All that wait for this receiver; they wait no more."""
        return self._gone([turn for turn in self._waiting.values() if turn.destination == destination])

    def failed(self, claim: ClaimedDelivery) -> Sequence[Turn]:
        """It was sent and will be due again: what is behind it; that waits no more."""
        line = self._lines.get(key_of(claim))
        if line is None or line.front.claim is not claim:
            return ()
        line.broken = True
        return self._gone(line.behind)

    def settled(self, claim: ClaimedDelivery, *, for_good: bool) -> Sequence[Turn]:
        """It is out of hand: what is behind it may go if that was ``for_good``. Else all of that; it waits no more."""
        key = key_of(claim)
        line = self._lines.get(key)
        if line is None or line.front.claim is not claim:
            return ()
        gone = () if for_good else self._gone(line.behind)
        del self._lines[key]
        if line.behind:
            self._ready(*line.behind)
        return gone

    def _ready(self, turn: Turn, *behind: Turn) -> None:
        self._lines[key_of(turn.claim)] = _Line(turn, behind)
        self._queues.setdefault(turn.destination, deque()).append(turn)

    def _gone(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """``turns`` wait no more, nor what is behind them. All that wait no more."""
        gone: list[Turn] = []
        for turn in turns:
            if turn.claim.event.event_id in self._waiting:
                left = self._leave(turn)
                gone += left
                for each in left:
                    del self._waiting[each.claim.event.event_id]
        return gone

    def _leave(self, turn: Turn) -> Sequence[Turn]:
        line = self._lines[key_of(turn.claim)]
        if line.front is not turn:
            first = line.behind.index(turn)
            line.behind, gone = line.behind[:first], line.behind[first:]
            return gone
        line.broken, line.behind, gone = True, (), (turn, *line.behind)
        queue = deque(each for each in self._queues.pop(turn.destination) if each is not turn)
        if queue:
            self._queues[turn.destination] = queue
        return gone
