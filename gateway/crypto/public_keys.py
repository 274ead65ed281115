"""Public keys as certificates and JWK sets hand them over: which are taken, and the bounds that all of them keep.

One spelling per key: SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7), or the same in one PEM block. Explicit curve
parameters (RFC 5480 §2.1.1 forbids them), hybrid points (§2.2) and RSA keys outside the bounds below are no keys here.
"""

import base64
import binascii
import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit
from gateway.crypto.schemes import Scheme, pss_scheme

StandardKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""Above this a single key could be used to keep the gateway busy; so could a long public exponent."""
MAX_RSA_EXPONENT_BITS: Final = 32
MAX_KEY_BYTES: Final = 2048
"""SubjectPublicKeyInfo in DER; the longest RSA key taken here has 1,062."""

CERTIFICATE_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
"""Curves of ECDSA on which a certificate's key verifies something here."""
_POINT_FORMS: Final = (b"\x02", b"\x03", b"\x04")
_LOW_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        2**255 - 20,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)
"""y of the eight Ed25519 points of small order: under such a key one signature fits many messages (RFC 8032 §8.3)."""
_NO_KEY: Final = "公钥须为 DER 编码的 SubjectPublicKeyInfo，且类型、曲线与编码形式受支持"
_PEM: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]{1,4096})-----END PUBLIC KEY-----\s*", re.ASCII
)


class KeyKind(StrEnum):
    """What kind of key a SubjectPublicKeyInfo says it holds."""

    EC = "1.2.840.10045.2.1"
    RSA = "1.2.840.113549.1.1.1"
    PSS = "1.2.840.113549.1.1.10"
    ED25519 = "1.3.101.112"


def der_of(encoded: bytes) -> bytes:
    """SubjectPublicKeyInfo in DER, out of one PEM block (RFC 7468 §13) when it comes as that. Raises `KeyUnfit`."""
    if len(encoded) > 2 * MAX_KEY_BYTES:
        raise KeyUnfit(remedy="公钥数据过长")
    if not encoded.startswith(b"-----BEGIN"):
        return encoded
    found = _PEM.fullmatch(encoded)
    if found is None:
        raise KeyUnfit(remedy="PEM 须为且仅为一个 PUBLIC KEY 段")
    try:
        return base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error:
        raise KeyUnfit(remedy="PEM 内容不是 base64") from None


@lru_cache(maxsize=1024)
def load_standard_key(spki: bytes) -> tuple[StandardKey, frozenset[Scheme] | None]:
    """The key of a SubjectPublicKeyInfo in DER, and the schemes it restricts itself to (None: any of its type).

    Raises `KeyUnfit`, or `AlgorithmUnavailable` for a well-formed key on a curve or with parameters not spoken here.
    """
    if len(spki) > MAX_KEY_BYTES:
        raise KeyUnfit(remedy="公钥数据过长")
    try:
        algorithm, bits = _pair(parse(spki))
        kind, *parameters = algorithm.expect(Tag.SEQUENCE).children() or (bits,)
        if not _form_is_taken(kind.oid(), parameters, bits.bits()):
            raise KeyUnfit(remedy=_NO_KEY)
        restricted = _restriction(kind.oid(), parameters)
        key = load_der_public_key(spki)
    except (DerMalformed, ValueError):
        raise KeyUnfit(remedy=_NO_KEY) from None
    except UnsupportedAlgorithm:
        raise AlgorithmUnavailable(remedy="公钥所在曲线不在共享平台支持的范围内") from None
    if not isinstance(key, StandardKey):
        raise KeyUnfit(remedy=_NO_KEY)
    check_strength(key)
    return key, restricted


def check_strength(key: StandardKey) -> None:
    """Refuse keys that prove nothing or cost too much: RSA out of bounds, Ed25519 of small order. Raises `KeyUnfit`."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise KeyUnfit(remedy="RSA 密钥长度不在允许范围内")
        if not numbers.n & 1 or not numbers.e & 1 or numbers.e < 3 or numbers.e.bit_length() > MAX_RSA_EXPONENT_BITS:
            raise KeyUnfit(remedy="RSA 模数与公开指数须为奇数，公开指数不得小于 3，也不得超过 32 位")
    elif isinstance(key, ed25519.Ed25519PublicKey):
        y = int.from_bytes(key.public_bytes_raw(), "little") & (2**255 - 1)
        if y >= 2**255 - 19 or y in _LOW_ORDER_Y:
            raise KeyUnfit(remedy="Ed25519 公钥不得为低阶点或非规范编码")


def _pair(element: Element) -> tuple[Element, Element]:
    children = element.expect(Tag.SEQUENCE).children()
    if len(children) != 2:
        raise DerMalformed
    return children[0], children[1]


def _restriction(oid: str, parameters: list[Element]) -> frozenset[Scheme] | None:
    """A key for RSASSA-PSS verifies nothing else; when it names parameters, those alone (RFC 4055 §1.2, §3.1)."""
    if oid != KeyKind.PSS:
        return None
    if not parameters:
        return frozenset({Scheme.PS256, Scheme.PS384, Scheme.PS512})
    return frozenset({pss_scheme(parameters[0])})


def _form_is_taken(oid: str, parameters: list[Element], key: bytes) -> bool:
    match oid, parameters:
        case (KeyKind.EC, [curve]):
            return curve.tag == Tag.OBJECT_IDENTIFIER and key[:1] in _POINT_FORMS
        case (KeyKind.ED25519, []) | (KeyKind.RSA, []) | (KeyKind.PSS, [] | [_]):
            # RFC 3279 §2.3.1 demands NULL of an RSA key; keys without it are found, and read the same.
            return True
        case (KeyKind.RSA, [none]):
            return none.raw == b"\x05\x00"
    return False
