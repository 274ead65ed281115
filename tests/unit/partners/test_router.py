"""Token endpoint, public keys and the operators' interface, asked as callers ask them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.caller import Role
from gateway.crypto.jwk import parse_jwk
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.partners.router import PublishedKeys, operator_router, router
from tests.support.door import asking
from tests.support.partners import ISSUER, TOKEN_URI, Client, PartnersRoom, es256_key, new_id, public_jwk
from tests.support.storage import DIGESTS

PARTNER = {"code": "csg-foshan", "name": "测试佛山供电局", "role": "utility", "regions": ["440600"]}
AGREEMENT = {
    "purpose": "grid_connection_intake",
    "grants": [{"kind": "business_licence", "fields": ["name"]}],
    "regions": ["440600"],
    "valid_from": "2026-01-01",
    "valid_until": "2026-12-31",
    "clause": "第（六）条",
}
PARTNERS = "/v1/operator/partners"
KEYS = "/v1/operator/partners/operations/keys"


@dataclass
class Caller:
    """A partner's client with the gateway at the other end."""

    http: httpx.AsyncClient
    room: PartnersRoom
    client: Client

    async def token(self, **form: Any) -> httpx.Response:
        at = self.room.clock()
        headers = {"DPoP": self.client.proof(at, "POST", TOKEN_URI)}
        return await self.http.post("/oauth/token", data=self.client.form(at, **form), headers=headers)

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        at, token = self.room.clock(), (await self.token()).json()["access_token"]
        headers = {
            "Authorization": f"DPoP {token}",
            "DPoP": self.client.proof(at, method, ISSUER + path, token=token),
            "Idempotency-Key": new_id(),
        }
        return await self.http.request(method, path, headers=headers, **request)


@pytest.fixture
async def http(room: PartnersRoom) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.include_router(router)
    app.include_router(operator_router)
    limits = RateLimits(partner_limit=10)
    keeper = Doorkeeper(room.gate, room.clock, ISSUER, limits.admit)
    published = PublishedKeys(lambda: (room.gateway_key.public(),))
    idempotency = Idempotency(room.transactions, room.clock, DIGESTS)
    publish(app, Services(keeper, limits, room.service, room.tokens, published, idempotency))
    hang_door(app, HttpMetrics(), https=True)
    async with asking(app) as client:
        yield client


@pytest.fixture
async def operator(http: httpx.AsyncClient, room: PartnersRoom) -> Caller:
    return Caller(http, room, await room.enrol("operations", Role.OPERATOR))


