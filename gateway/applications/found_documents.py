"""What sources hold for an applicant: every document that the first stage allows, fetched, verified, and told plainly.

A certificate that cannot be fetched or verified leads to a next step for the applicant – never to silence, and never
to a false pass.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gateway.applications.model import HOLDER_TYPES, Party
from gateway.applications.next_steps import (
    CHOOSE_ONE,
    step_when_missing,
    step_when_refused,
    step_when_source_fails,
    step_when_undecided,
)
from gateway.applications.personal_codes import readable_fields
from gateway.applications.requirements import IDENTITY_DOCUMENTS, RequirementRow
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.errors import NoECertificate
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.kind import CertificateKind
from gateway.certificates.named_persons import NOBODY, OthersNamed, others_named
from gateway.certificates.ports import UsePurpose
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation, Verification
from gateway.errors import Denied, Indeterminate, NotFound, PartnerUnavailable
from schemas.identifiers import ECertificateIdentifier, former_resident_identity_number
from schemas.identity import ApplicantKind
from schemas.partner_api import FailedCheck

NOTES = {
    "holder.several": "该证照为共有，除您之外还有其他权利人；本次用电申请以您的名义办理",
    "holder.name_differs": "证照所载名称与核验的姓名（名称）写法不同，请核对",
}
"""Findings that an applicant can make something of; the others are for those who read records."""


CHOICE_DIGITS = 16
"""Of an envelope's digest: what a certificate is chosen by."""


class DocumentState(StrEnum):
    """What was found of a document."""

    FOUND = "found"
    CHOOSE = "choose"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Candidate:
    """One certificate that may stand for the document. ``summary`` is the applicant's own data, for their eyes.

    ``others`` are whom else it names.

    ``claims`` are there only when the verdict is valid, and only while it is looked at: they are never stored.
    """

    choice: str
    verdict: Verdict
    summary: dict[str, str]
    issuing_authority: str | None
    source: str | None
    as_of: datetime | None
    identifier_digest: str | None
    series_digest: str | None
    version: str | None
    content_digest: str
    failed_check: FailedCheck | None
    notes: tuple[str, ...] = ()
    claims: ECertificateClaims | None = field(default=None, repr=False)
    expires_on: date | None = None
    facts_digest: str | None = None
    verification: Verification | None = field(default=None, repr=False)
    others: OthersNamed = NOBODY


@dataclass(frozen=True)
class FoundDocument:
    """One document of the table, and what sources hold of it."""

    row: RequirementRow
    state: DocumentState
    candidates: tuple[Candidate, ...] = ()
    next_step: str | None = None

    @property
    def declarable(self) -> bool:
        """Whether the applicant's own upload may stand in for it (容缺): only for what could not be fetched."""
        missing = self.state in (DocumentState.NOT_FOUND, DocumentState.UNAVAILABLE)
        return missing and self.row.document not in IDENTITY_DOCUMENTS


@dataclass(frozen=True)
class Search:
    """For whom, where and why documents are looked for; ``holder_code`` and name are the applicant's.

    ``own_codes`` are the personal codes that may be shown in full: the holder's, and that of the person who acts.
    """

    applicant_kind: ApplicantKind
    holder_code: str = field(repr=False)
    holder_name: str = field(repr=False)
    region: str
    purpose: UsePurpose
    at: datetime
    own_codes: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def for_party(cls, party: Party, region: str, purpose: UsePurpose, at: datetime) -> "Search":
        """For an applicant and whoever acts for them; their numbers of 15 digits count as their own too."""
        codes = (party.code, party.person_code)
        former = (former_resident_identity_number(code) for code in codes)
        own = frozenset(code for code in (*codes, *former) if code is not None)
        return cls(party.applicant_kind, party.code, party.name, region, purpose, at, own)


async def find_documents(
    certificates: CertificateService, rows: tuple[RequirementRow, ...], search: Search
) -> list[FoundDocument]:
    """All of ``rows`` at once. Nothing a source does is raised: it is told as the document's state."""
    return list(await asyncio.gather(*(_find(certificates, row, search) for row in rows)))


async def _find(certificates: CertificateService, row: RequirementRow, search: Search) -> FoundDocument:
    try:
        obtained = await certificates.obtain(
            row.document.value,
            HolderExpectation(search.holder_code, search.holder_name),
            holder_type=HOLDER_TYPES[search.applicant_kind],
            region=search.region,
            purpose=search.purpose,
            at=search.at,
        )
    except NoECertificate:
        return FoundDocument(row, DocumentState.NOT_FOUND, next_step=step_when_missing(row.document))
    except (PartnerUnavailable, Indeterminate, Denied, NotFound) as error:
        return FoundDocument(row, DocumentState.UNAVAILABLE, next_step=step_when_source_fails(row.document, error))
    kind = certificates.kinds.get(row.document.value)
    here = [each for each in obtained.verifications if kind.lies_in(each.claims, search.region)]
    return _judge(row, kind, here, search, certificates.identifier_digests)


def _judge(
    row: RequirementRow,
    kind: CertificateKind,
    found: list[Verification],
    search: Search,
    digests: IdentifierDigests,
) -> FoundDocument:
    """A valid one stands; else one that may yet prove good leaves it open, and only then is it refused."""
    candidates = tuple(_candidate(kind, each, search, digests) for each in found)
    by_verdict = {verdict: [each for each in found if each.verdict is verdict] for verdict in Verdict}
    if len(by_verdict[Verdict.VALID]) == 1:
        return FoundDocument(row, DocumentState.FOUND, candidates)
    if by_verdict[Verdict.VALID]:
        return FoundDocument(row, DocumentState.CHOOSE, candidates, CHOOSE_ONE)
    for undecided in by_verdict[Verdict.INDETERMINATE]:
        return FoundDocument(row, DocumentState.UNAVAILABLE, candidates, step_when_undecided(row.document, undecided))
    for refused in by_verdict[Verdict.INVALID]:
        return FoundDocument(row, DocumentState.REFUSED, candidates, step_when_refused(row.document, refused))
    return FoundDocument(row, DocumentState.NOT_FOUND, next_step=step_when_missing(row.document))


def _candidate(
    kind: CertificateKind, verification: Verification, search: Search, digests: IdentifierDigests
) -> Candidate:
    failed, provenance = verification.failed_check, verification.provenance
    identifier = ECertificateIdentifier.parse(verification.identifier) if verification.identifier else None
    return Candidate(
        choice=verification.envelope_digest[:CHOICE_DIGITS],
        verdict=verification.verdict,
        summary=readable_fields(kind, verification.claims, search.own_codes),
        issuing_authority=verification.issuing_authority,
        source=provenance.source if provenance else None,
        as_of=provenance.fetched_at if provenance else None,
        identifier_digest=digests.of(identifier) if identifier else None,
        series_digest=digests.series(identifier) if identifier else None,
        version=identifier.version if identifier else None,
        content_digest=verification.envelope_digest,
        failed_check=(
            FailedCheck(check=failed.check or failed.name, owner=failed.owner or "", remedy=failed.remedy, clause=None)
            if failed
            else None
        ),
        notes=tuple(NOTES[finding] for finding in verification.findings if finding in NOTES),
        claims=verification.claims,
        expires_on=verification.expires_on,
        facts_digest=digests.facts(verification.claims) if verification.claims else None,
        verification=verification,
        others=others_named(kind, verification.claims, search.holder_code, digests.keyed),
    )
