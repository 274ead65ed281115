"""X.509 certificates (RFC 5280): only what paths, lists and answers need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from .der import Der, der_whole
from .errors import NotProved, Refused
from .keys import PublicKey
from .sm2 import Sm2Key
from .work import once, spend

MAX_CERTIFICATE_BYTES: Final = 64 << 10
MAX_RSA_BITS: Final = 8192
MAX_RSA_EXPONENT: Final = 1 << 32
"""A larger exponent makes verifying as slow as signing."""


@dataclass(frozen=True)
class Signed:
    """SEQUENCE {what was signed, algorithm, signature}: a certificate, a list, or an answer."""

    body: Der
    algorithm: Der
    signature: bytes

    @classmethod
    def read(cls, parts: Sequence[Der]) -> "Signed":
        """Raises ``Refused``."""
        body, algorithm, signature = parts[:3] if len(parts) >= 3 else _too_short()
        if signature.expect(0x03).content[:1] != b"\0":
            raise Refused("DER: a signature of whole octets was expected")
        return cls(body, algorithm, signature.content[1:])

    def verify(self, spki: bytes) -> None:
        """Raises ``Refused`` (wrong), ``NotProved`` (an algorithm unknown here)."""
        parts = (self.algorithm.raw, spki, self.signature, self.body.raw)
        once(("signed", *parts), lambda: verify_x509(self.algorithm, *parts[1:]))


def _too_short() -> NoReturn:
    raise Refused("DER: too few elements")


_X509_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
}


def key_of_spki(spki: bytes) -> PublicKey:
    """The key in a SubjectPublicKeyInfo. Raises ``Refused``, ``NotProved``."""
    parts = der_whole(spki).expect(0x30).children()
    algorithm = parts[0].expect(0x30).children() if parts else []
    if len(algorithm) == 2 and algorithm[1].tag == 0x06 and algorithm[1].oid() == "1.2.156.10197.1.301":
        point = parts[1].content if len(parts) > 1 else b""
        if len(point) != 66 or point[:2] != b"\0\4":
            raise Refused("not an SM2 key")
        return Sm2Key(int.from_bytes(point[2:34]), int.from_bytes(point[34:]))
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise NotProved("a public key that cannot be read here") from None
    if isinstance(key, rsa.RSAPublicKey) and (key.key_size > MAX_RSA_BITS or key.public_numbers().e > MAX_RSA_EXPONENT):
        raise NotProved("a public key that is larger than is looked at")
    if isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return key
    raise NotProved("a public key of a type unknown here")


def verify_x509(algorithm: Der, spki: bytes, signature: bytes, message: bytes) -> None:
    """A signature of a certificate, list or answer. Raises ``Refused``, ``NotProved``."""
    parts = algorithm.children()
    verify_by_name(parts[0].oid() if parts else "", spki, signature, message)


def verify_by_name(name: str, spki: bytes, signature: bytes, message: bytes) -> None:
    """A signature by the algorithm of that object identifier. Raises ``Refused``, ``NotProved``."""
    key = key_of_spki(spki)
    spend("signatures")
    spend("bytes", len(message))
    try:
        if name == "1.2.156.10197.1.501" and isinstance(key, Sm2Key):
            r, s = der_whole(signature).expect(0x30).children()
            return key.verify(r.number().to_bytes(32) + s.number().to_bytes(32), message)
        if name == "1.3.101.112" and isinstance(key, ed25519.Ed25519PublicKey):
            return key.verify(signature, message)
        if name in _X509_HASHES and isinstance(key, ec.EllipticCurvePublicKey) and ".10045." in name:
            return key.verify(signature, message, ec.ECDSA(_X509_HASHES[name]()))
        if name in _X509_HASHES and isinstance(key, rsa.RSAPublicKey) and ".113549." in name:
            return key.verify(signature, message, padding.PKCS1v15(), _X509_HASHES[name]())
    except (InvalidSignature, ValueError, OverflowError):
        raise Refused("a signature by another key, or a wrong one") from None
    raise NotProved(f"the signature algorithm {name} is not spoken here")


@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate, as far as paths need it. ``subject`` and ``issuer`` are raw names."""

    der: bytes
    signed: Signed
    serial: bytes
    issuer: bytes
    subject: Der
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: Mapping[str, tuple[bool, bytes]]

    @classmethod
    def read(cls, der: bytes) -> "Certificate":
        """Raises ``Refused``."""
        spend("certificates")
        if len(der) > MAX_CERTIFICATE_BYTES:
            raise Refused("X.509: larger than any certificate")
        try:
            return cls._read(der)
        except (ValueError, IndexError):
            raise Refused("X.509: not a certificate") from None

    @classmethod
    def _read(cls, der: bytes) -> "Certificate":
        signed = Signed.read(der_whole(der).expect(0x30).children())
        parts = signed.body.expect(0x30).children()
        if not parts or parts[0].tag != 0xA0 or len(parts) < 7:
            raise Refused("X.509: not a certificate of version 3")
        _, serial, algorithm, issuer, validity, subject, spki, *rest = parts
        if algorithm.raw != signed.algorithm.raw:
            raise Refused("X.509: two algorithms")
        dates = validity.children()
        if len(dates) != 2:
            raise Refused("X.509: no validity")
        extensions: dict[str, tuple[bool, bytes]] = {}
        for holder in (each for each in rest if each.tag == 0xA3):
            for extension in holder.children()[0].children() if holder.children() else ():
                name, *more = extension.children()
                critical = len(more) == 2 and more[0].content != b"\0"
                if not more or name.oid() in extensions:
                    raise Refused("X.509: an extension stands twice, or empty")
                extensions[name.oid()] = critical, more[-1].expect(0x04).content
        return cls(
            der, signed, serial.content, issuer.raw, subject, dates[0].time(), dates[1].time(), spki.raw, extensions
        )

    def attribute(self, oid: str) -> str | None:
        """The one text of the subject under ``oid``."""
        found = [
            pair.children()[1].content.decode("utf-8", "replace")
            for part in self.subject.children()
            for pair in part.children()
            if len(pair.children()) == 2 and pair.children()[0].oid() == oid
        ]
        return found[0] if len(found) == 1 else None

    def usage(self) -> frozenset[int] | None:
        """keyUsage; None where there is none."""
        return der_whole(self.extensions["2.5.29.15"][1]).bits() if "2.5.29.15" in self.extensions else None

    def purposes(self) -> frozenset[str] | None:
        """extKeyUsage; None where there is none."""
        if "2.5.29.37" not in self.extensions:
            return None
        return frozenset(each.oid() for each in der_whole(self.extensions["2.5.29.37"][1]).children())

    def path_length(self) -> int | None:
        """How many CAs may stand below it: None without a bound, -1 where it is no CA."""
        if "2.5.29.19" not in self.extensions:
            return -1
        parts = der_whole(self.extensions["2.5.29.19"][1]).expect(0x30).children()
        if not parts or parts[0].tag != 0x01 or parts[0].content == b"\0":
            return -1
        return parts[1].number() if len(parts) > 1 else None

    def may_sign(self, bit: int) -> bool:
        """Whether keyUsage allows it, or says nothing."""
        usage = self.usage()
        return usage is None or bit in usage
