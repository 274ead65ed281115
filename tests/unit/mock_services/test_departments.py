"""Departments over real HTTP: requests are checked and deduplicated, outcomes pushed until acknowledged."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.caller import Role
from gateway.conformance.model import Verdict
from gateway.crypto import jwk
from mock_services.departments.scenario import DEFAULT_SCENARIO
from mock_services.jose import KeySet, SigningKey, TokenRefused, read_claims
from schemas.departments import ApprovalOutcome, ReviewAcknowledged
from schemas.project_exchange import OUTCOME_OF_STATUS, ProjectApprovalResult
from tests.support.conformance import Suite
from tests.support.mock_process import running_mock
from tests.support.resetting import resetting_server
from tests.support.tiny_server import Answer, Asked, TinyServer, tiny_server
from tests.support.waiting import eventually

QUICK = """
[[rule]]
name = "by hand"
line_contains = "by hand"
steps = [{ outcome = "accepted", manual = true }, { outcome = "approved", manual = true }]

[[rule]]
name = "long"
line_contains = "long"
steps = [
  { outcome = "accepted" },
  { outcome = "correction_requested", reason = "请补充图纸" },
  { outcome = "correction_received" },
  { outcome = "special_procedure_started", reason = "专家评审" },
  { outcome = "special_procedure_ended" },
  { outcome = "rejected", reason = "禁挖期内" },
  { outcome = "approved", supersedes = "last_decision", valid_days = 30 },
  { outcome = "revoked", reason = "情况变化", supersedes = "last_decision" },
]

[[rule]]
name = "default"
steps = [{ outcome = "accepted" }, { outcome = "approved", valid_days = 30 }]
"""


@dataclass
class Gateway:
    """What stands in for the gateway: publishes its key, acknowledges every well-signed outcome."""

    key: SigningKey = field(default_factory=SigningKey.generate)
    refuse_first: int = 0
    received: list[str] = field(default_factory=list)
    departments_url: str = ""
    known_keys: dict[str, KeySet] = field(default_factory=dict)

    def respond(self, asked: Asked) -> Answer:
        if asked.path == "/.well-known/jwks.json":
            return Answer(body={"keys": [self.key.public_jwk]})
        assert asked.headers["content-type"] == "application/jose"
        if self.refuse_first:
            self.refuse_first -= 1
            return Answer(503, {}, headers={"Retry-After": "0"})
        token = asked.body.decode()
        try:
            claims = read_claims(token, typs={"approval-outcome+jwt"}, keys=self.department_keys(asked.path))
        except TokenRefused as error:
            return Answer(401, {"reason": error.reason})
        self.received.append(token)
        permit = claims.get("permit_id") or claims["spsxslbm"]
        body = {"outcome_id": claims["jti"], "permit_id": permit, "duplicate": False, "record_id": "r-1"}
        return Answer(202, body)

    def department_keys(self, path: str) -> KeySet:
        code = path.removeprefix("/v1/departments/").removesuffix("/outcomes")
        if code not in self.known_keys:
            document = httpx.get(f"{self.departments_url}/{code}/.well-known/jwks.json").json()
            self.known_keys[code] = KeySet.parse(document)
        return self.known_keys[code]


@dataclass
class City:
    """The departments' process and the gateway it talks to."""

    gateway: Gateway
    server: TinyServer
    url: str
    http: httpx.Client

    def ask(self, code: str, permit_id: str, line: str = "380伏外线", **changes: Any) -> httpx.Response:
        claims = {
            "iss": self.server.url,
            "aud": code,
            "jti": f"event-{permit_id}",
            "iat": int(time.time()),
            "review_id": "review-1",
            "permit_id": permit_id,
            "application_id": "application-1",
            "permit": "road_occupation",
            "mode": "full",
            "region": "440106",
            "line": {
                "description": line,
                "voltage_v": 380,
                "length_m": 80.0,
                "from_point": "分支箱",
                "to_point": "计量箱",
            },
            "due_on": "2026-11-30",
            "outcomes_uri": f"{self.server.url}/v1/departments/{code}/outcomes",
            **changes,
        }
        return self.push(code, self.gateway.key.sign("review-request+jwt", claims))

    def push(self, code: str, token: str) -> httpx.Response:
        headers = {"Content-Type": "application/jose"}
        return self.http.post(f"{self.url}/{code}/review-requests", content=token, headers=headers)

    def outcomes(self, permit_id: str, count: int) -> list[dict[str, Any]]:
        """The first ``count`` outcomes of the permit, once all are acknowledged."""

        def acknowledged() -> list[dict[str, Any]]:
            listed = self.http.get(f"{self.url}/__admin/outcomes", params={"permit_id": permit_id}).json()
            done = [one for one in listed if one["state"] == "acknowledged"]
            return done if len(done) >= count else []

        return eventually(acknowledged, seconds=10)


