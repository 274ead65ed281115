"""What is compared: the verified certificates of one application, who applies, and by whose authority."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.applications.reconciliation.normal_forms import listed
from gateway.applications.reconciliation.relations import Named
from gateway.applications.requirements import Document
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kinds.business_licence import BusinessLicenceClaims
from gateway.certificates.kinds.project_approval import ProjectApprovalClaims
from gateway.certificates.kinds.property_certificate import PropertyCertificateClaims
from gateway.certificates.verdicts import Verdict
from schemas.agent_authorisations import AgentAuthorisation
from schemas.identity import ActingRole, ApplicantKind

ClaimsT = TypeVar("ClaimsT", bound=ECertificateClaims)


@dataclass(frozen=True, slots=True)
class AgentAuthority:
    """An authorisation (授权委托书) whose signature was judged. ``content`` and ``signer`` are None unless readable.

    ``verdict`` is on signature, certificate chain, revocation and times; ``check`` names what failed.
    """

    verdict: Verdict
    check: str | None = None
    content: AgentAuthorisation | None = field(default=None, repr=False)
    signer: Named | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One application, one certificate of each kind at most: of several that may be chosen, one choice.

    ``certificates`` holds claims of verdict *valid* alone, by kind; ``expected`` are the kinds that the stage allows to
    be asked for. ``region`` is GB/T 2260, ``address`` the 用电地址 as the applicant wrote it, if they did.
    """

    applicant_kind: ApplicantKind
    holder: Named
    person: Named
    role: ActingRole | None
    region: str
    expected: frozenset[str]
    certificates: Mapping[str, ECertificateClaims] = field(repr=False)
    address: str | None = field(default=None, repr=False)
    authority: AgentAuthority | None = None

    @property
    def identity_document(self) -> str:
        """The kind that says who the applicant is."""
        resident = self.applicant_kind is ApplicantKind.RESIDENT
        return (Document.RESIDENT_ID if resident else Document.BUSINESS_LICENCE).value

    @property
    def certified_holder(self) -> Named | None:
        """The applicant as their identity document names them, with the former names that it states."""
        claims = self.certificates.get(self.identity_document)
        return None if claims is None else Named(claims.holder, claims.holder_code, former_names(claims))

    @property
    def licence(self) -> BusinessLicenceClaims | None:
        return self._of(Document.BUSINESS_LICENCE, BusinessLicenceClaims)

    @property
    def property_right(self) -> PropertyCertificateClaims | None:
        return self._of(Document.PROPERTY_CERTIFICATE, PropertyCertificateClaims)

    @property
    def project(self) -> ProjectApprovalClaims | None:
        return self._of(Document.PROJECT_APPROVAL, ProjectApprovalClaims)

    def _of(self, document: Document, model: type[ClaimsT]) -> ClaimsT | None:
        claims = self.certificates.get(document.value)
        return claims if isinstance(claims, model) else None


def former_names(claims: ECertificateClaims) -> tuple[str, ...]:
    """曾用名, where the document is of a kind that states them."""
    return listed(claims.former_names) if isinstance(claims, BusinessLicenceClaims) else ()
