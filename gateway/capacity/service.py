"""Takes grid capacity in from utilities, and answers what is published."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.caller import Caller
from gateway.capacity.errors import CapacityNotOurs, CapacityOutdated, CapacityUnsound
from gateway.capacity.model import AreaCapacity
from gateway.capacity.ports import CapacityTransaction
from gateway.clock import Clock, date_in_china
from gateway.errors import Owner
from gateway.partners.agreements import region_and_above
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.transaction import Transactions
from schemas.capacity import CapacityRequest
from schemas.regions import region_prefix

PUBLISHED: Final = "capacity.published"
MOST_PUBLISHED: Final = 5_000
_CLAUSE: Final = "第（十三）条"


class CapacityService:
    """可开放容量."""

    def __init__(self, transactions: Transactions[CapacityTransaction], clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def publish(self, caller: Caller, area_id: str, told: CapacityRequest) -> tuple[AreaCapacity, bool]:
        """What is published of the area now, and whether it was before (the same version with the same content).

        Raises ``CapacityNotOurs``, ``CapacityUnsound``, ``CapacityOutdated``.
        """
        now = self._clock()
        _require_sound(caller, told, now)
        capacity = AreaCapacity(
            utility=caller.partner_code,
            area_id=area_id,
            content_digest=digest(told.model_dump_json()),
            heard_at=now,
            **told.model_dump(),
        )
        return await self._transactions.write(lambda tx: _put(tx, capacity, now))

    async def published(self, region: str = "") -> Sequence[AreaCapacity]:
        """What is published in a region and below it; a code of 6 digits, or empty for all."""
        prefix = region_prefix(region)
        return await self._transactions.read(lambda tx: tx.capacities.published(prefix, MOST_PUBLISHED))


def _require_sound(caller: Caller, told: CapacityRequest, now: datetime) -> None:
    if region_and_above(told.region).isdisjoint(caller.regions):
        raise CapacityNotOurs(
            check="capacity.region", owner=Owner.UTILITY, remedy="请核对行政区划，只公布本单位供电区域的容量"
        )
    if told.as_of > date_in_china(now):
        raise CapacityUnsound(
            check="capacity.as_of", owner=Owner.UTILITY, remedy="数据日期不得晚于今天，请更正后重新报送", clause=_CLAUSE
        )


def _put(tx: CapacityTransaction, capacity: AreaCapacity, now: datetime) -> tuple[AreaCapacity, bool]:
    known = tx.capacities.find(capacity.utility, capacity.area_id)
    if known is not None and known.version == capacity.version and known.content_digest == capacity.content_digest:
        return known, True
    facts: dict[str, Fact] = {
        "version": capacity.version,
        "region": capacity.region,
        "available_kva": capacity.available_kva,
        "as_of": capacity.as_of.isoformat(),
        "withdrawn": capacity.withdrawn,
        "content_sha256": capacity.content_digest,
    }
    subject = f"{capacity.utility}:{capacity.area_id}"
    record_id = tx.records.append(RecordEntry(PUBLISHED, now, capacity.utility, subject, facts=facts))
    kept = replace(capacity, record_id=record_id)
    if not tx.capacities.put(kept):
        raise CapacityOutdated(
            check="capacity.version",
            owner=Owner.UTILITY,
            remedy="该区域已公布同一或更新的版本；更正请以更大的版本号报送",
        )
    return kept, False
