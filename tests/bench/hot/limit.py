"""What a verified licence costs at the least: ``python -m tests.bench.hot.limit``, a server beside the gateway.

It does the same verifies, signs an answer of the same bytes, takes in the same request, and makes the same entry
durable before it answers – without a framework, an SQL layer, most headers, or a question whether that is allowed.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tests.bench.hot.tokens import base64url, es256
from tests.bench.hot.wire import Handler, Reply, answer, header_value, serve

_ES256 = ec.ECDSA(hashes.SHA256())
_DDL = (
    "CREATE TABLE entries (log_id TEXT, sequence BIGINT, leaf_hash {bytes}, leaf {bytes}, action TEXT, subject TEXT,"
    " PRIMARY KEY (log_id, sequence))",
    "CREATE INDEX entries_subject ON entries (subject, action)",
    "CREATE TABLE seals (number BIGINT PRIMARY KEY, last_sequence BIGINT, root {bytes}, signature {bytes})",
)
_LOG = "0123456789ab"


class Store(Protocol):
    """Makes a batch durable."""

    def append(self, rows: Sequence[tuple[Any, ...]], seal: tuple[Any, ...]) -> None: ...


class SqliteStore:
    """One connection, WAL, ``synchronous=FULL``."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *_DDL):
            self._connection.execute(statement.format(bytes="BLOB"))

    def append(self, rows: Sequence[tuple[Any, ...]], seal: tuple[Any, ...]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("INSERT INTO seals VALUES (?, ?, ?, ?)", seal)
        connection.execute("COMMIT")


class PostgresStore:
    """One connection, one statement for all rows."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        for statement in _DDL:
            self._connection.execute(statement.format(bytes="BYTEA").encode())

    def append(self, rows: Sequence[tuple[Any, ...]], seal: tuple[Any, ...]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO entries SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::bytea[],"
                " %s::text[], %s::text[])",
                columns,
                binary=True,
            )
            self._connection.execute("INSERT INTO seals VALUES (%s, %s, %s, %s)", seal, binary=True)


@dataclass(frozen=True)
class Work:
    """What the limit is told: keys, the claims of an answer, an entry's facts."""

    token_key: ec.EllipticCurvePublicKey
    answer_key: ec.EllipticCurvePrivateKey
    seal_key: Ed25519PrivateKey
    header: bytes
    claims: dict[str, Any]
    entry: dict[str, Any]
    cache_tokens: bool

    @classmethod
    def read(cls, path: Path) -> "Work":
        said = json.loads(path.read_text("utf-8"))
        token_key = load_pem_public_key(said["token_key"].encode())
        answer_key = load_pem_private_key(said["answer_key"].encode(), None)
        assert isinstance(token_key, ec.EllipticCurvePublicKey)
        assert isinstance(answer_key, ec.EllipticCurvePrivateKey)
        return cls(
            token_key,
            answer_key,
            Ed25519PrivateKey.generate(),
            base64url(json.dumps(said["header"], separators=(",", ":")).encode()),
            said["claims"],
            said["entry"],
            said["cache_tokens"],
        )


class Limit:
    """The handler, and the batch that waits for the next commit."""

    def __init__(self, work: Work, store: Store) -> None:
        self._work, self._store = work, store
        self._tokens: dict[bytes, str] = {}
        self._keys: dict[bytes, tuple[ec.EllipticCurvePublicKey, str]] = {}
        self._seen: set[str] = set()
        self._rows: list[tuple[Any, ...]] = []
        self._waiting: list[tuple[str, Reply]] = []
        self._sequence = self._seals = 0
        self._previous = bytes(32)
        self._loop = asyncio.get_running_loop()

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        token = header_value(head, b"authorization").removeprefix(b"DPoP ")
        bound_to = self._tokens.get(token)
        if bound_to is None:
            bound_to = self._verified(token, self._work.token_key)["cnf"]["jkt"]
            if self._work.cache_tokens:
                self._tokens[token] = bound_to
        self._prove(header_value(head, b"dpop"), token, bound_to)
        asked = orjson.loads(body)
        self._record(asked["application_id"], reply)

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
        raw = _decoded(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(der, signing_input, _ES256)
        return orjson.loads(_decoded(signing_input.partition(b".")[2]))

    def _record(self, application_id: str, reply: Reply) -> None:
        if not self._rows:
            self._loop.call_soon(self._commit)
        self._sequence += 1
        leaf = orjson.dumps(
            {**self._work.entry, "subject": application_id, "at": time.time_ns()}, option=orjson.OPT_SORT_KEYS
        )
        row = (_LOG, self._sequence, _leaf_hash(leaf), leaf, self._work.entry["action"], application_id)
        self._rows.append(row)
        self._waiting.append((f"{_LOG}-{self._sequence}", reply))

    def _commit(self) -> None:
        rows, waiting = self._rows, self._waiting
        self._rows, self._waiting = [], []
        root = hashlib.sha256(b"".join((self._previous, *(row[2] for row in rows)))).digest()
        self._seals += 1
        signature = self._work.seal_key.sign(root)
        self._store.append(rows, (self._seals, self._sequence, root, signature))
        self._previous = root
        for record_id, reply in waiting:
            reply(self._signed(record_id))

    def _signed(self, record_id: str) -> bytes:
        claims = {**self._work.claims, "record_id": record_id, "iat": int(time.time())}
        token = es256(self._work.answer_key, self._work.header + b"." + base64url(orjson.dumps(claims)))
        return answer("200 OK", "application/jose", token)


def _proof_key(header: bytes) -> tuple[ec.EllipticCurvePublicKey, str]:
    jwk = orjson.loads(_decoded(header))["jwk"]
    x, y = (int.from_bytes(_decoded(jwk[name].encode()), "big") for name in ("x", "y"))
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    name = base64url(hashlib.sha256(members.encode()).digest()).decode()
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key(), name


def _leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def _decoded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _ready(work: Work, store: Store) -> Callable[[], Handler]:
    return lambda: Limit(work, store)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--database", required=True, help="a new SQLite file, or the URL of an empty PostgreSQL")
    options = parser.parse_args()
    postgres = options.database.startswith("postgresql:")
    store: Store = PostgresStore(options.database) if postgres else SqliteStore(options.database)
    serve(_ready(Work.read(options.work), store), options.port)


if __name__ == "__main__":
    main()
