"""Events to a utility over NATS JetStream: the same body and signatures as a webhook's, in headers of the message.

The stream's acknowledgement says that the stream has the event, not that the utility has: an event is settled by the
utility's own signed receipt, or its signed refusal, which it publishes. They lie in a stream of their own, so that one
that arrives while no relay listens is found by the next attempt. Whoever may publish there can say anything: what no
key of the utility's signed has the event sent again, and its outcome is unknown, so that a receipt is looked for first.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from adapters.channels.nats_link import NatsDown, NatsLink, NatsUnsure
from adapters.channels.posting import SEND_TIMEOUT, UNREGISTERED_RETRY_S, not_delivered
from adapters.channels.signed_events import SecretsOf, SignedEvents
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.strict_json import decode_base64url, parse_object
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import AttemptOutcome, ChannelKind, Event, Receipt
from gateway.errors import Owner
from gateway.partners.directory import Directory, DirectorySnapshot
from gateway.partners.model import Endpoint, KeyUse
from schemas.nats import HEADER_MESSAGE_ID
from schemas.wire import Typ

MAX_ANSWER_BYTES: Final = 64 * 1024
MOST_UNSIGNED_WAIT_S: Final = 600
"""Seconds for which an answer that nobody signed may put an event off."""
_KIND = ChannelKind.NATS


class NatsChannel:
    """``gateway.delivery.ports.Channel`` for utilities that registered ``nats``; parameters as ``WebhookChannel``."""

    def __init__(
        self,
        link: NatsLink,
        directory: Directory,
        issuer: str,
        signing_key: CurrentKey,
        secrets_of: SecretsOf,
        timeout: timedelta = SEND_TIMEOUT,
    ) -> None:
        self._link = link
        self._directory = directory
        self._issuer = issuer
        self._signed = SignedEvents(_KIND, issuer, signing_key, secrets_of, apart=True)
        self._timeout = timeout

    async def send(self, event: Event, at: datetime) -> Receipt:
        """See ``Channel.send``."""
        patience = asyncio.get_running_loop().time() + self._timeout.total_seconds()
        snapshot, utility = await self._directory.snapshot(), event.destination
        endpoint = _endpoint_of(snapshot, utility)
        body = encode_cloud_event(event, self._issuer)
        headers = {**self._signed.headers(event, endpoint, body, at), HEADER_MESSAGE_ID: event.event_id}
        try:
            async with self._link.answer_to(utility, event.event_id) as answer:
                await self._link.publish(utility, event.type, event.event_id, body, headers)
                document = await self._answer(event, answer, patience)
        except NatsDown as down:
            raise _no_way(utility, down.what) from None
        except NatsUnsure:
            raise _unsure(utility, "unacknowledged", "请检查 NATS 服务；事件将再次发送") from None
        return self._read(event, body, document, snapshot, at)

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        """See ``Channel.find_receipt``: what the utility published while nobody listened."""
        snapshot = await self._directory.snapshot()
        _endpoint_of(snapshot, event.destination)
        try:
            document = await self._link.stored_answer(event.destination, event.event_id)
        except NatsDown as down:
            raise _no_way(event.destination, down.what) from None
        if document is None or _status_in(document) is not None:
            return None
        return self._read(event, encode_cloud_event(event, self._issuer), document, snapshot, at)

    async def _answer(self, event: Event, answer: "asyncio.Future[bytes]", until: float) -> bytes:
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(answer)
        except TimeoutError:
            # The server may have gone and come back meanwhile: what it kept is the same answer.
            try:
                stored = await self._link.stored_answer(event.destination, event.event_id)
            except NatsDown:
                stored = None
        if stored is None:
            raise _unsure(event.destination, "timeout", "接收方未在时限内发布回执，请检查其服务")
        return stored

    def _read(self, event: Event, body: bytes, document: bytes, snapshot: DirectorySnapshot, at: datetime) -> Receipt:
        """The utility's word is what its key signed; anything else may be anybody's, and settles nothing."""
        utility, status = event.destination, _status_in(document)
        if status is not None:
            remedy = "接收方暂未接收，请检查其服务与配置；最终拒绝须以登记的密钥签名"
            raise _unsure(utility, f"status_{status}", remedy, _retry_after_in(document))
        if len(document) > MAX_ANSWER_BYTES:
            raise _unsure(utility, "answer_too_long", "接收方的应答过长，请按接口文档应答")
        keys = snapshot.verification_keys(utility, KeyUse.RECEIPT, at)
        if not _says_refusal(document):
            return self._signed.verify_receipt(event, body, document, keys, at)
        refused = self._signed.verify_refusal(event, body, document, keys, at)
        raise DeliveryRefused(
            check=f"{_KIND}.status_{refused}",
            owner=Owner.CALLER,
            remedy="接收方拒绝接收此事件；请与其核对后由运营方重放",
            partner=utility,
            status=refused,
        )


def _endpoint_of(snapshot: DirectorySnapshot, utility: str) -> Endpoint:
    endpoint = snapshot.endpoint(utility, _KIND)
    if endpoint is None:
        remedy = "请登记并启用 nats 接收通道"
        raise not_delivered(_KIND, utility, "endpoint_missing", remedy, Owner.GATEWAY, UNREGISTERED_RETRY_S)
    return endpoint


def _no_way(utility: str, what: str) -> NotDelivered:
    return not_delivered(_KIND, utility, what, "请检查 NATS 服务、其 JetStream 与权限", Owner.GATEWAY)


def _unsure(utility: str, what: str, remedy: str, retry_after: int | None = None) -> NotDelivered:
    return not_delivered(_KIND, utility, what, remedy, Owner.CALLER, retry_after, AttemptOutcome.UNKNOWN)


def _says_refusal(document: bytes) -> bool:
    """By its ``typ``, which is still to be verified."""
    try:
        header = parse_object(decode_base64url(document.strip().partition(b".")[0]), max_bytes=MAX_ANSWER_BYTES)
    except JoseRefused:
        return False
    typ = header.get("typ")
    return isinstance(typ, str) and typ.lower().removeprefix("application/") == Typ.DELIVERY_REFUSAL


def _members(document: bytes) -> dict[str, object]:
    if not document.lstrip().startswith(b"{"):
        return {}
    try:
        return parse_object(document, max_bytes=MAX_ANSWER_BYTES)
    except JoseRefused:
        return {}


def _status_in(document: bytes) -> int | None:
    """The status of a problem document; None for anything else."""
    status = _members(document).get("status")
    return status if type(status) is int and 400 <= status <= 599 else None


def _retry_after_in(document: bytes) -> int | None:
    seconds = _members(document).get("retry_after")
    return min(seconds, MOST_UNSIGNED_WAIT_S) if type(seconds) is int and seconds >= 0 else None
