"""证照一致性 of an intake: the facts that are compared, and the findings as they are shown and kept. Pure."""

from collections.abc import Mapping, Sequence
from itertools import product

from gateway.applications.found_documents import FoundDocument
from gateway.applications.model import Party
from gateway.applications.reconciliation.facts import AgentAuthority, Facts
from gateway.applications.reconciliation.finding import ChosenFinding, Finding, Outcome
from gateway.applications.reconciliation.reconcile import reconcile_choices
from gateway.applications.reconciliation.relations import Named
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.verdicts import Verdict
from schemas.applicant_api import ConsistencyView
from schemas.identity import ActingRole

Candidates = Mapping[str, Mapping[str, ECertificateClaims]]
"""Claims of the valid certificates, by document and choice."""


def facts_of(
    party: Party,
    region: str,
    expected: frozenset[str],
    authority: AgentAuthority | None,
    certificates: Mapping[str, ECertificateClaims] | None = None,
) -> Facts:
    """What is compared for ``party``; ``expected`` are the documents that the stage allows to be asked for."""
    return Facts(
        applicant_kind=party.applicant_kind,
        holder=Named(party.name, party.code),
        person=Named(party.person_name, party.person_code),
        role=ActingRole(party.role) if party.role in set(ActingRole) else None,
        region=region,
        expected=expected,
        certificates=certificates or {},
        address=party.address,
        authority=authority,
    )


def candidates_of(documents: Sequence[FoundDocument]) -> Candidates:
    """The certificates among ``documents`` that stand."""
    return {
        found.row.document.value: {
            candidate.choice: candidate.claims
            for candidate in found.candidates
            if candidate.verdict is Verdict.VALID and candidate.claims is not None
        }
        for found in documents
    }


def consistency_of(
    party: Party, region: str, documents: Sequence[FoundDocument], authority: AgentAuthority | None
) -> tuple[ChosenFinding, ...]:
    """Every comparison, for each choice among the certificates that were found."""
    expected = frozenset(found.row.document.value for found in documents)
    return reconcile_choices(facts_of(party, region, expected, authority), candidates_of(documents))


def passable(candidates: Candidates, findings: Sequence[ChosenFinding]) -> bool:
    """Whether some choice among the certificates contradicts nothing."""
    documents = [document for document, choices in candidates.items() if choices]
    against: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for each in findings:
        if each.finding.outcome is Outcome.CONTRADICTION:
            named = tuple(sorted(each.choices))
            against.setdefault(named, set()).add(tuple(each.choices[document] for document in named))
    for choices in product(*(candidates[document] for document in documents)):
        chosen = dict(zip(documents, choices, strict=True))
        if not any(tuple(chosen.get(each) for each in named) in refused for named, refused in against.items()):
            return True
    return False


def consistency_view(finding: Finding, choices: Mapping[str, str] | None = None) -> ConsistencyView:
    """One finding on the wire."""
    return ConsistencyView(
        comparison=finding.comparison,
        title=finding.title,
        outcome=finding.outcome.value,
        reason=finding.reason,
        says=finding.says,
        documents=[side.value for side in finding.sides],
        choices=dict(choices or {}),
        clause=finding.clause,
        next_step=finding.remedy,
        notes=list(finding.notes),
    )


def summaries(findings: Sequence[ChosenFinding]) -> list[str]:
    """For the record: ``holder:unsure:name_differs``, each once."""
    told = (f"{each.finding.comparison}:{each.finding.outcome}:{each.finding.reason}" for each in findings)
    return list(dict.fromkeys(told))
