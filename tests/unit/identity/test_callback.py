"""The OpenID redirect over HTTP: only a failure that the provider names is one, and nothing else is made of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from gateway.crypto.keyed_digest import KeyedDigest
from gateway.identity.router import router
from gateway.identity.service import IdentityService
from schemas.identity import ProviderFailure
from tests.support.door import app_behind_the_door, asking
from tests.support.storage import SetClock, opened


class SilentProvider:
    """Gives out addresses and nothing else; keeps the last state."""

    issuer, client_id, state = "https://identity.example", "bandian", ""

    async def authorization_url(self, state: str, *_: Any) -> str:
        self.state = state
        return f"{self.issuer}/authorize"


@dataclass
class Door:
    client: httpx.AsyncClient
    provider: SilentProvider
    transactions: Any
    schema: dict[str, Any]

    async def open(self) -> dict[str, Any]:
        answer = await self.client.post("/v1/verification-sessions", json={"applicant_kind": "resident"})
        self.client.cookies.clear()
        return answer.json()

    async def back(self, token: str, **query: str) -> httpx.Response:
        return await self.client.get(
            "/v1/identity/callback",
            params={"state": self.provider.state, **query},
            headers={"authorization": f"Bearer {token}"},
        )

    async def entries(self, session_id: str) -> list[dict[str, Any]]:
        actions = ["identity.failed", "identity.refused", "identity.verified"]
        rows = await self.transactions.read(lambda tx: tx.record_reader.of_subject(session_id, actions))
        return [orjson.loads(row.leaf) for row in rows]


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    clock, provider = SetClock(), SilentProvider()
    with opened(database_url, clock) as transactions:
        app = app_behind_the_door(IdentityService(transactions, provider, KeyedDigest(b"k" * 32), clock))
        app.include_router(router)
        async with asking(app) as client:
            yield Door(client, provider, transactions, app.openapi())


@pytest.mark.parametrize(
    "query",
    [
        {"error": "temporarily_unavailable"},
        {"error": "server_error", "error_description": "mismatch"},
        {"error": "access_denied"},
        {"error": "access_denied", "error_description": "the user pressed cancel"},
        {"error": "zhang-san-440106199001011234", "code": "c1"},
        {},
    ],
    ids=lambda query: query.get("error", "nothing"),
)
async def test_what_is_no_failure_leaves_the_session_open(door: Door, query: dict[str, str]) -> None:
    opened_now = await door.open()
    answer = await door.back(opened_now["session_token"], **query)
    assert (answer.status_code, answer.json()["check"]) == (503, "identity.undetermined")
    current = await door.client.get(
        "/v1/verification-sessions/current", headers={"authorization": f"Bearer {opened_now['session_token']}"}
    )
    assert (current.json()["status"], current.json().get("failure")) == ("open", None)
    (entry,) = await door.entries(opened_now["session_id"])
    assert (entry["action"], entry["result"]) == ("identity.refused", "refused")
    assert entry["facts"]["check"] == "identity.undetermined"
    assert "440106" not in str(entry)
    after = await door.back(opened_now["session_token"], error="access_denied", error_description="locked")
    assert (after.status_code, after.json()["failure"]) == (200, "locked")


@pytest.mark.parametrize("failure", list(ProviderFailure))
async def test_a_failure_that_the_provider_names_is_an_answer(door: Door, failure: ProviderFailure) -> None:
    opened_now = await door.open()
    answer = await door.back(opened_now["session_token"], error="access_denied", error_description=failure.value)
    assert (answer.status_code, answer.json()["status"], answer.json()["failure"]) == (200, "failed", failure.value)
    (entry,) = await door.entries(opened_now["session_id"])
    assert entry["action"] == "identity.failed"


async def test_the_reference_says_that_an_applicant_shows_a_bearer_token(door: Door) -> None:
    scheme = door.schema["components"]["securitySchemes"]["applicant_session"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for path in ("/v1/identity/callback", "/v1/verification-sessions/current"):
        assert door.schema["paths"][path]["get"]["security"] == [{"applicant_session": []}]
    assert "security" not in door.schema["paths"]["/v1/verification-sessions"]["post"]


async def test_the_cookie_will_do_and_nothing_will_not(door: Door) -> None:
    opened_now = await door.open()
    path = "/v1/verification-sessions/current"
    answer = await door.client.get(path, headers={"cookie": f"__Host-bandian_session={opened_now['session_token']}"})
    assert answer.status_code == 200
    assert (await door.client.get(path)).json()["check"] == "identity.session"


async def test_a_browser_is_sent_on_to_a_page_and_a_program_is_not(door: Door) -> None:
    opened_now = await door.open()
    query = {"state": door.provider.state, "error": "access_denied", "error_description": "mismatch"}
    html = {"accept": "text/html,application/xhtml+xml"}
    sent_on = await door.client.get("/v1/identity/callback", params=query, headers=html)
    assert sent_on.status_code == 303
    assert sent_on.headers["location"] == f"/verify/return?{sent_on.request.url.query.decode()}"
    assert await door.entries(opened_now["session_id"]) == [], "the page does it, not this answer"
    told = await door.back(opened_now["session_token"], error="access_denied", error_description="mismatch")
    assert (told.status_code, told.json()["status"]) == (200, "failed")


async def test_without_a_session_a_program_is_refused(door: Door) -> None:
    await door.open()
    answer = await door.client.get("/v1/identity/callback", params={"state": door.provider.state, "code": "c1"})
    assert (answer.status_code, answer.json()["check"]) == (401, "identity.session")
