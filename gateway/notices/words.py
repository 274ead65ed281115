"""What a notice says, in Chinese and in English. Pure.

Nothing here names a person, a place or a certificate: a message passes through other people's systems, so it says the
number, the step and the day, and where its owner reads the rest after signing in.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from gateway.applications.stages import STAGE_TITLES, Stage
from gateway.notices.model import Notice, NoticeKind
from gateway.wording.catalogues import worded
from gateway.wording.phrases import Language, day, moment


class Tongue(StrEnum):
    """The language that a message is written in."""

    CHINESE = "zh"
    ENGLISH = "en"


_LANGUAGES: Final = {Tongue.CHINESE: Language.CHINESE, Tongue.ENGLISH: Language.ENGLISH}

SENTENCES: Final[dict[NoticeKind, tuple[str, str]]] = {
    NoticeKind.RECEIVED: ("申请已受理。", "Your application was received."),
    NoticeKind.STAGE_STARTED: ("“{stage}”已开始。", "The stage “{stage}” has begun."),
    NoticeKind.STAGE_COMPLETED: ("“{stage}”已完成。", "The stage “{stage}” is complete."),
    NoticeKind.STAGE_PAUSED: (
        "“{stage}”暂停计时，原因见进度页。",
        "The clock of “{stage}” stands still; the progress page says why.",
    ),
    NoticeKind.STAGE_RESUMED: ("“{stage}”恢复计时。", "The clock of “{stage}” runs again."),
    NoticeKind.PERMIT_ACCEPTED: (
        "一项并联审批已由审批部门受理。",
        "A department has accepted one of your permits for review.",
    ),
    NoticeKind.PERMIT_WAITS_ON_YOU: (
        "一项并联审批要求补正，请打开进度页办理。",
        "A department asks for a correction; please see the progress page.",
    ),
    NoticeKind.PERMIT_PAUSED: (
        "一项并联审批进入特别程序，暂停计时。",
        "A permit is in a special procedure; its clock stands still.",
    ),
    NoticeKind.PERMIT_RESUMED: ("一项并联审批恢复计时。", "The clock of a permit runs again."),
    NoticeKind.PERMIT_APPROVED: ("一项并联审批已批准。", "A permit was approved."),
    NoticeKind.PERMIT_REJECTED: (
        "一项并联审批不予批准，理由见进度页。",
        "A permit was not approved; the progress page says why.",
    ),
    NoticeKind.PERMIT_REVOKED: (
        "一项并联审批的批准已被撤销，理由见进度页。",
        "The approval of a permit was revoked; the progress page says why.",
    ),
    NoticeKind.PERMIT_SUPERSEDED: (
        "一项并联审批的结果已变更，以新的结果为准。",
        "The outcome of a permit was replaced by a new one, which counts.",
    ),
    NoticeKind.CERTIFICATE_CHANGED: (
        "本申请所依据的一份证照有变化，需要您办理，请打开进度页查看。",
        "A certificate that this application rests on has changed and needs you; please see the progress page.",
    ),
    NoticeKind.DEADLINE_NEAR: (
        "“{stage}”的时限临近：应于 {due} 前完成。",
        "The stage “{stage}” is due soon: by {due}.",
    ),
    NoticeKind.OVERDUE: (
        "“{stage}”已超时限（应于 {due} 前完成）。可拨打 95598 或 12398 反映。",
        "The stage “{stage}” is overdue (it was due by {due}). You may call 95598 or 12398.",
    ),
    NoticeKind.COMPLETED: (
        "“{stage}”已完成，申请已办结。",
        "The stage “{stage}” is complete, and with it your application.",
    ),
    NoticeKind.WITHDRAWN: ("您的撤回申请已生效。", "Your application was withdrawn, as you asked."),
    NoticeKind.ENDED: (
        "供电企业已终止办理，理由见进度页。",
        "The utility has ended the application; the progress page says why.",
    ),
    NoticeKind.OUTAGE_PLANNED: (
        "您申请用电的地方计划停电：{begin} 起{expected}。",
        "A planned outage touches the place of your application: from {begin}{expected}.",
    ),
    NoticeKind.OUTAGE_FAULT: (
        "您申请用电的地方因故障停电：{begin} 起{expected}。",
        "The power has failed at the place of your application: since {begin}{expected}.",
    ),
    NoticeKind.OUTAGE_PROGRESS: (
        "您申请用电的地方的停电有新进展：{begin} 起{expected}。",
        "News of the outage at the place of your application: from {begin}{expected}.",
    ),
    NoticeKind.OUTAGE_RESTORED: (
        "您申请用电的地方已恢复供电。",
        "The power is back at the place of your application.",
    ),
    NoticeKind.OUTAGE_CANCELLED: (
        "您申请用电的地方的计划停电（{begin} 起）已取消。",
        "The outage planned at the place of your application (from {begin}) is cancelled.",
    ),
}
"""Chinese, English. ``{stage}`` and ``{due}``, of an outage ``{begin}`` and ``{expected}`` are the only places."""

_EXPECTED: Final = ("，预计 {end} 恢复", ", expected back by {end}")
_OUTAGES: Final = frozenset(kind for kind in NoticeKind if kind.value.startswith("outage_"))


_NEWS: Final = "News of your application for power"


@dataclass(frozen=True)
class Message:
    """What a channel sends: no more about the applicant than the number of the application."""

    subject: str
    body: str


def sentence(notice: Notice, tongue: Tongue) -> str:
    """What happened, in one sentence. Raises ``KeyError`` for facts without what the sentence needs."""
    chinese, english = SENTENCES[notice.kind]
    language = _LANGUAGES[tongue]
    places: dict[str, str] = {}
    if "stage" in notice.facts:
        stage = Stage(notice.facts["stage"])
        places["stage"] = worded(STAGE_TITLES[stage], language)
    if "due_on" in notice.facts:
        places["due"] = day(date.fromisoformat(notice.facts["due_on"]), language)
    if "begins_at" in notice.facts:
        end = notice.facts.get("expected_end_at")
        expected = _EXPECTED[tongue is not Tongue.CHINESE].format(end=_moment(end, language)) if end else ""
        places |= {"begin": _moment(notice.facts["begins_at"], language), "expected": expected}
    return (chinese if tongue is Tongue.CHINESE else english).format(**places)


def _moment(instant: str, language: Language) -> str:
    return moment(datetime.fromisoformat(instant), language)


def message(notice: Notice, tongue: Tongue, base_url: str) -> Message:
    """The whole message; its link leads to a page that asks who is there."""
    number, is_outage = notice.application_id, notice.kind in _OUTAGES
    link = f"{base_url}/applications/{number}" + ("/notices" if is_outage else "")
    said = sentence(notice, tongue)
    if tongue is Tongue.CHINESE:
        subject, more = ("停电信息", "停电范围与说明") if is_outage else ("用电报装申请有新进展", "查看进度")
        return Message(subject, f"受理编号 {number}：{said}\n{more}：{link}\n")
    subject, more = ("Power outage", "Where, and more") if is_outage else (_NEWS, "Progress")
    return Message(subject, f"Application {number}: {said}\n{more}: {link}\n")
