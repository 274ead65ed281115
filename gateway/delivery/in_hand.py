"""What a relay has in hand: what waits for its turn, sends under way, what was sent and is not settled yet, and what is
left to be claimed.

To a receiver that answers quickly more is taken in hand than may be sent at once, so that a steady flow is handed over
and nobody looks for it in the database: as much as, at the pace of its last answer, is sent long before leases end.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final, TypeVar

from gateway.delivery.ports import ClaimedDelivery, ClaimRoom

UNSETTLED_TIMES: Final = 8
"""So many times as may be sent at once may be in hand, waiting or not settled yet: settling goes in groups."""
AHEAD_TIMES: Final = 16
"""So many times as may be sent to a receiver at once may wait for their turn: what comes while a group is committed
finds room behind what is under way.
"""
AHEAD_TIMES_IN_ALL: Final = 4
"""So many times as may be sent at once, of the events to all receivers."""
KeyT = TypeVar("KeyT")
Key = tuple[str, str]
"""Receiver and subject, within which events go one after the other."""


class InHand:
    """Counts by receiver and by subject. ``most`` sends at once, ``each`` of them to one receiver.

    ``ahead_s`` are the seconds within which what waits for its turn has to be sent.
    """

    def __init__(self, most: int, each: int, ahead_s: float = 0.0) -> None:
        self._most = most
        self._each = each
        self._ahead_s = ahead_s
        self._claims: dict[str, ClaimedDelivery] = {}
        self._about: Counter[Key] = Counter()
        self._held: Counter[str] = Counter()
        self._sending: Counter[str] = Counter()
        self._held_in_all = self._sends = 0
        self._took: dict[str, float] = {}
        self._last_took: float | None = None
        self._left: set[Key] = set()
        self._left_for: set[str] = set()
        self._full: set[str] = set()
        self._all_full = False
        self.looks = 0
        """How many looks there were so far."""

    @property
    def ids(self) -> Collection[str]:
        """Events in hand, settled none of them."""
        return self._claims.keys()

    @property
    def free(self) -> int:
        """How many events may be taken in hand, to be sent at once or in their turn."""
        ahead = self._ahead(self._most, AHEAD_TIMES_IN_ALL, self._last_took)
        return min(self._most + ahead - self._held_in_all, UNSETTLED_TIMES * self._most - len(self._claims))

    def free_for(self, destination: str) -> int:
        """How many to one receiver may be taken in hand, to be sent at once or in their turn."""
        ahead = self._ahead(self._each, AHEAD_TIMES, self._took.get(destination))
        return max(0, self._each + ahead - self._held[destination])

    def sends_for(self, destination: str) -> int:
        """How many to one receiver may be taken in hand and sent at once."""
        return max(0, self._each - self._held[destination])

    def free_by_receiver(self) -> dict[str, int]:
        """``free_for`` those that something in hand is to be sent to, or that more than their sends may wait for."""
        return {destination: self.free_for(destination) for destination in {*self._held, *self._took}}

    def may_begin(self, destination: str) -> bool:
        """Whether one more send may begin."""
        return self._sends < self._most and self._sending[destination] < self._each

    def is_behind(self, destination: str) -> bool:
        """Whether more may be due to it in the database than there was room for: that comes first."""
        return self._all_full or destination in self._full or destination in self._left_for

    def taken(self, claim: ClaimedDelivery) -> None:
        """Its lease is held; it is to be sent."""
        self._claims[claim.event.event_id] = claim
        self._about[key_of(claim)] += 1
        self._held[claim.event.destination] += 1
        self._held_in_all += 1

    def begun(self, claim: ClaimedDelivery) -> None:
        """It is being sent."""
        self._sending[claim.event.destination] += 1
        self._sends += 1

    def sent(self, claim: ClaimedDelivery, took: float) -> bool:
        """Its sending has ended after so many seconds; whether somebody should look for what there was no room for."""
        destination = claim.event.destination
        _less(self._sending, destination)
        self._sends -= 1
        self._took[destination] = self._last_took = took
        self.withdrawn(claim)
        return self._wants(destination)

    def withdrawn(self, claim: ClaimedDelivery) -> None:
        """It is not to be sent any more."""
        _less(self._held, claim.event.destination)
        self._held_in_all -= 1

    def settled(self, claim: ClaimedDelivery, *, handed: bool) -> bool:
        """It is out of hand; whether somebody should look for what comes after it.

        What was ``handed`` over has nothing behind it but what is in hand, too, what was told with ``leave``, or what
        other processes committed, who look for themselves.
        """
        self._claims.pop(claim.event.event_id, None)
        key = key_of(claim)
        _less(self._about, key)
        was_left = key in self._left and key not in self._about
        return not handed or was_left or self._wants(claim.event.destination)

    def leave(self, keys: Collection[Key], looks: int) -> bool:
        """Events about ``keys`` were committed to be claimed; whether somebody should look for one of them now.

        There were so many ``looks`` before: a later one has found them, or had no room.
        """
        self._left.update(keys)
        waiting = {key[0] for key in keys if key not in self._about} if looks == self.looks else set()
        self._left_for |= waiting
        return any(map(self._wants, waiting))

    def looking(self) -> None:
        """A look begins, in the transaction that it is part of: it finds all that was committed before."""
        self.looks += 1
        self._left_for.clear()

    def looked(self, claims: Sequence[ClaimedDelivery], room: ClaimRoom) -> None:
        """A look for whatever is due found ``claims``, each taken, where there was ``room``."""
        claimed = Counter(claim.event.destination for claim in claims)
        full = {code for code, count in claimed.items() if count >= room.per_destination.get(code, room.each)}
        self._full = full | {code for code, most in room.per_destination.items() if most <= 0}
        self._all_full = len(claims) >= room.total
        self._left = {key for key in self._left if key in self._about or self.is_behind(key[0])}

    def _ahead(self, at_once: int, times: int, took: float | None) -> int:
        """How many may wait where so many are sent ``at_once``, by how long the last took: none before the first."""
        if took is None:
            return 0
        return min(times * at_once, int(at_once * self._ahead_s / 2 / max(took, 0.001)))

    def _wants(self, destination: str) -> bool:
        """Whether to look: not for one or two, while enough of what was found before is still to be sent."""
        return self.is_behind(destination) and self._held[destination] - self._sending[destination] <= self._each // 2


def key_of(claim: ClaimedDelivery) -> Key:
    """What ``claim`` is in order with."""
    return claim.event.destination, claim.event.subject


def _less(counter: Counter[KeyT], key: KeyT) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
