"""Which certificate a utility is answered from: the one the applicant confirmed, or a newer version of it.

Nothing leaves that the applicant was not shown. What they declared themselves (容缺) was never shown at all.
"""

from gateway.applications.model import ApplicationDocument
from gateway.applications.standing_certificate import standing_certificate
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.verification import Verification
from gateway.errors import Owner
from gateway.licences.errors import ConfirmedCertificateGone


def confirmed_certificate(
    verifications: tuple[Verification, ...], confirmed: ApplicationDocument | None, digests: IdentifierDigests
) -> Verification:
    """The verification that answers for ``confirmed``; None is a document that the applicant never saw.

    Raises ``ConfirmedCertificateGone``.
    """
    found = standing_certificate(verifications, confirmed, digests)
    if found is None:
        raise ConfirmedCertificateGone(
            check="licence.confirmed_certificate",
            owner=Owner.APPLICANT,
            remedy="申请人确认的证照已变更或当时尚未查到，请由申请人重新确认所用的一份",
        )
    return found
