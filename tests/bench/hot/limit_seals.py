"""Envelopes as a limit verifies them: the path of a seal once, its signature over the content each time."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.crypto import sm2
from gateway.crypto.schemes import Encoding, scheme_of
from gateway.crypto.signatures import verify_signature
from tests.bench.hot.limit_licence import decoded

_ES256 = ec.ECDSA(hashes.SHA256())
Verify = Callable[[bytes, bytes], None]
"""Is given r‖s (of EdDSA: the signature) and the message; raises where they do not belong together."""


class Seals:
    """Verifies envelopes under ``anchors`` (DER), and finds their place in a packed status list of two bits each."""

    def __init__(self, anchors: Sequence[bytes], statuses: bytes) -> None:
        self._anchors = [load_signing_certificate(each) for each in anchors]
        self._statuses = statuses
        self._known: dict[bytes, Verify] = {}

    def verified(self, envelope: bytes) -> Any:
        """The claims of an envelope that is sealed by somebody trusted and not revoked."""
        signing_input, _, signature = envelope.rpartition(b".")
        header, _, payload = signing_input.partition(b".")
        read = orjson.loads(decoded(header))
        path = [base64.b64decode(each) for each in read["x5c"]]
        digest = hashlib.sha256(b"".join(path)).digest()
        verify = self._known.get(digest)
        if verify is None:
            verify = self._known[digest] = self._proved(path, read["alg"])
        verify(decoded(signature), signing_input)
        claims = orjson.loads(decoded(payload))
        index = claims["status"]["status_list"]["idx"]
        assert not self._statuses[index >> 2] >> ((index & 3) * 2) & 3
        return claims

    def _proved(self, path: Sequence[bytes], algorithm: str) -> Verify:
        certificates = [load_signing_certificate(each) for each in path]
        for signed, by in pairwise(certificates):
            _require_signed(signed, by)
        top = certificates[-1]
        _require_signed(top, next(each for each in self._anchors if each.subject == top.issuer))
        return _verifier(algorithm, certificates[0].public_key_info)


def _require_signed(signed: SigningCertificate, by: SigningCertificate) -> None:
    scheme = scheme_of(signed.signature_algorithm)
    verify_signature(scheme, by.public_key_info, signed.signed, signed.signature, encoding=Encoding.DER)


def _verifier(algorithm: str, key_info: bytes) -> Verify:
    if algorithm == "SM2-SM3":
        return _bare_sm2(key_info)
    key = load_der_public_key(key_info)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.verify
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return lambda raw, message: key.verify(_der(raw), message, _ES256)


def _bare_sm2(key_info: bytes) -> Verify:
    """The fewest EVP calls that verify one signature under a parsed key and the standard's ID."""
    library = sm2.library()
    key = library.public_key(key_info)
    evp, digest, identity = library.loaded, library.sm3, sm2.SIGNER_ID

    def verify(raw: bytes, message: bytes) -> None:
        signature, handle = _der(raw), key.handle
        context, key_context = evp.EVP_MD_CTX_new(), evp.EVP_PKEY_CTX_new(handle, None)
        evp.EVP_PKEY_CTX_set1_id(key_context, identity, len(identity))
        evp.EVP_MD_CTX_set_pkey_ctx(context, key_context)
        evp.EVP_DigestVerifyInit(context, None, digest, None, handle)
        good = evp.EVP_DigestVerify(context, signature, len(signature), message, len(message)) == 1
        evp.EVP_MD_CTX_free(context)
        evp.EVP_PKEY_CTX_free(key_context)
        assert good

    return verify


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
