"""清除回执, over both databases: signed by the utility, of this withdrawal, once; and which are missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.applications.errors import PurgeReceiptContradicts, PurgeReceiptNotAuthentic
from gateway.applications.purge_receipts import PurgeReceiptService
from gateway.applications.rule_book import published_rules
from gateway.authorisations.errors import AuthorisationUnknown
from gateway.authorisations.model import Authorisation
from gateway.authorisations.service import AuthorisationService
from gateway.crypto.jws import sign_jws
from gateway.errors import GatewayError
from gateway.partners.model import KeyUse
from gateway.progress.service import ProgressService
from gateway.records.entries import digest
from schemas.applicant_api import WithdrawalProgress
from schemas.wire import Typ
from tests.support.approvals import UTILITY, ApprovalsRoom, an_application, approvals_room
from tests.support.partners import ISSUER, es256_key
from tests.support.storage import NOON

HOLDER = "0" * 64
KEY, FOREIGN = es256_key("receipts-1"), es256_key("receipts-1")


@dataclass
class Room:
    approvals: ApprovalsRoom
    service: PurgeReceiptService

    async def withdraw(self) -> None:
        approvals = self.approvals
        service = AuthorisationService(approvals.transactions, approvals.clock, lambda kind: f"{kind}_1")
        await service.withdraw("app_1", HOLDER)

    async def progress(self) -> WithdrawalProgress:
        approvals = self.approvals
        service = ProgressService(approvals.transactions, published_rules, approvals.clock)
        found = (await service.progress("app_1", HOLDER)).withdrawal
        assert found is not None
        return found

    async def refused(self, document: bytes, error: type[GatewayError], check: str, utility: str = UTILITY) -> None:
        with pytest.raises(error) as caught:
            await self.service.receive(utility, "aut_1", document)
        assert caught.value.check == check
        assert [*await self.approvals.entries()][-1]["result"] == "refused"


@pytest.fixture
async def room(database_url: str) -> Iterator[Room]:
    with approvals_room(database_url) as approvals:
        await approvals.receive_application(an_application())
        authorisation = Authorisation(
            *("aut_1", "app_1", UTILITY, frozenset({"business_licence"}), frozenset({"grid_connection"}), HOLDER, "d"),
            granted_at=NOON,
            until=NOON + timedelta(days=180),
        )
        await approvals.transactions.write(lambda tx: tx.authorisations.add(authorisation))
        approvals.directory.add_key(UTILITY, KEY, KeyUse.RECEIPT)
        clock = approvals.clock
        yield Room(
            approvals,
            PurgeReceiptService(approvals.transactions, approvals.directory, published_rules, clock, ISSUER),
        )


def a_receipt(key=KEY, typ: str = Typ.PURGE_RECEIPT, **changes: Any) -> bytes:
    own = {"iss": UTILITY, "aud": ISSUER, "jti": "p-1", "iat": int(NOON.timestamp()), "purged_at": NOON.isoformat()}
    return sign_jws(own | {"application_id": "app_1", "authorisation_id": "aut_1"} | changes, key, typ).encode()


async def test_the_applicant_follows_it_until_it_is_purged(room: Room) -> None:
    await room.withdraw()
    waits = await room.progress()
    assert (waits.purged_at, waits.purge_overdue) == (None, False)
    document = a_receipt()
    recorded = await room.service.receive(UTILITY, "aut_1", document)
    room.approvals.clock.advance(days=30)
    again = await room.service.receive(UTILITY, "aut_1", a_receipt(jti="p-2"))
    assert again == recorded
    done = await room.progress()
    assert (done.purged_at, done.purge_heard_at, done.purge_overdue) == (NOON, NOON, False)
    assert done.purge_receipt_sha256 == recorded.receipt_sha256 == digest(document.decode())
    assert (await room.approvals.actions()).count("authorisation.purged") == 1


async def test_only_the_utility_itself_confirms_only_what_was_withdrawn(room: Room) -> None:
    await room.refused(a_receipt(), PurgeReceiptContradicts, "purge_receipt.not_withdrawn")
    await room.withdraw()
    await room.refused(a_receipt(), AuthorisationUnknown, "authorisation.unknown", utility="csg-foshan")
    await room.refused(a_receipt(authorisation_id="aut_2"), PurgeReceiptContradicts, "purge_receipt.subject")
    early, late = (NOON - timedelta(hours=1)).isoformat(), (NOON + timedelta(hours=1)).isoformat()
    for when in (early, late):
        await room.refused(a_receipt(purged_at=when), PurgeReceiptContradicts, "purge_receipt.time")
    wrong = (
        a_receipt(FOREIGN),
        a_receipt(typ=Typ.DELIVERY_RECEIPT),
        a_receipt(aud="https://elsewhere.example"),
        a_receipt(iss="csg-foshan"),
        a_receipt(purged_at="yesterday"),
        b"",
        "清除".encode(),
    )
    for document in wrong:
        with pytest.raises(PurgeReceiptNotAuthentic):
            await room.service.receive(UTILITY, "aut_1", document)
    assert (await room.progress()).purged_at is None


async def test_what_is_missing_after_five_working_days_is_told(room: Room) -> None:
    await room.withdraw()
    room.approvals.clock.at = NOON + timedelta(days=7)
    assert (await room.service.overdue(), (await room.progress()).purge_overdue) == ([], False)
    room.approvals.clock.at = NOON + timedelta(days=7, hours=13)
    (late,) = await room.service.overdue()
    assert (late.authorisation.authorisation_id, late.purge_by.date().isoformat()) == ("aut_1", "2026-03-09")
    assert (await room.progress()).purge_overdue
    at = room.approvals.clock.at.isoformat()
    await room.service.receive(UTILITY, "aut_1", a_receipt(purged_at=at))
    assert (await room.service.overdue(), (await room.progress()).purge_overdue) == ([], False)
