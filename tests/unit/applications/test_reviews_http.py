"""Reviews over HTTP: what an applicant is answered, what an officer may do, and nobody else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.applications.router import operator_router, router
from gateway.caller import Caller, Role
from gateway.errors import Owner, Unauthenticated
from gateway.http.callers import Doorkeeper
from gateway.http.door import hang_door
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.metrics import HttpMetrics
from gateway.http.services import Services, publish
from gateway.identity.model import VerifiedApplicant
from gateway.identity.router import Token, verified_applicant
from gateway.partners.model import SCOPES
from tests.support.databases import Databases
from tests.support.ecertificates import ENTERPRISE
from tests.support.licences import NAME, LicencesRoom, an_applicant, licences_room, province
from tests.support.partners import ISSUER
from tests.support.storage import DIGESTS

DEMAND = {"region": "440106", "voltage_v": 380, "capacity_kw": 80, "area": "urban", "purpose": "糕饼店"}
OTHER_CODE, OTHER_NAME = "91440101TDMA000299", "示例有限责任公司"
ROLES = {"operator": Role.OPERATOR, "csg-guangzhou": Role.UTILITY, "auditor": Role.AUDITOR}
HOLDERS = {"mine": an_applicant(), "another": an_applicant(OTHER_CODE, "另一公司")}
TASKS = "/v1/operator/review-tasks"
ACCEPTED = {"officer": "gd-4407", "decision": "accepted", "reason": "已核对工商登记", "no_interest": True}


class NamedGate:
    """Takes the caller's word for who it is."""

    async def authenticate(
        self, authorizations: Sequence[str], proofs: Sequence[str], method: str, uri: str, at: datetime
    ) -> Caller:
        if len(authorizations) != 1 or authorizations[0] not in ROLES:
            raise Unauthenticated(check="token.missing", owner=Owner.CALLER, remedy="请携带访问令牌")
        role = ROLES[authorizations[0]]
        return Caller(authorizations[0], role, "thumbprint", SCOPES[role])


async def holder(token: Token) -> VerifiedApplicant:
    return HOLDERS[token]


@dataclass
class Door:
    room: LicencesRoom
    http: httpx.AsyncClient
    keys: int = 0

    async def call(self, method: str, path: str, who: str = "Bearer mine", **options: Any) -> httpx.Response:
        self.keys += 1
        headers = {"Authorization": who, "Idempotency-Key": options.pop("key", f"key-{self.keys:08d}")}
        return await self.http.request(method, path, headers=headers, **options)

    async def under_review(self) -> dict[str, Any]:
        """An intake that waits for an officer: the answer to its confirmation."""
        fuzzy = province().envelope("property_certificate", KZ_QLR=OTHER_NAME, KZ_QLRZJH=ENTERPRISE)
        self.room.source.hold("property_certificate", fuzzy)
        begun = await self.call("POST", "/v1/intakes/one-certificate", json=DEMAND)
        answer = await self.call("POST", f"{begun.json()['href']}/confirmation", json={"authorise": True})
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def door(databases: Databases) -> AsyncIterator[Door]:
    with licences_room(databases.sqlite()) as room:
        app = FastAPI()
        app.include_router(router)
        app.include_router(operator_router)
        app.dependency_overrides[verified_applicant] = holder
        hang_door(app, HttpMetrics(), https=False)
        services = Services(
            Doorkeeper(NamedGate(), room.clock, ISSUER),
            Idempotency(room.transactions, room.clock, DIGESTS),
            RateLimits(),
            room.intakes,
            room.reviews,
        )
        publish(app, services)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as http:
            yield Door(room, http)


async def test_from_the_confirmation_to_the_application(door: Door) -> None:
    waiting = await door.under_review()
    assert waiting["status"] == "under_review"
    (unsure,) = waiting["unsure"]
    assert unsure["documents"] == ["市场监督管理部门的营业执照", "自然资源部门的不动产权证书"]
    (listed,) = (await door.call("GET", f"{TASKS}?state=open", "operator")).json()
    task = f"{TASKS}/{listed['review_task_id']}"
    assert listed["review_task_id"] == waiting["review_task_id"]
    shown = await door.call("GET", task, "operator")
    assert shown.json() == listed
    for answer in (waiting, listed):
        assert not [value for value in (NAME, OTHER_NAME, ENTERPRISE, "示例路") if value in str(answer)]
    inspected = await door.call("POST", f"{task}/inspection", "operator", json={"officer": "gd-4407"})
    assert inspected.status_code == 200, inspected.text
    (comparison,) = inspected.json()["shown"]
    assert {OTHER_NAME, NAME} <= {value["value"] for value in comparison["values"]}
    settled = await door.call("POST", f"{task}/settlement", "operator", json=ACCEPTED)
    assert settled.status_code == 200, settled.text
    assert settled.json()["application_id"].startswith("app_")
    told = (await door.call("GET", waiting["href"])).json()
    assert (told["status"], told["application_id"]) == ("accepted", settled.json()["application_id"])
    assert [access["who"] for access in told["accesses"]] == ["operator"]
    (own,) = (await door.call("GET", "/v1/reviews")).json()
    assert own == told
    assert (await door.call("GET", f"{TASKS}?state=open", "operator")).json() == []


