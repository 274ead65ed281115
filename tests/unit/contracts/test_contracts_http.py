"""The contract over HTTP: who may call, and a whole signature with the identity room's own sessions."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import httpx
import pytest
from fastapi import FastAPI

from gateway.caller import Caller, Role
from gateway.contracts.router import router
from gateway.crypto.keyed_digest import Use
from gateway.errors import Owner, Unauthenticated
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.identity.router import router as identity_router
from gateway.identity.service import IdentityService
from gateway.partners.model import SCOPES
from tests.support.approvals import UTILITY
from tests.support.contracts import A_PDF, a_zero_application, an_offer, contracts_room
from tests.support.partners import ISSUER
from tests.support.storage import DIGESTS
from tests.unit.identity.test_service import ENTERPRISE, ToldProvider

ROLES = {UTILITY: Role.UTILITY, "operator": Role.OPERATOR, "csg-foshan": Role.UTILITY}
CONTRACT = "/v1/applications/app_1/contract"


class NamedGate:
    """Takes the caller's word for who it is."""

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        if not authorizations or authorizations[0] not in ROLES:
            raise Unauthenticated(check="token.missing", owner=Owner.CALLER, remedy="请携带访问令牌")
        role = ROLES[authorizations[0]]
        return Caller(authorizations[0], role, "thumbprint", SCOPES[role])


@pytest.fixture
async def door(databases) -> AsyncIterator[tuple[httpx.AsyncClient, ToldProvider]]:
    with contracts_room(databases.sqlite()) as room:
        holder = DIGESTS.of(Use.HOLDER, ENTERPRISE["unified_social_credit_code"])
        await room.approvals.receive_application(a_zero_application(holder_digest=holder))
        clock, transactions = room.approvals.clock, room.approvals.transactions
        provider = ToldProvider(clock)
        app = FastAPI()
        app.include_router(router)
        app.include_router(identity_router)
        hang_door(app, HttpMetrics(), https=False)
        identity = IdentityService(transactions, provider, DIGESTS, clock)
        publish(app, Services(RateLimits(), identity, room.service, Doorkeeper(NamedGate(), clock, ISSUER)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as http:
            yield http, provider


async def returned(http: httpx.AsyncClient, provider: ToldProvider, opened: httpx.Response) -> dict[str, str]:
    """Back from the provider: the headers of whoever was verified."""
    assert opened.status_code == 201
    own = {"authorization": f"Bearer {opened.json()['session_token']}"}
    asked = {"state": provider.states[-1], "code": "code-1"}
    answer = await http.get("/v1/identity/callback", params=asked, headers=own)
    http.cookies.clear()
    return {"authorization": f"Bearer {answer.json()['session_token']}"}


async def test_sent_read_and_signed(door: tuple[httpx.AsyncClient, ToldProvider]) -> None:
    http, provider = door
    offer = an_offer().model_dump(mode="json")
    for who, status in (("operator", 403), ("csg-foshan", 404), ("nobody", 401)):
        assert (await http.post(CONTRACT, json=offer, headers={"authorization": who})).status_code == status
    sent = [await http.post(CONTRACT, json=offer, headers={"authorization": UTILITY}) for _ in range(2)]
    assert [each.status_code for each in sent] == [201, 200]
    kind = {"applicant_kind": "enterprise", "method": "e_licence"}
    me = await returned(http, provider, await http.post("/v1/verification-sessions", json=kind))
    found = (await http.get(CONTRACT, headers=me)).json()
    document = await http.get(CONTRACT + "/document", headers=me)
    assert (document.content, document.headers["content-type"]) == (A_PDF, "application/pdf")
    assert document.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in document.headers["content-security-policy"]
    signature = {"contract_id": found["contract_id"], "sha256": found["sha256"], "accept": True}
    plain = await http.post(CONTRACT + "/signature", json=signature, headers=me)
    assert (plain.status_code, plain.json()["check"]) == (422, "contract.verification_unbound")
    again = {"contract_id": found["contract_id"], "method": "e_licence"}
    anew = await returned(http, provider, await http.post(CONTRACT + "/signing", json=again, headers=me))
    signed = await http.post(CONTRACT + "/signature", json=signature, headers=anew)
    assert (signed.status_code, signed.json()["state"]) == (200, "signed")


async def test_what_a_stranger_and_nobody_are_told(door: tuple[httpx.AsyncClient, ToldProvider]) -> None:
    http, provider = door
    await http.post(CONTRACT, json=an_offer().model_dump(mode="json"), headers={"authorization": UTILITY})
    kind = {"applicant_kind": "resident", "method": "face"}
    stranger = await returned(http, provider, await http.post("/v1/verification-sessions", json=kind))
    for path in (CONTRACT, CONTRACT + "/document", "/v1/applications/app_none/contract"):
        answer = await http.get(path, headers=stranger)
        assert (answer.status_code, answer.json()["check"]) == (404, "application.unknown")
        assert (await http.get(path)).status_code == 401
