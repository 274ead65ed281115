"""A utility that signs for events at once: ``python -m tests.bench.hot.utility``, beside gateway and limit alike.

It verifies nothing and stores nothing; it digests the body, signs the receipt, and keeps count of what it was sent, so
that a benchmark can ask afterwards whether each event came once and those of an application in order.
"""

import argparse
import hashlib
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import orjson

from mock_services.jose import SigningKey
from tests.bench.hot.tokens import base64url, es256
from tests.bench.hot.wire import Handler, Reply, answer, header_value, serve

SEEN = "/seen"
"""``GET`` answers the counts and the last body that came."""


class Desk:
    """The handler. ``partner`` is the utility's code, ``gateway`` whom its receipts are for."""

    def __init__(self, partner: str, gateway: str, key: SigningKey) -> None:
        self._private = key.private
        self._header = base64url(orjson.dumps({"typ": "delivery-receipt+jwt", "alg": "ES256", "kid": key.kid}))
        self._claims = {"iss": partner, "aud": gateway, "status": "accepted"}
        self._ids: set[str] = set()
        self._sequences: dict[str, int] = {}
        self._again = self._out_of_order = 0
        self._last = b""

    def __call__(self, head: bytes, body: bytes, reply: Reply) -> None:
        if head.startswith(b"GET"):
            reply(answer("200 OK", "application/json", self._seen()))
            return
        self._note(body)
        receipt = {
            **self._claims,
            "jti": urlsafe_b64encode(os.urandom(12)).decode(),
            "iat": int(time.time()),
            "event_id": header_value(head, b"webhook-id").decode(),
            "body_sha256": hashlib.sha256(body).hexdigest(),
        }
        token = es256(self._private, self._header + b"." + base64url(orjson.dumps(receipt)))
        reply(answer("200 OK", "application/jose", token))

    def _note(self, body: bytes) -> None:
        event = orjson.loads(body)
        if event["id"] in self._ids:
            self._again += 1
            return
        self._ids.add(event["id"])
        last = self._sequences.get(event["subject"])
        if last is not None and event["sequence"] != last + 1:
            self._out_of_order += 1
        self._sequences[event["subject"]] = event["sequence"]
        self._last = body

    def _seen(self) -> bytes:
        counts = {"events": len(self._ids), "again": self._again, "out_of_order": self._out_of_order}
        return orjson.dumps({**counts, "last": self._last.decode()})


def _ready(partner: str, gateway: str, key: SigningKey) -> Callable[[], Handler]:
    return lambda: Desk(partner, gateway, key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--partner", required=True)
    parser.add_argument("--gateway", required=True, help="issuer of the gateway")
    parser.add_argument("--key", type=Path, required=True, help="PEM of the key of its receipts")
    options = parser.parse_args()
    serve(_ready(options.partner, options.gateway, SigningKey.load_or_create(options.key)), options.port)


if __name__ == "__main__":
    main()
