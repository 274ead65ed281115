"""Every error is a problem document that names check, owner and remedy, and never repeats what was sent."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Body, Depends, FastAPI, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from gateway import errors
from gateway.caller import Caller
from gateway.errors import GatewayError, Owner
from gateway.http.callers import require_role
from gateway.http.problems import FAMILY_STATUS, error_response, status_of
from gateway.wording.phrases import Language
from schemas.problems import Problem
from schemas.wire import RegionDigits, Slug, WireModel
from tests.support.door import app_behind_the_door, asking
from tests.support.errors import every_error

CANARY = "张三440106199001011234"


class Inner(WireModel):
    count: int = Field(gt=0, le=10)
    labels: dict[str, int] = {}


class Thing(WireModel):
    kind: Slug
    region: RegionDigits
    inner: Inner
    items: list[Inner] = []


def make_app() -> FastAPI:
    app = app_behind_the_door()

    @app.post("/things/{number}")
    async def make(number: int, thing: Thing, size: int = 1) -> dict[str, int]:
        return {"number": number}

    @app.get("/refused/{name}")
    async def refuse(name: str) -> None:
        family = getattr(errors, name)
        raise family(check="test.check", owner=Owner.UTILITY, remedy="请重试", clause="第（六）条", **_extra(family))

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError(f"{CANARY} broke it")

    @app.get("/utilities")
    async def utilities(caller: Annotated[Caller, Depends(require_role("utility"))]) -> str:
        return caller.partner_code

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/ignores-its-body")
    async def ignores() -> str:
        return "done"

    @app.post("/labels")
    async def labels(labels: Annotated[dict[Slug, int], Body()]) -> int:
        return len(labels)

    return app


def _extra(family: type[GatewayError]) -> dict[str, str]:
    return {"partner": "planning"} if family is errors.PartnerUnavailable else {}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with asking(make_app()) as client:
        yield client


def problem(response: httpx.Response) -> Problem:
    assert response.headers["content-type"] == "application/problem+json"
    document = Problem.model_validate_json(response.content)
    assert document.status == response.status_code
    assert document.check
    assert document.remedy
    assert document.owner in set(Owner)
    return document


def test_every_error_has_a_status_and_a_kind_and_title_of_its_own() -> None:
    found = set(every_error())
    assert set(FAMILY_STATUS) <= found
    kinds: dict[str, type] = {}
    titles: dict[str, type] = {}
    for error in found:
        assert 400 <= status_of(error) < 600, error
        assert kinds.setdefault(error.kind, error) is error, f"{error} shares its kind with {kinds[error.kind]}"
        assert titles.setdefault(error.title, error) is error, f"{error} shares its title with {titles[error.title]}"
        assert error.kind.replace("-", "").isalnum()
        assert error.kind.islower()


def test_an_error_outside_every_family_has_no_status() -> None:
    with pytest.raises(LookupError):
        status_of(GatewayError)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Malformed", 400),
        ("Unauthenticated", 401),
        ("Denied", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("Rejected", 422),
        ("PartnerUnavailable", 502),
        ("Indeterminate", 503),
        ("Overloaded", 503),
    ],
)
async def test_a_family_becomes_its_status(client: httpx.AsyncClient, name: str, status: int) -> None:
    response = await client.get(f"/refused/{name}")
    document = problem(response)
    assert response.status_code == status
    assert document.type == f"urn:bandian:problem:{getattr(errors, name).kind}"
    assert (document.check, document.owner, document.clause) == ("test.check", "供电企业", "第（六）条")


async def test_who_must_wait_is_told_how_long(client: httpx.AsyncClient) -> None:
    assert (await client.get("/refused/Overloaded")).headers["retry-after"] == "1"
    assert "retry-after" not in (await client.get("/refused/PartnerUnavailable")).headers


async def test_unauthenticated_is_challenged_with_dpop(client: httpx.AsyncClient) -> None:
    response = await client.get("/utilities")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'DPoP error="invalid_token", algs="ES256 EdDSA"'


async def test_the_wrong_role_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/utilities", headers={"Authorization": "Test planning department"})
    assert problem(response).check == "caller.role"
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


async def test_unknown_addresses_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    unknown = await client.get(f"/{CANARY}")
    assert (unknown.status_code, problem(unknown).type) == (404, "urn:bandian:problem:no-such-resource")
    assert CANARY not in unknown.text
    wrong = await client.delete("/fault")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
    problem(wrong)


async def test_a_fault_of_ours_says_nothing_of_itself(client: httpx.AsyncClient, capsys) -> None:
    response = await client.get("/fault")
    assert response.status_code == 500
    assert problem(response).owner == "共享平台"
    assert CANARY not in response.text
    assert response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b'{"kind": NaN', b"[" * 500])
async def test_broken_json_is_malformed(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/things/1", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    problem(response)


async def test_faults_name_the_place_and_the_limit(client: httpx.AsyncClient) -> None:
    body = {"kind": "A", "region": "440100", "inner": {"count": 11}, "items": [{"count": 1}, {"count": 0}]}
    response = await client.post("/things/1", json=body)
    assert response.status_code == 422
    faults = {fault.pointer: fault.fault for fault in problem(response).faults}
    assert faults == {"/kind": "格式不符合要求", "/inner/count": "必须不大于 10", "/items/1/count": "必须大于 0"}


@pytest.mark.parametrize(
    "body",
    [
        {CANARY: 1},
        {"kind": CANARY, "region": CANARY, "inner": CANARY, "items": CANARY},
        {"kind": "a", "region": "440100", "inner": {"count": 1, CANARY: CANARY}},
        {"kind": "a", "region": "440100", "inner": {"count": 1, "labels": {CANARY: CANARY}}},
        {"kind": [CANARY], "region": {CANARY: CANARY}, "inner": [{CANARY: CANARY}]},
        [CANARY],
        CANARY,
    ],
)
async def test_nothing_sent_comes_back(client: httpx.AsyncClient, body: object) -> None:
    response = await client.post(f"/things/{CANARY}", params={"size": CANARY}, json=body, headers={"x-odd": "odd"})
    assert response.status_code == 422
    assert problem(response).faults
    _is_silent_about_the_canary(response)


async def test_a_free_key_of_a_mapping_does_not_come_back(client: httpx.AsyncClient) -> None:
    response = await client.post("/labels", json={CANARY: 1})
    assert response.status_code == 422
    _is_silent_about_the_canary(response)


def _is_silent_about_the_canary(response: httpx.Response) -> None:
    said = response.text + str(response.headers)
    assert "张三" not in said
    assert "440106199001011234" not in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "inner", CANARY]), inner),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON)
async def test_whatever_is_sent_the_answer_is_a_problem_without_it(client: httpx.AsyncClient, body: object) -> None:
    response = await client.post("/things/1", json=body)
    assert response.status_code in (400, 422)
    problem(response)
    _is_silent_about_the_canary(response)


@pytest.mark.parametrize("path", ["/raw", "/ignores-its-body", "/things/1"])
async def test_a_body_beyond_the_limit_is_refused(client: httpx.AsyncClient, path: str) -> None:
    response = await client.post(path, content=b"x" * 1025, headers={"content-type": "application/json"})
    assert response.status_code == 413
    problem(response)


@pytest.mark.parametrize("path", ["/raw", "/things/1"])
async def test_a_body_of_no_announced_length_is_counted(client: httpx.AsyncClient, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 400

    response = await client.post(path, content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413
    problem(response)


async def test_a_body_up_to_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    assert (await client.post("/raw", content=b"x" * 1024)).json() == 1024


async def test_the_openapi_document_shows_problems_in_place_of_the_frameworks_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    responses = document["paths"]["/things/{number}"]["post"]["responses"]
    assert responses["4XX"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert "422" not in responses
    assert {"Problem", "FieldFault"} <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in str(document)
    assert document["paths"]["/utilities"]["get"]["security"] == [{"dpop": []}]


def test_an_extra_member_stands_beside_the_others() -> None:
    error = errors.Malformed(check="a.b", owner=Owner.CALLER, remedy="c")
    response = error_response(error, Language.CHINESE, extra={"error": "invalid_request"})
    assert b'"error":"invalid_request"' in bytes(response.body)
