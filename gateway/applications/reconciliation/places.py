"""Do two documents speak of one place? Decided by the normal forms of addresses and one table.

The table: the same county and the same words – consistent. Neither place lies in the other, and the words differ too –
another place. Everything else is for a person to look at, also where only the county differs: boundaries change, and an
older document keeps the older name. So is a document whose text names another county than the document is about.
"""

from gateway.applications.reconciliation.finding import Judgement, Outcome
from gateway.applications.reconciliation.normal_forms import address_form, places_apart

UNSURE_REMEDIES = {
    "address_missing": "一方未载明地址：确认后由工作人员核查",
    "county_differs": "地址相同而所属区县写法不同（区划可能已调整）：确认后由工作人员核查",
    "address_less_exact": "一方的地址较为简略：确认后由工作人员核查；可改为与证照完全一致的写法后重新发起",
    "address_differs": "地址写法不同：确认后由工作人员核查；可改为与证照完全一致的写法后重新发起",
}


def relate_places(one: tuple[str, str | None], other: tuple[str, str | None]) -> Judgement:
    """Whether two (text, region of its document) are one place; the same either way round."""
    first, second = address_form(*one), address_form(*other)
    if not (first.known and second.known):
        return Judgement(Outcome.UNSURE, "address_missing")
    if places_apart(first.place, second.place):
        if first.rest == second.rest:
            return Judgement(Outcome.UNSURE, "county_differs")
        return Judgement(Outcome.CONTRADICTION, "other_place")
    if first.rest == second.rest and first.place is not None and first.place == second.place:
        if any(places_apart(first.place, region and region[:6]) for _, region in (one, other)):
            return Judgement(Outcome.UNSURE, "county_differs")
        return Judgement(Outcome.CONSISTENT, "equal")
    if first.rest.startswith(second.rest) or second.rest.startswith(first.rest):
        return Judgement(Outcome.UNSURE, "address_less_exact")
    return Judgement(Outcome.UNSURE, "address_differs")
