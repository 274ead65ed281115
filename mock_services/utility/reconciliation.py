"""对账, as an integrator would write it: compare a day with the gateway, have what was lost sent again, report.

A day is compared by one number, the Merkle root that the gateway signed. Only where it differs the day's events are
gone through, page by page. What is missing or altered here is asked for again and arrives by the ordinary channel;
what only we hold the gateway is told of, because nobody but its operator can say where that came from.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from mock_services.utility.client import GatewayClient, GatewayRefused, GatewayUnavailable
from mock_services.utility.ledger import CHINA, Held, Ledger
from schemas.reconciliation import (
    MOST_DIFFERENCES,
    MOST_RESENT,
    DayEventView,
    DaySummary,
    Difference,
    DifferenceKind,
    ReportRequest,
    ResendOrder,
)

FROM = time(0, 10)
"""China time of day at which the day before is compared: late commits are in by then."""
IDLE_S = 30.0
HEALS_WITHIN_S = 30.0
MOST_DAYS = 31
UNDER_WAY = ("pending", "unknown")


Listed = dict[str, DayEventView]
"""A day's events as the gateway lists them, by id."""


class Contradiction(Exception):
    """The gateway's list of a day does not hash to the root that it signed: keep both, and call its operator."""


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 9162 §2.1.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """RFC 9162 §2.1.1, over leaf hashes in order; of nothing it is SHA-256 of the empty string."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    level = list(hashes)
    while len(level) > 1:
        paired = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


@dataclass
class Reconciler:
    """One per process."""

    client: GatewayClient
    ledger: Ledger
    clock: Callable[[], datetime]
    heals_within_s: float = HEALS_WITHIN_S
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Until cancelled: every night the day before, and after an absence each day that was missed."""
        if self.ledger.last_compared() is None:
            self.ledger.compared(self._today() - timedelta(days=1), self.clock(), None)
        while True:
            with contextlib.suppress(GatewayUnavailable, GatewayRefused):
                await self.catch_up()
            await asyncio.sleep(IDLE_S)

    async def catch_up(self) -> list[date]:
        """Compare every day that is over and was not compared yet, oldest first; answers them."""
        yesterday = self._today() - timedelta(days=1)
        last = self.ledger.last_compared() or yesterday
        if (self.clock() + CHINA).time() < FROM:
            yesterday -= timedelta(days=1)
        first = max(last + timedelta(days=1), yesterday - timedelta(days=MOST_DAYS - 1))
        due = [first + timedelta(days=number) for number in range((yesterday - first).days + 1)]
        for day in due:
            await self.compare(day)
        return due

    async def compare(self, day: date | None = None) -> ReportRequest:
        """Compare ``day`` (today if left out), heal what can be healed, report; answers the report.

        Raises ``Contradiction``, ``GatewayUnavailable``, ``GatewayRefused``.
        """
        async with self._busy:
            summary = await self.client.reconciliation(day or self._today())
            before = self._held_on(summary)
            own_root = merkle_root([leaf_hash(each.leaf()) for each in before]).hex()
            found: list[Difference] = []
            if (own_root, len(before)) != (summary.root, summary.count):
                listed = {each.event_id: each for each in await self._listed(summary)}
                before = _with_positions(before, listed)
                own_root = merkle_root([leaf_hash(each.leaf()) for each in before]).hex()
                found = await self._heal(self._differences(listed, before), listed)
            report = ReportRequest(
                day=summary.day,
                root=own_root,
                count=len(before),
                differences=found[:MOST_DIFFERENCES],
                differences_total=len(found),
            )
            await self.client.report_reconciliation(report)
            self.ledger.compared(summary.day, self.clock(), report)
            return report

    def _today(self) -> date:
        return (self.clock() + CHINA).date()

    def _held_on(self, summary: DaySummary) -> list[Held]:
        """What is held of the day, by position; an event that names none counts by its own time."""

        def is_of_the_day(each: Held) -> bool:
            if each.position is None:
                return each.on == summary.day
            return summary.first_position <= each.position <= summary.last_position

        return [each for each in self.ledger.held() if is_of_the_day(each)]

    def _differences(self, theirs: Listed, on_the_day: Sequence[Held]) -> list[Difference]:
        found = [
            Difference(
                kind="unknown_to_gateway",
                event_id=each.event_id,
                position=each.position,
                held_sha256=each.body_sha256,
            )
            for each in on_the_day
            if each.event_id not in theirs
        ]
        ours = {each.event_id: each for each in _with_positions(self.ledger.held(), theirs)}
        for name, listed in theirs.items():
            own = ours.get(name)
            kind: DifferenceKind
            if own is None:
                kind = "under_way" if listed.state in UNDER_WAY else "missed_by_utility"
            elif own.leaf() != _leaf_of(listed):
                kind = "altered_at_utility"
            else:
                continue
            held_sha256 = own.body_sha256 if own else None
            found.append(Difference(kind=kind, event_id=name, position=listed.position, held_sha256=held_sha256))
        return sorted(found, key=lambda each: (each.position or 0, each.event_id))

    async def _listed(self, summary: DaySummary) -> list[DayEventView]:
        """The day's events as the gateway lists them, up to the position that it signed for."""
        listed: list[DayEventView] = []
        after, more = 0, True
        while more:
            page = await self.client.day_events(summary.day, after)
            listed += [each for each in page.events if each.position <= summary.last_position]
            after, more = page.cursor, page.more and page.cursor < summary.last_position
        if merkle_root([leaf_hash(_leaf_of(each)) for each in listed]).hex() != summary.root:
            raise Contradiction(summary.day.isoformat())
        return listed

    async def _heal(self, found: list[Difference], theirs: Listed) -> list[Difference]:
        """Have what is lost or altered sent again, and wait for it; answers the differences, marked where healed."""
        wanted = [each.event_id for each in found if each.kind in ("missed_by_utility", "altered_at_utility")]
        altered = {each.event_id for each in found if each.kind == "altered_at_utility"}
        coming: set[str] = set()
        for start in range(0, len(wanted), MOST_RESENT):
            asked = wanted[start : start + MOST_RESENT]
            # What is altered makes room first: the very id with another body would be refused as a forgery.
            self.ledger.set_aside([name for name in asked if name in altered], self.clock())
            answer = await self.client.resend(ResendOrder(reason="receiver_lost_data", event_ids=asked))
            coming |= {*answer.resent, *answer.under_way}
        arrived = await self._arrived({name: _leaf_of(theirs[name]) for name in coming}, theirs)
        return [each.model_copy(update={"healed": each.event_id in arrived}) for each in found]

    async def _arrived(self, coming: dict[str, bytes], theirs: Listed) -> set[str]:
        """Those of ``coming`` (leaves by id) that are here now, waited for as long as that is worth it."""
        arrived: set[str] = set()
        ends = asyncio.get_running_loop().time() + self.heals_within_s
        while len(arrived) < len(coming) and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.05)
            held = _with_positions(self.ledger.held(), theirs)
            arrived = {each.event_id for each in held if coming.get(each.event_id) == each.leaf()}
        return arrived


def _with_positions(held: Sequence[Held], theirs: Listed) -> list[Held]:
    """Bodies of an earlier gateway name no position: those are taken from its list."""
    known = [
        replace(each, position=theirs[each.event_id].position)
        if each.position is None and each.event_id in theirs
        else each
        for each in held
    ]
    return sorted(known, key=lambda each: (each.position is None, each.position or 0, each.event_id))


def _leaf_of(listed: DayEventView) -> bytes:
    held = Held(
        listed.event_id, listed.position, listed.subject, listed.sequence, listed.body_sha256 or "", date.min
    ).leaf()
    return held if listed.body_sha256 else held.replace(b'"body_sha256":""', b'"body_sha256":null')
