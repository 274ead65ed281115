"""Compact JWS, strictly: one spelling, one algorithm list, one use. RFC 7515, RFC 7519, RFC 8725, RFC 9449 §4.

PyJWT is the reference: what is accepted here PyJWT accepts with the same claims (differential tests hold this),
and much of what PyJWT tolerates is refused here. A signature may have a second valid spelling (ECDSA's n−s), so
replay caches are keyed on meaning (``iss`` + ``jti``), never on token bytes.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.crypto.errors import KeyUnfit, SignatureInvalid, refused
from gateway.crypto.jwk import (
    KeySource,
    PublicKey,
    SigningKey,
    VerificationKey,
    parse_jwk,
    thumbprint,
    verification_keys,
)
from gateway.crypto.signatures import JOSE_SCHEMES, Encoding, sign, verify_signature
from gateway.crypto.strict_json import decode_base64, decode_base64url, dump, encode_base64url, parse_object
from gateway.wording.phrases import Phrase

SUPPORTED_ALGORITHMS: frozenset[str] = frozenset(JOSE_SCHEMES)
MAX_HEADER_BYTES = 24 * 1024
"""Room for an ``x5c`` of three certificates."""
MAX_HEADERS = 4096
"""Headers, and embedded keys, of which it is remembered what they are."""
MAX_KEPT = 1024
"""Bytes of a header that is remembered, so that those of strangers cannot fill the memory."""
MAX_X5C = 6
MAX_KEYS_TRIED = 4
_LATEST = 253_402_300_799
"""9999-12-31T23:59:59Z in seconds, the last NumericDate that a ``datetime`` can hold."""
_FORBIDDEN_HEADERS = ("jku", "x5u", "b64", "zip", "enc", "epk", "apu", "apv", "p2s", "p2c", "iss", "sub", "aud")
"""The last three are claims (RFC 7519 §5.3 replicates them in JWE headers alone): one that we ignored could mislead."""
_KEY_DIGESTS = ("x5t", "x5t#S256")
"""Digests of the signer's certificate: they must be of the one that ``x5c`` brings (RFC 7515 §4.1.7, §4.1.8)."""
_SIGNATURE_BYTES = {"ES256": 64, "ES384": 96, "EdDSA": 64, "SM2-SM3": 64}


def _texts(value: Iterable[str] | None) -> frozenset[str] | None:
    """One text is a set of one, and never of its letters."""
    if value is None:
        return None
    found = frozenset({value} if isinstance(value, str) else value)
    if not all(isinstance(each, str) for each in found):
        raise ValueError("a JWS policy holds texts")
    return found


