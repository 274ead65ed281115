"""Words of the engineering-project approval exchange (工程建设项目审批管理系统 V3), as a planning department uses them.

SPGL_XMSPSXBLXXB / SPGL_XMSPSXBLXXXXB say how an item is handled (``spsxslbm`` instance, ``blzt`` status, ``blsj`` time,
``blyj`` opinion); SPGL_XMSPSXPFWJXXB says what came out (``pfwh`` number, ``pfwjyxqx`` validity). The JWS around them
(``typ`` approval-outcome+jwt, ``iss``, ``aud``, ``jti``, ``iat``) is ours.

The V3 exchange knows no end of a correction, no refusal after acceptance, no revocation and no replacement of an
earlier result: statuses from 901 and the members that start with ``x_`` are **local extensions** of this project.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from schemas.departments import OutcomeKind
from schemas.wire import OpaqueId, OpenWireModel, PartnerCode

_CHINA_TIME = timezone(timedelta(hours=8), "UTC+8")
_FORMAT = "%Y-%m-%d %H:%M:%S"


class HandlingStatus(IntEnum):
    """办理状态 ``blzt``. 1-11 as the V3 tables write them; from 901 local."""

    RECEIVED = 1
    """接件"""
    ACCEPTED = 3
    """受理"""
    NOT_ACCEPTED = 4
    """不受理"""
    CORRECTION_STARTED = 6
    """补正开始"""
    DEPARTMENT_STARTED = 8
    """部门开始办理"""
    SPECIAL_PROCEDURE_STARTED = 9
    """特别程序开始"""
    SPECIAL_PROCEDURE_ENDED = 10
    """特别程序结束"""
    CONCLUDED_APPROVED = 11
    """办结（通过）"""
    X_CORRECTION_ENDED = 901
    """补正结束（本地扩展）"""
    X_CONCLUDED_REJECTED = 902
    """办结（不通过）（本地扩展）"""
    X_REVOKED = 903
    """撤销（本地扩展）"""


OUTCOME_OF_STATUS: dict[HandlingStatus, OutcomeKind | None] = {
    HandlingStatus.RECEIVED: None,
    HandlingStatus.ACCEPTED: OutcomeKind.ACCEPTED,
    HandlingStatus.NOT_ACCEPTED: OutcomeKind.REJECTED,
    HandlingStatus.CORRECTION_STARTED: OutcomeKind.CORRECTION_REQUESTED,
    HandlingStatus.DEPARTMENT_STARTED: None,
    HandlingStatus.SPECIAL_PROCEDURE_STARTED: OutcomeKind.SPECIAL_PROCEDURE_STARTED,
    HandlingStatus.SPECIAL_PROCEDURE_ENDED: OutcomeKind.SPECIAL_PROCEDURE_ENDED,
    HandlingStatus.CONCLUDED_APPROVED: OutcomeKind.APPROVED,
    HandlingStatus.X_CORRECTION_ENDED: OutcomeKind.CORRECTION_RECEIVED,
    HandlingStatus.X_CONCLUDED_REJECTED: OutcomeKind.REJECTED,
    HandlingStatus.X_REVOKED: OutcomeKind.REVOKED,
}
"""Every status has its line here. ``None``: a handling step (接件, 部门开始办理) that is no outcome of ours."""

STATUS_OF_OUTCOME: dict[OutcomeKind, HandlingStatus] = {
    outcome: status
    for status, outcome in OUTCOME_OF_STATUS.items()
    if outcome is not None and status is not HandlingStatus.NOT_ACCEPTED
}
"""The way back; a rejection is written as 902, because 4 (不受理) says that handling never began."""


def _read_china_time(value: object) -> object:
    if isinstance(value, str):
        return datetime.strptime(value, _FORMAT).replace(tzinfo=_CHINA_TIME).astimezone(UTC)
    return value


ChinaClockTime = Annotated[
    datetime,
    BeforeValidator(_read_china_time),
    PlainSerializer(lambda at: at.astimezone(_CHINA_TIME).strftime(_FORMAT), return_type=str, when_used="json"),
]
"""``2026-11-23 14:05:09``: China's clock to the second, without an offset; kept here as aware UTC."""


class ProjectApprovalResult(OpenWireModel):
    """Claims of an outcome in the exchange's words; the counterpart of ``schemas.departments.ApprovalOutcome``."""

    iss: PartnerCode
    aud: str
    jti: OpaqueId
    iat: int
    spsxslbm: OpaqueId = Field(description="审批事项实例编码: our permit_id")
    xh: int = Field(ge=1, le=10_000, description="序号: our sequence, from 1 without a gap")
    blzt: HandlingStatus = Field(description="办理状态")
    blsj: ChinaClockTime = Field(description="办理时间, by China's clock")
    blyj: str | None = Field(default=None, max_length=1000, description="办理意见: our reason")
    pfwh: str | None = Field(default=None, max_length=100, description="批复文号: our document_number")
    pfwjyxqx: date | None = Field(default=None, description="批复文件有效期限: our valid_until")
    x_tdjg: OpaqueId | None = Field(default=None, description="替代的结果（本地扩展）: our supersedes")
