"""可开放容量: what a utility publishes of the grid's free capacity, and what the public reads."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.wire import Day, OpenWireModel, RegionDigits, WireModel

AreaName = Annotated[
    str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\s=+\-@\x00-\x1f][^\x00-\x1f\x7f]*$")
]
"""One line that no spreadsheet takes for a formula."""


class CapacityRequest(WireModel):
    """One area. ``version`` counts what is said of the area; the same one with the same content changes nothing."""

    version: int = Field(ge=1, le=2**53)
    region: RegionDigits = Field(description="行政区划代码（GB/T 2260）")
    area_name: AreaName = Field(description="供电区域名称，如变电站或馈线名")
    area_kind: Literal["substation", "feeder", "transformer"] = Field(description="变电站、馈线或台区")
    voltage_v: int = Field(gt=0, le=1_000_000, description="接入电压（V）")
    available_kva: int = Field(ge=0, le=10_000_000, description="可开放容量（kVA），0 为暂无")
    as_of: Day = Field(description="数据日期（中国日期），不晚于今天")
    withdrawn: bool = Field(default=False, description="不再公布此区域")


class CapacityView(OpenWireModel):
    """One area as it is published."""

    utility: str
    area_id: str
    region: str
    area_name: str
    area_kind: str
    voltage_v: int
    available_kva: int
    as_of: date
    version: int


class CapacityRecorded(CapacityView):
    """What stands now; ``duplicate`` says that it stood before."""

    record_id: str
    duplicate: bool


class PublicCapacity(OpenWireModel):
    """The areas of a region (6 digits; empty: all), the latest version of each."""

    region: str
    areas: list[CapacityView]
