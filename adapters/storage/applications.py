"""Tables and repositories of applications; ``application_parties`` and ``intakes`` alone hold personal data here."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    false,
    func,
    insert,
    literal_column,
    select,
    update,
)

from adapters.storage.application_certificates import add_certificates, leave_alone, put_certificate
from adapters.storage.application_list import ApplicationList
from adapters.storage.constant import Constant
from adapters.storage.deadline_looks import look_anew, look_no_more
from adapters.storage.sealed import KnownRow, SealedJson
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from adapters.storage.together import AddTogether
from gateway.applications import lifecycle as lifecycles
from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import (
    ApplicationDocument,
    ApplicationHeading,
    Demand,
    GridConnectionApplication,
    HeadingFilter,
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
    Column("closed_at", UtcInstant),
    Column("demand", SealedJson, nullable=False),
    Column("derivation", JsonDocument, nullable=False),
    Column("documents", JsonDocument, nullable=False),
    Column("lifecycle", SealedJson, nullable=False),
    Column("forgotten", Integer),
    Index("ix_applications_utility_received_at", "utility", "received_at"),
    Index("ix_applications_holder_digest", "holder_digest"),
    Index("ix_applications_closed_at", "closed_at"),
    Index("ix_applications_received_at", "received_at"),
    Index("ix_applications_status_received_at", "status", "received_at"),
    Index("ix_applications_region_status_received_at", "region", "status", "received_at"),
)
"""``forgotten`` is NULL while whoever applied is known, ``OTHERS_LEFT`` or ``NOTHING_LEFT`` afterwards."""

OTHERS_LEFT, NOTHING_LEFT = literal_column("1", Integer()), literal_column("2", Integer())
"""Whom else the certificates name is still there, or nobody is; written out, so that a plan can rest on an index."""
to_forget = applications.c.forgotten.is_(None) & applications.c.closed_at.is_not(None)
others_left = applications.c.forgotten == OTHERS_LEFT
for _name, _state in (("to_forget", to_forget), ("others_left", others_left)):
    Index(
        f"ix_applications_{_name}",
        applications.c.status,
        applications.c.closed_at,
        sqlite_where=_state,
        postgresql_where=_state,
    )

application_parties = Table(
    "application_parties",
    metadata,
    Column("application_id", Text, ForeignKey("applications.application_id"), primary_key=True),
    Column("party", SealedJson, nullable=False),
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
    Column("under_review", Boolean, nullable=False, server_default=false()),
    Column("body", SealedJson, nullable=False),
    Index("ix_intakes_expires_at", "expires_at"),
    Index("ix_intakes_holder_digest", "holder_digest"),
)

_ADD = AddTogether(applications, *(name for name in applications.c.keys() if name != "forgotten"))  # noqa: SIM118
_ADD_PARTY = AddTogether(application_parties)
_IS_OWN = applications.c.application_id == bindparam("own")
_OWN = Constant(select(applications).where(_IS_OWN))
_OWN_FOR_CHANGE = Constant(select(applications).where(_IS_OWN).with_for_update())
_OF_HOLDER = Constant(
    select(applications)
    .where(applications.c.holder_digest == bindparam("holder"))
    .order_by(applications.c.received_at.desc())
    .limit(bindparam("most", type_=Integer))
)
_OWN_PARTY = Constant(select(application_parties).where(application_parties.c.application_id == bindparam("own")))


class SqlApplications:
    """``gateway.applications.ports.ApplicationRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, application: GridConnectionApplication, party: Party) -> None:
        self._statements.write(_ADD, [self._statements.sealed(applications, _columns(application))])
        personal = {"application_id": application.application_id, "party": {**party.__dict__}}
        self._statements.write(_ADD_PARTY, [self._statements.sealed(application_parties, personal)])
        add_certificates(self._statements, application)
        self._look(application.application_id, application.lifecycle)

    def find(self, application_id: str) -> GridConnectionApplication | None:
        return self._one(_OWN, application_id)

    def find_for_change(self, application_id: str) -> GridConnectionApplication | None:
        return self._one(_OWN_FOR_CHANGE, application_id)

    def find_all_for_change(self, application_ids: Collection[str]) -> Sequence[GridConnectionApplication]:
        own = applications.c.application_id
        query = select(applications).where(own.in_(application_ids)).order_by(own).with_for_update()
        return [application_of(self._statements, row) for row in self._statements.execute(query)]

    def party(self, application_id: str) -> Party | None:
        found = self._statements.ask(_OWN_PARTY, own=application_id)
        if not found:
            return None
        stored = self._statements.opened(application_parties, found[0])["party"]
        return Party(**{**stored, "applicant_kind": ApplicantKind(stored["applicant_kind"])})

    def put_lifecycle(self, application_id: str, lifecycle: Lifecycle) -> None:
        changed = self._statements.sealed(applications, _of_lifecycle(lifecycle), application_id=application_id)
        self._statements.execute(
            update(applications).where(applications.c.application_id == application_id).values(**changed)
        )
        self._look(application_id, lifecycle)
        if lifecycle.closed_at is not None:
            leave_alone(self._statements, application_id)

    def _look(self, application_id: str, lifecycle: Lifecycle) -> None:
        if lifecycle.closed_at is None:
            look_anew(self._statements, application_id, lifecycle.received_at)
        else:
            look_no_more(self._statements, application_id)

    def put_document(self, application_id: str, document: ApplicationDocument) -> None:
        own = applications.c.application_id == application_id
        stored = self._statements.execute(select(applications.c.documents).where(own)).scalar_one()
        documents = [_stored(document) if each["document"] == document.document else each for each in stored]
        self._statements.execute(update(applications).where(own).values(documents=documents))
        put_certificate(self._statements, application_id, document)

    def of_utility(self, utility: str, limit: int) -> Sequence[GridConnectionApplication]:
        return self._many(select(applications).where(applications.c.utility == utility), limit)

    def open_of_utility(self, utility: str, application_ids: Collection[str]) -> Sequence[str]:
        own = applications.c
        open_own = (own.utility == utility) & own.closed_at.is_(None) & own.application_id.in_(application_ids)
        found = select(own.application_id).where(open_own).order_by(own.application_id)
        return list(self._statements.execute(found).scalars())

    def of_holder(self, holder_digest: str, limit: int) -> Sequence[GridConnectionApplication]:
        rows = self._statements.ask(_OF_HOLDER, holder=holder_digest, most=limit)
        return [application_of(self._statements, row) for row in rows]

    def headings(self, wanted: HeadingFilter, limit: int) -> Sequence[ApplicationHeading]:
        return ApplicationList(self._statements, applications).page(wanted, limit)

    def _one(self, query: Constant, application_id: str) -> GridConnectionApplication | None:
        found = self._statements.ask(query, own=application_id)
        return application_of(self._statements, found[0]) if found else None

    def _many(self, query: Select[Any], limit: int) -> Sequence[GridConnectionApplication]:
        rows = self._statements.execute(query.order_by(applications.c.received_at.desc()).limit(limit))
        return [application_of(self._statements, row) for row in rows]


