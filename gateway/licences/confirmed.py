"""Which certificate stands for what the applicant confirmed: those bytes, or a newer version of the same certificate.

Nothing leaves that the applicant was not shown. What they declared themselves (容缺) was never shown at all.
"""

from gateway.applications.model import ApplicationDocument
from gateway.applications.requirements import IDENTITY_DOCUMENTS
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from gateway.errors import Owner
from gateway.licences.errors import ConfirmedCertificateGone
from gateway.records.entries import digest
from schemas.identifiers import ECertificateIdentifier


def confirmed_certificate(
    verifications: tuple[Verification, ...], confirmed: ApplicationDocument | None
) -> Verification:
    """The verification that answers for ``confirmed``; None is a document that the applicant never saw.

    A newer version is known by its 电子证照标识 (GB/T 36904), which differs in the version part alone. Of an identity
    document a holder has but one, so the only one there is may be another. What shows no identifier, because its seal
    could not be verified, is answered for too: it discloses nothing. Raises ``ConfirmedCertificateGone``.
    """
    if confirmed is not None:
        for verification in verifications:
            if verification.envelope_digest == confirmed.content_digest:
                return verification
        newer = [(version, each) for each in verifications if (version := _version_of(each, confirmed)) is not None]
        if newer:
            return max(newer, key=lambda item: (item[0], item[1].verdict is Verdict.VALID))[1]
    if len(verifications) == 1:
        (only,) = verifications
        identity = confirmed is not None and confirmed.verdict is not None and confirmed.document in IDENTITY_DOCUMENTS
        if identity or only.identifier is None:
            return only
    raise ConfirmedCertificateGone(
        check="licence.confirmed_certificate",
        owner=Owner.APPLICANT,
        remedy="申请人确认的证照已变更或当时尚未查到，请由申请人重新确认所用的一份",
    )


def _version_of(verification: Verification, confirmed: ApplicationDocument) -> str | None:
    """Its version, where it is the confirmed certificate or a newer one of the series."""
    if verification.identifier is None or confirmed.version is None:
        return None
    identifier = ECertificateIdentifier.parse(verification.identifier)
    same = digest(identifier.series) == confirmed.series_digest and identifier.version >= confirmed.version
    return identifier.version if same else None
