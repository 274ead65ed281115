"""What can go wrong between the outbox and a receiver."""

from dataclasses import dataclass

from gateway.delivery.ports import AttemptOutcome
from gateway.errors import Conflict, NotFound, PartnerUnavailable, Rejected


@dataclass(kw_only=True, eq=False)
class NotDelivered(PartnerUnavailable):
    """An attempt without a receipt, which may be repeated. ``outcome`` says whether anything can have been sent."""

    kind = "not-delivered"
    title = "未能送达"

    outcome: AttemptOutcome


@dataclass(kw_only=True, eq=False)
class DeliveryRefused(Rejected):
    """The receiver understood and will not take it; only a person can mend that. ``status`` is its HTTP status."""

    kind = "delivery-refused"
    title = "接收方拒绝接收"

    partner: str
    status: int | None = None


class DeliveryUnknown(NotFound):
    """No delivery of that event."""

    kind = "delivery-unknown"
    title = "没有这条送达记录"


class DeliveryErased(Conflict):
    """What the event said was removed when its retention period was over: it cannot be sent again."""

    kind = "delivery-erased"
    title = "事件内容已按留存期限删除"


class NotReplayable(Conflict):
    """The event is still under way; it needs no replay."""

    kind = "delivery-under-way"
    title = "事件仍在送达中"


class DestinationNotDisabled(Conflict):
    """Deliveries to that receiver are not disabled."""

    kind = "destination-not-disabled"
    title = "该接收单位未被停用"
