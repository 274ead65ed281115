"""Tables and repositories of applications; ``application_parties`` and ``intakes`` alone hold personal data here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Row, Select, Table, Text, delete, insert, select, update

from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.applications import lifecycle as lifecycles
from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import (
    ApplicationDocument,
    Demand,
    GridConnectionApplication,
    IntakeKind,
    Party,
)
from gateway.certificates.verdicts import Verdict
from schemas.identity import ApplicantKind

applications = Table(
    "applications",
    metadata,
    Column("application_id", Text, primary_key=True),
    Column("utility", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("customer_class", Text, nullable=False),
    Column("intake", Text, nullable=False),
    Column("applicant_kind", Text, nullable=False),
    Column("holder_digest", Text, nullable=False),
    Column("received_at", UtcInstant, nullable=False),
    Column("status", Text, nullable=False),
    Column("demand", JsonDocument, nullable=False),
    Column("derivation", JsonDocument, nullable=False),
    Column("documents", JsonDocument, nullable=False),
    Column("lifecycle", JsonDocument, nullable=False),
    Index("ix_applications_utility_received_at", "utility", "received_at"),
    Index("ix_applications_holder_digest", "holder_digest"),
)

application_parties = Table(
    "application_parties",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("party", JsonDocument, nullable=False),
)

stage_events = Table(
    "stage_events",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("content_digest", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("heard_at", UtcInstant, nullable=False),
)

intakes = Table(
    "intakes",
    metadata,
    Column("intake_id", Text, primary_key=True),
    Column("holder_digest", Text, nullable=False),
    Column("expires_at", UtcInstant, nullable=False),
    Column("body", JsonDocument, nullable=False),
    Index("ix_intakes_expires_at", "expires_at"),
)


class SqlApplications:
    """``gateway.applications.ports.ApplicationRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, application: GridConnectionApplication, party: Party) -> None:
        self._statements.execute(insert(applications).values(**_columns(application)))
        self._statements.execute(
            insert(application_parties).values(application_id=application.application_id, party={**party.__dict__})
        )

    def find(self, application_id: str) -> GridConnectionApplication | None:
        return self._one(select(applications).where(applications.c.application_id == application_id))

    def find_for_change(self, application_id: str) -> GridConnectionApplication | None:
        own = select(applications).where(applications.c.application_id == application_id)
        return self._one(own.with_for_update())

    def party(self, application_id: str) -> Party | None:
        stored = self._statements.execute(
            select(application_parties.c.party).where(application_parties.c.application_id == application_id)
        ).scalar_one_or_none()
        return Party(**{**stored, "applicant_kind": ApplicantKind(stored["applicant_kind"])}) if stored else None

    def put_lifecycle(self, application_id: str, lifecycle: Lifecycle) -> None:
        self._statements.execute(
            update(applications)
            .where(applications.c.application_id == application_id)
            .values(lifecycle=lifecycles.to_json(lifecycle), status=lifecycle.status.value)
        )

    def of_utility(self, utility: str, limit: int) -> Sequence[GridConnectionApplication]:
        return self._many(select(applications).where(applications.c.utility == utility), limit)

    def of_holder(self, holder_digest: str, limit: int) -> Sequence[GridConnectionApplication]:
        return self._many(select(applications).where(applications.c.holder_digest == holder_digest), limit)

    def _one(self, query: Select[Any]) -> GridConnectionApplication | None:
        row = self._statements.execute(query).one_or_none()
        return None if row is None else _application(row)

    def _many(self, query: Select[Any], limit: int) -> Sequence[GridConnectionApplication]:
        rows = self._statements.execute(query.order_by(applications.c.received_at.desc()).limit(limit))
        return [_application(row) for row in rows]


class SqlStageEvents:
    """``gateway.applications.ports.StageEventRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def find(self, application_id: str, event_id: str) -> tuple[str, str] | None:
        row = self._statements.execute(
            select(stage_events.c.content_digest, stage_events.c.record_id).where(
                stage_events.c.application_id == application_id, stage_events.c.event_id == event_id
            )
        ).one_or_none()
        return (row.content_digest, row.record_id) if row else None

    def add(self, application_id: str, event_id: str, content_digest: str, record_id: str, at: datetime) -> None:
        self._statements.execute(
            insert(stage_events).values(
                application_id=application_id,
                event_id=event_id,
                content_digest=content_digest,
                record_id=record_id,
                heard_at=at,
            )
        )


class SqlIntakes:
    """``gateway.applications.ports.IntakeRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, intake_id: str, holder_digest: str, expires_at: datetime, body: dict[str, Any]) -> None:
        self._statements.execute(
            insert(intakes).values(intake_id=intake_id, holder_digest=holder_digest, expires_at=expires_at, body=body)
        )

    def find(self, intake_id: str, holder_digest: str, at: datetime) -> dict[str, Any] | None:
        body: dict[str, Any] | None = self._statements.execute(
            select(intakes.c.body).where(
                intakes.c.intake_id == intake_id,
                intakes.c.holder_digest == holder_digest,
                intakes.c.expires_at > at,
            )
        ).scalar_one_or_none()
        return body

    def remove(self, intake_id: str) -> bool:
        return self._statements.execute(delete(intakes).where(intakes.c.intake_id == intake_id)).rowcount == 1

    def expired(self, at: datetime, limit: int) -> Sequence[tuple[str, str, dict[str, Any]]]:
        rows = self._statements.execute(
            select(intakes).where(intakes.c.expires_at <= at).order_by(intakes.c.expires_at).limit(limit)
        )
        return [(row.intake_id, row.holder_digest, row.body) for row in rows]


def _columns(application: GridConnectionApplication) -> dict[str, Any]:
    return {
        "application_id": application.application_id,
        "utility": application.utility,
        "region": application.region,
        "customer_class": application.customer_class.value,
        "intake": application.intake.value,
        "applicant_kind": application.applicant_kind.value,
        "holder_digest": application.holder_digest,
        "received_at": application.received_at,
        "status": application.lifecycle.status.value,
        "demand": {**application.demand.__dict__},
        "derivation": {**application.derivation.__dict__},
        "documents": [{**document.__dict__} for document in application.documents],
        "lifecycle": lifecycles.to_json(application.lifecycle),
    }


def _application(row: Row[tuple[object, ...]]) -> GridConnectionApplication:
    demand, derivation = row.demand, row.derivation
    return GridConnectionApplication(
        application_id=row.application_id,
        intake=IntakeKind(row.intake),
        utility=row.utility,
        applicant_kind=ApplicantKind(row.applicant_kind),
        holder_digest=row.holder_digest,
        demand=Demand(**{**demand, "area": Area(demand["area"])}),
        derivation=ClassDerivation(
            CustomerClass(derivation["customer_class"]), derivation["clause"], derivation["reason"]
        ),
        received_at=row.received_at,
        lifecycle=lifecycles.from_json(row.lifecycle),
        documents=tuple(
            ApplicationDocument(
                **{
                    **stored,
                    "verdict": Verdict(stored["verdict"]) if stored["verdict"] else None,
                    "as_of": datetime.fromisoformat(stored["as_of"]) if stored["as_of"] else None,
                }
            )
            for stored in row.documents
        ),
    )
