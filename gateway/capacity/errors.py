"""What the room of grid capacity refuses."""

from gateway.errors import Conflict, Denied, Rejected


class CapacityNotOurs(Denied):
    """The area lies in a region that the utility does not serve."""

    kind = "capacity-region-refused"
    title = "该地区不由本单位供电"


class CapacityOutdated(Conflict):
    """A later version is published, or this one was with other content."""

    kind = "capacity-version-conflict"
    title = "可开放容量的版本已被使用或已过时"


class CapacityUnsound(Rejected):
    """It is told as of a day that has not come."""

    kind = "capacity-unsound"
    title = "可开放容量的数据不成立"
