"""Takes outages in from utilities, and answers what is shown to the public and to an applicant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.applications.errors import ApplicationUnknown
from gateway.caller import Caller
from gateway.clock import Clock
from gateway.errors import Owner
from gateway.outages.errors import OutageContradicts, OutageNotOurs
from gateway.outages.model import Outage, OutageEvent
from gateway.outages.ports import OutageTransaction
from gateway.outages.rules import TOUCHES, after, flags_of, outage_of, require_sound, tells
from gateway.outages.views import outage_view
from gateway.partners.agreements import region_and_above
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.transaction import Transactions
from schemas.outages import OutageRecorded, OutageRequest
from schemas.regions import region_prefix
from schemas.wire import format_instant

TOLD: Final = "outage.told"
MOST_SHOWN: Final = 5_000
MOST_OF_AN_APPLICATION: Final = 20


class OutageService:
    """停电信息."""

    def __init__(self, transactions: Transactions[OutageTransaction], clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def tell(self, caller: Caller, told: OutageRequest) -> OutageRecorded:
        """Take one telling. The same event with the same content changes nothing.

        Raises ``OutageNotOurs``, ``OutageUnsound``, ``OutageContradicts``.
        """
        now = self._clock()
        if region_and_above(told.region).isdisjoint(caller.regions):
            raise OutageNotOurs(
                check="outage.region", owner=Owner.UTILITY, remedy="请核对行政区划，只报送本单位供电区域的停电信息"
            )
        require_sound(told, now)
        return await self._transactions.write(lambda tx: _tell(tx, caller.partner_code, told, now))

    async def shown(self, region: str = "") -> tuple[Sequence[Outage], datetime]:
        """Planned, under way, or ended within a day, in a region, below it and above it; and as of when.

        ``region`` has 6 digits or more, or is empty for all; 5000 outages at most.
        """
        now, above = self._clock(), region_and_above(region)
        prefix = region_prefix(region)
        return await self._transactions.read(lambda tx: tx.outages.shown(now, prefix, above, MOST_SHOWN)), now

    async def of_application(self, application_id: str, holder_digest: str) -> Sequence[Outage]:
        """What its utility has planned or has under way where power is asked for; nothing once it is closed.

        Raises ``ApplicationUnknown``, for another's too.
        """
        now = self._clock()

        def read(tx: OutageTransaction) -> Sequence[Outage]:
            own = tx.applications.find(application_id)
            if own is None or own.holder_digest != holder_digest:
                raise ApplicationUnknown(check="application.unknown", owner=Owner.APPLICANT, remedy="请核对申请编号")
            if own.lifecycle.closed_at is not None:
                return []
            above = region_and_above(own.region)
            return tx.outages.shown(now, region_prefix(own.region), above, MOST_OF_AN_APPLICATION, own.utility)

        return await self._transactions.read(read)


def _tell(tx: OutageTransaction, utility: str, told: OutageRequest, now: datetime) -> OutageRecorded:
    content, heard = digest(_content(told)), outage_of(utility, told, now)
    before = tx.outages.hold(heard)
    known = tx.outages.find_event(utility, told.event_id)
    if known is not None:
        if before is None or known.content_digest != content:
            raise _event_taken()
        return _recorded(before, known, told, now, duplicate=True)
    stands = heard if before is None else after(before, heard)
    flags = flags_of(told, before, now)
    facts: dict[str, Fact] = {
        "event_sha256": digest(told.event_id),
        "kind": told.kind.value,
        "region": told.region,
        "said_at": format_instant(told.said_at),
        "flags": list(flags),
        "content_sha256": content,
    }
    record_id = tx.records.append(RecordEntry(TOLD, now, utility, f"{utility}:{told.outage_id}", facts=facts))
    # What came late and changes nothing, or is long over, is no news: nobody is sent what does not hold.
    is_news = stands.event_id == told.event_id and heard.shown_until > now
    notified = _notify(tx, heard, told, now) if is_news else ()
    event = OutageEvent(utility, told.event_id, told.outage_id, content, told.said_at, flags, now, record_id, notified)
    if not tx.outages.add_event(event):
        raise _event_taken()
    if before is not None and stands != before:
        tx.outages.put(stands)
    return _recorded(stands, event, told, now, duplicate=False)


def _content(told: OutageRequest) -> str:
    """As it was before ``applications`` could be named, where none are: a repeated event is known over an upgrade."""
    return told.model_dump_json(exclude=None if told.applications else {"applications"})


def _notify(tx: OutageTransaction, heard: Outage, told: OutageRequest, now: datetime) -> tuple[str, ...]:
    """An entry for each application that is touched, which makes its notice; answers which they are.

    Another's application and none are the same here, and looked for the same way: nobody learns by asking.
    """
    own = tx.applications.open_of_utility(heard.utility, set(told.applications)) if told.applications else ()
    facts: dict[str, Fact] = {
        "outage": f"{heard.utility}:{heard.outage_id}",
        "event_sha256": digest(heard.event_id),
        "tells": tells(heard),
        "begins_at": format_instant(heard.begins_at),
        "expected_end_at": format_instant(heard.expected_end_at) if heard.expected_end_at else None,
    }
    for application_id in own:
        tx.records.append(RecordEntry(TOUCHES, now, heard.utility, application_id, facts=facts))
    return tuple(own)


def _recorded(
    stands: Outage, event: OutageEvent, told: OutageRequest, now: datetime, *, duplicate: bool
) -> OutageRecorded:
    return OutageRecorded(
        event_id=event.event_id,
        outage=outage_view(stands, now),
        flags=list(event.flags),
        duplicate=duplicate,
        record_id=event.record_id,
        notified=len(event.notified),
        not_notified=[each for each in dict.fromkeys(told.applications) if each not in event.notified],
    )


def _event_taken() -> OutageContradicts:
    return OutageContradicts(
        check="outage.event", owner=Owner.UTILITY, remedy="该事件编号已用于另一内容；新的信息请使用新的编号"
    )