_HEARD = select(stage_events.c.content_digest, stage_events.c.record_id).where(
    stage_events.c.application_id == bindparam("own"), stage_events.c.event_id == bindparam("heard")
)


class SqlStageEvents:
    """``gateway.applications.ports.StageEventRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def find(self, application_id: str, event_id: str) -> tuple[str, str] | None:
        row = self._statements.execute(_HEARD, {"own": application_id, "heard": event_id}).one_or_none()
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


_ADD_INTAKE = AddTogether(intakes)
_IS_THE_INTAKE = intakes.c.intake_id == bindparam("own")
_OF_THE_HOLDER = intakes.c.holder_digest == bindparam("holder")
_LIVES = intakes.c.expires_at > bindparam("now", type_=UtcInstant)
_OWN_INTAKE = Constant(select(intakes).where(_IS_THE_INTAKE, _OF_THE_HOLDER, _LIVES))
_UNDER_REVIEW = Constant(select(intakes).where(_IS_THE_INTAKE, intakes.c.under_review.is_(True), _LIVES))
_OPEN = Constant(select(func.count().label("open")).select_from(intakes).where(_OF_THE_HOLDER, _LIVES))
_REMOVE = Constant(delete(intakes).where(_IS_THE_INTAKE))
_REMOVE_IN_STATE = Constant(delete(intakes).where(_IS_THE_INTAKE, intakes.c.under_review == bindparam("state")))


class SqlIntakes:
    """``gateway.applications.ports.IntakeRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, intake_id: str, holder_digest: str, expires_at: datetime, body: dict[str, Any]) -> None:
        columns = {"intake_id": intake_id, "holder_digest": holder_digest, "expires_at": expires_at, "body": body}
        self._statements.write(_ADD_INTAKE, [{**self._statements.sealed(intakes, columns), "under_review": False}])

    def find(self, intake_id: str, holder_digest: str, at: datetime) -> dict[str, Any] | None:
        return self._body(_OWN_INTAKE, own=intake_id, holder=holder_digest, now=at)

    def find_under_review(self, intake_id: str, at: datetime) -> dict[str, Any] | None:
        return self._body(_UNDER_REVIEW, own=intake_id, now=at)

    def _body(self, query: Constant, **asked: Any) -> dict[str, Any] | None:
        found = self._statements.ask(query, **asked)
        body: dict[str, Any] | None = self._statements.opened(intakes, found[0])["body"] if found else None
        return body

    def put_under_review(self, intake_id: str, expires_at: datetime, body: dict[str, Any]) -> bool:
        not_yet = (intakes.c.intake_id == intake_id) & intakes.c.under_review.is_(False)
        values = {"under_review": True, "expires_at": expires_at, "body": body}
        sealed = self._statements.sealed(intakes, values, intake_id=intake_id)
        return self._statements.execute(update(intakes).where(not_yet).values(**sealed)).rowcount == 1

    def remove(self, intake_id: str, *, under_review: bool | None = None) -> bool:
        if under_review is None:
            return self._statements.do(_REMOVE, {"own": intake_id}) == 1
        return self._statements.do(_REMOVE_IN_STATE, {"own": intake_id, "state": under_review}) == 1

    def open_of(self, holder_digest: str, at: datetime) -> int:
        (found,) = self._statements.ask(_OPEN, holder=holder_digest, now=at)
        return int(found.open)

    def expired(self, at: datetime, limit: int) -> Sequence[tuple[str, str]]:
        rows = self._statements.execute(
            select(intakes).where(intakes.c.expires_at <= at).order_by(intakes.c.expires_at).limit(limit)
        )
        return [(row.intake_id, row.holder_digest) for row in rows]


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
        "demand": {**application.demand.__dict__},
        "derivation": {**application.derivation.__dict__},
        "documents": [_stored(document) for document in application.documents],
        **_of_lifecycle(application.lifecycle),
    }


