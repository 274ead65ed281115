"""Is the holder of one document the one that another names? Decided by two tables, and by nothing else.

A code says who it is, a name only how they are called: so codes contradict, names never do by themselves, and equal
names never make up for codes that cannot be compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.applications.reconciliation.finding import Judgement, Outcome
from gateway.applications.reconciliation.normal_forms import CodeRelation, name_form, relate_codes

EQUAL, FORMER_NAME, HISTORIC_NUMBER, CO_OWNER = "equal", "former_name", "historic_number", "co_owner"


@dataclass(frozen=True, slots=True)
class Named:
    """A holder as one document names them. ``former`` are names that the document itself says they had (曾用名)."""

    name: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    former: tuple[str, ...] = field(default=(), repr=False)


_BY_CODE_AND_NAME = {
    (CodeRelation.EQUAL, "equal"): Judgement(Outcome.CONSISTENT, EQUAL),
    (CodeRelation.EQUAL, "former"): Judgement(Outcome.CONSISTENT, FORMER_NAME, (FORMER_NAME,)),
    (CodeRelation.EQUAL, "different"): Judgement(Outcome.UNSURE, "name_differs"),
    (CodeRelation.HISTORIC, "equal"): Judgement(Outcome.CONSISTENT, HISTORIC_NUMBER, (HISTORIC_NUMBER,)),
    (CodeRelation.HISTORIC, "former"): Judgement(Outcome.CONSISTENT, FORMER_NAME, (FORMER_NAME, HISTORIC_NUMBER)),
    (CodeRelation.HISTORIC, "different"): Judgement(Outcome.UNSURE, "name_differs"),
    (CodeRelation.INCOMPARABLE, "equal"): Judgement(Outcome.UNSURE, "number_not_comparable"),
    (CodeRelation.INCOMPARABLE, "former"): Judgement(Outcome.UNSURE, "number_not_comparable"),
    (CodeRelation.INCOMPARABLE, "different"): Judgement(Outcome.UNSURE, "holder_not_identified"),
    (CodeRelation.DIFFERENT, "equal"): Judgement(Outcome.CONTRADICTION, "other_holder"),
    (CodeRelation.DIFFERENT, "former"): Judgement(Outcome.CONTRADICTION, "other_holder"),
    (CodeRelation.DIFFERENT, "different"): Judgement(Outcome.CONTRADICTION, "other_holder"),
}
_BY_NAME_ALONE = {
    "equal": Judgement(Outcome.UNSURE, "number_missing"),
    "former": Judgement(Outcome.UNSURE, "number_missing"),
    "different": Judgement(Outcome.UNSURE, "holder_not_identified"),
}
"""Where one document gives no number at all."""
SEVERITY = (Outcome.CONSISTENT, Outcome.NOT_COMPARED, Outcome.UNSURE, Outcome.CONTRADICTION)


def relate_names(one: Named, other: Named) -> str:
    """``equal``, ``former`` (one is a former name that the other's own document states) or ``different``."""
    if not name_form(one.name) or not name_form(other.name):
        return "different"
    if name_form(one.name) == name_form(other.name):
        return "equal"
    stated = name_form(other.name) in map(name_form, one.former) or name_form(one.name) in map(name_form, other.former)
    return "former" if stated else "different"


def relate(one: Named, other: Named) -> Judgement:
    """Whether both are one and the same; the same either way round."""
    names = relate_names(one, other)
    if not (one.code and other.code):
        return _BY_NAME_ALONE[names]
    return _BY_CODE_AND_NAME[relate_codes(one.code, other.code), names]


def find_among(holder: Named, owners: Iterable[Named]) -> Judgement:
    """Whether ``holder`` is one of ``owners``: the best that any of them comes to. Nobody at all is *unsure*."""
    found = [relate(holder, owner) for owner in owners]
    if not found:
        return Judgement(Outcome.UNSURE, "owners_unreadable")
    best = min(found, key=lambda each: SEVERITY.index(each.outcome))
    if best.outcome is Outcome.CONSISTENT and len(found) > 1:
        return Judgement(best.outcome, best.reason, (*best.notes, CO_OWNER))
    return best


def worse(one: Judgement, other: Judgement) -> Judgement:
    """The more severe of two; where both are consistent, the reason that says more, with the notes of both."""
    if SEVERITY.index(other.outcome) > SEVERITY.index(one.outcome):
        return other
    if one.outcome is other.outcome is Outcome.CONSISTENT:
        reason = other.reason if one.reason == EQUAL else one.reason
        return Judgement(one.outcome, reason, tuple(dict.fromkeys(one.notes + other.notes)))
    return one
