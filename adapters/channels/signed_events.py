"""What every channel to a utility shares: Standard Webhooks signatures over an event, and its receipt.

Signatures go over ``{webhook-id}.{webhook-timestamp}.{body}`` (Standard Webhooks 1.0): ``v1`` HMAC-SHA256 with the
secret shared with this receiver (with two while it changes over), ``v1a`` Ed25519 with the gateway's own key.
"""

import base64
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from adapters.channels.posting import UNREGISTERED_RETRY_S, not_delivered
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey, VerificationKey
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.delivery.errors import NotDelivered
from gateway.delivery.ports import AttemptOutcome, ChannelKind, Event, Receipt
from gateway.errors import Owner
from gateway.partners.model import Endpoint
from gateway.records.entries import digest
from schemas.events import HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, DeliveryReceipt, DeliveryRefusal
from schemas.wire import MEDIA_CLOUDEVENT, Typ

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
log = structlog.get_logger()

_SLUGS: Final = {Typ.DELIVERY_RECEIPT: "receipt", Typ.DELIVERY_REFUSAL: "refusal"}
_CLAIMS: Final = frozenset({"iss", "aud", "jti", "iat", "event_id", "body_sha256", "status"})

AnswerT = TypeVar("AnswerT", DeliveryReceipt, DeliveryRefusal)

SecretsOf = Callable[[str], tuple[bytes, ...]]
"""Answers the HMAC secrets that a ``secret_ref`` names, the newest first; none where it names nothing.

Raises ``ValueError`` where what it names is no secret.
"""


def parse_secret(text: str) -> bytes:
    """The bytes of a ``whsec_<base64>`` secret (24 to 64 of them). Raises ``ValueError``, which never quotes it."""
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX).encode("ascii"), validate=True)
    except ValueError:
        raise ValueError("a webhook secret is whsec_ and base64") from None
    if not text.startswith(SECRET_PREFIX) or not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise ValueError("a webhook secret is whsec_ and base64 of 24 to 64 bytes")
    return secret


class SignedEvents:
    """Signs events of one ``channel`` and verifies their receipts.

    ``issuer`` is the gateway's name, ``source`` of each event and ``aud`` of each receipt; ``signing_key`` answers an
    Ed25519 key (``ValueError`` otherwise).
    """

    def __init__(
        self,
        channel: ChannelKind,
        issuer: str,
        signing_key: CurrentKey,
        secrets_of: SecretsOf,
        *,
        apart: bool = False,
    ) -> None:
        """``apart``: answers do not come on the connection of the send, so that anybody may have said what proves
        nothing, and what is found may be an answer to an earlier send.
        """
        self._channel = channel.value
        self._apart = apart
        self._issuer = issuer
        self._signing_key = signing_key
        self._sign(b"")
        self._secrets_of = secrets_of

    def headers(self, event: Event, endpoint: Endpoint, body: bytes, at: datetime) -> dict[str, str]:
        """Content type, id, time and signatures. Raises ``NotDelivered`` while the secret is not there."""
        timestamp = str(int(at.timestamp()))
        signed = f"{event.event_id}.{timestamp}.".encode() + body
        signatures = ["v1a," + _base64(self._sign(signed))]
        if endpoint.secret_ref is not None:
            secrets = self._secrets(endpoint.secret_ref)
            if not secrets:
                raise not_delivered(
                    self._channel,
                    event.destination,
                    "secret_missing",
                    "请配置该接收方的 Webhook 密钥",
                    Owner.GATEWAY,
                    UNREGISTERED_RETRY_S,
                )
            signatures[:0] = ["v1," + _base64(hmac.digest(secret, signed, "sha256")) for secret in secrets]
        return {
            "Content-Type": MEDIA_CLOUDEVENT,
            HEADER_ID: event.event_id,
            HEADER_TIMESTAMP: timestamp,
            HEADER_SIGNATURE: " ".join(signatures),
        }

    def _sign(self, signed: bytes) -> bytes:
        key = self._signing_key().private_key
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("v1a is an Ed25519 signature")
        return key.sign(signed)

    def _secrets(self, reference: str) -> tuple[bytes, ...]:
        try:
            return self._secrets_of(reference)
        except ValueError as unfit:
            log.error("delivery.secret_unfit", secret_ref=reference, fault=type(unfit).__name__)
            return ()

    def verify_receipt(
        self, event: Event, body: bytes, document: bytes, keys: tuple[VerificationKey, ...], at: datetime
    ) -> Receipt:
        """The receipt, when the receiver's own key signed that it holds these very bytes of this very event.

        Raises ``NotDelivered``.
        """
        claims = self._signed_by_receiver(event, document, keys, at, Typ.DELIVERY_RECEIPT)
        receipt = self._about(event, body, claims, Typ.DELIVERY_RECEIPT, DeliveryReceipt)
        return Receipt(document.decode("ascii").strip(), receipt.status == "duplicate")

    def verify_refusal(
        self, event: Event, body: bytes, document: bytes, keys: tuple[VerificationKey, ...], at: datetime
    ) -> int:
        """Its status, when the receiver's own key signed that it will never take these bytes. As ``verify_receipt``."""
        claims = self._signed_by_receiver(event, document, keys, at, Typ.DELIVERY_REFUSAL)
        return self._about(event, body, claims, Typ.DELIVERY_REFUSAL, DeliveryRefusal).status

    def _signed_by_receiver(
        self, event: Event, document: bytes, keys: tuple[VerificationKey, ...], at: datetime, typ: Typ
    ) -> dict[str, Any]:
        policy = _policy(self._issuer, event.destination, typ)
        try:
            return verify_jws(document.strip(), keys, policy, at).claims
        except JoseRefused as refusal:
            raise self._unproven(event, typ, refusal.check.removeprefix("jose.")) from None

    def _about(self, event: Event, body: bytes, claims: dict[str, Any], typ: Typ, model: type[AnswerT]) -> AnswerT:
        try:
            answer = model.model_validate(claims)
        except ValidationError:
            raise self._unproven(event, typ, "claims") from None
        if answer.event_id != event.event_id:
            raise self._unproven(event, typ, "event_id")
        if answer.body_sha256 != digest(body):
            raise self._unproven(event, typ, "body_sha256")
        if self._apart and event.replayed_at is not None and answer.iat < int(event.replayed_at.timestamp()):
            raise self._unproven(event, typ, "stale")
        return answer

    def _unproven(self, event: Event, typ: Typ, what: str) -> NotDelivered:
        return not_delivered(
            self._channel,
            event.destination,
            f"{_SLUGS[typ]}.{what}",
            "接收方须以登记的密钥签发送达回执，写明事件编号与所收内容的摘要",
            outcome=AttemptOutcome.UNKNOWN if self._apart else AttemptOutcome.DECLINED,
        )


@lru_cache(1024)
def _policy(issuer: str, receiver: str, typ: Typ) -> JwsPolicy:
    return JwsPolicy(
        typ=frozenset({typ.value}),
        audience=frozenset({issuer}),
        issuer=receiver,
        required=_CLAIMS,
        leeway=timedelta(seconds=60),
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
