"""What is published of one area."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class AreaCapacity:
    """The free capacity of a substation's or feeder's area (供电区域) as a utility told it.

    ``voltage_v`` in volts, ``available_kva`` in kVA, 0 for none; ``as_of`` the China date it holds for. ``version``
    counts what the utility says of the area; ``withdrawn`` takes the area off the page.
    """

    utility: str
    area_id: str
    version: int
    region: str
    area_name: str
    area_kind: str
    voltage_v: int
    available_kva: int
    as_of: date
    withdrawn: bool
    content_digest: str
    heard_at: datetime
    record_id: str = ""
