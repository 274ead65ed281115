"""Applications with a past: received, taken through their stages with so many working days each, closed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import Any

from gateway.applications.customer_classes import Area, ClassDerivation, CustomerClass
from gateway.applications.lifecycle import Lifecycle, StageAction, StageEvent, apply
from gateway.applications.model import ApplicationDocument, Demand, GridConnectionApplication, IntakeKind
from gateway.applications.rule_book import published_rules
from gateway.applications.stages import stages_of
from gateway.approvals.joint_review import JointReview, Outcome, Permit, record_outcome
from gateway.approvals.ports import KeptReview
from gateway.certificates.verdicts import Verdict
from gateway.clock import date_in_china
from schemas.departments import ConnectionLine, OutcomeKind, ReviewMode
from schemas.identity import ApplicantKind
from tests.support.approvals import A_PARTY, LINE, an_application
from tests.support.storage import NOON

RULES = published_rules()
LATE = timedelta(days=3)
"""Longer than a time may be claimed back."""


def working_days_later(at: datetime, days: int) -> datetime:
    """The same time of day, so many working days on."""
    on = date_in_china(at)
    return at + (RULES.calendar.add_working_days(on, days).due_on - on)


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


PLACES = ("440106", "440103", "440306", "440604", "441900")
PERMITS = (("planning", "construction_planning"), ("road", "road_occupation"), ("greenery", "tree_felling"))
USUAL: dict[CustomerClass, tuple[int, ...]] = {
    CustomerClass.RESIDENTIAL: (1, 2),
    CustomerClass.LV_ZERO: (2, 9),
    CustomerClass.LV_ORDINARY: (1, 2, 2),
    CustomerClass.HV_SINGLE: (1, 8, 3, 2, 2, 3),
    CustomerClass.HV_DUAL: (1, 17, 3, 2, 3, 3),
}
MANY = {
    CustomerClass.RESIDENTIAL: 14,
    CustomerClass.LV_ZERO: 9,
    CustomerClass.LV_ORDINARY: 7,
    CustomerClass.HV_SINGLE: 6,
    CustomerClass.HV_DUAL: 2,
}


def a_population(received_at: datetime, chance: Random) -> tuple[list[GridConnectionApplication], list[KeptReview]]:
    """Applications of every class in several cities, some over their limits, and the permits of the larger ones."""
    made: list[GridConnectionApplication] = []
    reviews: list[KeptReview] = []
    for number, (region, customer_class) in enumerate(product(PLACES, CustomerClass)):
        for each in range(max(1, MANY[customer_class] - number % 5)):
            name = f"app_{received_at:%m}_{number}_{each}"
            days = [max(0, usual + chance.choice((-1, 0, 0, 0, 1, 3))) for usual in USUAL[customer_class]]
            at = received_at + timedelta(days=chance.randrange(20), hours=chance.randrange(8))
            cut = len(days) if chance.random() < 0.85 else 1
            more: dict[str, Any] = {"region": region, "late": chance.random() < 0.05 and cut == len(days)}
            made.append(application(name, customer_class, days[:cut], received_at=at, **more))
            if customer_class.is_high_voltage:
                reviews.append(a_joint_review(made[-1], [chance.randrange(1, 8) for _ in PERMITS]))
    return made, reviews


def a_joint_review(of: GridConnectionApplication, took: Sequence[int]) -> KeptReview:
    """Every department asked on the day of receipt, and each decided after so many working days."""
    city, name = of.region[:4] + "00", of.application_id
    review = JointReview(
        f"rev_{name}",
        of.received_at,
        date_in_china(of.received_at),
        of.region,
        10_000,
        tuple(
            Permit(f"prm_{name}_{code}", f"{code}-{city}", permit, ReviewMode.FULL, of.received_at)
            for code, permit in PERMITS
        ),
    )
    for permit, days in zip(review.permits, took, strict=True):
        at = working_days_later(of.received_at, days)
        outcome = Outcome(f"out_{permit.permit_id}", permit.permit_id, 1, OutcomeKind.APPROVED, at)
        review = record_outcome(review, outcome, at)
    return KeptReview(name, of.utility, ConnectionLine.model_validate(LINE), "rec", review)
