"""What each retention policy removes. The tables are other rooms'; when a thing's time is over is said here alone."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, delete, func, select, tuple_, update

from adapters.storage.applications import application_parties, applications, intakes, others_left, to_forget
from adapters.storage.capacities import grid_capacities
from adapters.storage.certificates import certificate_copies
from adapters.storage.deliveries import outbox
from adapters.storage.evidence import evidence_documents, loose, nobody_rests_on_it, remove_loose
from adapters.storage.forgetting import FINISHED, WITHDRAWN, SqlForgetting, page_by_page
from adapters.storage.idempotency import idempotency_keys
from adapters.storage.identity import verification_sessions
from adapters.storage.named_persons import named_persons
from adapters.storage.outages import outage_events, outages
from adapters.storage.projects import project_pushes, projects
from adapters.storage.reviews import review_tasks, reviews_to_forget
from adapters.storage.statements import Statements
from gateway.applications.lifecycle import LifecycleStatus
from gateway.delivery.ports import ChannelKind, DeliveryState
from gateway.retention.policies import Kept, RetentionPolicy

Condition = Callable[[RetentionPolicy, datetime], ColumnElement[bool]]


def _closed(before: datetime, statuses: Sequence[LifecycleStatus], state: ColumnElement[bool]) -> Select[Any]:
    ended = applications.c.status.in_([status.value for status in statuses])
    return select(applications.c.application_id).where(state, ended, applications.c.closed_at <= before)


def _parties(before: datetime, statuses: Sequence[LifecycleStatus]) -> ColumnElement[bool]:
    return application_parties.c.application_id.in_(_closed(before, statuses, to_forget))


def _others(before: datetime, statuses: Sequence[LifecycleStatus]) -> ColumnElement[bool]:
    return named_persons.c.subject.in_(_closed(before, statuses, others_left))


def _settled(before: datetime, state: DeliveryState) -> ColumnElement[bool]:
    may_go = outbox.c.body_sha256.is_not(None) | (outbox.c.channel == ChannelKind.DEPARTMENT.value)
    over = (outbox.c.state == state.value) & (outbox.c.settled_at <= before)
    return outbox.c.erased_at.is_(None) & may_go & over


def _projects(before: datetime, *, silent: bool) -> ColumnElement[bool]:
    """Projects whose contact and signed pushes are still there, though nobody pushed or needed them any more."""
    unheard = projects.c.erased_at.is_(None) & (projects.c.heard_at <= before)
    return unheard if silent else unheard & (projects.c.over_since <= before)


def _reviewed(before: datetime) -> ColumnElement[bool]:
    over = select(review_tasks.c.task_id).where(reviews_to_forget, review_tasks.c.settled_at <= before)
    return named_persons.c.subject.in_(over)


_OVER: dict[Kept, tuple[Table, Condition]] = {
    Kept.PARTIES: (application_parties, lambda _, before: _parties(before, FINISHED)),
    Kept.WITHDRAWN_PARTIES: (application_parties, lambda _, before: _parties(before, WITHDRAWN)),
    Kept.DELIVERIES: (outbox, lambda _, before: _settled(before, DeliveryState.DELIVERED)),
    Kept.UNDELIVERED: (outbox, lambda _, before: _settled(before, DeliveryState.DEAD)),
    Kept.INTAKES: (intakes, lambda _, before: intakes.c.expires_at <= before),
    Kept.SESSIONS: (verification_sessions, lambda _, before: verification_sessions.c.expires_at < before),
    Kept.ANSWERS: (idempotency_keys, lambda _, before: idempotency_keys.c.expires_at <= before),
    Kept.STATUS_EVIDENCE: (
        evidence_documents,
        lambda _, before: loose(before) & nobody_rests_on_it(),
    ),
    Kept.OTHERS: (named_persons, lambda _, before: _others(before, FINISHED)),
    Kept.WITHDRAWN_OTHERS: (named_persons, lambda _, before: _others(before, WITHDRAWN)),
    Kept.REVIEWED_OTHERS: (named_persons, lambda _, before: _reviewed(before)),
    Kept.PROJECT_CONTACTS: (projects, lambda _, before: _projects(before, silent=False)),
    Kept.SILENT_PROJECTS: (projects, lambda _, before: _projects(before, silent=True)),
    Kept.OUTAGES: (outages, lambda _, before: outages.c.shown_until <= before),
    Kept.CAPACITIES: (
        grid_capacities,
        lambda _, before: grid_capacities.c.withdrawn.is_(True) & (grid_capacities.c.heard_at <= before),
    ),
    Kept.COPIES: (
        certificate_copies,
        lambda policy, before: (certificate_copies.c.kind == policy.kind) & (certificate_copies.c.fetched_at < before),
    ),
}


class SqlRemoval:
    """``gateway.retention.ports.Removal``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def due(self, policy: RetentionPolicy, before: datetime) -> int:
        table, condition = _OVER[policy.what]
        counted = select(func.count()).select_from(table).where(condition(policy, before))
        return int(self._statements.execute(counted).scalar_one())

    def remove(self, policy: RetentionPolicy, before: datetime, at: datetime, limit: int) -> int:
        forgetting, shown_after = SqlForgetting(self._statements), at - policy.others_shown
        match policy.what:
            case Kept.PARTIES:
                return forgetting.parties(FINISHED, before, limit, shown_after)
            case Kept.WITHDRAWN_PARTIES:
                return forgetting.parties(WITHDRAWN, before, limit, shown_after)
            case Kept.OTHERS:
                return forgetting.others(FINISHED, before, limit)
            case Kept.WITHDRAWN_OTHERS:
                return forgetting.others(WITHDRAWN, before, limit)
            case Kept.REVIEWED_OTHERS:
                return forgetting.reviewed(before, limit)
            case Kept.STATUS_EVIDENCE:
                return page_by_page(lambda: remove_loose(self._statements, before, at, limit))
            case _:
                return self._remove_some(policy, before, at, limit)

    def _remove_some(self, policy: RetentionPolicy, before: datetime, at: datetime, limit: int) -> int:
        table, condition = _OVER[policy.what]
        keys = _key(table)
        # Several processes clear up at once: none waits for rows that another is about to remove.
        some = select(*keys).where(condition(policy, before)).limit(limit).with_for_update(skip_locked=True, of=table)
        if table is outbox:
            return self._erase(some, at)
        if table is outages:
            return self._forget_outages(some)
        if table is projects:
            return self._forget_contacts(some, at)
        return self._statements.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount

    def _forget_outages(self, some: Select[Any]) -> int:
        """With what was told of them; the record keeps that it was told, and applicants their notices."""
        over = [tuple(row) for row in self._statements.execute(some)]
        for table in (outage_events, outages):
            key = tuple_(table.c.utility, table.c.outage_id)
            self._statements.execute(delete(table).where(key.in_(over)))
        return len(over)

    def _forget_contacts(self, some: Select[Any], at: datetime) -> int:
        """Whom to ask, and the pushes as they were signed; what was made of them stays, and the digests."""
        over = list(self._statements.execute(some).scalars())
        gone = update(project_pushes).where(project_pushes.c.project_id.in_(over)).values(signed=None)
        self._statements.execute(gone)
        forgotten = update(projects).where(projects.c.project_id.in_(over)).values(contact=None, erased_at=at)
        return self._statements.execute(forgotten).rowcount

    def _erase(self, some: Select[Any], at: datetime) -> int:
        """An event keeps its place, its attempts and its receipt; what it said goes."""
        events = list(self._statements.execute(some).scalars())
        for event_id in events:
            empty = self._statements.sealed(outbox, {"data": {}, "erased_at": at}, event_id=event_id)
            self._statements.execute(update(outbox).where(outbox.c.event_id == event_id).values(**empty))
        return len(events)


def _key(table: Table) -> list[Column[Any]]:
    return list(table.primary_key)
