"""SM2 signatures with SM3 (GM/T 0003.2, GM/T 0009) in plain integers: for the mock province's **test keys only**.

Textbook arithmetic, slow and open to timing, which does no harm to keys that are worth nothing. It shares no line and
no library with the gateway's SM2, so that a mistake of one side cannot agree with the other's.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from cryptography.hazmat.primitives import hashes

from mock_services import der

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
"""The curve of GM/T 0003.5: y² = x³ + Ax + B over P, with base point G of prime order N."""

SIGNER_ID = b"1234567812345678"
"""The signer's ID that GM/T 0009 §10 prescribes."""
CURVE_OID = "1.2.156.10197.1.301"
SM2_WITH_SM3 = "1.2.156.10197.1.501"
"""SM2 with SM3 (GM/T 0006)."""
DIGEST_OID = "1.2.156.10197.1.401"
_KEY_OID = "1.2.840.10045.2.1"
_KEY_ALGORITHM = der.sequence(der.oid(_KEY_OID), der.oid(CURVE_OID))

_Affine = tuple[int, int]
_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (1, 1, 0)


def sm3(*parts: bytes) -> bytes:
    """SM3 (GB/T 32905) of the parts one after another, 32 bytes."""
    context = hashes.Hash(hashes.SM3())
    for part in parts:
        context.update(part)
    return context.finalize()


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """A point on the curve. Raises ``ValueError`` for one that is not."""

    x: int
    y: int

    def __post_init__(self) -> None:
        inside = 0 <= self.x < P and 0 <= self.y < P
        if not inside or (self.y * self.y - self.x**3 - A * self.x - B) % P:
            raise ValueError("not a point of the SM2 curve")

    @property
    def point(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return b"\x04" + _octets(self.x) + _octets(self.y)

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo in DER."""
        return der.sequence(_KEY_ALGORITHM, der.bits(self.point))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether DER ``signature`` is over ``message`` by this key and the standard ID (GM/T 0003.2 §7)."""
        found = _decoded(signature)
        if found is None:
            return False
        r, s = found
        t = (r + s) % N
        if not (0 < r < N and 0 < s < N and t):
            return False
        x, _ = _affine(_add(_multiply(s, G), _multiply(t, (self.x, self.y)))) or (0, 0)
        return (self.digest(message) + x) % N == r

    def digest(self, message: bytes) -> int:
        """e = SM3(Z ‖ message), where Z binds the ID, the curve and this key (GM/T 0003.2 §5.5, §6.1)."""
        curve = b"".join(_octets(each) for each in (A, B, *G, self.x, self.y))
        identity = sm3((8 * len(SIGNER_ID)).to_bytes(2, "big"), SIGNER_ID, curve)
        return int.from_bytes(sm3(identity, message), "big")


@dataclass(frozen=True)
class Sm2Key:
    """A test key. Raises ``ValueError`` for a secret outside 1 … N−2."""

    d: int = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.d < N - 1:
            raise ValueError("not an SM2 secret")

    @classmethod
    def generate(cls) -> Self:
        """A fresh key."""
        return cls(1 + secrets.randbelow(N - 2))

    @classmethod
    def from_pem(cls, text: bytes) -> Self:
        """A key as ``to_pem`` wrote it. Raises ``ValueError`` for anything else."""
        lines = text.decode("ascii").split()
        try:
            encoded = base64.b64decode("".join(lines[3:-3]), validate=True)
        except binascii.Error:
            raise ValueError("not an SM2 key") from None
        key = cls(int.from_bytes(encoded[-32:], "big"))
        if key.to_pem() != text:
            raise ValueError("not an SM2 key")
        return key

    def to_pem(self) -> bytes:
        """PKCS #8 (RFC 5958) without the public key, as OpenSSL reads it."""
        key = der.sequence(der.integer(1), der.octets(_octets(self.d)))
        return der.pem("PRIVATE KEY", der.sequence(der.integer(0), _KEY_ALGORITHM, der.octets(key)))

    @cached_property
    def public_key(self) -> Sm2PublicKey:
        """The point of this secret."""
        x, y = _affine(_multiply(self.d, G)) or (0, 0)
        return Sm2PublicKey(x, y)

    @property
    def public_key_info(self) -> bytes:
        """SubjectPublicKeyInfo of its public key, DER."""
        return self.public_key.spki

    def sign(self, message: bytes, *, nonce: int | None = None) -> bytes:
        """A DER signature over ``message`` (GM/T 0003.2 §6); ``nonce`` only to repeat a known answer."""
        e = self.public_key.digest(message)
        while True:
            k = nonce or 1 + secrets.randbelow(N - 1)
            x, _ = _affine(_multiply(k, G)) or (0, 0)
            r = (e + x) % N
            s = pow(1 + self.d, -1, N) * (k - r * self.d) % N
            if r and s and r + k != N:
                return der.sequence(der.integer(r), der.integer(s))


def _octets(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _decoded(signature: bytes) -> tuple[int, int] | None:
    """r and s, if these bytes are their one encoding: both are short, so every length is one octet."""
    if len(signature) < 8 or len(signature) < 6 + signature[3]:
        return None
    split = 4 + signature[3]
    r, s = int.from_bytes(signature[4:split], "big"), int.from_bytes(signature[split + 2 :], "big")
    return (r, s) if der.sequence(der.integer(r), der.integer(s)) == signature else None


def _multiply(scalar: int, point: _Affine) -> _Jacobian:
    found = _INFINITY
    for bit in bin(scalar)[2:]:
        found = _double(found)
        if bit == "1":
            found = _add(found, (*point, 1))
    return found


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    yy = y * y % P
    zz = z * z % P
    s = 4 * x * yy % P
    m = 3 * (x - zz) * (x + zz) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P


def _add(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    (x1, y1, z1), (x2, y2, z2) = one, other
    if not z1 or not z2:
        return one if z1 else other
    zz1, zz2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * zz2 % P, x2 * zz1 % P
    s1, s2 = y1 * zz2 * z2 % P, y2 * zz1 * z1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def _affine(point: _Jacobian) -> _Affine | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, P)
    return x * inverse * inverse % P, y * pow(inverse, 3, P) % P
