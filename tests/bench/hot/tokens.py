"""Access tokens and proofs of possession, signed as a utility's client and the gateway's token endpoint would."""

import hashlib
import json
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from mock_services.jose import SigningKey

_ES256 = ec.ECDSA(hashes.SHA256())


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def es256(key: ec.EllipticCurvePrivateKey, signing_input: bytes) -> bytes:
    """A compact JWS of ``signing_input``, which is header and payload already."""
    r, s = decode_dss_signature(key.sign(signing_input, _ES256))
    return signing_input + b"." + base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class Holder:
    """A client's key for proofs, and the token that is bound to it."""

    def __init__(self, token: str, key: SigningKey, htu: str, method: str = "POST") -> None:
        self.key = key
        self._private = key.private
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.bare_jwk}
        self._header = base64url(json.dumps(header, separators=(",", ":")).encode())
        self._claims = {"htm": method, "htu": htu}
        self.show(token)

    def show(self, token: str) -> None:
        """Use another token from here on."""
        self.token = token.encode()
        self._claims["ath"] = base64url(hashlib.sha256(self.token).digest()).decode()

    def proof(self) -> bytes:
        """A fresh proof for the token."""
        claims = {**self._claims, "jti": os.urandom(12).hex(), "iat": int(time.time())}
        return es256(self._private, self._header + b"." + base64url(orjson.dumps(claims)))


class Mint:
    """Makes tokens like one that the gateway granted, with the gateway's own token key."""

    def __init__(self, granted: str, private: ec.EllipticCurvePrivateKey) -> None:
        header, payload, _ = granted.split(".")
        self._header = header.encode()
        self._claims: dict[str, Any] = json.loads(_decoded(payload))
        self._private = private

    def token(self, thumbprint: str) -> str:
        """A token of its own, bound to the key with ``thumbprint``, as if it were granted now."""
        now = int(time.time())
        claims = {
            **self._claims,
            "jti": os.urandom(16).hex(),
            "cnf": {"jkt": thumbprint},
            "iat": now,
            "exp": now + 300,
        }
        return es256(self._private, self._header + b"." + base64url(orjson.dumps(claims))).decode()


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