def _stored(document: ApplicationDocument) -> dict[str, Any]:
    return {**document.__dict__}


def _of_lifecycle(lifecycle: Lifecycle) -> dict[str, Any]:
    return {
        "lifecycle": lifecycles.to_json(lifecycle),
        "status": lifecycle.status.value,
        "closed_at": lifecycle.closed_at,
    }


def application_of(statements: Statements, found: KnownRow) -> GridConnectionApplication:
    """What a row of ``applications`` says. Raises ``StoredDataUnreadable``."""
    row = statements.opened(applications, found)
    demand, derivation = row["demand"], row["derivation"]
    return GridConnectionApplication(
        application_id=row["application_id"],
        intake=IntakeKind(row["intake"]),
        utility=row["utility"],
        applicant_kind=ApplicantKind(row["applicant_kind"]),
        holder_digest=row["holder_digest"],
        demand=Demand(**{**demand, "area": Area(demand["area"])}),
        derivation=ClassDerivation(
            CustomerClass(derivation["customer_class"]), derivation["clause"], derivation["reason"]
        ),
        received_at=row["received_at"],
        lifecycle=lifecycles.from_json(row["lifecycle"]),
        documents=tuple(
            ApplicationDocument(
                **{
                    **stored,
                    "verdict": Verdict(stored["verdict"]) if stored["verdict"] else None,
                    "as_of": datetime.fromisoformat(stored["as_of"]) if stored["as_of"] else None,
                    "expires_on": date.fromisoformat(stored["expires_on"]) if stored.get("expires_on") else None,
                }
            )
            for stored in row["documents"]
        ),
    )
