"""Events to a utility: CloudEvents under Standard Webhooks signatures, answered by a signed receipt.

Only a valid receipt is a delivery: a 2xx without one shows that something answered, not that the utility holds the
event.
"""

from datetime import datetime
from urllib.parse import quote

from adapters.channels.posting import Outgoing, Poster
from adapters.channels.signed_events import SecretsOf, SignedEvents
from gateway.crypto.jwk import CurrentKey
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import ChannelKind, Event, Receipt
from gateway.partners.directory import Directory
from gateway.partners.model import KeyUse
from gateway.rounds import Round
from schemas.wire import MEDIA_JOSE


class WebhookChannel:
    """``gateway.delivery.ports.Channel`` for utilities.

    ``issuer`` is the gateway's name, ``source`` of each event and ``aud`` of each receipt; ``signing_key`` answers an
    Ed25519 key (``ValueError`` otherwise).
    """

    def __init__(
        self,
        outgoing: Outgoing,
        directory: Directory,
        issuer: str,
        signing_key: CurrentKey,
        secrets_of: SecretsOf,
        *,
        insecure_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._poster = Poster(outgoing, ChannelKind.WEBHOOK.value, insecure_hosts)
        self._directory = directory
        self._issuer = issuer
        self._signed = SignedEvents(ChannelKind.WEBHOOK, issuer, signing_key, secrets_of)
        self._signing, self._verifying = Round(), Round()

    async def send(self, event: Event, at: datetime) -> Receipt:
        """See ``Channel.send``."""
        snapshot = await self._directory.snapshot()
        endpoint = self._poster.endpoint_of(snapshot, event.destination)
        body = encode_cloud_event(event, self._issuer)
        signed = await self._signing.run(self._signed.headers, event, endpoint, body, at)
        answer = await self._poster.post(endpoint, body, {**signed, "Accept": MEDIA_JOSE}, at)
        keys = snapshot.verification_keys(event.destination, KeyUse.RECEIPT, at)
        return await self._verifying.run(self._signed.verify_receipt, event, body, answer.body, keys, at)

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        """See ``Channel.find_receipt``: ``GET {status_url}/{event id}``, signed like a webhook of an empty body."""
        snapshot = await self._directory.snapshot()
        endpoint = self._poster.endpoint_of(snapshot, event.destination)
        if endpoint.status_url is None:
            return None
        url = f"{endpoint.status_url.rstrip('/')}/{quote(event.event_id, safe='')}"
        headers = {**self._signed.headers(event, endpoint, b"", at), "Accept": MEDIA_JOSE}
        del headers["Content-Type"]
        answer = await self._poster.ask(event.destination, url, headers, at)
        if answer is None:
            return None
        body = encode_cloud_event(event, self._issuer)
        keys = snapshot.verification_keys(event.destination, KeyUse.RECEIPT, at)
        return self._signed.verify_receipt(event, body, answer.body, keys, at)
