"""What a review rests on, read anew: the certificates that the applicant confirmed, as they stand now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.applications.agent_authority import AgentAuthorities
from gateway.applications.consistency import facts_of
from gateway.applications.first_stage import documents_of_first_stage
from gateway.applications.found_documents import Candidate, DocumentState, FoundDocument
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.stored_intake import StoredIntake
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from schemas.applicant_api import Confirmation


@dataclass(frozen=True)
class Reread:
    """``facts`` with every confirmed certificate that still stands; slugs of those that do not, or cannot be known."""

    facts: Facts
    gone: tuple[str, ...]
    unknown: tuple[str, ...]


class ReviewReader:
    """Fetches and verifies as an intake does: a fresh copy at hand spares the source, nothing spares the judgement."""

    def __init__(self, certificates: CertificateService, authorities: AgentAuthorities) -> None:
        self._certificates = certificates
        self._authorities = authorities

    async def read(self, stored: StoredIntake, at: datetime) -> Reread:
        """What the confirmation of ``stored`` rests on, as of the aware instant ``at``."""
        confirmation = Confirmation.model_validate(stored.confirmation)
        found = await documents_of_first_stage(
            self._certificates, stored.party, stored.demand.region, stored.derivation.customer_class, at
        )
        authority = await self._authorities.judge(stored.authorisation, at)
        expected = frozenset(document.document for document in stored.documents)
        standing, gone, unknown = _confirmed(stored, confirmation, found)
        facts = facts_of(stored.party, stored.demand.region, expected, authority)
        return Reread(replace(facts, certificates=standing), gone, unknown)


def _confirmed(
    stored: StoredIntake, confirmation: Confirmation, found: Sequence[FoundDocument]
) -> tuple[Mapping[str, ECertificateClaims], tuple[str, ...], tuple[str, ...]]:
    by_slug = {each.row.document.value: each for each in found}
    standing: dict[str, ECertificateClaims] = {}
    gone, unknown = [], []
    chosen = stored.chosen(confirmation)
    for document in stored.documents:
        if document.document not in chosen:
            continue
        now = by_slug.get(document.document)
        same = _same(now, document.valid[chosen[document.document]]) if now else None
        if same is not None and same.claims is not None:
            standing[document.document] = same.claims
        elif same is not None and same.verdict is Verdict.INVALID:
            gone.append(document.document)
        elif same is not None or (now is not None and now.state is DocumentState.UNAVAILABLE):
            unknown.append(document.document)
        else:
            gone.append(document.document)
    return standing, tuple(gone), tuple(unknown)


def _same(found: FoundDocument, kept: Mapping[str, str | None]) -> Candidate | None:
    """The confirmed certificate: the same bytes, or the same 电子证照标识 with its version, sealed anew."""
    for candidate in found.candidates:
        if candidate.content_digest == kept["content_digest"]:
            return candidate
    for candidate in found.candidates:
        if candidate.identifier_digest is not None and candidate.identifier_digest == kept["identifier_digest"]:
            return candidate
    return None
