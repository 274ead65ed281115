"""Applications counted into cells: a city and a customer class each. Pure; memory grows with cells, not applications.

An application counts where power is asked for, in the period in which it was closed. Durations are those of completed
applications, as ``applications.deadlines`` reads them: by the rows in force on the day of receipt, pauses left out. A
withdrawn or ended application is counted as such. Permits count with their application.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.deadlines import Deadlines, deadlines
from gateway.applications.lifecycle import LifecycleStatus
from gateway.applications.rule_book import RuleBook
from gateway.applications.stages import Stage
from gateway.approvals.deadlines import PermitDeadline, review_deadlines
from gateway.approvals.joint_review import JointReview
from gateway.approvals.permit_states import GRANTED, REFUSED, FindingKind
from gateway.oversight.durations import Durations
from gateway.oversight.ports import Observed
from gateway.ratings.model import BAD_LEVELS
from schemas.ratings import RatingLevel

CITY_DIGITS = 4


def city_of(region: str) -> str:
    """The code of the city (地级市) that ``region`` lies in: ``440100`` for ``440106001``."""
    return region[:CITY_DIGITS] + "00"


@dataclass
class PermitFigures:
    """The permits of one department. ``decided`` has those with a clock that ended."""

    modes: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    decided: Durations = field(default_factory=Durations)
    backdated: int = 0

    @property
    def count(self) -> int:
        """All permits."""
        return self.modes.total()

    @property
    def granted(self) -> int:
        """Approved, approved on a commitment, filed, or not needed."""
        return sum(self.states[state] for state in GRANTED)

    @property
    def refused(self) -> int:
        """Rejected or revoked."""
        return sum(self.states[state] for state in REFUSED)

    def add(self, permit: PermitDeadline) -> None:
        """Count one permit."""
        self.modes[permit.mode] += 1
        self.states[permit.state.status] += 1
        self.backdated += sum(1 for found in permit.state.findings if found.kind is FindingKind.BACKDATED)
        if permit.clock is not None and permit.clock.ended_at is not None:
            clock = permit.clock
            self.decided.add(clock.used_working_days, clock.limit_working_days, over=clock.over)

    def merge(self, other: "PermitFigures") -> None:
        """Take in all that ``other`` counted."""
        self.modes.update(other.modes)
        self.states.update(other.states)
        self.decided.merge(other.decided)
        self.backdated += other.backdated


@dataclass
class CellFigures:
    """The applications of one cell. ``received`` in the period; ``open`` now, ``open_over`` of them over a limit."""

    received: int = 0
    completed: int = 0
    withdrawn: int = 0
    ended: int = 0
    open: int = 0
    open_over: int = 0
    whole: Durations = field(default_factory=Durations)
    stages: dict[Stage, Durations] = field(default_factory=dict)
    intakes: Counter[str] = field(default_factory=Counter)
    documents_fetched: int = 0
    documents_uploaded: int = 0
    events: int = 0
    backdated_events: int = 0
    refused_events: int = 0
    refused_requests: int = 0
    provisional: int = 0
    ratings: Counter[RatingLevel] = field(default_factory=Counter)

    @property
    def content(self) -> int:
        """Ratings that are not bad: 基本满意 and better."""
        return sum(number for level, number in self.ratings.items() if level not in BAD_LEVELS)

    @property
    def closed(self) -> int:
        """Completed, withdrawn or ended in the period."""
        return self.completed + self.withdrawn + self.ended

    def merge(self, other: "CellFigures") -> None:
        """Take in all that ``other`` counted."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.whole.merge(other.whole)
        self.intakes.update(other.intakes)
        self.ratings.update(other.ratings)
        for stage, durations in other.stages.items():
            self.stages.setdefault(stage, Durations()).merge(durations)


_COUNTED = (
    *("received", "completed", "withdrawn", "ended", "open", "open_over", "documents_fetched", "documents_uploaded"),
    *("events", "backdated_events", "refused_events", "refused_requests", "provisional"),
)

Cell = tuple[str, CustomerClass]


