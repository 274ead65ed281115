"""The 用电地址 that the applicant wrote against the property's location (坐落). Who wrote none is not asked."""

from gateway.applications.reconciliation.comparison import Comparison
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Outcome, Side
from gateway.applications.reconciliation.places import UNSURE_REMEDIES, relate_places


def _judge(facts: Facts) -> Judgement:
    right = facts.property_right
    if right is None:
        return Judgement(Outcome.UNSURE, "address_missing")
    return relate_places((facts.address or "", facts.region), (right.location, right.property_unit_code[:6]))


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    right = facts.property_right
    if right is None:
        return ()
    return (
        ComparedValue(Side.ADDRESS, "用电地址", facts.address or ""),
        ComparedValue(Side.PROPERTY, "坐落", right.location),
    )


COMPARISON = Comparison(
    slug="address",
    title="用电地址与不动产坐落",
    clause="第（六）条",
    sides=lambda _: (Side.ADDRESS, Side.PROPERTY),
    certificates=lambda _: frozenset({"property_certificate"}),
    asked=lambda facts: facts.address is not None,
    judge=_judge,
    shown=_shown,
    remedies={
        **UNSURE_REMEDIES,
        "other_place": "用电地址不在该不动产所在地：请改正用电地址，或选择该地址的不动产后重新发起",
    },
)
