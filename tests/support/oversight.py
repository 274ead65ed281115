"""Applications with a past: received, taken through their stages with so many working days each, closed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import ApplicationDocument, Demand, GridConnectionApplication, IntakeKind
from gateway.applications.stages import stages_of
from gateway.applications.working_days import WorkingCalendar
from gateway.certificates.verdicts import Verdict
from gateway.clock import date_in_china
from schemas.identity import ApplicantKind
from tests.support.approvals import A_PARTY, an_application
from tests.support.storage import NOON

CALENDAR = WorkingCalendar()
LATE = timedelta(days=3)
"""Longer than a time may be claimed back."""


def working_days_later(at: datetime, days: int) -> datetime:
    """The same time of day, so many working days on."""
    on = date_in_china(at)
    return at + (CALENDAR.add_working_days(on, days).due_on - on)


def lifecycle_of(
    customer_class: CustomerClass, received_at: datetime, days: Sequence[int], *, late: bool = False
) -> Lifecycle:
    """Each stage follows the one before at once and takes ``days`` of its own; ``late`` tells the last one too late."""
    lifecycle, at = Lifecycle(customer_class, received_at), received_at
    for number, (stage, took) in enumerate(zip(stages_of(customer_class), days, strict=False), 1):
        lifecycle = apply(lifecycle, StageEvent(StageAction.STARTED, at, stage), at)
        at = working_days_later(at, took)
        heard_at = at + LATE if late and number == len(days) else at
        lifecycle = apply(lifecycle, StageEvent(StageAction.COMPLETED, at, stage), heard_at)
    return lifecycle


def withdrawn(lifecycle: Lifecycle, at: datetime) -> Lifecycle:
    return apply(lifecycle, StageEvent(StageAction.WITHDRAWN, at), at)


def document(name: str, source: str | None) -> ApplicationDocument:
    return ApplicationDocument(name, name, Verdict.VALID if source else None, source, NOON, None, None)


def application(
    name: str,
    customer_class: CustomerClass = CustomerClass.LV_ORDINARY,
    days: Sequence[int] = (1, 2, 1),
    *,
    received_at: datetime = NOON,
    region: str = "440106",
    late: bool = False,
    **more: Any,
) -> GridConnectionApplication:
    """Completed where ``days`` names every stage, else open."""
    home = customer_class is CustomerClass.RESIDENTIAL
    made = an_application(
        name,
        intake=IntakeKind.FACE_VERIFIED if home else IntakeKind.ONE_CERTIFICATE,
        applicant_kind=ApplicantKind.RESIDENT if home else ApplicantKind.ENTERPRISE,
        demand=Demand(region, 10_000 if customer_class.is_high_voltage else 380, 80.0, 1, Area.URBAN, "生产"),
        derivation=ClassDerivation(customer_class, "附件2", "说明"),
        received_at=received_at,
        lifecycle=lifecycle_of(customer_class, received_at, days, late=late),
        documents=(document("business_licence", "gd"), document("property_certificate", "gd"), document("x", None)),
    )
    return replace(made, **more)


def added(*applications: GridConnectionApplication) -> Callable[[Any], None]:
    """Work that adds them."""

    def add(tx: Any) -> None:
        for each in applications:
            tx.applications.add(each, A_PARTY)

    return add
