"""The breakers of a relay, by receiver: one of which nothing bad is known has none."""

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from gateway.delivery.attempts import ReceiverHealth
from gateway.delivery.breaker import Breaker, BreakerPolicy, BreakerState

log = structlog.get_logger()


class BreakerWatch(Protocol):
    """Who counts how breakers move."""

    def breaker_moved(self, destination: str, state: BreakerState) -> None:
        """The breaker of a destination was opened, or closed again."""
        ...


class Breakers:
    """``elapsed`` answers seconds of a clock that is never set."""

    def __init__(self, policy: BreakerPolicy, elapsed: Callable[[], float], watch: BreakerWatch | None) -> None:
        self._policy, self._elapsed, self._watch = policy, elapsed, watch
        self._known: dict[str, Breaker] = {}

    def __contains__(self, destination: object) -> bool:
        """Whether it failed last."""
        return destination in self._known

    def rooms(self, now: float, free_for: Callable[[str], int]) -> Mapping[str, int]:
        """How many sends may begin to each of those that failed last, where ``free_for`` would let so many."""
        return {code: breaker.room(now, free_for(code)) for code, breaker in self._known.items()}

    def half_open(self, now: float) -> set[str]:
        """To whom only probes may go."""
        return {code for code, breaker in self._known.items() if breaker.state(now) is BreakerState.HALF_OPEN}

    def probe_began(self, destination: str) -> None:
        """See ``Breaker.probe_began``."""
        self._put(destination, self._of(destination).probe_began())

    def ended(self, destination: str, health: ReceiverHealth, *, probe: bool) -> bool:
        """A send ended; whether nothing goes to this receiver any more but probes."""
        before, now = self._of(destination), self._elapsed()
        match health:
            case ReceiverHealth.WORKS:
                after = before.succeeded(probe=probe)
            case ReceiverHealth.FAILS:
                after = before.failed_once(now, probe=probe)
            case ReceiverHealth.UNTOLD:
                after = before.said_nothing(probe=probe)
        self._put(destination, after)
        if bool(before.openings) != bool(after.openings):
            state = after.state(now)
            log.warning("delivery.breaker", destination=destination, state=state.value)
            if self._watch is not None:
                self._watch.breaker_moved(destination, state)
        return bool(after.openings)

    def _of(self, destination: str) -> Breaker:
        return self._known.get(destination, Breaker(self._policy))

    def _put(self, destination: str, breaker: Breaker) -> None:
        if breaker == Breaker(self._policy):
            self._known.pop(destination, None)
        else:
            self._known[destination] = breaker
