"""A claimed time beside the time the gateway heard of it (第（三）条 如实记录): which of the two counts, and why.

The claimed time counts unless it is flagged ``backdated``; then the time of hearing counts. Nothing claimed is lost:
it is kept as it was said, beside its flags. Counted times never run backwards.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class BackdatedReason(StrEnum):
    """Why a claimed time is not taken at its word."""

    LATER_THAN_NOW = "later_than_now"
    EARLIER_THAN_PREVIOUS_STEP = "earlier_than_previous_step"
    BEYOND_TOLERANCE = "beyond_tolerance"


@dataclass(frozen=True)
class Tolerance:
    """How far a claimed time may lie from the moment it is heard of, before it is flagged.

    ``back``: a sender's queue or outage. ``ahead``: clocks that are not quite alike.
    """

    back: timedelta = timedelta(days=1)
    ahead: timedelta = timedelta(seconds=5)


DEFAULT_TOLERANCE = Tolerance()


@dataclass(frozen=True)
class JudgedTime:
    """The time that counts (aware UTC), and the flags; no flags means the claimed time was taken at its word."""

    counted_at: datetime
    flags: tuple[BackdatedReason, ...]


def judge_time(claimed_at: datetime, heard_at: datetime, previous_at: datetime, tolerance: Tolerance) -> JudgedTime:
    """Judge ``claimed_at`` against ``heard_at`` and the counted time of the step before. ``ValueError`` if naive."""
    if claimed_at.tzinfo is None or heard_at.tzinfo is None or previous_at.tzinfo is None:
        raise ValueError("times are aware")
    flags = []
    if claimed_at > heard_at + tolerance.ahead:
        flags.append(BackdatedReason.LATER_THAN_NOW)
    if claimed_at < previous_at:
        flags.append(BackdatedReason.EARLIER_THAN_PREVIOUS_STEP)
    if claimed_at < heard_at - tolerance.back:
        flags.append(BackdatedReason.BEYOND_TOLERANCE)
    counted_at = heard_at if flags else min(claimed_at, heard_at)
    return JudgedTime(max(counted_at, previous_at).astimezone(UTC), tuple(flags))
