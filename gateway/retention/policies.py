"""The table of what is kept for how long. Pure.

Basis: 个人信息保护法 第十九条 (the shortest time that the purpose needs) and 第四十七条 (deletion, unasked, once the
purpose is reached, the time is over, or consent is withdrawn). The periods themselves are the operator's to set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

PURPOSE_REACHED: Final = "个人信息保护法第十九条、第四十七条第（一）项"
CONSENT_WITHDRAWN: Final = "个人信息保护法第四十七条第（三）项"
NO_LONGER_PUBLISHED: Final = "公布的信息不再有效，不含个人信息；期限由运营方设定"
PERIOD_OVER: Final = "个人信息保护法第四十七条第（二）项"


class Kept(StrEnum):
    """What is kept for a time."""

    PARTIES = "parties"
    WITHDRAWN_PARTIES = "withdrawn_parties"
    DELIVERIES = "deliveries"
    UNDELIVERED = "undelivered"
    INTAKES = "intakes"
    SESSIONS = "sessions"
    ANSWERS = "answers"
    COPIES = "copies"
    STATUS_EVIDENCE = "status_evidence"
    OTHERS = "others"
    WITHDRAWN_OTHERS = "withdrawn_others"
    REVIEWED_OTHERS = "reviewed_others"
    PROJECT_CONTACTS = "project_contacts"
    SILENT_PROJECTS = "silent_projects"
    OUTAGES = "outages"
    CAPACITIES = "capacities"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """``kept`` after the event ``after``, what it names is removed. ``kind`` narrows it to one certificate kind.

    ``others_shown`` is how long whom else the removed certificates name are shown an access, from the access on.
    """

    what: Kept
    title: str
    after: str
    kept: timedelta
    basis: str
    kind: str | None = None
    others_shown: timedelta = timedelta()

    @property
    def code(self) -> str:
        """Its name in the record."""
        return self.what if self.kind is None else f"{self.what}:{self.kind}"


@dataclass(frozen=True, slots=True)
class Periods:
    """What an operator sets (``BANDIAN_RETENTION``), in days after the event."""

    parties_days: int
    withdrawn_parties_days: int
    deliveries_days: int
    undelivered_days: int
    project_contacts_days: int
    silent_projects_days: int
    outages_days: int
    capacities_days: int


def shown_to_others(periods: Periods) -> timedelta:
    """How long an access is shown to whom else a certificate names (共有人), counted from the access itself.

    What leads to them goes with the applicant's data, which is never sooner – and later where everything was given to
    somebody after the end. So nobody can tell by an access that vanishes when somebody else's application ended, or
    that it was withdrawn.
    """
    return timedelta(days=min(periods.parties_days, periods.withdrawn_parties_days))


def policies(periods: Periods, copies_kept: Mapping[str, timedelta]) -> tuple[RetentionPolicy, ...]:
    """Every policy; ``copies_kept`` is how long a copy of each certificate kind may stand in for its source."""

    def days(number: int) -> timedelta:
        return timedelta(days=number)

    at_once, shown = timedelta(), shown_to_others(periods)
    return (
        RetentionPolicy(
            Kept.PARTIES,
            "申请人的姓名（名称）、号码与用电地址",
            "申请办结或终止",
            days(periods.parties_days),
            PURPOSE_REACHED,
            others_shown=shown,
        ),
        RetentionPolicy(
            Kept.WITHDRAWN_PARTIES,
            "申请人的姓名（名称）、号码与用电地址",
            "申请人撤回申请",
            days(periods.withdrawn_parties_days),
            CONSENT_WITHDRAWN,
            others_shown=shown,
        ),
        RetentionPolicy(
            Kept.DELIVERIES, "已送达事件的内容", "接收方签收", days(periods.deliveries_days), PURPOSE_REACHED
        ),
        RetentionPolicy(
            Kept.UNDELIVERED, "未能送达事件的内容", "停止投递", days(periods.undelivered_days), PERIOD_OVER
        ),
        RetentionPolicy(Kept.INTAKES, "未确认的申请准备", "到期", at_once, PERIOD_OVER),
        RetentionPolicy(Kept.SESSIONS, "身份核验会话", "到期", at_once, PERIOD_OVER),
        RetentionPolicy(Kept.ANSWERS, "为重试而留的应答", "到期（24 小时）", at_once, PERIOD_OVER),
        RetentionPolicy(
            Kept.STATUS_EVIDENCE, "不再有申请依据的状态列表与吊销列表", "最近一次取得", days(31), PURPOSE_REACHED
        ),
        RetentionPolicy(
            Kept.OTHERS,
            "办结后仍有全套证据取得记录的，证照上其他人号码的摘要",
            "申请办结或终止",
            days(periods.parties_days) + shown,
            PURPOSE_REACHED,
        ),
        RetentionPolicy(
            Kept.WITHDRAWN_OTHERS,
            "撤回后仍有全套证据取得记录的，证照上其他人号码的摘要",
            "申请人撤回申请",
            days(periods.withdrawn_parties_days) + shown,
            PURPOSE_REACHED,
        ),
        RetentionPolicy(
            Kept.REVIEWED_OTHERS,
            "人工核查所看证照上其他人号码的摘要",
            "核查结束",
            days(periods.withdrawn_parties_days),
            PURPOSE_REACHED,
        ),
        RetentionPolicy(
            Kept.PROJECT_CONTACTS,
            "工程建设项目的联系人与推送原文",
            "项目已接电、撤回，且不再推送",
            days(periods.project_contacts_days),
            PURPOSE_REACHED,
        ),
        RetentionPolicy(
            Kept.SILENT_PROJECTS,
            "工程建设项目的联系人与推送原文",
            "最近一次推送",
            days(periods.silent_projects_days),
            PERIOD_OVER,
        ),
        RetentionPolicy(
            Kept.OUTAGES,
            "停电信息及其历次报送",
            "不再公布（送电一日后，或无后续消息七日后）",
            days(periods.outages_days),
            NO_LONGER_PUBLISHED,
        ),
        RetentionPolicy(
            Kept.CAPACITIES, "已撤下的可开放容量", "供电企业撤下", days(periods.capacities_days), NO_LONGER_PUBLISHED
        ),
        *(
            RetentionPolicy(Kept.COPIES, "证照副本", "向来源取得", kept, PURPOSE_REACHED, kind)
            for kind, kept in sorted(copies_kept.items())
        ),
    )
