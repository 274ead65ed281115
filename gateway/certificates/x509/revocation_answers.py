"""What lists and responders say of one certificate, and whether that is young enough to be believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.certificates.freshness import CLOCK_SKEW, Basis, BasisState, FreshnessLimit

CERTIFICATE_HOLD: Final = 6
"""The code of CRLReason (RFC 5280 §5.3.1) for what is only suspended; OCSP answers bear the same."""
UNDATED_LIFETIME: Final = timedelta(minutes=10)
"""How long an OCSP answer without nextUpdate holds where no limit is set: newer ones are to be had at any time."""
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RevocationAnswer:
    """``revoked`` is None when it could not be known; ``held`` says that it is only suspended (certificateHold).

    ``basis`` says what the answer rests on and what could not be had, and ``changes_at`` when the same evidence would
    be judged otherwise for its age.
    """

    revoked: bool | None
    basis: tuple[Basis, ...] = ()
    changes_at: datetime | None = None
    held: bool = False


def list_age(name: str, since: datetime, until: datetime | None, at: datetime, limit: FreshnessLimit | None) -> Basis:
    """The basis ``name``, good from ``since`` to ``until``, at ``at``. Without an end it is refused.

    Without a ``limit`` the end is the end and not a moment later.
    """
    if until is None or until < since:
        return Basis(name, BasisState.REFUSED, since, limit.permitted if limit else None)
    if limit is not None:
        return limit.judge(name, since, at, expires_at=until)
    return Basis(name, BasisState.FRESH if since <= at <= until else BasisState.REFUSED, since)


def answer_age(name: str, since: datetime, until: datetime | None, at: datetime, limit: FreshnessLimit | None) -> Basis:
    """As `list_age` for an OCSP answer, which may say no end (RFC 6960 §4.2.2.1)."""
    if until is not None or limit is None:
        return list_age(name, since, until or _moved(since, UNDATED_LIFETIME), at, limit)
    return limit.judge(name, since, at)


def age_changes(since: datetime, until: datetime | None, at: datetime, limit: FreshnessLimit | None) -> datetime | None:
    """When next the age of such a basis is judged otherwise."""
    marks = [until] if until else []
    if limit is not None:
        marks += [_moved(since, limit.fresh), _moved(since, limit.permitted)]
    elif until is None:
        marks.append(_moved(since, UNDATED_LIFETIME))
    return earliest(mark for mark in marks if mark >= at)


def begins(since: datetime, at: datetime) -> datetime | None:
    """When a list or answer from the future begins to count, None when it does already."""
    return earliest(mark for mark in (_moved(since, -CLOCK_SKEW), since) if mark > at)


def earliest(marks: Iterable[datetime | None]) -> datetime | None:
    """The first of the instants that there are."""
    return min((mark for mark in marks if mark is not None), default=None)


def from_the_future(instant: datetime, at: datetime) -> bool:
    """Whether ``instant`` lies further ahead than clocks differ."""
    return instant > _moved(at, CLOCK_SKEW)


def _moved(instant: datetime, by: timedelta) -> datetime:
    """``instant + by``, held at the ends of time: lists and responses say years 1 and 9999."""
    try:
        return instant + by
    except OverflowError:
        return _LAST if by > timedelta() else _FIRST
