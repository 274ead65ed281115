"""What an outcome costs at the least, until its receipt is kept: ``python -m tests.bench.hot.outcome_limit``.

The same verifies and signatures, the same bytes in and out, the same facts made durable in two commits: outcome, event
and entry before the department is answered; receipt and entry when the utility has signed. No framework, no SQL layer,
no joint review, no lease, no order, no sealing at rest, and hardly a header.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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

from tests.bench.hot.wire import Handler, Messages, Reply, answer, serve

PENDING = b"GET /pending"
"""Answers how many outcomes were taken and are not acknowledged yet."""
UTILITY_CONNECTIONS = 32
_ES256 = ec.ECDSA(hashes.SHA256())
_LOG = "0123456789ab"
_TABLES = {
    "outcomes": ("department TEXT", "outcome_id TEXT", "permit_id TEXT", "sequence BIGINT", "signed {bytes}"),
    "events": ("event_id TEXT PRIMARY KEY", "subject TEXT", "position BIGINT", "data {bytes}"),
    "receipts": ("event_id TEXT PRIMARY KEY", "at BIGINT", "receipt {bytes}"),
    "entries": ("log_id TEXT", "sequence BIGINT", "leaf_hash {bytes}", "leaf {bytes}", "action TEXT", "subject TEXT"),
    "seals": ("number BIGINT PRIMARY KEY", "last_sequence BIGINT", "root {bytes}", "signature {bytes}"),
}
_INDEXES = (
    "CREATE UNIQUE INDEX outcomes_id ON outcomes (department, outcome_id)",
    "CREATE UNIQUE INDEX entries_id ON entries (log_id, sequence)",
    "CREATE INDEX entries_subject ON entries (subject, action)",
)
Rows = Mapping[str, Sequence[tuple[Any, ...]]]


def _ddl(binary: str) -> list[str]:
    made = [f"CREATE TABLE {name} ({', '.join(columns)})" for name, columns in _TABLES.items()]
    return [*(each.format(bytes=binary) for each in made), *_INDEXES]


class Store(Protocol):
    """Makes rows durable, by table."""

    def append(self, rows: Rows) -> None: ...


class SqliteStore:
    """One connection, WAL, ``synchronous=FULL``."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *_ddl("BLOB")):
            self._connection.execute(statement)
        self._statements = {
            table: f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})" for table, columns in _TABLES.items()
        }

    def append(self, rows: Rows) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for table, added in rows.items():
            self._connection.executemany(self._statements[table], added)
        self._connection.execute("COMMIT")