def _reader_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Reads all of ``names`` in one go."""
    if not names:
        return lambda _: ()
    return itemgetter(*names, names[0])  # of one name alone it would answer no tuple


@dataclass(frozen=True, slots=True, kw_only=True)
class JwsPolicy:
    """What one use of a token demands. An empty ``typ`` or ``algorithms`` is a refusal to be built (``ValueError``).

    Where a set of texts is asked for, one text or any iterable of texts will do. ``typ`` holds the accepted media
    types, compared without ``application/`` and case; ``typ_optional`` also takes a token without one. ``audience``
    must be named by ``aud``, ``issuer`` must equal ``iss``. ``max_age`` bounds ``iat`` and makes it required;
    ``max_lifetime`` bounds ``exp`` − ``iat`` and makes ``exp`` required; ``leeway`` is the clock skew allowed. ``x5c``
    permits (and requires) a chain in the header; ``proof_key`` permits (and requires) an embedded public ``jwk``, which
    proves possession and earns no trust. ``expiry_judged_by_caller`` lets a past ``exp`` through to a caller that has a
    rule for stale documents.
    """

    typ: frozenset[str]
    algorithms: frozenset[str] = frozenset({"ES256", "EdDSA"})
    typ_optional: bool = False
    max_bytes: int = 16 * 1024
    max_depth: int = 8
    audience: frozenset[str] | None = None
    issuer: str | None = None
    required: frozenset[str] = frozenset()
    max_age: timedelta | None = None
    max_lifetime: timedelta | None = None
    leeway: timedelta = timedelta(seconds=30)
    expiry_judged_by_caller: bool = False
    x5c: bool = False
    proof_key: bool = False
    leeway_s: float = field(init=False, repr=False, compare=False)
    max_age_s: float = field(init=False, repr=False, compare=False)
    max_lifetime_s: float = field(init=False, repr=False, compare=False)
    """In seconds, without bound where there is none."""
    read_required: Callable[[Mapping[str, Any]], tuple[Any, ...]] = field(init=False, repr=False, compare=False)
    """The values of ``required``. Raises ``KeyError`` where one is missing."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("typ", "algorithms", "required", "audience"):
            object.__setattr__(self, name, _texts(getattr(self, name)))
        object.__setattr__(self, "typ", frozenset(each.lower().removeprefix("application/") for each in self.typ))
        if not self.typ or not self.algorithms or not self.algorithms <= SUPPORTED_ALGORITHMS:
            raise ValueError("a JWS policy names at least one typ and one supported algorithm")
        if self.x5c and self.proof_key:
            raise ValueError("a token's key comes from one place")
        if self.audience is not None and not self.audience:
            raise ValueError("an empty audience would refuse everything; name one or None")
        object.__setattr__(self, "leeway_s", self.leeway.total_seconds())
        for name in ("max_age", "max_lifetime"):
            most: timedelta | None = getattr(self, name)
            object.__setattr__(self, f"{name}_s", math.inf if most is None else most.total_seconds())
        object.__setattr__(self, "read_required", _reader_of(sorted(self.required)))
        compared = tuple(getattr(self, each.name) for each in fields(self) if each.compare)
        object.__setattr__(self, "_hash", hash(compared))

    def __hash__(self) -> int:
        """Reckoned once: with each token it is asked what is known of its header under this policy."""
        return self._hash


class ReadJws(NamedTuple):
    """A token that passed the front check. Nothing in it is proved yet; only the signature step may follow."""

    header: Mapping[str, Any]
    algorithm: str
    signing_input: bytes
    payload: bytes
    signature: bytes
    policy: JwsPolicy

    @property
    def x5c(self) -> tuple[bytes, ...]:
        """The DER certificates of the header, leaf first; empty when there is none."""
        return tuple(decode_base64(item) for item in self.header.get("x5c", ()))


class VerifiedJws(NamedTuple):
    """A token whose signature, use and times hold. ``key_id`` is the key's name or, for a proof key, its thumbprint."""

    header: Mapping[str, Any]
    payload: bytes
    claims: dict[str, Any]
    key_id: str

    def __repr__(self) -> str:
        """Without what it says."""
        return f"VerifiedJws(key_id={self.key_id!r})"


