"""How old may what an answer rests on be: fresh, stale but permitted (and said so), or refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MOST_STEP = timedelta(minutes=10)
CLOCK_SKEW = timedelta(minutes=5)
"""A basis dated further ahead than this is not a newer truth but a wrong clock: refused."""


class BasisState(StrEnum):
    """The words of ``schemas.partner_api.SourceBasis``."""

    FRESH = "fresh"
    STALE_PERMITTED = "stale_permitted"
    REFUSED = "refused"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Basis:
    """One thing an answer rests on. ``source`` is a partner code or address, ``limit`` the oldest age permitted.

    ``down`` says that the source did not answer when it was last asked: what is here is from before, or nothing.
    """

    name: str
    state: BasisState
    as_of: datetime | None = None
    limit: timedelta | None = None
    source: str | None = None
    down: bool = False

    @property
    def usable(self) -> bool:
        """Whether the answer may rest on it."""
        return self.state in (BasisState.FRESH, BasisState.STALE_PERMITTED)

    def age(self, at: datetime) -> timedelta | None:
        """Age at ``at``, never negative; None when nothing was at hand."""
        return None if self.as_of is None else max(at - self.as_of, timedelta())


@dataclass(frozen=True, slots=True)
class FreshnessLimit:
    """Up to ``fresh`` old is fresh, up to ``permitted`` old is stale but permitted, older is refused."""

    fresh: timedelta
    permitted: timedelta

    def __post_init__(self) -> None:
        if not timedelta() <= self.fresh <= self.permitted:
            raise ValueError("a freshness limit runs 0 <= fresh <= permitted")

    @property
    def step(self) -> timedelta:
        """How long what was fetched again, and was the same, may keep its former time: it looks that much older.

        A hundredth of what its age is judged by, and ten minutes at most.
        """
        return min(MOST_STEP, (self.fresh or self.permitted) / 100)

    def judge(
        self,
        name: str,
        as_of: datetime,
        at: datetime,
        *,
        expires_at: datetime | None = None,
        source: str | None = None,
        down: bool = False,
    ) -> Basis:
        """The basis ``name`` as of ``as_of``, judged at ``at``. Past its own ``expires_at`` it is at best stale."""
        age = at - as_of
        if age < -CLOCK_SKEW or age > self.permitted:
            state = BasisState.REFUSED
        elif age <= self.fresh and (expires_at is None or at <= expires_at):
            state = BasisState.FRESH
        else:
            state = BasisState.STALE_PERMITTED
        if state is BasisState.STALE_PERMITTED and self.permitted == self.fresh:
            state = BasisState.REFUSED
        return Basis(name, state, as_of, self.permitted, source, down)

    def stands_until(self, basis: Basis, *, expires_at: datetime | None = None) -> datetime | None:
        """Before which instant ``judge`` gives ``basis``'s state again, for one that is usable; else None."""
        if basis.as_of is None or not basis.usable:
            return None
        if basis.state is BasisState.STALE_PERMITTED:
            return basis.as_of + self.permitted
        ends = basis.as_of + self.fresh
        return ends if expires_at is None else min(ends, expires_at)

    def missing(self, name: str, source: str | None = None, *, down: bool = False) -> Basis:
        """The basis when nothing could be had."""
        return Basis(name, BasisState.MISSING, None, self.permitted, source, down)


def earliest(*ends: datetime | None) -> datetime | None:
    """The first of ``ends``; None, which is no end that is known, as soon as one of them is."""
    known = [each for each in ends if each is not None]
    return min(known) if len(known) == len(ends) else None
