"""Handing events that are just being committed straight to the relay of the same process.

The writer asks for room before the commit, and writes lease and open attempt down with the event itself, so that the
outbox holds what a claim would have left there. Once the commit stands, the relay has the event in hand and need not
look for it. Where the process dies in between, the lease lapses like any other. Writer and relay are threads apart.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from gateway.clock import Clock
from gateway.delivery.in_hand import Key
from gateway.delivery.ports import ClaimedDelivery, Event
from gateway.delivery.turns import MOST_BEHIND

Left = Collection[Key]
"""Receivers and subjects of events that were committed for whoever claims them."""


class Taker(Protocol):
    """The relay, as it takes what was committed."""

    def has_room(self, destination: str, promised: int, promised_in_all: int) -> bool:
        """Whether it takes one more event beside so many that it does not know yet; asked from any thread."""
        ...

    def may_follow(self, key: Key, sequence: int) -> bool:
        """Whether an event of this receiver and subject may wait in its hand behind the one of this number; asked from
        any thread. What is handed over behind one that was settled meanwhile is put back.
        """
        ...

    @property
    def looks(self) -> int:
        """How often it has looked for what is to be claimed; asked from any thread."""
        ...

    def take(self, claims: Sequence[ClaimedDelivery], left: Left, looks: int) -> None:
        """What is to be sent, and what is left to be claimed; called in the relay's loop.

        It was committed after so many ``looks``.
        """
        ...


class HandOver:
    """Between the writer of a process and its relay, whose leases are taken as ``owner`` for ``lease``."""

    def __init__(self, owner: str, clock: Clock, lease: timedelta) -> None:
        self.owner = owner
        self.lease = lease
        self._clock = clock
        self._lock = threading.Lock()
        self._promised: dict[str, Event] = {}
        self._about: dict[Key, list[int]] = {}
        self._of_each: Counter[str] = Counter()
        self._to: tuple[asyncio.AbstractEventLoop, Taker] | None = None
        self._taking = False

    def open(self, loop: asyncio.AbstractEventLoop, taker: Taker) -> None:
        """Hand over to ``taker`` from now on."""
        with self._lock:
            self._to, self._taking = (loop, taker), True

    def close(self) -> None:
        """Promise nothing more. What was promised still comes, or is broken off."""
        with self._lock:
            self._taking = False

    @property
    def promised(self) -> Collection[str]:
        """Ids of events that are being committed for the relay, or are on their way into its hand."""
        with self._lock:
            return tuple(self._promised)

    def promised_to(self, destination: str) -> int:
        """How many of them are for one receiver."""
        with self._lock:
            return self._of_each[destination]

    def now(self) -> datetime:
        """When a lease begins that is taken now."""
        return self._clock()

    def promise(self, event: Event, behind: int = 0) -> bool:
        """Whether the relay takes this event; it is then ``handed`` over or ``broken_off``.

        ``behind`` is the last undelivered sequence before it within its subject, all of which the relay has leased.
        """
        key = (event.destination, event.subject)
        with self._lock:
            if self._to is None or not self._taking:
                return False
            _, taker = self._to
            coming = self._about.get(key, [])
            if behind and not (coming[-1] == behind if coming else taker.may_follow(key, behind)):
                return False
            if len(coming) > MOST_BEHIND or not taker.has_room(
                event.destination, self._of_each[event.destination], len(self._promised)
            ):
                return False
            self._promised[event.event_id] = event
            self._about[key] = [*coming, event.sequence]
            self._of_each[event.destination] += 1
            return True

    def handed(self, claims: Sequence[ClaimedDelivery], left: Left) -> None:
        """The events were committed. ``left`` tells what else was, that some relay has to claim."""
        with self._lock:
            to, wanted = self._to, bool(claims) or self._taking
        if to is not None and wanted:
            loop, taker = to
            with suppress(RuntimeError):  # the loop is closed: the leases lapse, and another relay takes over
                loop.call_soon_threadsafe(self._arrived, taker, claims, left, taker.looks)

    def broken_off(self, event_ids: Collection[str]) -> None:
        """The events were not committed, or nobody knows whether they were."""
        with self._lock:
            for event_id in event_ids:
                event = self._promised.pop(event_id, None)
                if event is not None:
                    self._of_each[event.destination] -= 1
                    self._forget((event.destination, event.subject), event.sequence)

    def _forget(self, key: Key, sequence: int) -> None:
        coming = [each for each in self._about[key] if each != sequence]
        if coming:
            self._about[key] = coming
        else:
            del self._about[key]

    def _arrived(self, taker: Taker, claims: Sequence[ClaimedDelivery], left: Left, looks: int) -> None:
        taker.take(claims, left, looks)
        self.broken_off([claim.event.event_id for claim in claims])
