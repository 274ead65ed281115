"""One signature of an X.509 path, a CRL or an OCSP response: was it made by that key? RFC 5280 §4.1.1.2."""

from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid
from gateway.crypto.signatures import Encoding, scheme_of, verify_signature

MAX_LINKS = 64
"""Signatures that one question may cost, whatever forest of certificates, lists and responses it came with."""


class WorkExhausted(Exception):
    """The stated amount of work is spent and the question not answered."""


class Links:
    """Counts every signature that is tried and remembers what came of it.

    ``algorithm_missing`` and ``signature_failed`` tell afterwards why a search may have found nothing.
    """

    def __init__(self, limit: int = MAX_LINKS) -> None:
        self._left = limit
        self._known: dict[tuple[bytes, bytes], bool] = {}
        self.algorithm_missing = False
        self.signature_failed = False

    def signed_by(self, subject: bytes, signed: bytes, algorithm: bytes, signature: bytes, key: bytes) -> bool:
        """Whether ``key`` (SubjectPublicKeyInfo) signed the original bytes ``signed``.

        ``subject`` names the signed thing (a digest), ``algorithm`` is its AlgorithmIdentifier in DER. An algorithm
        that is not spoken here is no, and noted. Raises `WorkExhausted`.
        """
        pair = (subject, key)
        if pair not in self._known:
            if self._left <= 0:
                raise WorkExhausted
            self._left -= 1
            self._known[pair] = self._proved(signed, algorithm, signature, key)
        return self._known[pair]

    def _proved(self, signed: bytes, algorithm: bytes, signature: bytes, key: bytes) -> bool:
        try:
            verify_signature(scheme_of(algorithm), key, signed, signature, encoding=Encoding.DER)
        except AlgorithmUnavailable:
            self.algorithm_missing = True
            return False
        except (SignatureInvalid, KeyUnfit, DerMalformed):
            self.signature_failed = True
            return False
        return True
