"""A push of an engineering project (工程建设项目审批管理系统 V3 tables), whole: the project, its items, what came out.

``POST /v1/platforms/{code}/projects`` takes a compact JWS (``typ`` project-push+jwt) with these claims. The members
that hold rows are named after their tables (SPGL_ left out), the members of rows after their columns. A platform sends
many more columns: what is not named here is not read, and of persons only the contact of an item is.

A push replaces what was pushed before of the same ``xmdm`` and ``gcdm`` when its ``xh`` is higher. The JWS and ``xh``
are ours; everything else is the exchange's.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from schemas.identifiers import ProjectCode
from schemas.leads import MAX_ITEMS
from schemas.project_exchange import ChinaClockTime
from schemas.wire import Day, OpaqueId, OpenWireModel, PartnerCode, RegionDigits, WireModel

MAX_PUSH_BYTES: Final = 192 * 1024
MAX_STEPS: Final = 2000


def _as_text(value: Any) -> Any:
    """Platforms write empty columns as null or as nothing."""
    return None if isinstance(value, str) and not value.strip() else value


def _as_day(value: Any) -> Any:
    """A column of the type DATETIME that means a day: the time behind it is left out."""
    value = _as_text(value)
    return value[:10] if isinstance(value, str) and value[10:11] in (" ", "T") else value


Text100 = Annotated[Annotated[str, Field(max_length=100)] | None, BeforeValidator(_as_text)]
Text200 = Annotated[Annotated[str, Field(max_length=200)] | None, BeforeValidator(_as_text)]
Text500 = Annotated[Annotated[str, Field(max_length=500)] | None, BeforeValidator(_as_text)]
Text2000 = Annotated[Annotated[str, Field(max_length=2000)] | None, BeforeValidator(_as_text)]
TableDay = Annotated[Day | None, BeforeValidator(_as_day)]
TableId = Annotated[OpaqueId | None, BeforeValidator(_as_text)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
Valid = Annotated[Literal[0, 1], Field(description="数据有效标识: 1 valid, 0 not any more")]


class ProjectRow(OpenWireModel):
    """SPGL_XMJBXXB 项目基本信息."""

    xmdm: ProjectCode = Field(description="项目代码", examples=["2020-440100-44-03-012345"])
    gcdm: OpaqueId = Field(description="工程代码")
    xmmc: Name = Field(description="项目名称")
    xzqhdm: RegionDigits = Field(description="行政区划代码")
    jsddxzqh: Annotated[RegionDigits | None, BeforeValidator(_as_text)] = Field(
        default=None, description="建设地点行政区划"
    )
    jsdd: Text500 = Field(default=None, description="建设地点")
    jsgmjnr: Text2000 = Field(default=None, description="建设规模及内容")
    jzmj: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="建筑面积")
    nkgsj: TableDay = Field(default=None, description="拟开工时间")
    njcsj: TableDay = Field(default=None, description="拟建成时间")
    jsdw: Text200 = Field(default=None, description="建设单位")
    jsdwdm: Text100 = Field(default=None, description="建设单位代码")
    splclx: int | None = Field(default=None, description="审批流程类型")
    sjyxbs: Valid = 1
    sjwxyy: Text500 = Field(default=None, description="数据无效原因")


class ItemRow(OpenWireModel):
    """SPGL_XMSPSXBLXXB 项目审批事项办理信息."""

    spsxslbm: OpaqueId = Field(description="审批事项实例编码")
    spbmbm: OpaqueId = Field(description="审批部门编码")
    spbmmc: Text200 = Field(default=None, description="审批部门名称")
    slfs: int | None = Field(default=None, description="受理方式")
    sxblsx: int | None = Field(default=None, description="事项办理时限")
    lxr: Text100 = Field(default=None, description="联系人/代理人")
    lxrsjh: Text100 = Field(default=None, description="联系人手机号")
    sjyxbs: Valid = 1


class StepRow(OpenWireModel):
    """SPGL_XMSPSXBLXXXXB 项目审批事项办理详细信息: a step. ``blzt`` is any number: one that nobody knows is told on."""

    spsxslbm: OpaqueId = Field(description="审批事项实例编码")
    blzt: int = Field(ge=0, le=9999, description="办理状态")
    blsj: ChinaClockTime = Field(description="办理时间, by China's clock")
    sjyxbs: Valid = 1


class ResultRow(OpenWireModel):
    """SPGL_XMSPSXPFWJXXB 审批事项批复文件信息."""

    spsxslbm: OpaqueId = Field(description="审批事项实例编码")
    pfrq: TableDay = Field(default=None, description="批复日期")
    pfwh: Text200 = Field(default=None, description="批复文号")
    pfwjbt: Text200 = Field(default=None, description="批复文件标题")
    pfwjyxqx: TableDay = Field(default=None, description="批复文件有效期限")
    sjyxbs: Valid = 1


class PlanningPermitRow(OpenWireModel):
    """SPGL_JSGCGHXKXXB 建设工程规划许可信息."""

    spsxslbm: TableId = Field(default=None, description="审批事项实例编码")
    gcghxkzbh: Name = Field(description="建设工程规划许可证编号")
    fzrq: TableDay = Field(default=None, description="发证日期")
    sjyxbs: Valid = 1


class ProjectPush(OpenWireModel):
    """Claims of a push; ``iss`` is the platform's code, ``aud`` the gateway's issuer."""

    iss: PartnerCode
    aud: str
    iat: int
    xh: int = Field(ge=1, le=10**12, description="序号: the version of what is said here, each higher than the last")
    xmjbxxb: ProjectRow
    xmspsxblxxb: list[ItemRow] = Field(default=[], max_length=MAX_ITEMS)
    xmspsxblxxxxb: list[StepRow] = Field(default=[], max_length=MAX_STEPS)
    xmspsxpfwjxxb: list[ResultRow] = Field(default=[], max_length=MAX_ITEMS)
    jsgcghxkxxb: list[PlanningPermitRow] = Field(default=[], max_length=MAX_ITEMS)


class ProjectAcknowledged(WireModel):
    """``202`` to a push: it is durable, and what follows from it is on its way to the utility."""

    project_id: OpaqueId
    version: int = Field(description="The push's xh")
    effect: Literal["applied", "unchanged", "overtaken"] = Field(
        description="unchanged: nothing that a lead tells; overtaken: a higher version was here before"
    )
    duplicate: bool = Field(description="The very same version was here before; nothing was done again")
    waiting: bool = Field(description="No utility serves the region yet: it is offered as soon as one does")
    record_id: str
