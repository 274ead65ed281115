"""停电信息: what a utility tells of an outage, and what the public reads."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from schemas.wire import Instant, OpaqueId, OpenWireModel, RegionDigits, WireModel

_UNSEEN = r"\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff"
_LINE = rf"^[^\s{_UNSEEN}][^{_UNSEEN}]*$"
AreaText = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=_LINE)]
OutageText = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_LINE)]
"""One line, nothing in it that cannot be seen."""


class OutageKind(StrEnum):
    """What is told of an outage. After ``restored`` it is over; a plan that was given up is restored, too."""

    PLANNED = "planned"
    """停电计划"""
    FAULT = "fault"
    """故障停电"""
    PROGRESS = "progress"
    """抢修（施工）进度"""
    RESTORED = "restored"
    """已送电"""


MOST_APPLICATIONS = 500
"""Applications that one telling may name: as many notices are written beside it."""


class OutageRequest(WireModel):
    """``POST /v1/outages``: one telling of an outage, with everything that holds then.

    All of it is published but ``applications``.
    """

    outage_id: OpaqueId = Field(description="The utility's own number of the outage")
    event_id: OpaqueId = Field(description="The utility's own; a repeated one has no second effect")
    kind: OutageKind
    region: RegionDigits = Field(description="行政区划代码（GB/T 2260）")
    area: AreaText = Field(description="停电范围，如道路、小区或线路；不得含证件号码或电话号码")
    begins_at: Instant
    expected_end_at: Instant | None = Field(default=None, description="预计恢复时间；计划停电必填")
    said_at: Instant = Field(description="When this was said; within an outage what was said last counts")
    text: OutageText = Field(description="对公众的说明；不得含证件号码或电话号码")
    applications: list[OpaqueId] = Field(
        default=[],
        max_length=MOST_APPLICATIONS,
        description="本单位在办的、受此次停电影响的用电申请编号：其申请人会收到消息；不公布",
    )

    def published(self) -> dict[str, Any]:
        """The members that are published, by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "applications"}


class OutageView(OpenWireModel):
    """One outage as it is published. ``state`` is ``planned``, ``under_way`` or ``ended``."""

    utility: str
    outage_id: str
    region: str
    area: str
    state: str
    kind: OutageKind = Field(description="What was told last")
    cause: OutageKind | None = Field(description="planned or fault; null while only progress was told")
    begins_at: Instant
    expected_end_at: Instant | None
    ended_at: Instant | None
    said_at: Instant
    text: str


class OutageRecorded(OpenWireModel):
    """``201`` (or ``200`` for a repeated event). ``outage`` is what stands now, also after a late telling."""

    event_id: str
    outage: OutageView
    flags: list[str]
    duplicate: bool
    record_id: str
    notified: int = Field(default=0, description="How many applicants were told by a notice of this telling")
    not_notified: list[str] = Field(
        default=[],
        description="Of the applications named, those that are no open ones of this utility, in their order; where the "
        "telling changed nothing, all of them",
    )


class PublicOutages(OpenWireModel):
    """Outages that touch a region (6 digits; empty: all), by region and beginning."""

    region: str
    outages: list[OutageView]
