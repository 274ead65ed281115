"""A confirmed intake becomes an application: its documents, its authorisation, its event and its entries. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.applications.customer_classes import Area, CustomerClass
from gateway.applications.errors import AuthorisationPeriodUnsound, IntakeIncomplete
from gateway.applications.model import ApplicationDocument, GridConnectionApplication
from gateway.applications.requirements import Provider, allowed_documents
from gateway.applications.stages import stages_of
from gateway.applications.stored_intake import StoredDocument
from gateway.authorisations.model import Authorisation
from gateway.certificates.ports import UsePurpose
from gateway.delivery.ports import ChannelKind, EventDraft
from gateway.errors import Owner
from gateway.records.entries import Fact, RecordEntry, digest
from schemas.agent_authorisations import MATTER
from schemas.applicant_api import Confirmation
from schemas.events import ApplicationSubmitted, DocumentSummary, EventType
from schemas.events import Demand as DemandOnWire

PURPOSE = "grid_connection"
"""The one purpose that an application's authorisation covers: 用电报装."""
SITE_ADDRESS = "site_address"
"""Stands among an authorisation's kinds where the applicant wrote their 用电地址, which the utility may then see."""
SUBMITTED = "application.submitted"
AUTHORISED_FOR = timedelta(days=180)
AUTHORISED_AT_MOST = timedelta(days=366)


@dataclass(frozen=True)
class Submitted:
    """A durable application and its authorisation."""

    application: GridConnectionApplication
    authorisation: Authorisation
    record_id: str


def use_purpose(cause: str) -> UsePurpose:
    """用证事由, as every source is told it: for 用电报装, and at which step of it."""
    return UsePurpose(MATTER, PURPOSE, cause)


def settle_documents(
    documents: tuple[StoredDocument, ...], confirmation: Confirmation
) -> tuple[ApplicationDocument, ...]:
    declared = {each.document: each for each in confirmation.declared}
    settled: list[ApplicationDocument] = []
    missing: list[str] = []
    for document in documents:
        certificate = document.usable(confirmation.choices.get(document.document))
        if certificate is not None:
            settled.append(certificate)
        elif document.declarable and document.document in declared:
            settled.append(document.declared(declared[document.document].sha256))
        else:
            missing.append(document.document)
    if missing:
        raise IntakeIncomplete(
            check="intake.documents",
            owner=Owner.APPLICANT,
            remedy="请按各项材料的下一步提示办理，或选择所用的一份",
            clause="第（六）条",
            documents=tuple(missing),
        )
    return tuple(settled)


def authorise(
    application: GridConnectionApplication,
    authorisation_id: str,
    gateway_name: str,
    confirmation: Confirmation,
    now: datetime,
    *,
    with_address: bool = False,
) -> Authorisation:
    until = confirmation.authorised_until or now + AUTHORISED_FOR
    if until.tzinfo is None or not now < until <= now + AUTHORISED_AT_MOST:
        raise AuthorisationPeriodUnsound(
            check="authorisation.until", owner=Owner.APPLICANT, remedy="授权期限须晚于当前时间且不超过一年，并注明时区"
        )
    kinds = source_documents(application.customer_class, application)
    if with_address:
        kinds |= {SITE_ADDRESS}
    statement = grant_statement(gateway_name, application.application_id, application.utility, kinds, until)
    return Authorisation(
        authorisation_id=authorisation_id,
        application_id=application.application_id,
        utility=application.utility,
        kinds=kinds,
        purposes=frozenset({PURPOSE}),
        holder_digest=application.holder_digest,
        statement_digest=digest(statement),
        granted_at=now,
        until=until,
    )


def grant_statement(
    gateway_name: str, application_id: str, utility: str, kinds: Collection[str], until: datetime
) -> str:
    """The words that the applicant agrees to; their digest is recorded. They name no person."""
    return (
        f"本人同意{gateway_name}为办理用电报装（{application_id}）向{utility}提供："
        f"{'、'.join(sorted(kinds))}，至{until.isoformat()}止；可随时撤回。"
    )


def renewal_statement(
    gateway_name: str, application_id: str, utility: str, kinds: Collection[str], until: datetime
) -> str:
    """The same for a longer time."""
    return (
        f"本人同意将{gateway_name}为办理用电报装（{application_id}）向{utility}提供"
        f"{'、'.join(sorted(kinds))}的授权延至{until.isoformat()}；可随时撤回。"
    )


def source_documents(customer_class: CustomerClass, application: GridConnectionApplication) -> frozenset[str]:
    """Every kind that any stage of the class allows to be fetched: what the authorisation covers."""
    return frozenset(
        row.document.value
        for stage in stages_of(customer_class)
        for row in allowed_documents(customer_class, stage, application.received_on, application.applicant_kind)
        if row.provider is Provider.SOURCE
    )


def submitted_event(event_id: str, application: GridConnectionApplication, authorisation: Authorisation) -> EventDraft:
    demand = application.demand
    data = ApplicationSubmitted(
        application_id=application.application_id,
        intake=application.intake.value,
        customer_class=application.customer_class.value,
        class_clause=application.derivation.clause,
        received_at=application.received_at,
        demand=DemandOnWire(
            region=demand.region,
            voltage_v=demand.voltage_v,
            capacity_kw=demand.capacity_kw,
            source_count=demand.source_count,
            urban=demand.area is Area.URBAN,
            purpose=demand.purpose,
        ),
        authorisation_id=authorisation.authorisation_id,
        authorised_until=authorisation.until,
        documents=[
            DocumentSummary(
                kind=document.document,
                title=document.title,
                verdict=document.verdict.value if document.verdict else "self_declared",
                identifier_digest=document.identifier_digest,
                as_of=document.as_of,
                content_digest=document.content_digest,
            )
            for document in application.documents
        ],
        stages=[stage.value for stage in stages_of(application.customer_class)],
    )
    return EventDraft(
        event_id,
        application.utility,
        ChannelKind.WEBHOOK,
        EventType.APPLICATION_SUBMITTED,
        application.application_id,
        application.received_at,
        data.model_dump(mode="json"),
    )


def authorised_entry(authorisation: Authorisation, now: datetime) -> RecordEntry:
    return RecordEntry(
        "authorisation.granted",
        now,
        "applicant",
        authorisation.application_id,
        facts={
            "authorisation": authorisation.authorisation_id,
            "utility": authorisation.utility,
            "kinds": sorted(authorisation.kinds),
            "purposes": sorted(authorisation.purposes),
            "until": authorisation.until.isoformat(),
            "statement_sha256": authorisation.statement_digest,
        },
    )


def submitted_entry(application: GridConnectionApplication, intake_id: str, assertion: str | None) -> RecordEntry:
    facts: dict[str, Fact] = {
        "intake_id": intake_id,
        "intake": application.intake.value,
        "customer_class": application.customer_class.value,
        "clause": application.derivation.clause,
        "utility": application.utility,
        "region": application.region,
        "documents": [
            f"{document.document}:{document.verdict.value if document.verdict else 'self_declared'}"
            f":{document.content_digest or ''}"
            for document in application.documents
        ],
        "identity_sha256": digest(assertion) if assertion else None,
    }
    return RecordEntry(SUBMITTED, application.received_at, "applicant", application.application_id, facts=facts)
