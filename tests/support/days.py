"""A utility's days over a database whose clock is set, with events that are appended and settled by name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.transactions import SqlTransactions
from gateway.caller import Caller
from gateway.crypto.jws import sign_jws
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import ChannelKind, ClaimRoom, DeliveryState, EventDraft, Receipt, Settlement
from gateway.reconciliation.service import ReconciliationService
from gateway.records.entries import digest
from schemas.reconciliation import Reconciliation, ReportRequest
from schemas.wire import Typ
from tests.support.approvals import UTILITY, utility_caller
from tests.support.partners import es256_key
from tests.support.storage import NOON, SetClock, opened
from tests.support.tokens import unb64

SOURCE = "https://gateway.example"
MONDAY = date(2026, 3, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
MIDNIGHT = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
"""The end of Monday in China."""
KEY = es256_key("answers-1")


@dataclass
class Room:
    transactions: SqlTransactions
    clock: SetClock
    service: ReconciliationService
    url: str
    caller: Caller = field(default_factory=utility_caller)

    async def append(self, *names: str, at: datetime | None = None, to: str = UTILITY) -> None:
        for name in names:
            draft = EventDraft(
                name, to, ChannelKind.WEBHOOK, "test", name.split(".")[0], at or self.clock(), {"n": name}
            )
            await self.transactions.write(lambda tx, d=draft: tx.outbox.append(d))

    async def answer(self, first: date | None = None, last: date | None = None) -> Reconciliation:
        token = await self.service.answer(self.caller, first, last)
        header, payload, _ = token.split(".")
        assert json.loads(unb64(header))["typ"] == Typ.RECONCILIATION
        return Reconciliation.model_validate_json(unb64(payload))

    async def day(self, day: date) -> Any:
        (found,) = (await self.answer(day)).days
        return found

    async def names(self, day: date) -> list[str]:
        return [event.event_id for event in (await self.service.events(self.caller, day, 0, 100)).events]

    async def settle(self, name: str, state: DeliveryState = DeliveryState.DELIVERED) -> None:
        at = self.clock.advance(seconds=31)  # leases of an earlier claim have lapsed

        def work(tx: Any) -> None:
            claims = tx.deliveries.claim("relay", at, at + timedelta(seconds=30), ClaimRoom(100, 100))
            (claim,) = [each for each in claims if each.event.event_id == name]
            claims_made = {"body_sha256": digest(encode_cloud_event(claim.event, SOURCE))}
            receipt = Receipt(sign_jws(claims_made, KEY, Typ.DELIVERY_RECEIPT), False)
            settlement = Settlement(
                name, claim.attempt, at, at, state, "said", 200, receipt if state is DeliveryState.DELIVERED else None
            )
            assert tx.deliveries.settle("relay", settlement)

        await self.transactions.write(work)

    async def entries(self, action: str) -> list[dict[str, Any]]:
        def read(tx: Any) -> list[dict[str, Any]]:
            reader = tx.record_reader
            found = [json.loads(each.leaf) for log in reader.log_ids() for each in reader.entries(log)]
            return [each for each in found if each["action"] == action]

        return await self.transactions.read(read)

    def behind_the_back(self, statement: str) -> None:
        engine = create_database_engine(self.url, pool_size=1)
        with engine.connect() as connection, connection.begin():
            connection.execute(text(statement))
        engine.dispose()


def days_service(transactions: SqlTransactions, clock: SetClock) -> ReconciliationService:
    """Of a process that remembers nothing yet."""
    return ReconciliationService(transactions, clock, lambda kind: f"{kind}_1", lambda: KEY, SOURCE)


@contextmanager
def days_room(database_url: str) -> Iterator[Room]:
    """On Monday at noon."""
    clock = SetClock(NOON)
    with opened(database_url, clock, source=SOURCE) as transactions:
        yield Room(transactions, clock, days_service(transactions, clock), database_url)


def a_report(root: str, count: int, *differences: dict[str, Any], day: date = MONDAY) -> ReportRequest:
    return ReportRequest.model_validate(
        {
            "day": day.isoformat(),
            "root": root,
            "count": count,
            "differences": list(differences),
            "differences_total": len(differences),
        }
    )
