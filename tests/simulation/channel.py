"""The way to every receiver: what is lost, late, cut or refused on it, and what the receiver makes of what arrives."""

from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import AttemptOutcome, Event, Receipt
from gateway.errors import Owner
from tests.simulation.database import ISSUER
from tests.simulation.departments import Departments
from tests.simulation.province import Province
from tests.simulation.utilities import Utilities

ANSWERS_LOST = 0.03
"""Of what arrived."""


class SimulatedChannel:
    """``Channel`` for utilities and departments."""

    def __init__(self, province: Province) -> None:
        self.province = province
        self.utilities = Utilities(province)
        self.departments = Departments(province)

    async def send(self, event: Event, at: object) -> Receipt:
        province, weather = self.province, self.province.weather
        if weather.down(event.destination, province.now) or weather.strikes("request lost", 0.02):
            raise _silent(event, AttemptOutcome.NOT_SENT)
        if weather.strikes("receiver fails", 0.01):
            raise _silent(event, AttemptOutcome.DECLINED)
        if weather.strikes("receiver refuses", 0.003):
            raise DeliveryRefused(
                check="channel.refused", owner=Owner.UTILITY, remedy="请核对", partner=event.destination, status=422
            )
        if weather.strikes("worker died before sending", 0.003):
            raise province.dies()
        body = encode_cloud_event(event, ISSUER)
        with province.model.noticing():
            first = province.model.received(event, body)
            if first:
                (self.utilities if event.destination.startswith("csg-") else self.departments).takes(event)
        if weather.strikes("answer lost", ANSWERS_LOST):
            raise _silent(event, AttemptOutcome.UNKNOWN)
        if weather.strikes("worker died after sending", 0.005):
            raise province.dies()
        return Receipt(f"receipt of {event.event_id}", duplicate=not first)

    async def find_receipt(self, event: Event, at: object) -> Receipt | None:
        province, weather = self.province, self.province.weather
        if weather.down(event.destination, province.now) or weather.strikes("question lost", 0.05):
            raise _silent(event, AttemptOutcome.UNKNOWN)
        if event.event_id not in province.model.receivers[event.destination].events:
            return None
        return Receipt(f"receipt of {event.event_id}", duplicate=True)


def _silent(event: Event, outcome: AttemptOutcome) -> NotDelivered:
    return NotDelivered(
        check=f"channel.{outcome}", owner=Owner.UTILITY, remedy="请稍后", partner=event.destination, outcome=outcome
    )
