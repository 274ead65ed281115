"""Time stamps of checkpoints by an authority (RFC 3161 over HTTP, §3.4), read as strictly as those of seals."""

import base64
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.http_client import HttpClient, HttpRequest
from gateway.certificates.envelopes.ofd.report import Outcome
from gateway.certificates.envelopes.ofd.timestamp import Stamped, judge_token, read_token
from gateway.certificates.envelopes.ofd.trust import TrustContext
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.clock import Clock
from gateway.crypto.der import Tag, encode, encode_integer, parse
from gateway.crypto.errors import DerMalformed
from gateway.errors import GatewayError, Owner, PartnerUnavailable
from gateway.records.ports import TimeStamp

QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
MAX_REPLY_BYTES: Final = 65536
_SHA256: Final = encode(Tag.SEQUENCE, encode(Tag.OBJECT_IDENTIFIER, bytes.fromhex("608648016503040201")))
_TRUE: Final = encode(Tag.BOOLEAN, b"\xff")
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class AnchorsUnreadable(ValueError):
    """The text is one sentence for the operator."""


class HttpTimeStamps:
    """``gateway.records.ports.TimeStamper``. A token counts only under one of ``anchors`` (DER), at least one."""

    def __init__(self, http: HttpClient, url: str, anchors: Sequence[bytes], clock: Clock) -> None:
        self._http = http
        self._url = url
        self._anchors = tuple(anchors)
        self._clock = clock

    @property
    def name(self) -> str:
        return urlsplit(self._url).netloc

    async def stamp(self, text: bytes) -> TimeStamp:
        """See ``TimeStamper.stamp``. No nonce is sent: the digest is of this very checkpoint."""
        headers = {"content-type": QUERY_TYPE, "accept": REPLY_TYPE}
        request = HttpRequest("POST", self._url, headers, query(text), idempotent=True, max_bytes=MAX_REPLY_BYTES)
        reply = await self._http.send(request, partner=self.name)
        if reply.status != 200 or reply.media_type != REPLY_TYPE:
            raise self._unfit("time_stamp.refused")
        try:
            token = _token_in(reply.body)
            read = read_token(token)
        except DerMalformed:
            raise self._unfit("time_stamp.malformed") from None
        context = TrustContext(self._anchors, (), self._clock())
        if judge_token(read, Stamped("检查点", (text,)), context).outcome is not Outcome.PASSED:
            raise self._unfit("time_stamp.not_proved")
        return TimeStamp(self.name, read.at, token)

    def _unfit(self, check: str) -> PartnerUnavailable:
        remedy = "时间戳机构的应答不可采信，请核对其地址与根证书"
        return PartnerUnavailable(check=check, owner=Owner.GATEWAY, remedy=remedy, partner=self.name)


def query(text: bytes) -> bytes:
    """TimeStampReq (§2.4.1) for ``text``: version 1, SHA-256, and the signer's certificate is asked for."""
    imprint = encode(Tag.SEQUENCE, _SHA256, encode(Tag.OCTET_STRING, sha256(text).digest()))
    return encode(Tag.SEQUENCE, encode_integer(1), imprint, _TRUE)


def flaw_of_token(token: bytes, text: bytes) -> str | None:
    """What is wrong with a stored token over ``text``; None for nothing. That its authority is trusted is not asked."""
    try:
        read = read_token(token)
    except DerMalformed:
        return "cannot be read"
    return None if read.imprint == sha256(text).digest() else "is for something else"


def read_anchors(path: Path) -> tuple[bytes, ...]:
    """The certificates of a PEM file in DER, all of them believed. Raises ``AnchorsUnreadable``."""
    try:
        found = [base64.b64decode(b"".join(block.split()), validate=True) for block in _PEM.findall(path.read_bytes())]
        for certificate in found:
            load_signing_certificate(certificate)
    except (OSError, ValueError, GatewayError):
        found = []
    if not found:
        raise AnchorsUnreadable(f"{path} holds no readable PEM certificate; name a file with the authority's root.")
    return tuple(found)


def _token_in(reply: bytes) -> bytes:
    """The token of a TimeStampResp (§2.4.2) that was granted. Raises ``DerMalformed``."""
    parts = parse(reply).expect(Tag.SEQUENCE).children()
    if len(parts) != 2:
        raise DerMalformed
    status = parts[0].expect(Tag.SEQUENCE).children()
    if not status or status[0].raw not in (encode_integer(0), encode_integer(1)):
        raise DerMalformed
    return parts[1].raw
