"""Notices by a province's message platform, which sends SMS or WeChat: a POST under a Standard Webhooks signature."""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from adapters.channels.posting import UNREGISTERED_RETRY_S, Poster
from gateway.errors import Owner
from gateway.notices.words import Message
from gateway.partners.model import Endpoint
from schemas.events import HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP

PLATFORM = "message-platform"


@dataclass(frozen=True)
class PlatformChannel:
    """``secrets`` answers the shared secrets, the newest first; any 2xx takes the message."""

    poster: Poster
    url: str
    secrets: Callable[[], tuple[bytes, ...]]

    async def send(self, key: str, address: str, message: Message, at: datetime) -> None:
        """See ``NoticeChannel.send``. ``webhook-id`` comes from ``key``, so that the platform can tell a repetition."""
        secrets = self.secrets()
        if not secrets:
            raise self.poster.unavailable(
                PLATFORM, "secret_missing", "请配置消息平台的密钥", Owner.GATEWAY, UNREGISTERED_RETRY_S
            )
        body = orjson.dumps({"to": address, "subject": message.subject, "text": message.body})
        message_id, timestamp = "ntc_" + sha256(key.encode()).hexdigest()[:32], str(int(at.timestamp()))
        signed = f"{message_id}.{timestamp}.".encode() + body
        signatures = [hmac.digest(secret, signed, "sha256") for secret in secrets]
        headers = {
            "Content-Type": "application/json",
            HEADER_ID: message_id,
            HEADER_TIMESTAMP: timestamp,
            HEADER_SIGNATURE: " ".join("v1," + base64.b64encode(each).decode() for each in signatures),
        }
        await self.poster.post(Endpoint(PLATFORM, "platform", self.url, None), body, headers, at)