def verify_jws(token: str | bytes, keys: KeySource, policy: JwsPolicy, at: datetime) -> VerifiedJws:
    """The verified content of ``token`` (compact serialization) at the aware instant ``at``.

    ``keys`` are the keys the alleged sender registered: `VerificationKey` objects (`parse_jwk` makes one), JWKs as
    mappings, or a JWK Set; none at all is ``jose.key_unknown``. With ``policy.proof_key`` they are ignored and the
    embedded key is used. Raises ``JoseRefused`` naming the check, or ``AlgorithmUnavailable`` (indeterminate) from the
    seam; `ValueError` for a policy with ``x5c`` (that token is read by `read_jws`, its chain verified, then given to
    `check_signature` and `read_claims`) and for an ``at`` without a zone; `TypeError` for keys that are none of these.
    For instance:

    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> from datetime import UTC
    >>> key, noon = SigningKey("k1", "EdDSA", Ed25519PrivateKey.generate()), datetime(2026, 11, 23, 4, tzinfo=UTC)
    >>> token = sign_jws({"iss": "a", "aud": "b", "iat": int(noon.timestamp())}, key, "note+jwt")
    >>> policy = JwsPolicy(typ=frozenset({"note+jwt"}), issuer="a", audience=frozenset({"b"}))
    >>> verify_jws(token, [key.public()], policy, noon).claims["iss"]
    'a'
    >>> verify_jws(token + "=", [key.public()], policy, noon)
    Traceback (most recent call last):
    gateway.crypto.errors.JoseRefused: jose-refused: jose.base64url: 各段须为无填充的规范 base64url 编码
    """
    if policy.x5c:
        raise ValueError("a token with x5c is read, its chain verified, and then passed to check_signature")
    if not isinstance(at, datetime):
        raise TypeError("the instant is a datetime")
    if at.utcoffset() is None:
        raise ValueError("the instant needs a zone")
    read = read_jws(token, policy)
    candidates = (_proof_key(read),) if policy.proof_key else _candidates(read, keys)
    for key in candidates:
        try:
            check_signature(read, key.public_key)
        except SignatureInvalid:
            continue
        return VerifiedJws(read.header, read.payload, read_claims(read, at), key.kid)
    raise refused("signature", "签名与登记的密钥不符，请核对密钥与被签内容")


def read_jws(token: str | bytes, policy: JwsPolicy) -> ReadJws:
    """The front check: size, spelling, header and signature length. Raises ``JoseRefused``; proves nothing."""
    data = _token_bytes(token, policy.max_bytes)
    parts = data.split(b".", 3)
    if len(parts) != 3:
        raise refused("compact", "须为三段式紧凑序列化的 JWS")
    header_part, payload_part, signature_part = parts
    header, algorithm = (
        _known_header(header_part, policy) if len(header_part) <= MAX_KEPT else _header(header_part, policy)
    )
    signature = decode_base64url(signature_part)
    if len(signature) != _SIGNATURE_BYTES.get(algorithm, len(signature)) or not signature:
        raise refused("signature_length", "签名长度或编码与算法不符（ECDSA 须为定长 r‖s）")
    signing_input = data[: len(header_part) + 1 + len(payload_part)]
    return ReadJws(header, algorithm, signing_input, decode_base64url(payload_part), signature, policy)


def _header(header_part: bytes, policy: JwsPolicy) -> tuple[Mapping[str, Any], str]:
    header = parse_object(decode_base64url(header_part), max_bytes=MAX_HEADER_BYTES, max_depth=4)
    return MappingProxyType(header), _check_header(header, policy)


@lru_cache(MAX_HEADERS)
def _known_header(header_part: bytes, policy: JwsPolicy) -> tuple[Mapping[str, Any], str]:
    """A sender's header is the same in all of its tokens: what was found of these very bytes is found again."""
    return _header(header_part, policy)


def check_signature(read: ReadJws, public_key: PublicKey | bytes) -> None:
    """Prove that ``public_key`` (a key object, or SubjectPublicKeyInfo in DER) signed ``read``.

    Raises ``SignatureInvalid``, ``JoseRefused`` (``jose.key_type``) when key and algorithm differ, or
    ``AlgorithmUnavailable``. SM2 signatures are r‖s here, like the other curves' (docs/divergences.md).
    """
    try:
        verify_signature(read.algorithm, public_key, read.signing_input, read.signature, encoding=Encoding.RAW)
    except KeyUnfit:
        raise refused("key_type", "密钥类型、曲线或长度与算法不符") from None


def read_claims(read: ReadJws, at: datetime) -> dict[str, Any]:
    """The claims of a token whose signature was checked, after times, audience and issuer. Raises ``JoseRefused``."""
    policy = read.policy
    claims = parse_object(read.payload, max_bytes=policy.max_bytes, max_depth=policy.max_depth)
    try:
        required = policy.read_required(claims)
    except KeyError:
        required = (None,)
    if None in required or "" in required:
        missing = next(name for name in sorted(policy.required) if claims.get(name) in (None, ""))
        raise refused("claim_missing", Phrase("缺少必需的声明 {claim}", claim=missing))
    _check_times(claims, policy, at.timestamp())
    _check_names(claims, policy)
    return claims


