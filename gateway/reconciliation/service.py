"""Answers a utility's day, sends again what it lost, and keeps what it reports."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from gateway.caller import Caller
from gateway.clock import Clock, date_in_china
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.jws import sign_jws
from gateway.crypto.strict_json import decode_base64url, parse_object
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.reconciliation.days import MOST_DAYS, DayRange, day_after, days_between, end_of
from gateway.reconciliation.errors import DaysRefused, ReportUnknown
from gateway.reconciliation.ports import DayBook, ReconciliationTransaction, StoredReport, Undigested
from gateway.reconciliation.trees import DayTrees
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.merkle import EMPTY_ROOT
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase
from schemas.reconciliation import (
    DayEventPage,
    DayEventView,
    DaySummary,
    Reconciliation,
    ReportRecorded,
    ReportRequest,
    ResendAnswer,
    ResendOrder,
)
from schemas.wire import Typ

DIGESTS_AT_ONCE = 200
MAX_RECEIPT_BYTES = 64 * 1024


class ReconciliationService:
    """A utility sees its own days and no other's. ``issuer`` is the gateway's, ``iss`` of answers."""

    def __init__(
        self,
        transactions: Transactions[ReconciliationTransaction],
        clock: Clock,
        make_id: MakeId,
        answer_key: CurrentKey,
        issuer: str,
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._make_id = make_id
        self._answer_key = answer_key
        self._issuer = issuer
        self._trees = DayTrees(transactions)

    async def answer(self, caller: Caller, first: date | None = None, last: date | None = None) -> str:
        """The signed summaries of the days ``first`` to ``last`` (by default yesterday), a compact JWS.

        Raises ``DaysRefused``.
        """
        now, utility = self._clock(), caller.partner_code
        days = await self.days(utility, *_days_asked(first, last, date_in_china(now)))
        answer = Reconciliation(
            iss=self._issuer,
            aud=utility,
            iat=int(now.timestamp()),
            jti=self._make_id("rec"),
            last_position=await self._transactions.read(lambda tx: tx.day_book.last_position(utility)),
            days=[_summary(day) for day in days],
        )
        return sign_jws(answer.model_dump_json().encode(), self._answer_key(), Typ.RECONCILIATION)

    async def days(self, utility: str, first: date, last: date) -> list[DayRange]:
        """The days with their roots. What is over by now is closed first. Raises ``DaysRefused``."""
        today = date_in_china(self._clock())
        first, last = _days_asked(first, last, today)
        ranges = await self._ranges(utility, first, last, today)
        if any(day.root is None for day in ranges):
            await self.keep_digests()
        return [await self._with_root(day) for day in ranges]

    async def events(self, caller: Caller, day: date, after: int, limit: int) -> DayEventPage:
        """The day's events beyond position ``after``, in order. Raises ``DaysRefused``."""
        utility, today = caller.partner_code, date_in_china(self._clock())
        (found,) = await self._ranges(utility, *_days_asked(day, day, today), today)
        await self.keep_digests()
        beyond = max(after, found.first - 1)
        events = await self._transactions.read(
            lambda tx: tx.day_book.events(utility, beyond, found.last, limit + 1) if beyond < found.last else ()
        )
        page = events[:limit]
        return DayEventPage(
            day=day,
            events=[
                DayEventView(
                    position=event.position,
                    event_id=event.event_id,
                    subject=event.subject,
                    sequence=event.sequence,
                    body_sha256=event.body_sha256,
                    type=event.type,
                    state=event.state.value,
                    erased=event.erased,
                )
                for event in page
            ],
            cursor=page[-1].position if page else beyond,
            more=len(events) > limit,
        )

    async def resend(self, caller: Caller, order: ResendOrder) -> ResendAnswer:
        """Queue events again, each recorded as a replay that the utility asked for; it knows them by their ids."""
        utility, at = caller.partner_code, self._clock()
        wanted = list(dict.fromkeys(order.event_ids))

        def work(tx: ReconciliationTransaction) -> ResendAnswer:
            found = {event.event_id: event for event in tx.day_book.find(utility, wanted)}
            sorted_out: dict[str, list[str]] = {"resent": [], "under_way": [], "erased": [], "unknown": []}
            for event_id in wanted:
                event = found.get(event_id)
                if event is None:
                    sorted_out["unknown"].append(event_id)
                elif event.erased:
                    sorted_out["erased"].append(event_id)
                elif not tx.deliveries.replay(event_id, at):
                    sorted_out["under_way"].append(event_id)
                else:
                    sorted_out["resent"].append(event_id)
                    facts: dict[str, Fact] = {
                        "event": event_id,
                        "destination": utility,
                        "state_before": event.state.value,
                        "reason": order.reason,
                    }
                    tx.records.append(RecordEntry("delivery.replayed", at, utility, event.subject, facts=facts))
            return ResendAnswer(**sorted_out)

        return await self._transactions.write(work)

    async def report(self, caller: Caller, request: ReportRequest) -> ReportRecorded:
        """Keep what a comparison found, and record it. Raises ``DaysRefused``."""
        utility, at = caller.partner_code, self._clock()
        (day,) = await self.days(utility, request.day, request.day)
        own_root = day.root or EMPTY_ROOT
        if day.closed_at is None and request.count < day.count:  # events came since the utility counted
            last = await self._last_of(day, request.count)
            counted = replace(day, last=last, root=None)
            own_root = (await self._with_root(counted)).root or EMPTY_ROOT
        agrees = request.root == own_root.hex() and (day.closed_at is None or request.count == day.count)
        unknown = [each.event_id for each in request.differences if each.kind == "unknown_to_gateway"]

        def work(tx: ReconciliationTransaction) -> ReportRecorded:
            known = sorted(event.event_id for event in tx.day_book.find(utility, unknown))
            record_id = tx.records.append(
                RecordEntry("reconciliation.reported", at, utility, facts=_report_facts(request, own_root, agrees))
            )
            body = request.model_dump(mode="json")
            tx.day_book.keep_report(StoredReport(utility, request.day, at, agrees, body, record_id))
            return ReportRecorded(day=request.day, agrees=agrees, known_here=known, record_id=record_id)

        return await self._transactions.write(work)

    async def reports(self, utility: str | None, *, only_differing: bool, limit: int) -> Sequence[StoredReport]:
        """The latest report on each day, latest days first."""
        return await self._transactions.read(
            lambda tx: tx.day_book.reports(utility, only_differing=only_differing, limit=limit)
        )

    async def find_report(self, utility: str, day: date) -> StoredReport:
        """Raises ``ReportUnknown``."""
        found = await self._transactions.read(lambda tx: tx.day_book.report(utility, day))
        if found is None:
            raise ReportUnknown(check="reconciliation.report", owner=Owner.CALLER, remedy="请核对单位代码与日期。")
        return found

    async def keep_digests(self) -> int:
        """Give events of an earlier release the digest that later ones have since their commit; answers how many.

        Of what was delivered it is the one that the receiver signed for, also where the event has been erased since.
        """
        kept, after = 0, ("", 0)
        while True:
            page = await self._transactions.read(partial(_undigested, after=after))
            if not page:
                return kept
            told = {each.event.event_id: self._digest_of(each) for each in page}
            await self._transactions.write(partial(_keep_digests, digests=told))
            kept += len(page)
            after = page[-1].event.destination, page[-1].event.position

    def _digest_of(self, undigested: Undigested) -> str | None:
        signed_for = _signed_for(undigested.receipt)
        if signed_for is not None or undigested.event.erased:
            return signed_for
        return digest(encode_cloud_event(undigested.event, self._issuer))

    async def _last_of(self, day: DayRange, count: int) -> int:
        """The position of the day's ``count``-th event."""
        if not count:
            return day.first - 1
        return await self._transactions.read(lambda tx: tx.day_book.nth(day.utility, day.first - 1, count))

    async def _ranges(self, utility: str, first: date, last: date, today: date) -> list[DayRange]:
        over = min(last, today - timedelta(days=1))
        if first <= over:
            known = await self._transactions.read(lambda tx: tx.day_book.last_closed(utility))
            if known is None or known.day < over:
                at = self._clock()
                await self._transactions.write(lambda tx: close_through(tx.day_book, utility, over, at))
        elif first == today:
            await self._ranges(utility, today - timedelta(days=1), today - timedelta(days=1), today)
        wanted = days_between(first, last)
        return await self._transactions.read(lambda tx: [range_of(tx.day_book, utility, day) for day in wanted])

    async def _with_root(self, day: DayRange) -> DayRange:
        if day.root is not None:
            return day
        told = await self._trees.told(day)
        if day.closed_at is None:
            return told
        return await self._transactions.write(lambda tx: _anchor(tx, told, self._clock()))


