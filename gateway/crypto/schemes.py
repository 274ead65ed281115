"""Signature schemes, and the AlgorithmIdentifiers by which certificates and seals name them.

Sources: RFC 7518 §3 (ES*, RS*, PS*), RFC 8037 (EdDSA), GB/T 32918.2 (SM2 with SM3; JOSE has no name for it, ours is in
docs/divergences.md); RFC 3279, RFC 4055, RFC 5758, RFC 8410 and GM/T 0006 for the object identifiers.
"""

from enum import StrEnum
from typing import Final

from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed


class Scheme(StrEnum):
    """Signature schemes, by their JOSE names where there is one."""

    ES256 = "ES256"
    ES384 = "ES384"
    EDDSA = "EdDSA"
    RS256 = "RS256"
    PS256 = "PS256"
    SM2_SM3 = "SM2-SM3"

    RS384 = "RS384"
    RS512 = "RS512"
    PS384 = "PS384"
    PS512 = "PS512"
    ECDSA_SHA256 = "ecdsa-with-SHA256"
    ECDSA_SHA384 = "ecdsa-with-SHA384"
    ECDSA_SHA512 = "ecdsa-with-SHA512"


JOSE_SCHEMES: Final = frozenset({Scheme.ES256, Scheme.ES384, Scheme.EDDSA, Scheme.RS256, Scheme.PS256, Scheme.SM2_SM3})
"""What a token may be signed with. The others serve certificates alone: X.509 names the hash and leaves the curve to
the key (RFC 5758 §3.2), JOSE binds the two."""


class Encoding(StrEnum):
    """How an elliptic-curve signature is written. RSA and EdDSA have one form and take no notice."""

    RAW = "raw"
    """r‖s, each as long as the curve's order: JOSE."""
    DER = "der"
    """SEQUENCE {r, s}: X.509, CRLs, CMS."""
    EITHER = "either"
    """Both, as electronic seals are found in the field; SM2 only."""


SCHEME_BY_OID: Final = {
    "1.2.156.10197.1.501": Scheme.SM2_SM3,
    "1.2.840.10045.4.3.2": Scheme.ECDSA_SHA256,
    "1.2.840.10045.4.3.3": Scheme.ECDSA_SHA384,
    "1.2.840.10045.4.3.4": Scheme.ECDSA_SHA512,
    "1.3.101.112": Scheme.EDDSA,
    "1.2.840.113549.1.1.11": Scheme.RS256,
    "1.2.840.113549.1.1.12": Scheme.RS384,
    "1.2.840.113549.1.1.13": Scheme.RS512,
}
"""Signature algorithm identifiers of X.509 and electronic seals that name their scheme completely. For a whole
AlgorithmIdentifier, RSASSA-PSS among them, ask `scheme_of`."""

_PSS: Final = "1.2.840.113549.1.1.10"
_MGF1: Final = "1.2.840.113549.1.1.8"
_PSS_BY_HASH: Final = {
    "2.16.840.1.101.3.4.2.1": (Scheme.PS256, 32),
    "2.16.840.1.101.3.4.2.2": (Scheme.PS384, 48),
    "2.16.840.1.101.3.4.2.3": (Scheme.PS512, 64),
}
_NULL: Final = b"\x05\x00"
_NULL_TOLERATED: Final = frozenset({Scheme.SM2_SM3, Scheme.RS256, Scheme.RS384, Scheme.RS512})
"""RSA demands NULL (RFC 4055 §5) and SM2 is written both ways in the field; for the others it must be absent."""


def scheme_of(identifier: bytes) -> Scheme:
    """The scheme that the AlgorithmIdentifier ``identifier`` (DER) names, its parameters included.

    Raises `AlgorithmUnavailable` for an algorithm or parameters not spoken here, `DerMalformed` for what is none.
    """
    name, *parameters = parse(identifier).expect(Tag.SEQUENCE).children() or (None,)
    if name is None or len(parameters) > 1:
        raise DerMalformed(remedy="签名算法标识结构不符")
    oid = name.oid()
    if oid == _PSS and parameters:
        return pss_scheme(parameters[0])
    scheme = SCHEME_BY_OID.get(oid)
    if scheme is None:
        raise AlgorithmUnavailable(remedy="证书或吊销列表的签名算法不在共享平台支持的范围内")
    if parameters and (parameters[0].raw != _NULL or scheme not in _NULL_TOLERATED):
        raise DerMalformed(remedy="签名算法标识带有不应有的参数")
    return scheme


def pss_scheme(parameters: Element) -> Scheme:
    """The scheme of RSASSA-PSS-params (RFC 4055 §3.1): one hash for message and mask, a salt as long as it.

    Raises `AlgorithmUnavailable` for any other choice, the defaults (SHA-1) among them, and `DerMalformed`.
    """
    named: dict[int, Element] = {}
    for field in parameters.expect(Tag.SEQUENCE).children():
        inner = field.children()
        if len(inner) != 1 or not 0xA0 <= field.tag <= 0xA3 or (named and field.tag <= max(named)):
            raise DerMalformed(remedy="RSASSA-PSS 参数结构不符")
        named[field.tag] = inner[0]
    if {0xA0, 0xA1, 0xA2} <= named.keys():
        scheme, salt = _PSS_BY_HASH.get(_hash(named[0xA0]), (None, 0))
        trailer = named[0xA3].integer() if 0xA3 in named else 1
        same = _hash(named[0xA0]) == _hash_of_mask(named[0xA1])
        if scheme is not None and same and named[0xA2].integer() == salt and trailer == 1:
            return scheme
    raise AlgorithmUnavailable(remedy="RSASSA-PSS 参数须为同一 SHA-2 散列、MGF1 与等长盐值")


def _hash(identifier: Element) -> str:
    name, *parameters = identifier.expect(Tag.SEQUENCE).children() or (None,)
    if name is None or any(extra.raw != _NULL for extra in parameters) or len(parameters) > 1:
        raise DerMalformed(remedy="RSASSA-PSS 参数结构不符")
    return name.oid()


def _hash_of_mask(identifier: Element) -> str | None:
    parts = identifier.expect(Tag.SEQUENCE).children()
    if len(parts) != 2:
        raise DerMalformed(remedy="RSASSA-PSS 参数结构不符")
    return _hash(parts[1]) if parts[0].oid() == _MGF1 else None