def sign_jws(
    claims: Mapping[str, Any] | bytes, key: SigningKey, typ: str, extra_header: Mapping[str, Any] | None = None
) -> str:
    """A compact JWS by ``key``; ``claims`` given as bytes are signed as they are. Header: alg, typ, kid, extras."""
    header = (
        _plain_header(key.scheme, typ, key.kid)
        if extra_header is None
        else _written({"alg": key.scheme, "typ": typ, "kid": key.kid} | dict(extra_header))
    )
    payload = claims if isinstance(claims, bytes) else dump(claims)
    signing_input = b"%b.%b" % (header, encode_base64url(payload))
    signature = sign(key.scheme, key.private_key, signing_input, encoding=Encoding.RAW)
    return (b"%b.%b" % (signing_input, encode_base64url(signature))).decode()


def _written(header: Mapping[str, Any]) -> bytes:
    return encode_base64url(dump(header))


@lru_cache(256)
def _plain_header(scheme: str, typ: str, kid: str) -> bytes:
    return _written({"alg": scheme, "typ": str(typ), "kid": kid})


def _token_bytes(token: str | bytes, limit: int) -> bytes:
    if type(token) is str and len(token) <= limit and token.isascii():
        return token.encode()
    if isinstance(token, bytearray | memoryview):
        token = bytes(token)
    if not isinstance(token, str | bytes):
        raise refused("compact", "须为三段式紧凑序列化的 JWS")
    if len(token) > limit:
        raise refused("oversize", Phrase("令牌不得超过 {most} 字节", most=limit))
    if isinstance(token, bytes):
        return token
    if not token.isascii():
        raise refused("compact", "须为三段式紧凑序列化的 JWS")
    return token.encode()


def _check_header(header: dict[str, Any], policy: JwsPolicy) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in policy.algorithms:
        raise refused("algorithm", "签名算法不在此用途的许可列表中")
    if "crit" in header:
        raise refused("crit", "不支持任何 crit 扩展")
    if any(name in header for name in _FORBIDDEN_HEADERS):
        raise refused("header_key", "头部不得携带外部密钥地址、压缩或加密参数")
    if ("jwk" in header) != policy.proof_key or ("x5c" in header) != policy.x5c:
        raise refused("header_key", "头部携带的密钥材料与此用途不符")
    if policy.proof_key and not isinstance(header["jwk"], dict):
        raise refused("jwk", "jwk 须为公钥对象")
    if policy.x5c:
        _check_x5c(header)
    elif any(name in header for name in _KEY_DIGESTS):
        raise refused("header_key", "头部携带的密钥材料与此用途不符")
    _check_typ(header, policy)
    if not isinstance(header.get("kid", "-"), str) or not header.get("kid", "-"):
        raise refused("kid", "kid 须为非空文本")
    return algorithm


def _check_typ(header: dict[str, Any], policy: JwsPolicy) -> None:
    if "typ" not in header and policy.typ_optional:
        return
    typ = header.get("typ")
    if not isinstance(typ, str) or not typ.isascii() or typ.lower().removeprefix("application/") not in policy.typ:
        raise refused("typ", "令牌类型（typ）与此用途不符")


def _check_x5c(header: dict[str, Any]) -> None:
    chain = header["x5c"]
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_X5C:
        raise refused("x5c", Phrase("x5c 须为 1 至 {most} 张证书", most=MAX_X5C))
    leaf, *_ = [decode_base64(item) for item in chain]
    told = {name: header[name] for name in _KEY_DIGESTS if name in header}
    digests = {"x5t": hashlib.sha1(leaf, usedforsecurity=False).digest(), "x5t#S256": hashlib.sha256(leaf).digest()}
    if any(value != encode_base64url(digests[name]).decode() for name, value in told.items()):
        raise refused("x5c", "头部的证书摘要与所附证书不符")