async def test_a_token_is_granted_and_not_to_be_kept(operator: Caller) -> None:
    answer = await operator.token()
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("DPoP", 300)
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    ("status", "error", "form"),
    [
        (401, "invalid_client", {"client_assertion": "a.b.c"}),
        (400, "unsupported_grant_type", {"grant_type": "password"}),
        (400, "invalid_request", {"grant_type": None}),
        (400, "invalid_scope", {"scope": "everything"}),
    ],
)
async def test_a_refused_grant_is_an_oauth_error_and_a_problem(
    operator: Caller, status: int, error: str, form: dict
) -> None:
    answer = await operator.token(**form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_a_replayed_proof_at_the_token_endpoint_is_invalid_dpop_proof(operator: Caller) -> None:
    at = operator.room.clock()
    headers = {"DPoP": operator.client.proof(at, "POST", TOKEN_URI)}
    await operator.http.post("/oauth/token", data=operator.client.form(at), headers=headers)
    answer = await operator.http.post("/oauth/token", data=operator.client.form(at), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        ("grant_type=办".encode(), "application/x-www-form-urlencoded"),
        (b"&&", "application/x-www-form-urlencoded"),
        (b"a=1&" * 20, "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
async def test_a_form_with_two_readings_is_refused(http: httpx.AsyncClient, content: bytes, media_type: str) -> None:
    answer = await http.post("/oauth/token", content=content, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_public_keys_are_published_without_private_parts(http: httpx.AsyncClient, room: PartnersRoom) -> None:
    (jwk,) = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert parse_jwk(jwk).kid == room.gateway_key.kid
    assert "d" not in jwk


async def test_an_operator_registers_a_partner_that_then_calls(operator: Caller) -> None:
    key = es256_key("foshan-1")
    made = await operator.call("POST", "/v1/operator/partners", json=PARTNER)
    assert (made.status_code, made.json()["status"]) == (201, "active")
    assert made.json()["record_id"]
    added = await operator.call("POST", "/v1/operator/partners/csg-foshan/keys", json={"jwk": public_jwk(key)})
    assert (added.status_code, added.json()["kid"]) == (201, "foshan-1")
    partner = Caller(operator.http, operator.room, Client("csg-foshan", key))
    assert (await partner.token()).status_code == 200
    refused = await partner.call("GET", "/v1/operator/partners")
    assert (refused.status_code, refused.json()["check"]) == (403, "caller.role")
    revoked = await operator.call("POST", "/v1/operator/partners/csg-foshan/keys/foshan-1/revocation")
    assert revoked.json()["revoked_at"]
    assert (await partner.token()).status_code == 401


async def test_an_agreement_is_made_activated_listed_and_ended(operator: Caller) -> None:
    await operator.call("POST", "/v1/operator/partners", json=PARTNER)
    made = await operator.call("POST", "/v1/operator/partners/csg-foshan/agreements", json=AGREEMENT)
    assert (made.status_code, made.json()["status"]) == (201, "draft")
    where = f"/v1/operator/agreements/{made.json()['agreement_id']}"
    assert (await operator.call("POST", f"{where}/activation")).json()["status"] == "active"
    (listed,) = (await operator.call("GET", "/v1/operator/partners/csg-foshan/agreements")).json()
    assert {name: listed[name] for name in AGREEMENT} == AGREEMENT
    assert (await operator.call("POST", f"{where}/termination")).json()["status"] == "ended"
    assert (await operator.call("POST", f"{where}/activation")).status_code == 409


async def test_keys_rotate_endpoints_are_set_and_partners_suspended(operator: Caller) -> None:
    await operator.call("POST", "/v1/operator/partners", json=PARTNER)
    where = "/v1/operator/partners/csg-foshan"
    await operator.call("POST", f"{where}/keys", json={"jwk": public_jwk(es256_key("one")), "use": "outcome"})
    rotation = {"jwk": public_jwk(es256_key("two")), "overlap_hours": 24}
    assert (await operator.call("POST", f"{where}/keys/one/rotation", json=rotation)).status_code == 201
    old, new = (await operator.call("GET", f"{where}/keys")).json()
    assert (old["kid"], old["valid_until"]) == ("one", "2026-03-03T04:00:00.000Z")
    assert (new["kid"], new["use"], new["valid_until"]) == ("two", "outcome", None)
    put = await operator.call("PUT", f"{where}/endpoints/webhook", json={"url": "https://u.example/hook"})
    assert (put.status_code, put.json()["secret_ref"]) == (200, None)
    assert (await operator.call("POST", f"{where}/suspension")).json()["status"] == "suspended"
    assert (await operator.call("POST", f"{where}/resumption")).json()["status"] == "active"
    listed = (await operator.call("GET", "/v1/operator/partners")).json()
    assert [partner["code"] for partner in listed] == ["csg-foshan", "operations"]


async def test_nats_has_no_address_of_its_own_and_can_be_taken_back(operator: Caller) -> None:
    await operator.call("POST", "/v1/operator/partners", json=PARTNER)
    where = "/v1/operator/partners/csg-foshan/endpoints"
    for fault in (
        {"url": "https://u.example/hook"},
        {"url": "nats:csg-shenzhen"},
        {"status_url": "https://u.example/s"},
    ):
        refused = await operator.call("PUT", f"{where}/nats", json=fault)
        assert (refused.status_code, refused.json()["check"]) == (422, "partners.endpoint_nats"), fault
    nowhere = await operator.call("PUT", f"{where}/webhook", json={})
    assert (nowhere.status_code, nowhere.json()["check"]) == (422, "partners.endpoint_url")
    put = await operator.call("PUT", f"{where}/nats", json={"secret_ref": "csg-foshan"})
    assert (put.status_code, put.json()["url"]) == (200, "nats:csg-foshan")
    assert (await operator.call("DELETE", f"{where}/nats")).status_code == 200
    gone = await operator.call("DELETE", f"{where}/nats")
    assert (gone.status_code, gone.json()["check"]) == (404, "partners.endpoint_unknown")


async def test_every_operator_route_demands_a_caller(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    routes = [(m, p) for p, item in document["paths"].items() for m in item if p.startswith("/v1/operator")]
    assert len(routes) == 14
    for method, path in routes:
        assert document["paths"][path][method]["security"] == [{"dpop": []}]
        answer = await http.request(method, path.replace("{", "").replace("}", ""), json={})
        assert (answer.status_code, answer.json()["check"]) == (401, "token.missing")


async def test_a_private_key_sent_by_mistake_is_refused_and_not_repeated(operator: Caller) -> None:
    await operator.call("POST", "/v1/operator/partners", json=PARTNER)
    jwk = public_jwk(es256_key("oops")) | {"d": "c2VjcmV0LXNlY3JldA"}
    answer = await operator.call("POST", "/v1/operator/partners/csg-foshan/keys", json={"jwk": jwk})
    assert (answer.status_code, answer.json()["check"]) == (422, "partners.key.jwk_private")
    assert "c2VjcmV0" not in answer.text


async def test_a_client_that_keeps_failing_waits_and_others_at_its_address_do_not(
    operator: Caller, room: PartnersRoom
) -> None:
    forger = Caller(operator.http, room, Client(operator.client.code, es256_key("not-registered")))
    answers = [await forger.token() for _ in range(31)]
    assert {answer.status_code for answer in answers[:30]} == {401}
    assert answers[30].status_code == 429
    assert int(answers[30].headers["retry-after"]) >= 1
    other = Caller(operator.http, room, await room.enrol("csg-guangzhou"))
    assert (await other.token()).status_code == 200


async def test_a_partner_has_a_limit_of_its_own_over_all_routes(room: PartnersRoom, http: httpx.AsyncClient) -> None:
    first = Caller(http, room, await room.enrol("operations", Role.OPERATOR))
    second = Caller(http, room, await room.enrol("operations-2", Role.OPERATOR))
    statuses = [(await first.call("GET", path)).status_code for path in [PARTNERS, KEYS] * 5 + [PARTNERS]]
    assert statuses == [200] * 10 + [429]
    assert (await second.call("GET", PARTNERS)).status_code == 200
