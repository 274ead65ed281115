"""Checking what arrives at the webhook, ready to be copied: both signatures, the time, the body.

The gateway signs ``{webhook-id}.{webhook-timestamp}.{body}`` twice (Standard Webhooks): ``v1`` with the secret that the
two share, ``v1a`` with its own Ed25519 key. Both must be right: the first shows that the message is meant for us, the
second can be shown to others.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature

from mock_services.jose import KeySet
from schemas.events import HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP

TOLERANCE = timedelta(minutes=5)
SECRET_PREFIX = "whsec_"
MAX_SIGNATURES = 16
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,15}")
_EVENT_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class WebhookRefused(Exception):
    """A delivery that is not taken; ``reason`` is a stable slug."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Delivery:
    """A delivery whose signatures hold. ``body`` is as it came, byte for byte."""

    event_id: str
    body: bytes

    @property
    def body_sha256(self) -> str:
        """Hexadecimal, as the receipt names it."""
        return hashlib.sha256(self.body).hexdigest()


def parse_secret(text: str) -> bytes:
    """The key bytes of a ``whsec_…`` secret (24 to 64 bytes). Raises ``ValueError``."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError("a webhook secret starts with whsec_")
    key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("a webhook secret holds 24 to 64 bytes")
    return key


def check_delivery(
    headers: Mapping[str, str], body: bytes, *, secret: bytes, gateway_keys: KeySet, at: datetime
) -> Delivery:
    """The delivery, if both signatures are right and it is not older or newer than ``TOLERANCE``.

    Raises ``WebhookRefused``: ``headers``, ``timestamp``, ``signature.v1``, ``signature.v1a``.
    """
    event_id, timestamp = headers.get(HEADER_ID, ""), headers.get(HEADER_TIMESTAMP, "")
    if not _EVENT_ID.fullmatch(event_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise WebhookRefused("headers")
    if abs(int(timestamp) - at.timestamp()) > TOLERANCE.total_seconds():
        raise WebhookRefused("timestamp")
    signed = f"{event_id}.{timestamp}.".encode() + body
    signatures = _signatures(headers.get(HEADER_SIGNATURE, ""))
    expected = hmac.digest(secret, signed, "sha256")
    if not any(hmac.compare_digest(expected, given) for version, given in signatures if version == "v1"):
        raise WebhookRefused("signature.v1")
    if not any(_ed25519_holds(gateway_keys, given, signed) for version, given in signatures if version == "v1a"):
        raise WebhookRefused("signature.v1a")
    return Delivery(event_id, body)


def _signatures(header: str) -> list[tuple[str, bytes]]:
    found = []
    for part in header.split(" ")[:MAX_SIGNATURES]:
        version, _, text = part.partition(",")
        try:
            found.append((version, base64.b64decode(text.encode("ascii"), validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found


def _ed25519_holds(keys: KeySet, signature: bytes, signed: bytes) -> bool:
    for key in keys.ed25519:
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            continue
        return True
    return False
