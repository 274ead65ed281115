"""A circuit breaker for one receiver. Pure; times are seconds of a clock that is never set, such as ``time.monotonic``.

Closed: as many sends as there is room for. After ``failures`` in a row it opens, and nothing is sent until its wait is
over; then it is half-open, and at most ``probes`` sends at a time find out. A success closes it, a failed probe opens
it for twice as long, up to ``longest_wait_s``.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class BreakerPolicy:
    """``failures`` in a row open it; waits in seconds."""

    failures: int = 5
    probes: int = 1
    wait_s: float = 2.0
    longest_wait_s: float = 30.0


@dataclass(frozen=True)
class Breaker:
    """``failed`` counts failures in a row, ``openings`` those since it was last closed, ``probing`` its probes."""

    policy: BreakerPolicy = BreakerPolicy()
    failed: int = 0
    openings: int = 0
    opened_at: float = 0.0
    probing: int = 0

    def state(self, now: float) -> BreakerState:
        """Where it stands at ``now``."""
        if not self.openings:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.opened_at + self.wait_s else BreakerState.HALF_OPEN

    @property
    def wait_s(self) -> float:
        """How long it stays open, in seconds, since it was last opened."""
        return min(self.policy.wait_s * 2.0 ** min(self.openings - 1, 30), self.policy.longest_wait_s)

    def room(self, now: float, free: int) -> int:
        """How many sends may begin at ``now`` where ``free`` would otherwise."""
        match self.state(now):
            case BreakerState.CLOSED:
                return free
            case BreakerState.OPEN:
                return 0
            case BreakerState.HALF_OPEN:
                return max(0, min(free, self.policy.probes - self.probing))

    def probe_began(self) -> "Breaker":
        """A send begins for which there was room although it was not closed; its end must tell that it is a probe."""
        return replace(self, probing=self.probing + 1)

    def succeeded(self, *, probe: bool) -> "Breaker":
        """The receiver answered as agreed: it is closed, whoever found out."""
        return replace(self, failed=0, openings=0, opened_at=0.0, probing=self.probing - probe)

    def failed_once(self, now: float, *, probe: bool) -> "Breaker":
        """The receiver failed. What was sent before it opened says nothing that is not known."""
        left = replace(self, probing=self.probing - probe)
        if self.openings:
            return replace(left, openings=self.openings + 1, opened_at=now) if probe else left
        failed = self.failed + 1
        if failed < self.policy.failures:
            return replace(left, failed=failed)
        return replace(left, failed=failed, openings=1, opened_at=now)

    def said_nothing(self, *, probe: bool) -> "Breaker":
        """The send ended by a fault of ours, which tells nothing of the receiver."""
        return replace(self, probing=self.probing - probe)
