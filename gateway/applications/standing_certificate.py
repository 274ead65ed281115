"""Which certificate stands for the one an application rests on: those bytes, or a newer version of the same. Pure.

Licences are answered from it, and re-checks look at it, so both mean the same certificate.
"""

from collections.abc import Sequence

from gateway.applications.model import ApplicationDocument
from gateway.applications.requirements import IDENTITY_DOCUMENTS
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from schemas.identifiers import ECertificateIdentifier


def standing_certificate(
    verifications: Sequence[Verification], confirmed: ApplicationDocument | None, digests: IdentifierDigests
) -> Verification | None:
    """The verification that answers for ``confirmed``; None where there is none. Nothing is guessed.

    The very bytes come first, unless they no longer hold and a newer version does. A newer version is known by its
    电子证照标识 (GB/T 36904), which differs in the version part alone. Of an identity document a holder has but one, so
    the only one there is may be another. What shows no identifier, because its seal could not be verified, is answered
    for too: it discloses nothing.
    """
    if confirmed is not None:
        same = next((each for each in verifications if each.envelope_digest == confirmed.content_digest), None)
        if same is not None and same.verdict is not Verdict.INVALID:
            return same
        newest = _newest(verifications, confirmed, digests)
        if same is not None:
            return newest if newest is not None and newest.verdict is Verdict.VALID else same
        if newest is not None:
            return newest
    if len(verifications) == 1:
        (only,) = verifications
        identity = confirmed is not None and confirmed.verdict is not None and confirmed.document in IDENTITY_DOCUMENTS
        if identity or only.identifier is None:
            return only
    return None


def _newest(
    verifications: Sequence[Verification], confirmed: ApplicationDocument, digests: IdentifierDigests
) -> Verification | None:
    """The newest version of the series that is no older than ``confirmed``; of two copies of it the valid one."""
    newer = [
        (version, each) for each in verifications if (version := _version_of(each, confirmed, digests)) is not None
    ]
    return max(newer, key=lambda item: (item[0], item[1].verdict is Verdict.VALID))[1] if newer else None


def _version_of(verification: Verification, confirmed: ApplicationDocument, digests: IdentifierDigests) -> str | None:
    if verification.identifier is None or confirmed.version is None:
        return None
    identifier = ECertificateIdentifier.parse(verification.identifier)
    same = digests.series(identifier) == confirmed.series_digest and identifier.version >= confirmed.version
    return identifier.version if same else None
