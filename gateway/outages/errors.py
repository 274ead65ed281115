"""What the room of outages refuses."""

from gateway.errors import Conflict, Denied, Rejected


class OutageNotOurs(Denied):
    """The outage lies in a region that the utility does not serve."""

    kind = "outage-region-refused"
    title = "停电的地区不由本单位供电"


class OutageUnsound(Rejected):
    """Its times do not fit one another, or its words hold what looks like a person's number."""

    kind = "outage-unsound"
    title = "停电信息不成立"


class OutageContradicts(Conflict):
    """The event was told with other content, or the outage is over."""

    kind = "outage-conflict"
    title = "停电信息与已报送的内容冲突"