class PostgresStore:
    """One connection, one statement for all rows of a table."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        for statement in _ddl("BYTEA"):
            self._connection.execute(statement.encode())
        self._statements = {}
        for table, columns in _TABLES.items():
            types = [column.split()[1].format(bytes="BYTEA") for column in columns]
            arrays = ", ".join(f"%s::{each.lower()}[]" for each in types)
            self._statements[table] = f"INSERT INTO {table} SELECT * FROM unnest({arrays})".encode()

    def append(self, rows: Rows) -> None:
        with self._connection.transaction():
            for table, added in rows.items():
                columns = [list(column) for column in zip(*added, strict=True)]
                self._connection.execute(self._statements[table], columns, binary=True)


@dataclass(frozen=True)
class Work:
    """What the limit is told: keys and secret, and an event and entries as the gateway really made them."""

    gateway: str
    utility: str
    departments: dict[str, ec.EllipticCurvePublicKey]
    receipt_key: ec.EllipticCurvePublicKey
    webhook_key: Ed25519PrivateKey
    seal_key: Ed25519PrivateKey
    secret: bytes
    event: dict[str, Any]
    received: dict[str, Any]
    receipted: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Work":
        said = json.loads(path.read_text("utf-8"))
        webhook_key = load_pem_private_key(said["webhook_key"].encode(), None)
        assert isinstance(webhook_key, Ed25519PrivateKey)
        return cls(
            said["gateway"],
            said["utility"],
            {code: _public(pem) for code, pem in said["departments"].items()},
            _public(said["receipt_key"]),
            webhook_key,
            Ed25519PrivateKey.generate(),
            base64.b64decode(said["secret"]),
            said["event"],
            said["received"],
            said["receipted"],
        )


def _public(pem: str) -> ec.EllipticCurvePublicKey:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


class _Line(Messages):
    """A connection to the utility: one event at a time."""

    def __init__(self, answered: Callable[["_Line", bytes], None]) -> None:
        super().__init__()
        self._answered = answered
        self.event_id, self.subject, self.digest = "", "", ""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def message(self, head: bytes, body: bytes) -> None:
        assert head.startswith(b"HTTP/1.1 200"), head
        self._answered(self, body)


class Limit:
    """The handler, what waits for the next commit, and the lines to the utility."""

    def __init__(self, work: Work, store: Store, utility_port: int) -> None:
        self._work, self._store, self._utility_port = work, store, utility_port
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._waiting: list[tuple[Reply, bytes, tuple[str, str, bytes]]] = []
        self._acknowledged = self._taken = self._position = 0
        self._sequence = self._seals = 0
        self._previous = bytes(32)
        self._free: list[_Line] = []
        self._queue: deque[tuple[str, str, bytes]] = deque()
        self._committing = False
        self._loop = asyncio.get_running_loop()
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        for _ in range(UTILITY_CONNECTIONS):
            _, line = await self._loop.create_connection(lambda: _Line(self._answered), "127.0.0.1", self._utility_port)
            self._free.append(line)

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        if head.startswith(PENDING):
            reply(answer("200 OK", "text/plain", b"%d" % (self._taken - self._acknowledged)))
            return
        department = head[: head.index(b" HTTP")].split(b"/")[3].decode()
        claims = _verified(body, self._work.departments[department])
        assert (claims["iss"], claims["aud"]) == (department, self._work.gateway)
        self._taken += 1
        self._position += 1
        subject, event_id = claims["permit_id"], f"evt_{self._position:026d}"
        event = self._event(event_id, claims, body)
        self._add("outcomes", (department, claims["jti"], claims["permit_id"], claims["sequence"], body))
        self._add("events", (event_id, subject, self._position, event))
        entry = self._entry(self._work.received, subject, outcome=claims["jti"], permit=claims["permit_id"])
        said = {"outcome_id": claims["jti"], "permit_id": subject, "duplicate": False, "record_id": entry}
        self._waiting.append((reply, orjson.dumps(said), (event_id, subject, event)))

    def _event(self, event_id: str, claims: dict[str, Any], signed: bytes) -> bytes:
        like = self._work.event
        about = {"permit_id": claims["permit_id"], "outcome_id": claims["jti"], "department": claims["iss"]}
        data = {**like["data"], **about, "outcome_sequence": claims["sequence"], "signed_outcome": signed.decode()}
        numbers = {"sequence": claims["sequence"], "position": self._position}
        return orjson.dumps({**like, "id": event_id, "subject": claims["permit_id"], **numbers, "data": data})

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        if not self._committing:
            self._committing = True
            self._loop.call_soon(self._commit)
        self._rows.setdefault(table, []).append(row)

    def _entry(self, like: dict[str, Any], subject: str, **facts: str) -> str:
        self._sequence += 1
        said = {**like, "subject": subject, "at": time.time_ns(), "facts": {**like["facts"], **facts}}
        leaf = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        leaf_hash = hashlib.sha256(b"\0" + leaf).digest()
        self._add("entries", (_LOG, self._sequence, leaf_hash, leaf, like["action"], subject))
        return f"{_LOG}-{self._sequence}"

    def _commit(self) -> None:
        rows, waiting = self._rows, self._waiting
        self._rows, self._waiting, self._committing = {}, [], False
        root = hashlib.sha256(b"".join((self._previous, *(row[2] for row in rows["entries"])))).digest()
        self._seals += 1
        rows["seals"] = [(self._seals, self._sequence, root, self._work.seal_key.sign(root))]
        self._store.append(rows)
        self._previous = root
        self._acknowledged += len(rows.get("receipts", ()))
        for reply, said, event in waiting:
            reply(answer("202 Accepted", "application/json", said))
            if self._free:
                self._send(self._free.pop(), event)
            else:
                self._queue.append(event)

    def _send(self, line: _Line, event: tuple[str, str, bytes]) -> None:
        line.event_id, line.subject, body = event
        line.digest = hashlib.sha256(body).hexdigest()
        timestamp = int(time.time())
        signed = f"{line.event_id}.{timestamp}.".encode() + body
        shared = base64.b64encode(hmac.digest(self._work.secret, signed, "sha256"))
        own = base64.b64encode(self._work.webhook_key.sign(signed))
        line.transport.write(
            b"POST /webhooks/bandian HTTP/1.1\r\nhost: utility\r\ncontent-type: application/cloudevents+json\r\n"
            b"webhook-id: %b\r\nwebhook-timestamp: %d\r\nwebhook-signature: v1,%b v1a,%b\r\n"
            b"content-length: %d\r\n\r\n%b" % (line.event_id.encode(), timestamp, shared, own, len(body), body)
        )

    def _answered(self, line: _Line, receipt: bytes) -> None:
        claims = _verified(receipt, self._work.receipt_key)
        assert (claims["iss"], claims["aud"]) == (self._work.utility, self._work.gateway)
        assert (claims["event_id"], claims["body_sha256"]) == (line.event_id, line.digest)
        self._add("receipts", (line.event_id, time.time_ns(), receipt))
        self._entry(self._work.receipted, line.subject, event=line.event_id)
        if self._queue:
            self._send(line, self._queue.popleft())
        else:
            self._free.append(line)


def _verified(token: bytes, key: ec.EllipticCurvePublicKey) -> Any:
    signing_input, _, signature = token.rpartition(b".")
    raw = _decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, signing_input, _ES256)
    return orjson.loads(_decoded(signing_input.partition(b".")[2]))


def _decoded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _ready(work: Work, store: Store, utility_port: int) -> Callable[[], Handler]:
    return lambda: Limit(work, store, utility_port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--utility-port", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--database", required=True, help="a new SQLite file, or the URL of an empty PostgreSQL")
    options = parser.parse_args()
    postgres = options.database.startswith("postgresql:")
    store: Store = PostgresStore(options.database) if postgres else SqliteStore(options.database)
    serve(_ready(Work.read(options.work), store, options.utility_port), options.port)


if __name__ == "__main__":
    main()
