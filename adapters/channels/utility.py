"""Which way an event goes to a utility: over NATS where it has registered that, else by webhook."""

from datetime import datetime

from adapters.channels.posting import UNREGISTERED_RETRY_S, not_delivered
from gateway.delivery.ports import Channel, ChannelKind, Event, Receipt
from gateway.errors import Owner
from gateway.partners.directory import Directory


class UtilityChannel:
    """``gateway.delivery.ports.Channel``; it looks at each attempt, so that a change of channel holds at once."""

    def __init__(self, directory: Directory, webhook: Channel, nats: Channel | None) -> None:
        self._directory = directory
        self._webhook = webhook
        self._nats = nats

    async def send(self, event: Event, at: datetime) -> Receipt:
        """See ``Channel.send``."""
        return await (await self._way(event)).send(event, at)

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        """See ``Channel.find_receipt``."""
        return await (await self._way(event)).find_receipt(event, at)

    async def _way(self, event: Event) -> Channel:
        snapshot = await self._directory.snapshot()
        if snapshot.endpoint(event.destination, ChannelKind.NATS) is None:
            return self._webhook
        if self._nats is None:
            raise not_delivered(
                ChannelKind.NATS,
                event.destination,
                "not_configured",
                "该单位登记了 nats 通道，而本平台未设置 BANDIAN_NATS_URL",
                Owner.GATEWAY,
                UNREGISTERED_RETRY_S,
            )
        return self._nats