def close_through(book: DayBook, utility: str, through: date, at: datetime) -> None:
    """Close every day up to ``through`` that is not closed. Nothing is numbered for ``utility`` meanwhile.

    Days without events are passed over, but for ``through`` itself: that none came by then is what is kept.
    """
    last_given = book.hold(utility)
    known = book.last_closed(utility)
    if known is not None and known.day >= through:
        return
    after, day = (known.last, known.day) if known is not None else (0, None)
    while after < last_given:
        committed_at = book.next_at(utility, after)
        next_day = day_after(committed_at, day) if committed_at is not None else through
        if next_day > through:
            break
        last = book.last_before(utility, after, end_of(next_day))
        last = last_given if last is None else last
        book.close(DayRange(utility, next_day, after + 1, last, at))
        after, day = last, next_day
    if day is None or day < through:
        book.close(DayRange(utility, through, after + 1, after, at))


def range_of(book: DayBook, utility: str, day: date) -> DayRange:
    """``day`` as it was closed; one beyond the last closed day as it stands, with all that came since."""
    found = _range_of(book, utility, day)
    if not found.crosses_epochs:
        return found
    held = book.count(utility, found.first, found.last)
    return replace(found, skipped=found.last - found.first + 1 - held)


def _range_of(book: DayBook, utility: str, day: date) -> DayRange:
    closed = book.closed(utility, day)
    if closed is not None:
        return closed
    earlier, latest = book.last_closed(utility, before=day), book.last_closed(utility)
    before = earlier.last if earlier is not None else 0
    if latest is not None and latest.day > day:
        return DayRange(utility, day, before + 1, before, latest.closed_at, 0, EMPTY_ROOT)
    return DayRange(utility, day, before + 1, book.last_position(utility))


