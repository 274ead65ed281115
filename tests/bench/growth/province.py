"""The applications of three years in a province, at an even rate: when what happened, and to whom it belongs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.stages import stages_of
from tests.support.storage import NOON

NOW: Final = NOON
YEARS: Final = timedelta(days=3 * 365)
ENTRIES_EACH: Final = 10
"""Record entries about an application, ``APART`` from one another."""
APART: Final = timedelta(days=3)
TELLING: Final = (0, 3, 6)
"""With which of them an event goes to the utility."""
TOGETHER: Final = 20
"""Applications that are received in the same moment and go the same way."""
WORKS, DISABLED, FULL = "csg-guangzhou", "csg-down", "csg-full"
UTILITIES: Final = (*(WORKS,) * 6, *(DISABLED,) * 3, FULL)
"""Of ten applications in a row: one utility works, one is disabled, to one nothing more can be sent now."""
COMMON: Final = ("440106", "440103", "440306", "440604", "441900", "440704", "440403", "440511")
RARE: Final = "441825"
"""A county of few applications, the last of them long ago."""
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True)
class Group:
    """``TOGETHER`` applications; ``number`` counts groups. ``lifecycle`` is as it stands now."""

    number: int
    received_at: datetime

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Residents and enterprises at low voltage; one group in 30 withdraws, in 60 pauses where it still can."""
        kind = CustomerClass.RESIDENTIAL if self.number % 2 else CustomerClass.LV_ORDINARY
        lifecycle, at = Lifecycle(kind, self.received_at), self.received_at
        for stage in stages_of(kind):
            for action in (StageAction.STARTED, StageAction.COMPLETED):
                at += timedelta(days=4 + self.number % 3)
                if at > NOW:
                    return lifecycle
                if self.number % 30 == 7 and action is StageAction.COMPLETED:
                    return apply(lifecycle, StageEvent(StageAction.WITHDRAWN, at), at)
                lifecycle = apply(lifecycle, StageEvent(action, at, stage), at)
                if self.number % 60 == 3 and action is StageAction.STARTED and NOW - at < timedelta(days=4):
                    return apply(lifecycle, StageEvent(StageAction.PAUSED, at, stage, "待用户确认"), at)
        return lifecycle

    @property
    def region(self) -> str:
        """Where they are."""
        return RARE if self.number == 3 else COMMON[self.number % len(COMMON)]

    @cached_property
    def names(self) -> list[str]:
        """Application ids, which sort by the moment they were made."""
        return [name("app", self.received_at, self.number * TOGETHER + each) for each in range(TOGETHER)]


@dataclass(frozen=True)
class Province:
    """As many applications as about ``entries`` record entries are about.

    Of each there are ``copies`` (``ballast``), which differ in nothing but what they are called.
    """

    entries: int
    copies: int = 1

    @property
    def applications(self) -> int:
        """How many, each counted once: whole groups."""
        return self.groups * TOGETHER

    @property
    def groups(self) -> int:
        """How many groups, at least a few."""
        return max(self.entries // ENTRIES_EACH // TOGETHER // self.copies, 12)

    @lru_cache(maxsize=4096)  # noqa: B019  (a province lives as long as the command)
    def group(self, number: int) -> Group:
        """The ``number``-th group, the oldest first."""
        return Group(number, NOW - YEARS + YEARS * number / self.groups)

    def __iter__(self) -> Iterator[Group]:
        return (self.group(number) for number in range(self.groups))

    @property
    def _apart(self) -> int:
        """How many groups come in within ``APART``."""
        return max(round(self.groups * (APART / YEARS)), 1)

    def entries_at(self, number: int) -> Iterator[tuple[int, Group]]:
        """What is recorded as the ``number``-th group comes in: of older ones their later entries."""
        for step in range(ENTRIES_EACH):
            older = number - step * self._apart
            if older >= 0:
                yield step, self.group(older)

    def events_at(self, number: int) -> Iterator[tuple[int, Group, datetime]]:
        """What is sent then, and when: the first event of the group, and later ones of older groups."""
        at = self.group(number).received_at
        for step, group in self.entries_at(number):
            if step in TELLING:
                yield TELLING.index(step) + 1, group, at

    def told(self, group: Group) -> int:
        """How many events of an application of ``group`` there are by now."""
        return sum(1 for step in TELLING if group.number + step * self._apart < self.groups)


def name(prefix: str, at: datetime, number: int) -> str:
    """An id as ``gateway.ids`` makes them, the random part told by ``number``."""
    scattered = number * 0x9E3779B97F4A7C15 & ((1 << 80) - 1)
    whole = (int(at.timestamp() * 1000) << 80) | scattered
    return prefix + "_" + "".join(_ALPHABET[(whole >> shift) & 31] for shift in range(125, -5, -5))


def holder_code(number: int) -> str:
    """Eighteen digits; nobody's number."""
    return f"99{number:016}"


def utility_of(number: int) -> str:
    """Whose customer application ``number`` becomes."""
    return UTILITIES[number % len(UTILITIES)]
