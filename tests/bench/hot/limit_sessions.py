"""What a limit knows of an applicant: a session at rest, sealed, found by the digest of its secret."""

import hashlib
import os
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.bench.hot.limit_record import Record


class AtRest:
    """Seals what lies in the store, and opens it."""

    def __init__(self, record: Record) -> None:
        self._store = record.store
        self._key = AESGCM(AESGCM.generate_key(256))

    def seal(self, body: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._key.encrypt(nonce, body, None)

    def find(self, table: str, key: str) -> Any:
        """The JSON that lies there."""
        sealed = self._store.get(table, key)
        return orjson.loads(self._key.decrypt(sealed[:12], sealed[12:], None))

    def session(self, secret: bytes) -> Any:
        """Whose secret it is."""
        found = self.find("sessions", hashlib.sha256(secret).hexdigest())
        assert found["status"] == "verified"
        return found

    def put_at_start(self, kept: dict[str, dict[str, Any]]) -> None:
        """``kept`` by table and id, before anybody asks."""
        changes = [
            (table, key, self.seal(orjson.dumps(body))) for table, rows in kept.items() for key, body in rows.items()
        ]
        start = ("0", 0, b"", b"", "limit.start", "")
        self._store.append([start], (0, 0, b"", b""), changes)