@dataclass
class Figures:
    """``cells`` by (city, class); ``permits`` by (city, department code)."""

    cells: dict[Cell, CellFigures] = field(default_factory=dict)
    permits: dict[tuple[str, str], PermitFigures] = field(default_factory=dict)

    def cell(self, city: str, customer_class: CustomerClass) -> CellFigures:
        """The cell, made where there was none."""
        return self.cells.setdefault((city, customer_class), CellFigures())

    @property
    def cities(self) -> list[str]:
        """The cities that anything was counted for, in the order of their codes."""
        return sorted({city for city, _ in self.cells})

    def total(self, city: str | None = None, customer_class: CustomerClass | None = None) -> CellFigures:
        """All cells of a city, of a class, of both, or all."""
        found = CellFigures()
        for (in_city, of_class), cell in self.cells.items():
            if city in (None, in_city) and customer_class in (None, of_class):
                found.merge(cell)
        return found

    def departments(self, city: str | None = None) -> dict[str, PermitFigures]:
        """The permits of a city, or of all, by department code, in its order."""
        found: dict[str, PermitFigures] = {}
        for (in_city, code), permits in sorted(self.permits.items()):
            if city in (None, in_city):
                found.setdefault(code, PermitFigures()).merge(permits)
        return found


class Counting:
    """Counts applications into ``figures``; open ones as they stand at the aware instant ``at``."""

    def __init__(self, rules: RuleBook, at: datetime) -> None:
        self.figures = Figures()
        self._rules = rules
        self._at = at

    def take_closed(self, applications: Iterable[Observed]) -> None:
        """Count closed applications. Raises ``NoRuleInForce`` for one from before the rules."""
        for each in applications:
            self._count_closed(each)

    def take_open(self, applications: Iterable[Observed]) -> None:
        """Count open applications."""
        for each in applications:
            cell = self.figures.cell(city_of(each.region), each.customer_class)
            standing = self._deadlines(each)
            late = standing.whole.over or any(stage.clock and stage.clock.over for stage in standing.stages)
            cell.open += 1
            cell.open_over += late

    def take_received(self, counted: Iterable[tuple[str, str, int]]) -> None:
        """Count applications received: (region, class, how many)."""
        for region, customer_class, number in counted:
            self.figures.cell(city_of(region), CustomerClass(customer_class)).received += number

    def _deadlines(self, each: Observed) -> Deadlines:
        return deadlines(each.lifecycle, each.region, self._rules, self._at)

    def _count_closed(self, each: Observed) -> None:
        cell = self.figures.cell(city_of(each.region), each.customer_class)
        status = each.lifecycle.status
        cell.completed += status is LifecycleStatus.COMPLETED
        cell.withdrawn += status is LifecycleStatus.WITHDRAWN
        cell.ended += status is LifecycleStatus.ENDED
        cell.intakes[each.intake] += 1
        cell.documents_fetched += each.documents_fetched
        cell.documents_uploaded += each.documents_uploaded
        cell.events += len(each.lifecycle.steps)
        cell.backdated_events += sum(1 for step in each.lifecycle.steps if step.backdated)
        cell.refused_events += each.refused_events
        cell.refused_requests += each.refused_requests
        if each.rating is not None:
            cell.ratings[each.rating] += 1
        if status is LifecycleStatus.COMPLETED:
            self._count_durations(cell, self._deadlines(each))
        if each.review is not None:
            self._count_permits(city_of(each.region), each.review)

    @staticmethod
    def _count_durations(cell: CellFigures, standing: Deadlines) -> None:
        whole = standing.whole
        cell.whole.add(whole.used_working_days, whole.limit.working_days, over=whole.over)
        cell.provisional += whole.provisional
        for stage in standing.stages:
            if stage.clock is not None:
                durations = cell.stages.setdefault(stage.progress.stage, Durations())
                durations.add(stage.clock.used_working_days, stage.limit.working_days, over=stage.clock.over)

    def _count_permits(self, city: str, review: JointReview) -> None:
        for permit in review_deadlines(review, self._rules, self._at).permits:
            self.figures.permits.setdefault((city, permit.department), PermitFigures()).add(permit)
