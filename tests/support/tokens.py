"""Tokens put together by hand, byte by byte, and copies of a token that mean the same and look different."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.crypto import sm2

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
ORDERS = {
    64: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    96: int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
}
"""Group orders of P-256 and P-384 by the length of a signature."""


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: bytes | str) -> bytes:
    """The bytes of base64url with or without padding."""
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))


def raw_signature(key: Any, algorithm: str, message: bytes) -> bytes:
    """A JOSE signature by any key there is, whatever the gateway itself would sign with."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, sm2.Sm2PrivateKey):
        return sm2.signature_to_raw(key.sign(message))
    if isinstance(key, rsa.RSAPrivateKey):
        how = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if algorithm == "PS256" else padding.PKCS1v15()
        return key.sign(message, how, hashes.SHA256())
    digest, width = (hashes.SHA384(), 48) if isinstance(key.curve, ec.SECP384R1) else (hashes.SHA256(), 32)
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    return r.to_bytes(width) + s.to_bytes(width)


def make_token(header: Mapping[str, Any] | bytes, payload: Any, key: Any, algorithm: str = "ES256") -> bytes:
    """A compact JWS over exactly this header and payload: bytes as they are, anything else as JSON."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signing_input = f"{b64(head)}.{b64(body)}".encode()
    return signing_input + b"." + b64(raw_signature(key, algorithm, signing_input)).encode()


def malleable_twin(token: str) -> str:
    """The same header and payload under r‖(n−s): an ECDSA signature that verifies and has other bytes."""
    head, payload, signature = token.split(".")
    raw = unb64(signature)
    width, order = len(raw) // 2, ORDERS[len(raw)]
    twin = raw[:width] + (order - int.from_bytes(raw[width:])).to_bytes(width)
    return f"{head}.{payload}.{b64(twin)}"


def same_meaning(token: str, key: Any, algorithm: str = "ES256") -> dict[str, str]:
    """Copies of ``token`` with other bytes: what anybody can make of it, and what its signer can say again."""
    head, payload, _ = token.split(".")
    header, claims = json.loads(unb64(head)), json.loads(unb64(payload))
    spaced = json.dumps(claims, indent=1).encode()
    escaped = json.dumps(claims).replace('"jti"', '"\\u006ati"').encode()
    turned = dict(reversed(claims.items()))
    copies = {
        "the very bytes": token,
        "signed anew": make_token(header, claims, key, algorithm).decode(),
        "header in another order": make_token(dict(reversed(header.items())), claims, key, algorithm).decode(),
        "header with a further member": make_token(header | {"x": 1}, claims, key, algorithm).decode(),
        "claims with white space": make_token(header, spaced, key, algorithm).decode(),
        "claims in another order": make_token(header, turned, key, algorithm).decode(),
        "claims with escapes": make_token(header, escaped, key, algorithm).decode(),
    }
    if algorithm.startswith("ES"):
        copies["r and n - s"] = malleable_twin(token)
    return copies
