"""What sources hold for an applicant: every document that the first stage allows, fetched, verified, and told plainly.

A certificate that cannot be fetched or verified leads to a next step for the applicant – never to silence, and never
to a false pass.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.applications.requirements import Document, RequirementRow
from gateway.certificates.kind import CertificateKind
from gateway.certificates.ports import UsePurpose
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation, Verification
from gateway.errors import Denied, Indeterminate, NotFound, PartnerUnavailable
from gateway.records.entries import digest
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT
from schemas.identity import ApplicantKind
from schemas.partner_api import FailedCheck

IDENTITY_DOCUMENTS = (Document.RESIDENT_ID, Document.BUSINESS_LICENCE)
"""Whose application it is rests on these: they must be verified, and no upload stands in for them."""


class DocumentState(StrEnum):
    """What was found of a document."""

    FOUND = "found"
    CHOOSE = "choose"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Candidate:
    """One certificate that may stand for the document. ``summary`` is the applicant's own data, for their eyes."""

    choice: str
    verdict: Verdict
    summary: dict[str, str]
    issuing_authority: str | None
    source: str | None
    as_of: datetime | None
    identifier_digest: str | None
    content_digest: str
    failed_check: FailedCheck | None


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

    def usable(self, choice: str | None) -> Candidate | None:
        """The valid certificate that stands for the document; ``choice`` tells which of several."""
        valid = [candidate for candidate in self.candidates if candidate.verdict is Verdict.VALID]
        if choice is None:
            return valid[0] if len(valid) == 1 else None
        return next((candidate for candidate in valid if candidate.choice == choice), None)


@dataclass(frozen=True)
class Search:
    """For whom, where and why documents are looked for; ``holder_code`` and name are the applicant's."""

    applicant_kind: ApplicantKind
    holder_code: str
    holder_name: str
    region: str
    purpose: UsePurpose
    at: datetime


async def find_documents(
    certificates: CertificateService, rows: tuple[RequirementRow, ...], search: Search
) -> list[FoundDocument]:
    """All of ``rows`` at once. Nothing a source does is raised: it is told as the document's state."""
    return list(await asyncio.gather(*(_find(certificates, row, search) for row in rows)))


async def _find(certificates: CertificateService, row: RequirementRow, search: Search) -> FoundDocument:
    resident = search.applicant_kind is ApplicantKind.RESIDENT
    try:
        obtained = await certificates.obtain(
            row.document.value,
            HolderExpectation(search.holder_code, search.holder_name),
            holder_type=HOLDER_IS_RESIDENT if resident else HOLDER_IS_ENTERPRISE,
            region=search.region,
            purpose=search.purpose,
            at=search.at,
        )
    except NotFound:
        return FoundDocument(row, DocumentState.NOT_FOUND, next_step=_step_when_missing(row))
    except (PartnerUnavailable, Indeterminate, Denied):
        return FoundDocument(row, DocumentState.UNAVAILABLE, next_step=_step_when_unavailable(row))
    kind = certificates.kinds.get(row.document.value)
    here = [each for each in obtained.verifications if _is_here(kind, each, search.region)]
    candidates = tuple(_candidate(kind, each) for each in here)
    return _judge(row, candidates)


def _judge(row: RequirementRow, candidates: tuple[Candidate, ...]) -> FoundDocument:
    verdicts = [candidate.verdict for candidate in candidates]
    valid = verdicts.count(Verdict.VALID)
    if valid == 1:
        return FoundDocument(row, DocumentState.FOUND, candidates)
    if valid:
        return FoundDocument(row, DocumentState.CHOOSE, candidates, "名下有多份，请选择本次用电所用的一份")
    if Verdict.INVALID in verdicts:
        failed = next(each.failed_check for each in candidates if each.verdict is Verdict.INVALID)
        return FoundDocument(row, DocumentState.REFUSED, candidates, failed.remedy if failed else None)
    if Verdict.INDETERMINATE in verdicts:
        return FoundDocument(row, DocumentState.UNAVAILABLE, candidates, _step_when_unavailable(row))
    return FoundDocument(row, DocumentState.NOT_FOUND, next_step=_step_when_missing(row))


def _is_here(kind: CertificateKind, verification: Verification, region: str) -> bool:
    """A certificate of a place counts where it lies in the county of the application; what has no place counts."""
    if kind.region_of is None or verification.claims is None:
        return True
    place = kind.region_of(verification.claims)
    return place is None or place[:6] == region[:6]


def _candidate(kind: CertificateKind, verification: Verification) -> Candidate:
    failed, provenance = verification.failed_check, verification.provenance
    return Candidate(
        choice=verification.envelope_digest[:16],
        verdict=verification.verdict,
        summary=_summary(kind, verification),
        issuing_authority=verification.issuing_authority,
        source=provenance.source if provenance else None,
        as_of=provenance.fetched_at if provenance else None,
        identifier_digest=digest(verification.identifier) if verification.identifier else None,
        content_digest=verification.envelope_digest,
        failed_check=(
            FailedCheck(check=failed.check or failed.name, owner=failed.owner or "", remedy=failed.remedy, clause=None)
            if failed
            else None
        ),
    )


def _summary(kind: CertificateKind, verification: Verification) -> dict[str, str]:
    """Every field that could ever be disclosed, by its Chinese title: the applicant sees all of their own."""
    claims = verification.claims
    if claims is None:
        return {}
    titled: Callable[[Any], str] = str
    values = {item.title: getattr(claims, item.name) for item in kind.fields}
    return {title: titled(value) for title, value in values.items() if value is not None}


def _step_when_missing(row: RequirementRow) -> str:
    if row.document in IDENTITY_DOCUMENTS:
        return f"未查到{row.document.chinese_title}，请向发证机关核实登记信息后再申请"
    return f"未查到{row.document.chinese_title}，可先声明并由供电企业核对原件（容缺受理），或向登记机关核实"


def _step_when_unavailable(row: RequirementRow) -> str:
    if row.document in IDENTITY_DOCUMENTS:
        return f"暂时无法核验{row.document.chinese_title}，请稍后再试；无需重新准备材料"
    return f"暂时无法核验{row.document.chinese_title}，可稍后再试，或先声明并由供电企业核对原件（容缺受理）"
