"""DPoP proofs: who holds the key that a token is bound to. RFC 9449 §4."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

from gateway.crypto.errors import JoseRefused
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.crypto.strict_json import encode_base64url
from gateway.partners.errors import proof_refused
from schemas.wire import Typ

PROOF_ALGORITHMS: Final = ("ES256", "EdDSA")
PROOF_MAX_AGE: Final = timedelta(seconds=60)
PROOF_LEEWAY: Final = timedelta(seconds=5)
PROOF_MEMORY: Final = PROOF_MAX_AGE + 2 * PROOF_LEEWAY + timedelta(seconds=5)
"""A proof dated ``PROOF_LEEWAY`` ahead is acceptable this long after it was first seen, with a little to spare."""

_POLICY: Final = JwsPolicy(
    typ=frozenset({Typ.DPOP_PROOF}),
    algorithms=frozenset(PROOF_ALGORITHMS),
    max_bytes=4096,
    required=frozenset({"jti", "htm", "htu", "iat"}),
    max_age=PROOF_MAX_AGE,
    leeway=PROOF_LEEWAY,
    proof_key=True,
)
MAX_KNOWN_URI: Final = 200
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TOKEN_ID: Final = re.compile(r"[A-Za-z0-9_.:~+/=-]{1,128}")
_PATH_KEPT: Final = "!$&'()*+,;=:@-._~"


class DpopProof(NamedTuple):
    """A proof that holds: the thumbprint of its key (``jkt``), its ``jti`` and when it was made."""

    thumbprint: str
    token_id: str
    issued_at: datetime


def verify_proof(proof: str, *, method: str, uri: str, at: datetime, token_hash: str | None = None) -> DpopProof:
    """The verified ``proof`` for this ``method`` and ``uri``; with ``token_hash`` (``ath``) it is made for that token.

    Whether it was seen before is the caller's question (``ReplayMemory``). Raises ``ProofRefused``.
    """
    try:
        # 1 shape, typ, algorithm, signature by the embedded public key, iat within the window (RFC 9449 §4.3 2–7, 11)
        verified = verify_jws(proof, (), _POLICY, at)
    except JoseRefused as refusal:
        raise proof_refused(refusal.check.removeprefix("jose."), refusal.remedy) from None
    claims = verified.claims
    # 2 made for this method (§4.3 8); method names are case-sensitive
    if claims["htm"] != method:
        raise proof_refused("htm", "证明中的 htm 须与请求方法一致")
    # 3 made for this address, query and fragment left out (§4.3 9)
    if not _same_address(claims["htu"], uri):
        raise proof_refused("htu", "证明中的 htu 须与请求地址一致（不含查询串）")
    # 4 an identifier that can be remembered
    token_id = claims["jti"]
    if not isinstance(token_id, str) or not _TOKEN_ID.fullmatch(token_id):
        raise proof_refused("jti", "jti 须为 1 至 128 个可见 ASCII 字符")
    # 5 made for this access token (§4.3 12)
    if token_hash is not None and claims.get("ath") != token_hash:
        raise proof_refused("ath", "证明中的 ath 须为所用访问令牌的 SHA-256")
    return DpopProof(verified.key_id, token_id, datetime.fromtimestamp(claims["iat"], UTC))


def access_token_hash(digest: bytes) -> str:
    """``ath`` of the access token whose ASCII bytes have this SHA-256: its base64url, RFC 9449 §4.2."""
    return encode_base64url(digest).decode()


def normalise_htu(uri: str) -> str:
    """``uri`` without query and fragment, normalised by RFC 3986 §6.2.2 and §6.2.3 (case, port, escapes, dot segments).

    Raises ``ValueError`` for anything but an absolute http(s) address without user information.
    """
    if not uri.isascii() or any(character <= " " or character in '\\"<>^`{|}\x7f' for character in uri):
        raise ValueError("not a URI")
    parts = urlsplit(uri)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not an absolute http(s) URI")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    authority = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{authority}{_normalise_path(parts.path)}"


@lru_cache(1024)
def _known_htu(uri: str) -> str:
    return normalise_htu(uri)


def _normalised(uri: str) -> str:
    """As ``normalise_htu``. A client asks the same few addresses; long ones are nobody's, and are not remembered."""
    return _known_htu(uri) if len(uri) <= MAX_KNOWN_URI else normalise_htu(uri)


def _normalise_path(path: str) -> str:
    """Segment by segment, so that an escaped slash stays inside its segment."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        plain = quote(unquote_to_bytes(segment), safe=_PATH_KEPT)
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(plain)
            continue
        if position == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def _same_address(claimed: object, uri: str) -> bool:
    try:
        return isinstance(claimed, str) and _normalised(claimed) == _normalised(uri)
    except ValueError:
        return False
