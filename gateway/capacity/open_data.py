"""Grid capacity as open data: JSON and CSV. Pure."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from gateway.capacity.model import AreaCapacity
from schemas.capacity import CapacityView, PublicCapacity

CSV_COLUMNS: Final = (
    "utility",
    "area_id",
    "region",
    "area_name",
    "area_kind",
    "voltage_v",
    "available_kva",
    "as_of",
    "version",
)
_BYTE_ORDER_MARK: Final = "\ufeff"


def capacity_view(each: AreaCapacity) -> CapacityView:
    """One area as the public reads it."""
    return CapacityView(**{name: getattr(each, name) for name in CSV_COLUMNS})


def public_capacity(region: str, found: Sequence[AreaCapacity]) -> PublicCapacity:
    """All areas of a region."""
    return PublicCapacity(region=region, areas=[capacity_view(each) for each in found])


def as_csv(found: Sequence[AreaCapacity]) -> str:
    """A line an area (RFC 4180), after a byte order mark. Names begin with no sign that a spreadsheet calculates by."""
    text = io.StringIO()
    text.write(_BYTE_ORDER_MARK)
    lines = csv.writer(text)
    lines.writerow(CSV_COLUMNS)
    lines.writerows([getattr(each, name) for name in CSV_COLUMNS] for each in found)
    return text.getvalue()
