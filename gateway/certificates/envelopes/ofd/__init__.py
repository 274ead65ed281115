"""OFD documents with electronic seals (版式文件与电子签章). Start with `verify_ofd`."""

from gateway.certificates.envelopes.ofd.archive import Limits
from gateway.certificates.envelopes.ofd.report import (
    Check,
    OfdSignatureReport,
    OfdVerification,
    Outcome,
    ReferenceReport,
    SealFacts,
    SignerFacts,
)
from gateway.certificates.envelopes.ofd.verifier import verify_ofd

__all__ = [
    "Check",
    "Limits",
    "OfdSignatureReport",
    "OfdVerification",
    "Outcome",
    "ReferenceReport",
    "SealFacts",
    "SignerFacts",
    "verify_ofd",
]