async def test_a_repeated_confirmation_and_settlement_answer_the_same(door: Door) -> None:
    waiting = await door.under_review()
    confirmation = waiting["href"].removesuffix("/review") + "/confirmation"
    for key in ("key-again-1", "key-again-1", "key-again-2"):
        again = await door.call("POST", confirmation, json={"authorise": True}, key=key)
        assert (again.status_code, again.json()) == (202, waiting)
    task = f"{TASKS}/{waiting['review_task_id']}"
    await door.call("POST", f"{task}/inspection", "operator", json={"officer": "gd-4407"})
    first = await door.call("POST", f"{task}/settlement", "operator", json=ACCEPTED, key="key-settle-1")
    same = await door.call("POST", f"{task}/settlement", "operator", json=ACCEPTED, key="key-settle-1")
    assert (same.status_code, same.json()) == (first.status_code, first.json())
    other = await door.call("POST", f"{task}/settlement", "operator", json=ACCEPTED, key="key-settle-2")
    assert (other.status_code, other.json()["check"]) == (409, "review.settled")


async def test_a_contradiction_is_409_with_both_owners(door: Door) -> None:
    other = province().envelope("property_certificate", KZ_QLR="他人", KZ_QLRZJH="11010519491231002X")
    door.room.source.hold("property_certificate", other)
    begun = await door.call("POST", "/v1/intakes/one-certificate", json=DEMAND)
    view = (await door.call("GET", begun.json()["href"])).json()
    assert not view["ready"]
    refused = await door.call("POST", f"{begun.json()['href']}/confirmation", json={"authorise": True})
    problem = refused.json()
    assert (refused.status_code, problem["check"], problem["clause"]) == (409, "consistency.holder", "第（六）条")
    assert problem["facts"]["documents"] == ["市场监督管理部门的营业执照", "自然资源部门的不动产权证书"]
    assert problem["facts"]["reason"] == "other_holder"
    assert problem["remedy"]
    assert problem["record_id"]
    assert not [value for value in (NAME, ENTERPRISE, "11010519491231002X") if value in refused.text]


@pytest.mark.parametrize("who", ["csg-guangzhou", "auditor", "Bearer mine", "nobody"])
async def test_only_an_operator_sees_or_settles_tasks(door: Door, who: str) -> None:
    waiting = await door.under_review()
    task = f"{TASKS}/{waiting['review_task_id']}"
    for method, path, body in (
        ("GET", TASKS, None),
        ("GET", task, None),
        ("POST", f"{task}/inspection", {"officer": "gd-4407"}),
        ("POST", f"{task}/settlement", ACCEPTED),
    ):
        answer = await door.call(method, path, who, json=body)
        assert answer.status_code in (401, 403), (path, answer.text)
    assert (await door.call("GET", waiting["href"])).json()["accesses"] == []


async def test_another_applicant_sees_nothing_of_it(door: Door) -> None:
    waiting = await door.under_review()
    answer = await door.call("GET", waiting["href"], "Bearer another")
    assert (answer.status_code, answer.json()["check"]) == (404, "review.unknown")
    assert (await door.call("GET", "/v1/reviews", "Bearer another")).json() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"no_interest": False},
        {"no_interest": None},
        {"officer": "11010519491231002X"},
        {"officer": "110105491231002"},
        {"officer": "张三"},
        {"decision": "withdrawn"},
        {"reason": " "},
        {"reason": "一\n二"},
        {"reason": "长" * 501},
    ],
)
async def test_a_settlement_says_who_why_and_without_interest(door: Door, changes: dict[str, Any]) -> None:
    waiting = await door.under_review()
    task = f"{TASKS}/{waiting['review_task_id']}"
    await door.call("POST", f"{task}/inspection", "operator", json={"officer": "gd-4407"})
    answer = await door.call("POST", f"{task}/settlement", "operator", json={**ACCEPTED, **changes})
    assert answer.status_code == 422, answer.text
    assert "11010519491231002X" not in answer.text
    assert (await door.call("GET", waiting["href"])).json()["status"] == "open"
