"""The one place that names where the signature seam lives; everything beside and below imports it from here."""

from gateway.certificates.errors import AlgorithmUnavailable, KeyUnfit, SignatureInvalid
from gateway.certificates.signatures import Encoding, Scheme, sign, verify_signature

__all__ = ["AlgorithmUnavailable", "Encoding", "KeyUnfit", "Scheme", "SignatureInvalid", "sign", "verify_signature"]
