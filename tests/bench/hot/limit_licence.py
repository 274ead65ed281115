"""The limit of a verified licence whose copy is at hand."""

import base64
import hashlib
import json
import time
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tests.bench.hot.limit_record import Record
from tests.bench.hot.tokens import base64url, es256
from tests.bench.hot.wire import Reply, answer, header_value

_ES256 = ec.ECDSA(hashes.SHA256())


class LicenceLimit:
    """Token, proof, entry, signature."""

    def __init__(self, work: dict[str, Any], record: Record) -> None:
        token_key = load_pem_public_key(work["token_key"].encode())
        answer_key = load_pem_private_key(work["answer_key"].encode(), None)
        assert isinstance(token_key, ec.EllipticCurvePublicKey)
        assert isinstance(answer_key, ec.EllipticCurvePrivateKey)
        self._token_key, self._answer_key = token_key, answer_key
        self._header = base64url(json.dumps(work["header"], separators=(",", ":")).encode())
        self._claims: dict[str, Any] = work["claims"]
        self._entry: dict[str, Any] = work["entry"]
        self._cache_tokens: bool = work["cache_tokens"]
        self._record = record
        self._tokens: dict[bytes, str] = {}
        self._keys: dict[bytes, tuple[ec.EllipticCurvePublicKey, str]] = {}
        self._seen: set[str] = set()

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        token = header_value(head, b"authorization").removeprefix(b"DPoP ")
        bound_to = self._tokens.get(token)
        if bound_to is None:
            bound_to = self._verified(token, self._token_key)["cnf"]["jkt"]
            if self._cache_tokens:
                self._tokens[token] = bound_to
        self._prove(header_value(head, b"dpop"), token, bound_to)
        self.give(orjson.loads(body)["application_id"], reply)

    def give(self, application_id: str, reply: Reply) -> None:
        """Record it, and answer once that is durable."""
        record_id = self._record.append(self._entry, application_id)
        self._record.committed(lambda: reply(self._signed(record_id)))

    def _prove(self, proof: bytes, token: bytes, bound_to: str) -> None:
        header = proof[: proof.index(b".")]
        known = self._keys.get(header)
        if known is None:
            known = self._keys[header] = _proof_key(header)
        claims = self._verified(proof, known[0])
        assert known[1] == bound_to
        assert claims["ath"] == base64url(hashlib.sha256(token).digest()).decode()
        assert claims["jti"] not in self._seen
        self._seen.add(claims["jti"])

    def _verified(self, token: bytes, key: ec.EllipticCurvePublicKey) -> Any:
        signing_input, _, signature = token.rpartition(b".")
        raw = decoded(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(der, signing_input, _ES256)
        return orjson.loads(decoded(signing_input.partition(b".")[2]))

    def _signed(self, record_id: str) -> bytes:
        claims = {**self._claims, "record_id": record_id, "iat": int(time.time())}
        token = es256(self._answer_key, self._header + b"." + base64url(orjson.dumps(claims)))
        return answer("200 OK", "application/jose", token)


def decoded(text: bytes) -> bytes:
    """Of base64url without padding."""
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _proof_key(header: bytes) -> tuple[ec.EllipticCurvePublicKey, str]:
    jwk = orjson.loads(decoded(header))["jwk"]
    x, y = (int.from_bytes(decoded(jwk[name].encode()), "big") for name in ("x", "y"))
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    name = base64url(hashlib.sha256(members.encode()).digest()).decode()
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key(), name