@pytest.fixture(scope="module")
def _city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    directory = tmp_path_factory.mktemp("departments")
    gateway = Gateway()
    (directory / "quick.toml").write_text(QUICK)
    with tiny_server(gateway.respond) as server:
        arguments = [
            f"--data-dir={directory}",
            f"--gateway-url={server.url}",
            f"--scenario={directory / 'quick.toml'}",
        ]
        with running_mock("mock_services.departments", *arguments) as (url, _), httpx.Client() as http:
            gateway.departments_url = url
            yield City(gateway, server, url, http)


@pytest.fixture
def city(_city: City) -> City:
    _city.http.post(f"{_city.url}/__admin/reset")
    _city.gateway.received.clear()
    _city.gateway.refuse_first = 0
    return _city


def received(city: City, permit_id: str) -> list[ApprovalOutcome]:
    outcomes = [ApprovalOutcome.model_validate(unsigned(token)) for token in city.gateway.received]
    return [outcome for outcome in outcomes if outcome.permit_id == permit_id]


def unsigned(token: str) -> dict[str, Any]:
    """The claims; the gateway of this test has checked the signature when it took them."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_a_request_is_accepted_and_approved_by_script(city: City) -> None:
    response = city.ask("road-440100", "permit-1")
    assert response.status_code == 202
    acknowledged = ReviewAcknowledged.model_validate(response.json())
    assert (acknowledged.permit_id, acknowledged.duplicate) == ("permit-1", False)

    city.outcomes("permit-1", 2)
    first, second = received(city, "permit-1")
    assert [(one.sequence, one.outcome) for one in (first, second)] == [(1, "accepted"), (2, "approved")]
    assert (second.iss, second.aud) == ("road-440100", city.server.url)
    assert second.document_number
    assert second.valid_until is not None


def test_the_same_request_again_is_answered_again_and_done_once(city: City) -> None:
    first, second = (city.ask("water-440100", "permit-2").json() for _ in range(2))
    assert second == {**first, "duplicate": True}
    assert len(city.outcomes("permit-2", 2)) == 2
    assert city.ask("water-440100", "permit-2", jti="another").status_code == 409


def test_planning_speaks_the_words_of_the_project_exchange(city: City) -> None:
    city.ask("planning-440100", "permit-3", "long")
    city.outcomes("permit-3", 8)
    results = [ProjectApprovalResult.model_validate(unsigned(token)) for token in city.gateway.received]
    assert [result.blzt for result in results] == [3, 6, 901, 9, 10, 902, 11, 903]
    assert [result.xh for result in results] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert results[6].x_tdjg == results[5].jti
    assert {result.spsxslbm for result in results} == {"permit-3"}
    assert "sequence" not in unsigned(city.gateway.received[0])


def test_both_dialects_tell_the_same_story(city: City) -> None:
    city.ask("planning-440100", "permit-4", "long")
    city.ask("traffic-440100", "permit-5", "long")
    for permit_id in ("permit-4", "permit-5"):
        city.outcomes(permit_id, 8)
    claims = [unsigned(token) for token in city.gateway.received]
    exchange = [OUTCOME_OF_STATUS[ProjectApprovalResult.model_validate(one).blzt] for one in claims if "blzt" in one]
    ours = [ApprovalOutcome.model_validate(one).outcome for one in claims if "outcome" in one]
    assert exchange == ours


def test_a_push_is_repeated_until_it_is_acknowledged(city: City) -> None:
    city.gateway.refuse_first = 3
    city.ask("road-440100", "permit-6")
    outcomes = city.outcomes("permit-6", 2)
    assert outcomes[0]["attempts"] == 4
    assert [one.sequence for one in received(city, "permit-6")] == [1, 2]


@pytest.mark.parametrize("kind", ["wrong_signature", "malformed"])
def test_a_spoiled_push_is_refused_and_then_comes_right(city: City, kind: str) -> None:
    city.http.put(f"{city.url}/__admin/faults", json=[{"kind": kind, "match": "/push/road-440100"}])
    city.ask("road-440100", f"permit-{kind}")
    assert city.outcomes(f"permit-{kind}", 2)[0]["attempts"] == 2
    assert len(received(city, f"permit-{kind}")) == 2


def test_the_duplicate_switch_sends_the_very_same_document_twice(city: City) -> None:
    city.http.put(f"{city.url}/__admin/faults", json=[{"kind": "duplicate", "match": "/push/"}])
    city.ask("road-440100", "permit-7")
    city.outcomes("permit-7", 2)
    assert [one.sequence for one in received(city, "permit-7")] == [1, 1, 2]
    assert city.gateway.received[0] == city.gateway.received[1]


def test_the_out_of_order_switch_lets_a_later_outcome_overtake(city: City) -> None:
    city.http.put(f"{city.url}/__admin/faults", json=[{"kind": "out_of_order", "match": "/push/"}])
    city.ask("road-440100", "permit-8")
    city.outcomes("permit-8", 2)
    assert [one.sequence for one in received(city, "permit-8")] == [2, 1]


def test_a_person_can_play_the_department(city: City) -> None:
    city.ask("greenery-440100", "permit-9", "by hand")
    base = f"{city.url}/__admin/permits/permit-9"
    assert city.http.post(f"{base}/advance").status_code == 201
    refused = city.http.post(f"{base}/outcomes", json={"outcome": "approved", "supersedes": "last_decision"})
    assert (refused.status_code, refused.json()["check"]) == (409, "outcomes.nothing_to_supersede")
    rejected = city.http.post(f"{base}/outcomes", json={"outcome": "rejected", "reason": "树木受保护"}).json()
    approved = {"outcome": "approved", "supersedes": rejected["outcome_id"]}
    assert city.http.post(f"{base}/outcomes", json=approved).status_code == 201
    city.outcomes("permit-9", 3)
    last = received(city, "permit-9")[-1]
    assert (last.sequence, last.outcome, last.supersedes) == (3, "approved", rejected["outcome_id"])
    assert city.http.post(f"{city.url}/__admin/permits/none/advance").status_code == 404


def test_only_the_gateway_may_ask(city: City) -> None:
    stranger = SigningKey(SigningKey.generate().private, city.gateway.key.kid)
    assert city.push("road-440100", stranger.sign("review-request+jwt", {})).status_code == 401
    assert city.push("road-440100", city.gateway.key.sign("approval-outcome+jwt", {})).status_code == 401
    assert city.push("road-440100", "not a token").status_code == 401
    assert city.ask("road-440100", "permit-10", aud="water-440100").status_code == 401
    assert city.ask("road-440100", "permit-10", iss="http://elsewhere.example").status_code == 401
    assert city.ask("road-440100", "permit-10", mode="whim").status_code == 422
    assert city.ask("none-440100", "permit-10").status_code == 404
    assert city.http.get(f"{city.url}/__admin/permits").json() == []


def test_an_unacknowledged_outcome_survives_a_restart(tmp_path: Path) -> None:
    gateway = Gateway(refuse_first=10_000)
    arguments = [f"--data-dir={tmp_path}"]
    with tiny_server(gateway.respond) as server, httpx.Client() as http:
        arguments.append(f"--gateway-url={server.url}")
        with running_mock("mock_services.departments", *arguments) as (url, process):
            city = City(gateway, server, url, http)
            city.ask("road-440100", "permit-11", secrets.token_hex(4))
            eventually(lambda: http.get(f"{url}/__admin/outcomes").json())
            process.kill()
            process.wait(5)
        gateway.refuse_first = 0
        with running_mock("mock_services.departments", *arguments) as (url, _):
            gateway.departments_url = url
            City(gateway, server, url, http).outcomes("permit-11", 2)
    assert [unsigned(token)["sequence"] for token in gateway.received] == [1, 2]


def test_a_gateway_that_resets_connections_is_tried_again(tmp_path: Path) -> None:
    """As one does that is killed with callers in its queue: the department lives on, and its outcomes stay."""
    gateway = Gateway()
    with tiny_server(gateway.respond) as server, resetting_server() as killed, httpx.Client() as http:
        arguments = [f"--data-dir={tmp_path}", f"--gateway-url={server.url}"]
        with running_mock("mock_services.departments", *arguments) as (url, _):
            city = City(gateway, server, url, http)
            for number in range(20):
                city.ask("road-440100", f"permit-{number}", outcomes_uri=killed.url).raise_for_status()
            eventually(lambda: killed.count >= 100, seconds=30)
            outcomes = http.get(f"{url}/__admin/outcomes").json()
            assert {one["state"] for one in outcomes} == {"pending"}
            assert {one["last_status"] for one in outcomes} == {None}


def test_the_default_scenario_is_readable(city: City) -> None:
    text = DEFAULT_SCENARIO.read_text("utf-8")
    rules = city.http.put(f"{city.url}/__admin/rules", content=text.encode()).json()["rules"]
    assert any("特别程序" in rule for rule in rules)
    broken = text.replace('supersedes = "last_decision"', 'supersedes = "something"')
    assert city.http.put(f"{city.url}/__admin/rules", content=broken.encode()).status_code == 422


def test_it_says_that_it_runs(city: City) -> None:
    assert city.http.get(f"{city.url}/healthz").json() == {"status": "ok"}


def test_a_shared_scenario_file_sets_faults_and_rules(city: City) -> None:
    assert city.http.post(f"{city.url}/__admin/scenario/departments-unruly").status_code == 200
    city.ask("road-440100", "permit-12")
    city.outcomes("permit-12", 2)
    assert sorted(one.sequence for one in received(city, "permit-12")) in ([1, 1, 2], [1, 2, 2])
    assert city.http.get(f"{city.url}/__admin/faults").json() == []

    assert city.http.post(f"{city.url}/__admin/scenario/departments-all-reject").status_code == 200
    city.ask("road-440100", "permit-13")
    city.outcomes("permit-13", 2)
    assert [one.outcome for one in received(city, "permit-13")] == ["accepted", "rejected"]


def test_each_passes_the_conformance_suite_and_opens_no_permit_for_it(city: City) -> None:
    key = jwk.SigningKey(city.gateway.key.kid, "ES256", city.gateway.key.private)
    suite = Suite(issuer=city.server.url, request_key=key)
    for code in [each["code"] for each in city.http.get(f"{city.url}/").json()]:
        (own,) = city.http.get(f"{city.url}/{code}/.well-known/jwks.json").json()["keys"]
        suite.enrol(Role.DEPARTMENT, own, f"{city.url}/{code}/review-requests", code=code)
        report = asyncio.run(suite.service().run(code, "cli:root"))
        assert [each for each in report.results if each.verdict is not Verdict.PASSED] == [], code
    assert city.http.get(f"{city.url}/__admin/permits").json() == []
    assert city.gateway.received == []
