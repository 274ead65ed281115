"""An applicant begins a bounded number of intakes an hour: each asks the sources for all that the holder has."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.applications.intake import IntakeService
from gateway.applications.router import router
from gateway.http.idempotency import Idempotency
from gateway.identity.model import VerifiedApplicant
from gateway.identity.router import verified_applicant
from schemas.identity import ApplicantKind, VerificationMethod
from tests.support.databases import Databases
from tests.support.door import app_behind_the_door, asking
from tests.support.storage import DIGESTS, NOON, SetClock, opened

DEMAND = {"region": "440106", "voltage_v": 220, "capacity_kw": 8, "area": "urban", "purpose": "住宅用电"}


class View:
    intake_id = "int_1"
    expires_at = NOON + timedelta(hours=1)


class Begun(IntakeService):
    def __init__(self, transactions: SqlTransactions) -> None:
        self._transactions = transactions
        self.count = 0

    async def begin(self, *told: Any) -> Any:
        self.count += 1
        return await self._transactions.write(lambda tx: told[-1](tx, lambda: View))


@pytest.fixture
async def asked(databases: Databases) -> AsyncIterator[tuple[httpx.AsyncClient, Begun, dict[str, str]]]:
    clock, holder = SetClock(), {"digest": "a"}

    async def applicant() -> VerifiedApplicant:
        return VerifiedApplicant(
            ApplicantKind.RESIDENT, VerificationMethod.SMS_OTP, "n", "c", "n", "c", None, holder["digest"]
        )

    with opened(databases.sqlite(), clock) as transactions:
        begun = Begun(transactions)
        app = app_behind_the_door(begun, Idempotency(transactions, clock, DIGESTS))
        app.state.services._by_type[IntakeService] = begun
        app.include_router(router)
        app.dependency_overrides[verified_applicant] = applicant
        async with asking(app) as client:
            yield client, begun, holder


async def test_the_twenty_first_waits_and_repetitions_do_not_count(
    asked: tuple[httpx.AsyncClient, Begun, dict[str, str]],
) -> None:
    client, begun, holder = asked

    async def begin(key: str) -> httpx.Response:
        return await client.post("/v1/intakes/face-verified", json=DEMAND, headers={"Idempotency-Key": key})

    keys = [uuid4().hex for _ in range(20)]
    assert {(await begin(key)).status_code for key in [*keys, *keys]} == {201}
    refused = await begin(uuid4().hex)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert begun.count == 20
    holder["digest"] = "b"
    assert (await begin(uuid4().hex)).status_code == 201
