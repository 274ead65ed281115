"""A lean utility that can be killed at any moment: event, effect and receipt are one transaction of its own SQLite.

``python -m tests.prove.utility --port N --data-dir DIR --partner CODE --issuer URL``. What it holds is what the checker
counts: ``arrivals`` (every delivery, in order), ``events`` (each once), ``effects`` (each outcome taken, in order, as
often as an event brought it) and ``receipts`` (every one it signed).
"""

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from mock_services.jose import SigningKey
from mock_services.utility.webhooks import parse_secret

TOLERANCE_S = 300
STORE = "utility.sqlite3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS arrivals (arrival INTEGER PRIMARY KEY, event_id TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, arrival INTEGER NOT NULL, subject TEXT NOT NULL, sequence INTEGER NOT NULL,
    position INTEGER, type TEXT NOT NULL, body BLOB NOT NULL, body_sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS effects (
    effect INTEGER PRIMARY KEY, event_id TEXT NOT NULL, application_id TEXT NOT NULL, permit_id TEXT NOT NULL,
    outcome_id TEXT NOT NULL, outcome_sequence INTEGER NOT NULL, signed_outcome TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS receipts (
    receipt INTEGER PRIMARY KEY, event_id TEXT NOT NULL, document TEXT NOT NULL, sha256 TEXT NOT NULL
);
"""


class Refused(Exception):
    """A delivery that is not taken, with its status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Utility:
    """``secret`` is what gateway and utility share; ``issuer`` is whom receipts are for."""

    def __init__(self, store: Path, partner: str, issuer: str, key: SigningKey, secret: bytes) -> None:
        self._partner, self._issuer, self._key, self._secret = partner, issuer, key, secret
        self._database = sqlite3.connect(store, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)

    def routes(self) -> list[web.RouteDef]:
        """The webhook, and what became of an event."""
        return [
            web.post("/webhooks/bandian", self._webhook),
            web.get("/webhooks/bandian/events/{event_id}", self._status),
            web.get("/healthz", self._healthz),
        ]

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._authenticate(request.headers.get, body)
            event = json.loads(body)
            receipt = self._take(event, body)
        except Refused as refused:
            return web.Response(status=refused.status, text=str(refused))
        return web.Response(text=receipt, content_type="application/jose")

    async def _status(self, request: web.Request) -> web.Response:
        """A receipt for an event that is held here; 404 for any other."""
        event_id = request.match_info["event_id"]
        try:
            self._authenticate(request.headers.get, b"")
        except Refused as refused:
            return web.Response(status=refused.status, text=str(refused))
        known = self._database.execute("SELECT body_sha256 FROM events WHERE event_id = ?", (event_id,)).fetchone()
        if known is None:
            return web.Response(status=404)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            receipt = self._signed_receipt(event_id, known[0], duplicate=False)
        return web.Response(text=receipt, content_type="application/jose")

    def _authenticate(self, header: Any, body: bytes) -> None:
        event_id, timestamp = header("webhook-id", ""), header("webhook-timestamp", "0")
        if not timestamp.isdigit() or abs(int(timestamp) - time.time()) > TOLERANCE_S:
            raise Refused(401, "timestamp")
        expected = hmac.digest(self._secret, f"{event_id}.{timestamp}.".encode() + body, "sha256")
        given = [part.partition(",")[2] for part in header("webhook-signature", "").split() if part.startswith("v1,")]
        if not any(hmac.compare_digest(base64.b64encode(expected).decode(), signature) for signature in given):
            raise Refused(401, "signature")

    def _take(self, event: dict[str, Any], body: bytes) -> str:
        """The receipt, once event, effect and receipt are durable. Raises ``Refused`` for an id that changed."""
        body_sha256 = hashlib.sha256(body).hexdigest()
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            arrival = self._database.execute(
                "INSERT INTO arrivals (event_id, at) VALUES (?, ?)", (event["id"], time.time())
            ).lastrowid
            known = self._database.execute(
                "SELECT body_sha256 FROM events WHERE event_id = ?", (event["id"],)
            ).fetchone()
            if known is not None and known[0] != body_sha256:
                raise Refused(409, "the event is known with another body")
            if known is None:
                self._keep(event, body, body_sha256, arrival)
            return self._signed_receipt(event["id"], body_sha256, duplicate=known is not None)

    def _keep(self, event: dict[str, Any], body: bytes, body_sha256: str, arrival: int | None) -> None:
        self._database.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event["id"],
                arrival,
                event["subject"],
                event["sequence"],
                event.get("position"),
                event["type"],
                body,
                body_sha256,
            ),
        )
        if event["type"] == "cn.bandian.permit.outcome.v1":
            data = event["data"]
            self._database.execute(
                "INSERT INTO effects (event_id, application_id, permit_id, outcome_id, outcome_sequence,"
                " signed_outcome) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    event["id"],
                    event["subject"],
                    data["permit_id"],
                    data["outcome_id"],
                    data["outcome_sequence"],
                    data["signed_outcome"],
                ),
            )

    def _signed_receipt(self, event_id: str, body_sha256: str, *, duplicate: bool) -> str:
        """Sign it, and keep it in the transaction that is open."""
        claims = {
            "iss": self._partner,
            "aud": self._issuer,
            "jti": secrets.token_urlsafe(16),
            "iat": int(time.time()),
            "event_id": event_id,
            "body_sha256": body_sha256,
            "status": "duplicate" if duplicate else "accepted",
        }
        receipt = self._key.sign("delivery-receipt+jwt", claims)
        self._database.execute(
            "INSERT INTO receipts (event_id, document, sha256) VALUES (?, ?, ?)",
            (event_id, receipt, hashlib.sha256(receipt.encode()).hexdigest()),
        )
        return receipt


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--partner", required=True)
    parser.add_argument("--issuer", required=True)
    options = parser.parse_args()
    key = SigningKey.load_or_create(options.data_dir / "key.pem")
    secret = parse_secret((options.data_dir / "webhook-secret").read_text("utf-8").strip())
    app = web.Application()
    app.add_routes(Utility(options.data_dir / STORE, options.partner, options.issuer, key, secret).routes())
    web.run_app(app, host="127.0.0.1", port=options.port, print=None, access_log=None, reuse_address=True)


if __name__ == "__main__":
    main()
