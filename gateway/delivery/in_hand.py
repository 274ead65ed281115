"""What a relay has in hand: sends under way, what was sent and is not settled yet, and what is left to be claimed."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeVar

from gateway.delivery.ports import ClaimedDelivery, ClaimRoom

UNSETTLED_TIMES: Final = 4
"""So many times as may be sent at once may be in hand, sent and not settled yet: settling goes in groups."""
KeyT = TypeVar("KeyT")
Key = tuple[str, str]
"""Receiver and subject, within which events go one after the other."""


class InHand:
    """Counts by receiver and by subject. ``most`` sends at once, ``each`` of them to one receiver."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._claims: dict[str, ClaimedDelivery] = {}
        self._about: Counter[Key] = Counter()
        self._sending: Counter[str] = Counter()
        self._sends = 0
        self._left: set[Key] = set()
        self.short = False
        """Whether more may be due than there was room for."""

    @property
    def ids(self) -> Collection[str]:
        """Events in hand, settled none of them."""
        return self._claims.keys()

    @property
    def free(self) -> int:
        """How many sends may begin in all."""
        return min(self._most - self._sends, UNSETTLED_TIMES * self._most - len(self._claims))

    def free_for(self, destination: str) -> int:
        """How many sends to one receiver may begin."""
        return max(0, self._each - self._sending[destination])

    def free_by_receiver(self) -> dict[str, int]:
        """``free_for`` those to which something is on its way."""
        return {destination: self.free_for(destination) for destination in self._sending}

    def begun(self, claim: ClaimedDelivery) -> None:
        """It is being sent."""
        self._claims[claim.event.event_id] = claim
        self._about[_key(claim)] += 1
        self._sending[claim.event.destination] += 1
        self._sends += 1

    def sent(self, claim: ClaimedDelivery) -> bool:
        """Its sending has ended; whether somebody should look for what there was no room for."""
        _less(self._sending, claim.event.destination)
        self._sends -= 1
        return self.short

    def settled(self, claim: ClaimedDelivery, *, handed: bool) -> bool:
        """It is out of hand; whether somebody should look for what comes after it.

        What was ``handed`` over has nothing behind it but what was told with ``leave``, or what other processes
        committed, who look for themselves.
        """
        self._claims.pop(claim.event.event_id, None)
        key = _key(claim)
        _less(self._about, key)
        return not handed or self.short or key in self._left

    def leave(self, keys: Iterable[Key]) -> bool:
        """Events about ``keys`` were committed to be claimed; whether one of them waits for nothing that is in hand."""
        self._left.update(keys)
        self.short = self.short or any(key not in self._about for key in keys)
        return self.short

    def looked(self, claims: Sequence[ClaimedDelivery], room: ClaimRoom) -> None:
        """A look for whatever is due found ``claims``, each begun, where there was ``room``."""
        claimed = Counter(claim.event.destination for claim in claims)
        full = any(count >= room.per_destination.get(code, room.each) for code, count in claimed.items())
        crowded = any(most <= 0 for most in room.per_destination.values())
        self.short = full or crowded or len(claims) >= room.total
        if not self.short:
            self._left = {key for key in self._left if key in self._about}


def _key(claim: ClaimedDelivery) -> Key:
    return claim.event.destination, claim.event.subject


def _less(counter: Counter[KeyT], key: KeyT) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
