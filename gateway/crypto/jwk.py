"""Keys as JOSE writes them: parse, export, thumbprint. RFC 7517, RFC 7518 §6, RFC 8037 §2, RFC 7638."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.crypto import sm2
from gateway.crypto.errors import JoseRefused, KeyUnfit, refused
from gateway.crypto.public_keys import MAX_RSA_BITS, StandardKey, check_strength
from gateway.crypto.strict_json import decode_base64url, dump, encode_base64url, parse_object

PublicKey = StandardKey | bytes
"""A key object, or for SM2 its SubjectPublicKeyInfo in DER: a key set can be read where no library speaks SM2."""
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

MAX_JWK_BYTES = 8192
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CURVES: dict[str, tuple[type[ec.EllipticCurve], int]] = {"P-256": (ec.SECP256R1, 32), "P-384": (ec.SECP384R1, 48)}
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384"}
SM2_CURVE = "SM2"
"""``crv`` of an SM2 key; ours, as its algorithm name is (docs/divergences.md)."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key with what its owner said it may be used for. ``algorithms`` is never empty."""

    kid: str
    public_key: PublicKey
    algorithms: frozenset[str]


KeySource = Iterable[VerificationKey | Mapping[str, Any]] | VerificationKey | Mapping[str, Any]
"""How a verifier's caller may hand over keys: see `verification_keys`."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the name it is published under, and the one algorithm it signs with."""

    kid: str
    scheme: str
    private_key: PrivateKey

    def __post_init__(self) -> None:
        if self.scheme not in algorithms_of(self.private_key.public_key()):
            raise ValueError("scheme does not fit the key")

    def public(self) -> VerificationKey:
        """The public half, for this algorithm alone."""
        return VerificationKey(self.kid, self.private_key.public_key(), frozenset({self.scheme}))


CurrentKey = Callable[[], SigningKey]
"""Answers the key that signs now; it is asked at each signature, since keys change while a process runs."""


def algorithms_of(public_key: PublicKey) -> frozenset[str]:
    """The JWS algorithms that fit the key's type; empty for a type or curve that is not spoken here."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        name = _EC_ALGORITHMS.get(public_key.curve.name)
        return frozenset({name}) if name else frozenset()
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return frozenset({"EdDSA"})
    if isinstance(public_key, bytes):
        return frozenset({"SM2-SM3"}) if sm2.point_of(public_key) is not None else frozenset()
    try:
        check_strength(public_key)
    except KeyUnfit:
        return frozenset()
    return frozenset({"RS256", "PS256"})


def parse_jwk(source: Mapping[str, Any] | bytes, *, kid: str | None = None) -> VerificationKey:
    """A public signature key from one JWK. ``kid`` names it when the JWK does not; else its RFC 7638 thumbprint does.

    Raises ``JoseRefused``: ``jose.jwk_private`` for a key that shows private members, ``jose.key_use`` when ``use``,
    ``key_ops`` or ``alg`` forbid verifying, ``jose.jwk`` for anything else that is not a key spoken here; for a JWK
    given as bytes also what `parse_object` refuses.
    """
    jwk = parse_object(source, max_bytes=MAX_JWK_BYTES) if isinstance(source, bytes) else source
    if not isinstance(jwk, Mapping):
        raise refused("jwk", "JWK 须为 JSON 对象")
    if _PRIVATE_MEMBERS & jwk.keys():
        raise refused("jwk_private", "只应登记公钥；此密钥已暴露私钥成员，请更换")
    key = _public_key(jwk)
    algorithms = algorithms_of(key)
    if not algorithms:
        raise refused("jwk", "密钥类型、曲线或长度不在支持之列")
    named = jwk.get("kid", kid)
    if named is None:
        named = thumbprint(key)
    if not isinstance(named, str) or not named or len(named) > 200:
        raise refused("jwk", "kid 须为不超过 200 字符的文本")
    return VerificationKey(named, key, _permitted(jwk, algorithms))


def verification_keys(keys: KeySource) -> tuple[VerificationKey, ...]:
    """The keys of a list of `VerificationKey` or JWKs, of one of them, or of a JWK Set.

    A JWK that is no key for verifying is passed over (RFC 7517 §5), unless there is no other: then its refusal is
    raised. Raises `TypeError` for what is neither.
    """
    if type(keys) is tuple:
        for key in keys:
            if type(key) is not VerificationKey:
                break
        else:
            return keys  # as the directory answers them
    if isinstance(keys, VerificationKey):
        return (keys,)
    if isinstance(keys, Mapping):
        keys = keys["keys"] if "keys" in keys and "kty" not in keys else [keys]
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        raise TypeError("keys are VerificationKey objects, JWKs or a JWK Set")
    found: list[VerificationKey] = []
    unfit: JoseRefused | None = None
    for item in keys:
        if isinstance(item, VerificationKey):
            found.append(item)
            continue
        if not isinstance(item, Mapping):
            raise TypeError("keys are VerificationKey objects, JWKs or a JWK Set")
        try:
            found.append(parse_jwk(item))
        except JoseRefused as refusal:
            unfit = unfit or refusal
    if unfit is not None and not found:
        raise unfit
    return tuple(found)


def export_jwk(key: VerificationKey) -> dict[str, Any]:
    """The public JWK of ``key`` with ``kid``, ``use`` and, when it is bound to one algorithm, ``alg``."""
    alg = {"alg": next(iter(key.algorithms))} if len(key.algorithms) == 1 else {}
    return _members(key.public_key) | {"kid": key.kid, "use": "sig"} | alg


def thumbprint(key: PublicKey) -> str:
    """base64url SHA-256 of the key's required members in lexicographic order, RFC 7638 §3."""
    members = _members(key)
    return encode_base64url(hashlib.sha256(dump({name: members[name] for name in sorted(members)})).digest()).decode()


