"""Which telling of an outage counts, how long it is shown, and what may not stand in its words. Pure."""

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.applications.claimed_times import DEFAULT_TOLERANCE, judge_time
from gateway.errors import Owner
from gateway.outages.errors import OutageContradicts, OutageUnsound
from gateway.outages.model import Outage
from schemas.outages import OutageKind, OutageRequest

TOUCHES: Final = "outage.touches"
"""Action of the entry that an open application is touched by what was told; its applicant gets a notice of it."""
ENDED_SHOWN_FOR: Final = timedelta(hours=24)
SILENT_SHOWN_FOR: Final = timedelta(days=7)
"""How long an outage is shown after its expected end, where its utility says nothing more of it."""
_CAUSES: Final = (OutageKind.PLANNED, OutageKind.FAULT)
_DATE: Final = re.compile(r"(?<!\d)(?:19|20)\d\d([-./])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?!\d)", re.ASCII)
_ANY: Final = re.ASCII | re.IGNORECASE
_MARK: Final = r"[ \-.·_/()]"
_NUMBER: Final = re.compile(
    rf"\d{{7}}|(?:\d{_MARK}{{0,3}}){{10}}\d|[0-9A-HJ-NPQRTUWXY]{{18}}", re.ASCII | re.IGNORECASE
)
"""Seven digits together, eleven with some mark between them, or a 统一社会信用代码: as long as any telephone number."""
_WITH_A_DATE: Final = re.compile(
    rf"(?<!\d)(?<!\d{_MARK})1[3-9](?:{_MARK}{{0,3}}\d){{9}}(?!\d)"
    rf"|[1-9](?:{_MARK}?\d){{5}}{_MARK}?(?:19|20)(?:{_MARK}?\d){{9}}{_MARK}?[\dX]",
    _ANY,
)
"""A mobile number, or a 公民身份号码, also where a part of it reads as a date."""
_WRITTEN: Final = str.maketrans("〇零一二三四五六七八九幺", "001234567891")


def require_sound(told: OutageRequest, heard_at: datetime) -> None:
    """Raises ``OutageUnsound`` for times that cannot be, and for what looks like a number of a person."""
    if told.expected_end_at is not None and told.expected_end_at <= told.begins_at:
        raise _unsound("expected_end_at", "预计恢复时间须晚于停电时间，请更正后重新报送")
    if told.kind is OutageKind.PLANNED and told.expected_end_at is None:
        raise _unsound("expected_end_at", "计划停电须有预计恢复时间，请补充后重新报送")
    if told.kind is OutageKind.FAULT and told.begins_at > heard_at + DEFAULT_TOLERANCE.ahead:
        raise _unsound("begins_at", "故障停电的开始时间不得晚于现在，请更正后重新报送")
    if any(looks_personal(words) for words in (told.area, told.text)):
        raise _unsound("personal", "停电范围与说明对外公布，不得含有证件号码或电话号码，请删去后重新报送")


def looks_personal(words: str) -> bool:
    """Whether ``words`` hold anything like the number of a document or of a telephone, however it is written."""
    plain = "".join(each for each in unicodedata.normalize("NFKC", words) if unicodedata.category(each) != "Cf")
    digits = "".join(str(unicodedata.decimal(each, each)) for each in plain).translate(_WRITTEN)
    return bool(_WITH_A_DATE.search(digits) or _NUMBER.search(_DATE.sub("日", digits)))


def outage_of(utility: str, told: OutageRequest, heard_at: datetime) -> Outage:
    """What ``told`` says, heard at the aware instant ``heard_at``. Nothing is told later than it is heard."""
    counted_at = min(told.said_at, heard_at)
    if told.kind is OutageKind.RESTORED:
        shown_until = counted_at + ENDED_SHOWN_FOR
    else:
        shown_until = max(counted_at, told.begins_at, told.expected_end_at or counted_at) + SILENT_SHOWN_FOR
    return Outage(
        utility=utility,
        cause=told.kind if told.kind in _CAUSES else None,
        counted_at=counted_at,
        shown_until=shown_until,
        **told.published(),
    )


def tells(heard: Outage) -> str:
    """What a telling is to somebody whom it touches: its kind, or ``cancelled`` for a plan given up before it began."""
    return "cancelled" if heard.ended_at is not None and heard.ended_at < heard.begins_at else heard.kind.value


def flags_of(told: OutageRequest, before: Outage | None, heard_at: datetime) -> tuple[str, ...]:
    """Why the time of telling is not taken at its word, judged as that of a stage event (第（三）条 如实记录)."""
    previous_at = told.said_at if before is None else before.counted_at
    judged = judge_time(told.said_at, heard_at, previous_at, DEFAULT_TOLERANCE)
    return tuple(flag.value for flag in judged.flags)


def after(before: Outage, told: Outage) -> Outage:
    """What stands of an outage once ``told`` is heard: the same in whatever order tellings arrive.

    What was said last counts, and nothing but an earlier ``restored`` counts against a ``restored``.
    Raises ``OutageContradicts`` for what was said after the outage was over.
    """
    if before.ended_at is not None and _order(told) > _order(before):
        raise OutageContradicts(
            check="outage.over",
            owner=Owner.UTILITY,
            remedy="该停电已恢复供电；再次停电请使用新的停电编号",
        )
    over = [each for each in (before, told) if each.ended_at is not None]
    stands = min(over, key=_order) if over else max(before, told, key=_order)
    # A planned outage that became a fault is one; which of them was told first is no matter.
    causes = {before.cause, told.cause} - {None}
    return replace(stands, cause=OutageKind.FAULT if OutageKind.FAULT in causes else next(iter(causes), None))


def _order(outage: Outage) -> tuple[datetime, str]:
    return outage.counted_at, outage.event_id


def _unsound(check: str, remedy: str) -> OutageUnsound:
    return OutageUnsound(check=f"outage.{check}", owner=Owner.UTILITY, remedy=remedy)
