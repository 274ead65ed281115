"""How the receivers do: since when one has failed without a success between, and whether it is still sent to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

LONGEST_GAP: Final = timedelta(minutes=15)
"""The most that the time between two failures counts: beyond it nobody tried, or the clock was moved."""


@dataclass(frozen=True)
class Destination:
    """A receiver that fails, or is not sent to. ``failing_for`` counts only time in which it was tried."""

    code: str
    failing_since: datetime | None
    failing_for: timedelta
    last_failure_at: datetime | None
    last_reason: str | None
    disabled_at: datetime | None = None

    def failed(self, at: datetime, reason: str) -> "Destination":
        """After another failure."""
        gap = timedelta() if self.last_failure_at is None else at - self.last_failure_at
        return Destination(
            self.code,
            self.failing_since or at,
            self.failing_for + min(max(gap, timedelta()), LONGEST_GAP),
            at,
            reason,
            self.disabled_at,
        )


def untried(code: str) -> Destination:
    """A receiver of which nothing bad is known."""
    return Destination(code, None, timedelta(), None, None)


class Destinations(Protocol):
    """Receivers that fail or are disabled; of all others nothing is kept."""

    def failing(self, codes: Sequence[str]) -> Mapping[str, Destination]:
        """Those of ``codes`` that have failed since their last success."""
        ...

    def put(self, destination: Destination) -> None: ...

    def succeeded(self, codes: Sequence[str]) -> None:
        """Forget the failures of ``codes``; a disabled one stays disabled."""
        ...

    def enable(self, code: str) -> bool:
        """Send again, with its failures forgotten; False where it was not disabled."""
        ...

    def list(self) -> Sequence[Destination]:
        """All that fail or are disabled, by code."""
        ...