def _permitted(jwk: Mapping[str, Any], algorithms: frozenset[str]) -> frozenset[str]:
    use, operations, alg = jwk.get("use", "sig"), jwk.get("key_ops", ["verify"]), jwk.get("alg")
    known_list = isinstance(operations, list) and all(isinstance(name, str) for name in operations)
    if use != "sig" or not known_list or "verify" not in operations or len(set(operations)) != len(operations):
        raise refused("key_use", "密钥的 use 或 key_ops 不允许验证签名")
    if alg is None:
        return algorithms
    if not isinstance(alg, str) or alg not in algorithms:
        raise refused("key_use", "密钥的 alg 与其类型不符或不受支持")
    return frozenset({alg})


def _public_key(jwk: Mapping[str, Any]) -> PublicKey:
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "EC", str(curve) if curve in _CURVES:
                kind, size = _CURVES[curve]
                x, y = _fixed(jwk, "x", size), _fixed(jwk, "y", size)
                return ec.EllipticCurvePublicKey.from_encoded_point(kind(), b"\x04" + x + y)
            case "EC", "SM2":
                return sm2.spki_of(b"\x04" + _fixed(jwk, "x", 32) + _fixed(jwk, "y", 32))
            case "OKP", "Ed25519":
                ed25519_key = ed25519.Ed25519PublicKey.from_public_bytes(_fixed(jwk, "x", 32))
                check_strength(ed25519_key)
                return ed25519_key
            case "RSA", None:
                return _rsa(_bytes(jwk, "n"), _bytes(jwk, "e"))
    except KeyUnfit as unfit:
        raise refused("jwk", unfit.remedy) from None
    except (ValueError, UnsupportedAlgorithm):
        raise refused("jwk", "密钥参数不是曲线上的点或有效模数") from None
    raise refused("jwk", "密钥类型、曲线或长度不在支持之列")


def _rsa(n: bytes, e: bytes) -> rsa.RSAPublicKey:
    if not n or not e or n[0] == 0 or e[0] == 0 or len(n) * 8 > MAX_RSA_BITS or len(e) > 4:
        raise refused("jwk", "RSA 参数须为规范编码且长度在许可范围内")
    key = rsa.RSAPublicNumbers(int.from_bytes(e), int.from_bytes(n)).public_key()
    check_strength(key)
    return key


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str) or not text.isascii():
        raise refused("jwk", "密钥缺少必需的成员")
    return decode_base64url(text.encode())


def _fixed(jwk: Mapping[str, Any], name: str, size: int) -> bytes:
    data = _bytes(jwk, name)
    if len(data) != size:
        raise refused("jwk", "密钥坐标长度与曲线不符")
    return data


def _members(key: PublicKey) -> dict[str, str]:
    if isinstance(key, bytes):
        point = sm2.point_of(key) or b""
        return {"kty": "EC", "crv": SM2_CURVE, "x": _text(point[1:33]), "y": _text(point[33:])}
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers = key.public_numbers()
        name, size = next((n, s) for n, (curve, s) in _CURVES.items() if isinstance(key.curve, curve))
        return {"kty": "EC", "crv": name, "x": _text(numbers.x.to_bytes(size)), "y": _text(numbers.y.to_bytes(size))}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _text(key.public_bytes_raw())}
    public = key.public_numbers()
    return {"kty": "RSA", "n": _text(_unsigned(public.n)), "e": _text(_unsigned(public.e))}


def _unsigned(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _text(data: bytes) -> str:
    return encode_base64url(data).decode()
