"""Which way an event goes to a utility, decided at each attempt."""

from datetime import datetime

import pytest

from adapters.channels.utility import UtilityChannel
from gateway.caller import Role
from gateway.delivery.errors import NotDelivered
from gateway.delivery.ports import AttemptOutcome, Event, Receipt
from tests.support.approvals import UTILITY, FixedDirectory
from tests.support.entry_points import an_event
from tests.support.storage import NOON


class Named:
    """A channel that says which it is."""

    def __init__(self, name: str) -> None:
        self._receipt = Receipt(name, False)

    async def send(self, event: Event, at: datetime) -> Receipt:
        return self._receipt

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        return self._receipt


async def test_nats_is_taken_where_it_is_registered_and_only_there() -> None:
    directory, event = FixedDirectory(), an_event("evt_1")
    directory.add(UTILITY, Role.UTILITY, "440100")
    channel = UtilityChannel(directory, Named("webhook"), Named("nats"))
    without = UtilityChannel(directory, Named("webhook"), None)
    directory.set_endpoint(UTILITY, "webhook", "https://u.example/hook")
    assert (await channel.send(event, NOON)).document == "webhook"
    assert (await without.send(event, NOON)).document == "webhook"
    directory.set_endpoint(UTILITY, "nats", f"nats:{UTILITY}")
    assert (await channel.send(event, NOON)).document == "nats"
    found = await channel.find_receipt(event, NOON)
    assert found is not None
    assert found.document == "nats"
    with pytest.raises(NotDelivered) as refused:
        await without.send(event, NOON)
    assert (refused.value.check, refused.value.outcome) == ("nats.not_configured", AttemptOutcome.NOT_SENT)