def _days_asked(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    first = first if first is not None else last if last is not None else today - timedelta(days=1)
    last = last if last is not None else first
    if not first <= last <= today or (last - first).days >= MOST_DAYS:
        raise DaysRefused(
            check="reconciliation.days",
            owner=Owner.CALLER,
            remedy=Phrase("请按中国日期给出不晚于今天的一天，或先后有序、至多 {most} 天的一段", most=MOST_DAYS),
            most_days=MOST_DAYS,
        )
    return first, last


def _summary(day: DayRange) -> DaySummary:
    return DaySummary(
        day=day.day,
        closed=day.closed_at is not None,
        count=day.count,
        first_position=day.first,
        last_position=day.last,
        applications=day.subjects or 0,
        root=(day.root or EMPTY_ROOT).hex(),
        record_id=day.record_id,
    )


def _anchor(tx: ReconciliationTransaction, day: DayRange, at: datetime) -> DayRange:
    known = tx.day_book.closed(day.utility, day.day)
    if known is not None and known.root is not None:
        return replace(known, skipped=day.skipped)
    root, subjects = day.root or EMPTY_ROOT, day.subjects or 0
    facts: dict[str, Fact] = {
        "utility": day.utility,
        "day": day.day.isoformat(),
        "first_position": day.first,
        "last_position": day.last,
        "root": root.hex(),
    }
    record_id = tx.records.append(RecordEntry("reconciliation.closed", at, "gateway", facts=facts))
    tx.day_book.anchor(day.utility, day.day, subjects, root, record_id)
    return replace(day, record_id=record_id)


def _undigested(tx: ReconciliationTransaction, after: tuple[str, int]) -> Sequence[Undigested]:
    return tx.day_book.undigested(DIGESTS_AT_ONCE, after)


def _signed_for(receipt: str | None) -> str | None:
    """The digest that a receipt names; its signature was checked before it was kept."""
    if receipt is None:
        return None
    try:
        payload = decode_base64url(receipt.encode().split(b".")[1])
        claims = parse_object(payload, max_bytes=MAX_RECEIPT_BYTES)
    except (JoseRefused, IndexError):
        return None
    found = claims.get("body_sha256")
    return found if isinstance(found, str) else None


def _keep_digests(tx: ReconciliationTransaction, digests: dict[str, str | None]) -> None:
    for event_id, body_sha256 in digests.items():
        if body_sha256 is not None:
            tx.day_book.keep_digest(event_id, body_sha256)


def _report_facts(request: ReportRequest, own_root: bytes, agrees: bool) -> dict[str, Fact]:
    kinds = Counter(each.kind for each in request.differences)
    return {
        "day": request.day.isoformat(),
        "agrees": agrees,
        "count": request.count,
        "root": request.root,
        "own_root": own_root.hex(),
        "differences": request.differences_total,
        "kinds": [f"{kind}:{count}" for kind, count in sorted(kinds.items())],
        "healed": sum(each.healed for each in request.differences),
    }
