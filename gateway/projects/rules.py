"""What becomes of a project's leads when its platform or a utility says something new. Pure.

1. Of a project's pushes the one with the highest version counts, in whatever order they arrive.
2. A project that holds is offered to the utilities that serve its region, to each once at a time.
3. What a lead tells changes with the project: a new version. What changes nothing that it tells makes none.
4. A project whose data no longer hold is retracted everywhere; one that moves, where another utility serves it now.
5. An open lead stays with its utility while the region stays: who serves it is asked again only when it changes.
6. Connected and retracted are final. A project that holds again, or moves back, is a new lead; one that is connected is
   not offered again to the utility that connected it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.applications.claimed_times import DEFAULT_TOLERANCE, JudgedTime, judge_time
from gateway.errors import Owner
from gateway.projects.errors import LeadClosed
from gateway.projects.model import Lead, Project, Said, Told
from schemas.leads import LEADS_CLAUSE, LeadProject, LeadStatus, RetractionReason


class Effect(StrEnum):
    """What a push did."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    OVERTAKEN = "overtaken"


class Move(StrEnum):
    """What happened to one lead."""

    OFFERED = "offered"
    CHANGED = "changed"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True)
class Step:
    """One lead as it is after a move."""

    move: Move
    lead: Lead


@dataclass(frozen=True, slots=True)
class Taken:
    """The project after a push, what the push did, and which leads moved."""

    project: Project
    effect: Effect
    steps: tuple[Step, ...] = ()


def is_waiting(project: Project) -> bool:
    """Whether the project holds and nobody has a lead of it: no utility serves its region yet."""
    wanted = project.said is not None and project.said.lead is not None
    return wanted and all(lead.status is LeadStatus.RETRACTED for lead in project.leads)


def is_over(project: Project) -> bool:
    """Whether no utility needs to ask anybody about the project any more."""
    return not is_waiting(project) and not any(lead.status.open for lead in project.leads)


def take(project: Project, said: Said, serving: Collection[str], make_id: Callable[[], str], at: datetime) -> Taken:
    """Let ``said`` count if it is newer; ``serving`` are the utilities of its region, of the lowest level that has any.

    The same version again is the caller's to recognise.
    """
    before = project.said
    if before is not None and said.version <= before.version:
        return Taken(replace(project, erased=False), Effect.OVERTAKEN)
    changed = replace(project, said=said, erased=False)
    steps = _steps(changed, serving, make_id, at)
    same = before is not None and before.lead == said.lead and not steps
    return Taken(with_steps(changed, steps), Effect.UNCHANGED if same else Effect.APPLIED, steps)


def assign(project: Project, serving: Collection[str], make_id: Callable[[], str], at: datetime) -> tuple[Step, ...]:
    """Offer a project that waits to the utilities that now serve its region."""
    return _steps(project, serving, make_id, at) if is_waiting(project) else ()


def with_steps(project: Project, steps: Collection[Step]) -> Project:
    """``project`` with its leads as they are after ``steps``."""
    moved = {step.lead.lead_id: step.lead for step in steps}
    kept = tuple(moved.pop(lead.lead_id, lead) for lead in project.leads)
    return replace(project, leads=(*kept, *moved.values()))


def _steps(project: Project, serving: Collection[str], make_id: Callable[[], str], at: datetime) -> tuple[Step, ...]:
    said = project.said
    still_open = [lead for lead in project.leads if lead.status.open]
    if said is None or said.lead is None:
        return tuple(_retracted(lead, RetractionReason.WITHDRAWN, at) for lead in still_open)
    told, version = said.lead, said.version
    stays = [lead for lead in still_open if lead.project.region == told.region]
    if stays:
        wanted = {lead.utility for lead in stays}
    else:
        connected = {lead.utility for lead in project.leads if lead.status is LeadStatus.CONNECTED}
        wanted = set(serving) - connected
    steps = [_retracted(lead, RetractionReason.MOVED, at) for lead in still_open if lead.utility not in wanted]
    has_one = {lead.utility for lead in still_open if lead.utility in wanted}
    for lead in still_open:
        if lead.utility in wanted and lead.project != told:
            steps.append(Step(Move.CHANGED, _next_version(lead, told, version, at)))
    for utility in sorted(wanted - has_one):
        lead = Lead(make_id(), project.project_id, project.platform, utility, LeadStatus.NEW, 1, told, version, at, at)
        steps.append(Step(Move.OFFERED, lead))
    return tuple(steps)


def _next_version(lead: Lead, told: LeadProject, version: int, at: datetime) -> Lead:
    return replace(lead, project=told, project_version=version, version=lead.version + 1, changed_at=at)


def _retracted(lead: Lead, reason: RetractionReason, at: datetime) -> Step:
    retracted = replace(lead, status=LeadStatus.RETRACTED, retracted_at=at, retraction=reason)
    return Step(Move.RETRACTED, replace(retracted, version=lead.version + 1, changed_at=at))


def told_before(lead: Lead, to: LeadStatus) -> Told | None:
    """What the utility told of this step already; it stands as it was told first."""
    return lead.contacted if to is LeadStatus.CONTACTED else lead.connected


def judge_progress(lead: Lead, to: LeadStatus, claimed_at: datetime, heard_at: datetime) -> JudgedTime:
    """When the utility contacted the project, or connected it (which may come first). Times are aware.

    Raises ``LeadClosed``; ``ValueError`` for another status.
    """
    if to not in (LeadStatus.CONTACTED, LeadStatus.CONNECTED):
        raise ValueError("a utility tells of a contact or a connection")
    require_open(lead)
    before = lead.contacted.counted_at if lead.contacted else lead.offered_at
    return judge_time(claimed_at, heard_at, before, DEFAULT_TOLERANCE)


def with_progress(lead: Lead, to: LeadStatus, told: Told, heard_at: datetime) -> Lead:
    """``lead`` once ``told`` is recorded."""
    changed = replace(lead, status=to, changed_at=heard_at)
    return replace(changed, contacted=told) if to is LeadStatus.CONTACTED else replace(changed, connected=told)


def require_open(lead: Lead) -> None:
    """Raises ``LeadClosed`` where nothing is to be done about the project any more."""
    if lead.status is LeadStatus.RETRACTED:
        raise LeadClosed(
            check="lead.retracted", owner=Owner.GOVERNMENT, remedy="项目已撤回或迁出，无需再跟进", clause=LEADS_CLAUSE
        )
    if lead.status is LeadStatus.CONNECTED:
        raise LeadClosed(
            check="lead.connected", owner=Owner.UTILITY, remedy="该项目已登记接电，无需再登记", clause=LEADS_CLAUSE
        )
