"""Leads (提前获取用电需求): what a utility learns of an engineering project before anybody applies for power.

A lead names a project, its site and how far its approvals are. It names no person: whom to ask is told by a route of
its own, when the utility asks for it, and each answer is recorded. Clause: 第（七）条 “供电企业提前获取用电需求”.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.wire import Day, Instant, OpaqueId, OpenWireModel, PartnerCode, RegionDigits, Slug, WireModel

LEADS_CLAUSE: Final = "第（七）条"
MAX_ITEMS: Final = 200
"""Items, and permits, of one project."""

Text200 = Annotated[str, Field(min_length=1, max_length=200)]


class LeadStatus(StrEnum):
    """How far a utility is with a lead. Connected and retracted are final."""

    NEW = "new"
    """新线索"""
    CONTACTED = "contacted"
    """已联系"""
    CONNECTED = "connected"
    """已接电"""
    RETRACTED = "retracted"
    """已撤回"""

    @property
    def open(self) -> bool:
        """Whether the lead still follows its project."""
        return self in (LeadStatus.NEW, LeadStatus.CONTACTED)


class LeadPhase(StrEnum):
    """How ripe a project is, by what the exchange tells."""

    REGISTERED = "registered"
    """Nothing but the project itself is known."""
    UNDER_APPROVAL = "under_approval"
    """Some item is being handled, or was."""
    PLANNING_PERMITTED = "planning_permitted"
    """建设工程规划许可 was granted: site and size stand."""


class RetractionReason(StrEnum):
    """Why a lead is no longer one."""

    WITHDRAWN = "withdrawn"
    """The platform says that the project's data no longer hold (``sjyxbs`` 0)."""
    MOVED = "moved"
    """The project moved to a region that another utility serves."""


class LeadItem(OpenWireModel):
    """One approval item (审批事项) of the project, as last handled."""

    item_id: OpaqueId = Field(description="审批事项实例编码 spsxslbm")
    department: Text200 = Field(description="审批部门: its name, or its code where no name is told")
    status: Slug = Field(
        description="Of the last step: received, accepted, not_accepted, correction_started, correction_ended, "
        "department_started, special_procedure_started, special_procedure_ended, concluded_approved, "
        "concluded_rejected, revoked; pending before any step; other for a code that the gateway does not know",
        examples=["accepted"],
    )
    status_code: int | None = Field(default=None, description="办理状态 blzt of the last step, as it came")
    at: Instant | None = Field(default=None, description="办理时间 of the last step")


class LeadPermit(OpenWireModel):
    """A result that stands: an approval document (批复文件), or the planning permit (建设工程规划许可证)."""

    kind: Literal["approval", "planning_permit"]
    number: Text200 | None = None
    title: Text200 | None = None
    issued_on: Day | None = None
    valid_until: Day | None = None
    item_id: OpaqueId | None = None


class LeadProject(OpenWireModel):
    """What a lead says of its project. Nobody's name but an organisation's that has a 统一社会信用代码."""

    project_code: str = Field(description="项目代码 xmdm, GB/T 40058", examples=["2020-440100-44-03-012345"])
    works_code: OpaqueId = Field(description="工程代码 gcdm")
    name: Text200
    region: RegionDigits = Field(description="建设地点行政区划, else 行政区划代码")
    site: str | None = Field(default=None, max_length=500, description="建设地点")
    scale: str | None = Field(default=None, max_length=2000, description="建设规模及内容")
    floor_area: float | None = Field(default=None, ge=0, description="建筑面积, in the platform's own unit")
    starts_on: Day | None = Field(default=None, description="拟开工时间")
    completes_on: Day | None = Field(default=None, description="拟建成时间")
    builder: Text200 | None = Field(default=None, description="建设单位, where it is an organisation")
    builder_code: str | None = Field(default=None, max_length=18, description="Its 统一社会信用代码")
    phase: LeadPhase
    items: list[LeadItem] = []
    permits: list[LeadPermit] = []
    findings: list[str] = Field(
        default=[],
        description="What an officer should look at; none of it keeps the lead from being one",
        examples=[["unknown-region", "builder-not-organisation", "item-status"]],
    )


class LeadOffered(OpenWireModel):
    """``data`` of lead.offered: a lead, or its next version, whole. The highest ``version`` counts."""

    lead_id: OpaqueId
    version: int = Field(ge=1, description="From 1 without a gap; a retraction has the last one")
    platform: PartnerCode = Field(description="The engineering-project approval platform that told of it")
    project_version: int = Field(ge=1, description="The platform's own version (xh) that this one rests on")
    offered_at: Instant = Field(description="When its first version was offered")
    project: LeadProject
    clause: str = LEADS_CLAUSE


class LeadRetracted(OpenWireModel):
    """``data`` of lead.retracted: it is no lead of this utility's any more. It does not come back under its id."""

    lead_id: OpaqueId
    version: int = Field(ge=2)
    reason: RetractionReason
    retracted_at: Instant


class LeadView(WireModel):
    """A lead as it stands."""

    lead_id: OpaqueId
    utility: PartnerCode
    platform: PartnerCode
    status: LeadStatus
    version: int
    offered_at: Instant
    changed_at: Instant = Field(description="When its last version was made, or its status changed")
    contacted_at: Instant | None = None
    connected_at: Instant | None = None
    retracted_at: Instant | None = None
    retraction: RetractionReason | None = None
    project: LeadProject
    clause: str = LEADS_CLAUSE


class LeadPage(WireModel):
    """``GET /v1/leads``: in the order in which they were offered. Ask again with ``after`` = ``cursor``."""

    leads: list[LeadView]
    cursor: str | None = None
    more: bool


class LeadContact(WireModel):
    """``GET /v1/leads/{lead_id}/contact``: whom to ask about the project. Each answer is recorded.

    ``erased`` – the retention period is over; the platform, or the department, knows whom to ask.
    """

    lead_id: OpaqueId
    builder: str | None = Field(default=None, description="建设单位, whoever it is")
    name: str | None = Field(default=None, description="联系人/代理人 lxr")
    phone: str | None = Field(default=None, description="联系人手机号 lxrsjh")
    erased: bool = False
    record_id: str


class LeadProgressRequest(WireModel):
    """``POST /v1/leads/{lead_id}/progress``: the utility has contacted the project, or connected it."""

    status: Literal["contacted", "connected"]
    claimed_at: Instant = Field(description="When it was done, by the utility's clock")


class LeadProgressRecorded(WireModel):
    """The answer: the time that counts, and why the claimed one does not where it does not."""

    lead_id: OpaqueId
    status: LeadStatus
    counted_at: Instant
    backdated: list[str] = Field(default=[], description="later_than_now, earlier_than_previous_step, beyond_tolerance")
    duplicate: bool = Field(description="It was said before; the first time stands")
    record_id: str