def _proof_key(read: ReadJws) -> VerificationKey:
    """The embedded key, named by its thumbprint."""
    header_part = read.signing_input.partition(b".")[0]
    key = _known_embedded(header_part) if len(header_part) <= MAX_KEPT else _embedded(header_part)
    if read.algorithm not in key.algorithms:
        raise refused("key_type", "密钥类型、曲线或长度与算法不符")
    return key


def _embedded(header_part: bytes) -> VerificationKey:
    key = parse_jwk(parse_object(decode_base64url(header_part), max_bytes=MAX_HEADER_BYTES, max_depth=4)["jwk"])
    return replace(key, kid=thumbprint(key.public_key))


@lru_cache(MAX_HEADERS)
def _known_embedded(header_part: bytes) -> VerificationKey:
    """A client proves the possession of one key again and again."""
    return _embedded(header_part)


def _candidates(read: ReadJws, keys: KeySource) -> tuple[VerificationKey, ...]:
    kid = read.header.get("kid")
    fitting = [
        key for key in verification_keys(keys) if read.algorithm in key.algorithms and (kid is None or key.kid == kid)
    ]
    if not fitting:
        raise refused("key_unknown", "没有登记可用于此算法与 kid 的密钥")
    if len(fitting) > MAX_KEYS_TRIED:
        raise refused("kid", "登记了多把密钥，令牌须以 kid 指明其一")
    return tuple(fitting)


def _check_times(claims: dict[str, Any], policy: JwsPolicy, now: float) -> None:
    leeway = policy.leeway_s
    expires = _numeric_date(claims, "exp") if "exp" in claims else None
    begins = _numeric_date(claims, "nbf") if "nbf" in claims else None
    issued = _numeric_date(claims, "iat") if "iat" in claims else None
    if expires is not None and not policy.expiry_judged_by_caller and math.floor(expires) <= now - leeway:
        raise refused("expired", "令牌已过期")
    if begins is not None and math.ceil(begins) > now + leeway:
        raise refused("not_yet_valid", "令牌尚未生效")
    if issued is not None and math.ceil(issued) > now + leeway:
        raise refused("issued_in_future", "令牌的签发时间晚于当前时间，请校准时钟")
    if policy.max_age is not None and (issued is None or now - issued > policy.max_age_s + leeway):
        raise refused("too_old", "令牌须含签发时间且在许可时长之内")
    if policy.max_lifetime is not None:
        if expires is None:
            raise refused("claim_missing", "缺少必需的声明 exp")
        start = issued if issued is not None else now
        if expires - start > policy.max_lifetime_s + (0 if issued is not None else leeway):
            raise refused("lifetime", "令牌的有效期超过此用途的上限")


def _numeric_date(claims: dict[str, Any], name: str) -> float:
    """Seconds since the epoch. A fraction is a number to RFC 7519 §2 and is read to the stricter side."""
    value = claims[name]
    if type(value) is int and 0 <= value <= _LATEST:
        return value
    if not isinstance(value, float) or not 0 <= value <= _LATEST:
        raise refused("time", Phrase("{claim} 须为自 1970 年起的秒数", claim=name))
    return value


def _check_names(claims: dict[str, Any], policy: JwsPolicy) -> None:
    for name in ("iss", "sub", "jti"):
        if type(claims.get(name, "")) is not str:
            raise refused("claim_type", Phrase("{claim} 须为文本", claim=name))
    if policy.issuer is not None and claims.get("iss") != policy.issuer:
        raise refused("issuer", "签发者与登记不符")
    if policy.audience is None:
        return
    audience = claims.get("aud")
    if type(audience) is str and audience in policy.audience:
        return
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise refused("audience", "aud 须为文本或文本列表")
    if policy.audience.isdisjoint(named):
        raise refused("audience", "令牌不是签发给本平台的")
