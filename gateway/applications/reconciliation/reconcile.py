"""``reconcile``: every comparison of one application; and the same for each choice among several certificates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from gateway.applications.reconciliation.comparison import Comparison
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ChosenFinding, ComparedValue, Finding
from gateway.applications.reconciliation.registry import discovered
from gateway.certificates.claims import ECertificateClaims


def reconcile(facts: Facts, comparisons: Sequence[Comparison] | None = None) -> tuple[Finding, ...]:
    """Every comparison that concerns ``facts``, in the order of their files. Pure, and raises for no text whatever."""
    known = discovered() if comparisons is None else comparisons
    return tuple(each.find(facts) for each in known if each.concerns(facts))


def compared_values(facts: Facts, slug: str) -> tuple[ComparedValue, ...]:
    """What the comparison ``slug`` compares of ``facts``, for an officer; nothing where a certificate is missing."""
    for each in discovered():
        if each.slug == slug and each.concerns(facts) and each.certificates(facts) <= facts.certificates.keys():
            return each.shown(facts)
    return ()


def reconcile_choices(
    facts: Facts, candidates: Mapping[str, Mapping[str, ECertificateClaims]]
) -> tuple[ChosenFinding, ...]:
    """``reconcile`` for each combination of ``candidates`` (document → choice → claims) that a comparison looks at.

    ``facts`` says all but the certificates. A comparison looks at two kinds at most, and a source answers with fifty
    certificates of a kind at most, so the work is bounded.
    """
    found: list[ChosenFinding] = []
    for comparison in discovered():
        if not comparison.concerns(facts):
            continue
        needed = [document for document in sorted(comparison.certificates(facts)) if candidates.get(document)]
        for choices in product(*(candidates[document] for document in needed)):
            chosen = dict(zip(needed, choices, strict=True))
            claims = {document: candidates[document][choice] for document, choice in chosen.items()}
            found.append(ChosenFinding(comparison.find(replace(facts, certificates=claims)), chosen))
    return tuple(found)
