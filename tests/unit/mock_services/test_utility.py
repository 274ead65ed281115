"""The utility over real HTTP, against a small gateway: events are checked, taken once, receipted, worked through."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from gateway.caller import Role
from gateway.conformance.model import Verdict
from gateway.crypto import jwk
from mock_services.jose import KeySet, SigningKey, base64url, read_claims
from schemas.events import EPOCH, EVENT_DATA, DeliveryReceipt, EventType
from tests.support.conformance import Suite
from tests.support.mock_process import running_mock
from tests.support.tiny_server import Answer, Asked, TinyServer, tiny_server
from tests.support.waiting import eventually

SECRET = b"s" * 32
WEBHOOK_SECRET = "whsec_" + base64.b64encode(SECRET).decode()
PARTNER = "csg-guangzhou"
STAGES = ["acceptance", "supply_plan", "metering"]


@dataclass
class Gateway:
    """Tokens, licences, stages and reviews, as far as a client can tell; remembers what was asked, in order."""

    key: SigningKey = field(default_factory=SigningKey.generate)
    webhook_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    department_key: SigningKey = field(default_factory=SigningKey.generate)
    url: str = ""
    token: str = "token-1"
    nonce: str | None = None
    down: int = 0
    refuse: str | None = None
    done: list[str] = field(default_factory=list)
    heard: list[tuple[str, str]] = field(default_factory=list)
    purged: list[dict[str, Any]] = field(default_factory=list)
    down_for: str | None = None

    @property
    def jwks(self) -> dict[str, Any]:
        webhook = OKPAlgorithm.to_jwk(self.webhook_key.public_key(), as_dict=True)
        return {"keys": [self.key.public_jwk, {**webhook, "kid": "webhooks", "use": "sig", "alg": "EdDSA"}]}

    def respond(self, asked: Asked) -> Answer:
        if asked.path == "/.well-known/jwks.json":
            return Answer(body=self.jwks)
        if asked.path.endswith("/.well-known/jwks.json"):
            return Answer(body={"keys": [self.department_key.public_jwk]})
        proof = self.check_proof(asked)
        if self.nonce is not None and proof.get("nonce") != self.nonce:
            headers = {"DPoP-Nonce": self.nonce, "WWW-Authenticate": 'DPoP error="use_dpop_nonce"'}
            if asked.path == "/oauth/token":
                return Answer(400, {"error": "use_dpop_nonce"}, headers=headers)
            return Answer(401, {}, headers=headers)
        if asked.path == "/oauth/token":
            return self.give_token(asked)
        if asked.headers["authorization"] != f"DPoP {self.token}":
            return Answer(401, {}, headers={"WWW-Authenticate": 'DPoP error="invalid_token"'})
        assert proof["ath"] == base64url(hashlib.sha256(self.token.encode()).digest())
        if asked.path.endswith("/stage-events"):
            event = json.loads(asked.body)
            self.heard.append((event["event_id"], event["claimed_at"]))
        if self.down_for is not None and self.down_for in asked.path:
            return Answer(503, {}, headers={"Retry-After": "0"})
        if self.down:
            self.down -= 1
            return Answer(503, {}, headers={"Retry-After": "0"})
        return self.serve(asked)

    def check_proof(self, asked: Asked) -> dict[str, Any]:
        header = json.loads(_decoded(asked.headers["dpop"].split(".")[0]))
        assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
        assert set(header) == {"typ", "alg", "jwk"}
        assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
        claims: dict[str, Any] = json.loads(_decoded(asked.headers["dpop"].split(".")[1]))
        assert (claims["htm"], claims["htu"]) == (asked.method, self.url + asked.path.partition("?")[0])
        return claims

    def give_token(self, asked: Asked) -> Answer:
        form = dict(pair.split("=") for pair in asked.body.decode().split("&"))
        claims = json.loads(_decoded(form["client_assertion"].split(".")[1]))
        assert claims["iss"] == claims["sub"] == PARTNER
        assert claims["aud"] == self.url
        assert claims["exp"] <= claims["iat"] + 60
        self.done.append("token")
        body = {"access_token": self.token, "token_type": "DPoP", "expires_in": 300, "scope": "partner"}
        return Answer(body=body)

    def serve(self, asked: Asked) -> Answer:
        what = asked.path.rsplit("/", 1)[1]
        if what == "purge-receipt":
            return self.take_purge(asked)
        body = json.loads(asked.body or b"{}")
        if self.refuse == what:
            problem = {
                "type": "urn:bandian:problem:stage-forbids-kind",
                "title": "本环节不得索取",
                "status": 403,
                "check": "requirements.kind_not_allowed",
                "owner": "供电企业",
                "remedy": "请勿增加申请资料",
                "clause": "第（六）条",
            }
            return Answer(403, problem, "application/problem+json")
        match what:
            case "verified-licences":
                self.done.append(f"licence {body['kind']}")
                return Answer(body=self.licence(body).encode(), media_type="application/jose")
            case "stage-events":
                self.done.append(f"{body['stage']} {body['action']}")
                recorded = {
                    "event_id": body["event_id"],
                    "application_id": asked.path.split("/")[3],
                    "stage": {"stage": body["stage"], "title": "", "state": body["action"]},
                    "flags": [],
                    "duplicate": False,
                    "record_id": "r",
                }
                return Answer(201, recorded)
            case "joint-review":
                self.done.append("joint-review")
                assert asked.headers["idempotency-key"]
                view = {
                    "review_id": "review-1",
                    "application_id": asked.path.split("/")[3],
                    "state": "open",
                    "limit_working_days": 5,
                    "limit_clause": "第（二）条",
                    "permits": [],
                }
                return Answer(201, view)
            case "contract":
                self.done.append("contract")
                same = {each: body[each] for each in ("version", "title", "media_type", "sha256", "valid_until")}
                standing = {"contract_id": "ctr-1", "application_id": asked.path.split("/")[3], "state": "offered"}
                return Answer(201, same | standing | {"offered_at": "2026-11-23T06:00:00.000Z", "record_id": "r"})
            case "answer":
                self.done.append(f"answer {body['text']}")
                view = {"application_id": asked.path.split("/")[3], "level": "dissatisfied", "tags": []}
                return Answer(body=view | {"rated_at": "2026-11-23T08:00:00.000Z", "record_id": "r"})
            case "outages":
                self.done.append(f"outage {body['kind']}")
                unsaid = dict.fromkeys(("cause", "ended_at", "expected_end_at")) | {
                    "utility": PARTNER,
                    "state": "planned",
                }
                told = {"event_id": body["event_id"], "outage": unsaid | body, "flags": [], "duplicate": False}
                return Answer(201, told | {"record_id": "r", "notified": len(body["applications"])})
        return Answer(404, {})

    def take_purge(self, asked: Asked) -> Answer:
        """Keeps the claims, whoever signed them."""
        assert asked.headers["content-type"] == "application/jose"
        claims = json.loads(_decoded(asked.body.decode().split(".")[1]))
        self.purged.append(claims)
        taken = {each: claims[each] for each in ("authorisation_id", "application_id", "purged_at")}
        return Answer(body=taken | {"heard_at": "2026-11-23T08:00:00.000Z", "receipt_sha256": "ab" * 32})

    def licence(self, asked: dict[str, Any]) -> str:
        claims = {
            "iss": self.url,
            "aud": PARTNER,
            "iat": int(time.time()),
            "jti": secrets.token_hex(8),
            "application_id": asked["application_id"],
            "kind": asked["kind"],
            "title": "营业执照",
            "purpose": asked["purpose"],
            "verdict": "valid",
            "fields": {"name": "某某有限公司"},
            "withheld": [],
            "source": "provincial-platform",
            "as_of": "2026-11-23T06:00:00.000Z",
            "basis": [],
            "record_id": secrets.token_hex(8),
        }
        return self.key.sign("verified-licence+jwt", claims)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass
class Utility:
    """The utility's process and the gateway it talks to."""

    gateway: Gateway
    server: TinyServer
    url: str
    http: httpx.Client

    def deliver(self, event: dict[str, Any], **changes: Any) -> httpx.Response:
        body = changes.get("body") or json.dumps(event, ensure_ascii=False).encode()
        timestamp = str(changes.get("timestamp") or int(time.time()))
        signed = f"{event['id']}.{timestamp}.".encode() + (changes.get("signed_body") or body)
        v1 = hmac.digest(changes.get("secret", SECRET), signed, "sha256")
        v1a = changes.get("webhook_key", self.gateway.webhook_key).sign(signed)
        signature = f"v1,{base64.b64encode(v1).decode()} v1a,{base64.b64encode(v1a).decode()}"
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": event["id"],
            "webhook-timestamp": timestamp,
            "webhook-signature": changes.get("signature", signature),
        }
        return self.http.post(f"{self.url}/webhooks/bandian", content=body, headers=headers)

    def ask(self, event_id: str, secret: bytes = SECRET, signed_for: str | None = None) -> httpx.Response:
        """The status endpoint, asked as the gateway does."""
        named, timestamp = signed_for or event_id, str(int(time.time()))
        signed = f"{named}.{timestamp}.".encode()
        v1 = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
        v1a = base64.b64encode(self.gateway.webhook_key.sign(signed)).decode()
        headers = {"webhook-id": named, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{v1} v1a,{v1a}"}
        return self.http.get(f"{self.url}/webhooks/bandian/events/{event_id}", headers=headers)

    def receipt(self, response: httpx.Response) -> DeliveryReceipt:
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/jose"
        keys = KeySet.parse(self.http.get(f"{self.url}/.well-known/jwks.json").json())
        return DeliveryReceipt.model_validate(read_claims(response.text, typs={"delivery-receipt+jwt"}, keys=keys))

    def admin(self, path: str) -> Any:
        return self.http.get(f"{self.url}/__admin/{path}").json()

    def application(self, application_id: str) -> dict[str, Any]:
        found = [one for one in self.admin("applications") if one["application_id"] == application_id]
        return dict(found[0]) if found else {}


@pytest.fixture(scope="module")
def _utility(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Utility]:
    gateway = Gateway()
    with tiny_server(gateway.respond) as server:
        gateway.url = server.url
        arguments = [
            f"--data-dir={tmp_path_factory.mktemp('utility')}",
            f"--gateway-url={server.url}",
            f"--departments-url={server.url}/departments",
            f"--partner={PARTNER}",
            f"--webhook-secret={WEBHOOK_SECRET}",
        ]
        with running_mock("mock_services.utility", *arguments) as (url, _), httpx.Client() as http:
            yield Utility(gateway, server, url, http)


@pytest.fixture
def utility(_utility: Utility) -> Utility:
    _utility.http.post(f"{_utility.url}/__admin/reset")
    gateway = _utility.gateway
    gateway.done.clear()
    gateway.purged.clear()
    gateway.down, gateway.refuse, gateway.nonce = 0, None, None
    return _utility


def submitted(application_id: str, purpose: str = "糕饼店", customer_class: str = "lv_zero") -> dict[str, Any]:
    data = {
        "application_id": application_id,
        "intake": "one_certificate",
        "customer_class": customer_class,
        "class_clause": "第（二）条",
        "received_at": "2026-11-23T06:00:00.000Z",
        "demand": {
            "region": "440105",
            "voltage_v": 380,
            "capacity_kw": 50,
            "source_count": 1,
            "urban": True,
            "purpose": purpose,
        },
        "authorisation_id": "a-1",
        "authorised_until": "2027-11-23T06:00:00.000Z",
        "documents": [{"kind": "business_licence", "title": "营业执照", "verdict": "valid"}],
        "stages": STAGES,
    }
    return cloud_event("application.submitted", application_id, data)


def cloud_event(name: str, application_id: str, data: dict[str, Any], sequence: int = 1) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"event-{secrets.token_hex(8)}",
        "source": "urn:bandian",
        "type": f"cn.bandian.{name}.v1",
        "subject": application_id,
        "time": "2026-11-23T06:00:00.000Z",
        "datacontenttype": "application/json",
        "sequence": sequence,
        "data": data,
    }


def outcome(gateway: Gateway, application_id: str, permit_id: str, kind: str = "approved") -> dict[str, Any]:
    outcome_id = f"road-440100:{secrets.token_hex(4)}"
    claims = {"iss": "road-440100", "aud": gateway.url, "jti": outcome_id, "iat": int(time.time())}
    data = {
        "review_id": "review-1",
        "permit_id": permit_id,
        "department": "road-440100",
        "outcome_id": outcome_id,
        "outcome_sequence": 1,
        "outcome": kind,
        "permit_state": kind,
        "review_state": kind,
        "signed_outcome": gateway.department_key.sign("approval-outcome+jwt", claims),
    }
    return cloud_event("permit.outcome", application_id, data, 2)


def test_an_application_is_worked_through_in_order(utility: Utility) -> None:
    receipt = utility.receipt(utility.deliver(submitted("app-1")))
    assert (receipt.status, receipt.iss, receipt.aud) == ("accepted", PARTNER, utility.server.url)
    eventually(lambda: utility.application("app-1")["finished"])
    assert [one for one in utility.gateway.done if one != "token"] == [
        "acceptance started",
        "licence business_licence",
        "acceptance completed",
        "supply_plan started",
        "supply_plan completed",
        "metering started",
        "metering completed",
    ]
    assert utility.application("app-1")["licences"][0]["verdict"] == "valid"
    assert "某某有限公司" not in json.dumps(utility.admin("applications"), ensure_ascii=False)


def test_a_repeated_event_gets_another_receipt_and_has_one_effect(utility: Utility) -> None:
    event = outcome(utility.gateway, "app-2", "permit-1")
    receipts = [utility.receipt(utility.deliver(event)) for _ in range(3)]
    assert [receipt.status for receipt in receipts] == ["accepted", "duplicate", "duplicate"]
    assert len({receipt.jti for receipt in receipts}) == 3
    assert {receipt.body_sha256 for receipt in receipts} == {
        hashlib.sha256(json.dumps(event, ensure_ascii=False).encode()).hexdigest()
    }
    [held] = utility.admin("outcomes")
    assert (held["outcome"], held["signature"]) == ("approved", "verified")
    [known] = utility.admin("events")
    assert known["repeats"] == 2


def test_the_gateway_may_ask_for_the_receipt_of_an_event_that_is_held(utility: Utility) -> None:
    event = outcome(utility.gateway, "app-2", "permit-1")
    assert utility.ask(event["id"]).status_code == 404
    pushed = utility.receipt(utility.deliver(event))
    found = utility.receipt(utility.ask(event["id"]))
    assert (found.event_id, found.body_sha256, found.status) == (event["id"], pushed.body_sha256, "accepted")
    assert utility.ask(event["id"], secret=b"x" * 32).status_code == 401
    assert utility.ask(event["id"], signed_for="event-other").status_code == 401


def test_holes_and_late_events_show(utility: Utility) -> None:
    numbered = [("app-1", 1, 1), ("app-1", 3, 5), ("app-2", 1, 2), ("app-1", 2, 4)]
    events = []
    for application_id, sequence, position in numbered:
        event = {**submitted(application_id), "sequence": sequence, "position": position}
        utility.receipt(utility.deliver(event))
        events.append(event["id"])
    assert utility.admin("holes") == {"positions": [3], "sequences": {}, "late": [events[3]]}
    utility.receipt(utility.deliver({**submitted("app-2"), "sequence": 4, "position": 6}))
    assert utility.admin("holes")["sequences"] == {"app-2": [2, 3]}
    for sequence, position in ((EPOCH + 1, EPOCH + 1), (EPOCH + 3, EPOCH + 2)):  # the gateway was restored
        utility.receipt(utility.deliver({**submitted("app-2"), "sequence": sequence, "position": position}))
    assert utility.admin("holes")["positions"] == [3]
    assert utility.admin("holes")["sequences"] == {"app-2": [2, 3, EPOCH + 2]}


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"secret": b"x" * 32}, "webhook.signature.v1"),
        ({"webhook_key": Ed25519PrivateKey.generate()}, "webhook.signature.v1a"),
        ({"signature": "v1,AAAA"}, "webhook.signature.v1"),
        ({"signature": ""}, "webhook.signature.v1"),
        ({"timestamp": int(time.time()) - 301}, "webhook.timestamp"),
        ({"timestamp": int(time.time()) + 86_400}, "webhook.timestamp"),
        ({"timestamp": "0123"}, "webhook.headers"),
        ({"signed_body": b"{}"}, "webhook.signature.v1"),
    ],
)
def test_a_delivery_that_cannot_be_trusted_is_refused(utility: Utility, changes: dict[str, Any], check: str) -> None:
    response = utility.deliver(outcome(utility.gateway, "app-3", "permit-1"), **changes)
    assert (response.status_code, response.json()["check"]) == (401, check)
    assert utility.admin("events") == []
    assert utility.admin("outcomes") == []


def test_a_known_id_with_another_body_is_a_conflict(utility: Utility) -> None:
    event = outcome(utility.gateway, "app-4", "permit-1")
    utility.receipt(utility.deliver(event))
    event["data"]["outcome"] = "rejected"
    assert utility.deliver(event).status_code == 409
    assert [one["outcome"] for one in utility.admin("outcomes")] == ["approved"]


def test_an_outcome_that_the_department_did_not_sign_is_refused(utility: Utility) -> None:
    event = outcome(utility.gateway, "app-5", "permit-1")
    event["data"]["signed_outcome"] = SigningKey.generate().sign("approval-outcome+jwt", {"iss": "road-440100"})
    response = utility.deliver(event)
    assert (response.status_code, response.json()["check"]) == (422, "webhook.department_signature")
    other = outcome(utility.gateway, "app-5", "permit-1")
    other["data"]["outcome_id"] = "road-440100:another"
    assert utility.deliver(other).status_code == 422
    assert utility.admin("outcomes") == []


def test_the_joint_review_opens_and_the_last_stage_waits_for_the_permits(utility: Utility) -> None:
    utility.deliver(submitted("app-6", customer_class="lv_ordinary"))
    eventually(lambda: "supply_plan completed" in utility.gateway.done)
    assert utility.gateway.done.index("joint-review") > utility.gateway.done.index("acceptance completed")
    [review] = [asked for asked in utility.server.asked if asked.path == "/v1/applications/app-6/joint-review"]
    assert json.loads(review.body)["permits"] == [
        {"department": "road-440100", "permit": "road_occupation", "mode": "full"}
    ]
    permit = {
        "permit_id": "permit-6",
        "department": "road-440100",
        "permit": "road_occupation",
        "mode": "full",
        "mode_clause": "第（四）条",
        "state": "open",
    }
    opened = {"review_id": "review-1", "application_id": "app-6", "permits": [permit]}
    utility.receipt(utility.deliver(cloud_event("review.opened", "app-6", opened, 2)))
    assert "metering started" not in utility.gateway.done
    utility.receipt(utility.deliver(outcome(utility.gateway, "app-6", "permit-6")))
    eventually(lambda: utility.application("app-6")["finished"])
    assert utility.gateway.done[-1] == "metering completed"


def test_a_gateway_that_is_away_for_a_while_is_asked_again(utility: Utility) -> None:
    utility.gateway.down = 2
    utility.deliver(submitted("app-7"))
    eventually(lambda: utility.application("app-7")["finished"])
    assert utility.gateway.done.count("acceptance started") == 1


def test_a_refused_stage_halts_the_plan_and_says_why(utility: Utility) -> None:
    utility.gateway.refuse = "stage-events"
    utility.deliver(submitted("app-8"))
    problem = eventually(lambda: utility.application("app-8")["last_problem"])
    assert problem["clause"] == "第（六）条"
    utility.gateway.refuse = None
    taken = utility.http.post(f"{utility.url}/__admin/applications/app-8/advance").json()
    assert taken["done"] is True
    eventually(lambda: utility.application("app-8")["finished"])


def test_a_refused_licence_is_passed_on_with_its_clause(utility: Utility) -> None:
    utility.gateway.refuse = "verified-licences"
    asked = {"kind": "bank_statement", "purpose": "grid_connection"}
    response = utility.http.post(f"{utility.url}/__admin/applications/app-9/licences", json=asked)
    assert response.status_code == 403
    assert response.json()["clause"] == "第（六）条"


def test_steps_wait_for_a_hand_where_the_scenario_says_so(utility: Utility) -> None:
    utility.deliver(submitted("app-10", purpose="演示人工"))
    time.sleep(0.2)
    assert utility.application("app-10")["next_step"] == 0
    url = f"{utility.url}/__admin/applications/app-10/advance"
    assert utility.http.post(url).json()["step"] == {"do": "stage", "stage": "acceptance", "action": "started"}
    assert utility.http.post(f"{utility.url}/__admin/applications/none/advance").status_code == 409


def test_a_withdrawn_authorisation_stops_work_and_purges_what_was_fetched(utility: Utility) -> None:
    utility.deliver(submitted("app-11"))
    eventually(lambda: utility.application("app-11").get("licences"))
    withdrawn = {"application_id": "app-11", "authorisation_id": "a-1", "withdrawn_at": "2026-11-23T07:00:00.000Z"}
    utility.receipt(utility.deliver(cloud_event("authorisation.withdrawn", "app-11", withdrawn, 2)))
    assert utility.application("app-11")["licences"][0]["purged"] == 1
    assert utility.http.post(f"{utility.url}/__admin/applications/app-11/advance").status_code == 409


def test_a_withdrawn_application_stops_work_and_purges_what_was_fetched(utility: Utility) -> None:
    utility.deliver(submitted("app-13"))
    eventually(lambda: utility.application("app-13").get("licences"))
    withdrawn = {"application_id": "app-13", "authorisation_id": "a-1", "withdrawn_at": "2026-11-23T07:00:00.000Z"}
    utility.receipt(utility.deliver(cloud_event("application.withdrawn", "app-13", withdrawn, 2)))
    assert utility.application("app-13")["licences"][0]["purged"] == 1
    assert utility.http.post(f"{utility.url}/__admin/applications/app-13/advance").status_code == 409


def withdrawal(application_id: str, name: str = "application.withdrawn") -> dict[str, Any]:
    told = {"application_id": application_id, "authorisation_id": "a-1", "withdrawn_at": "2026-11-23T07:00:00.000Z"}
    return cloud_event(name, application_id, told, 2)


def purge_of(utility: Utility, application_id: str) -> dict[str, Any]:
    (found,) = [each for each in utility.admin("purges") if each["application_id"] == application_id]
    return dict(found)


@pytest.mark.parametrize("name", ["application.withdrawn", "authorisation.withdrawn"])
def test_a_purge_is_confirmed_by_itself_once_the_withdrawal_was_signed_for(utility: Utility, name: str) -> None:
    utility.gateway.down_for = "purge-receipt"
    utility.deliver(submitted("app-16"))
    event = withdrawal("app-16", name)
    assert [utility.receipt(utility.deliver(event)).status for _ in range(2)] == ["accepted", "duplicate"]
    eventually(lambda: purge_of(utility, "app-16")["attempts"])
    utility.gateway.down_for = None
    eventually(lambda: purge_of(utility, "app-16")["confirmed_at"])
    (claims,) = utility.gateway.purged
    assert (claims["iss"], claims["aud"]) == (PARTNER, utility.server.url)
    assert (claims["application_id"], claims["authorisation_id"]) == ("app-16", "a-1")
    assert claims["purged_at"] == purge_of(utility, "app-16")["purged_at"]


def test_a_purge_waits_for_a_hand_where_the_scenario_says_so(utility: Utility) -> None:
    utility.deliver(submitted("app-17", purpose="演示人工"))
    url = f"{utility.url}/__admin/applications/app-17/purge-receipt"
    assert utility.http.post(url).status_code == 409, "nothing was withdrawn"
    utility.receipt(utility.deliver(withdrawal("app-17")))
    time.sleep(1)
    assert utility.gateway.purged == []
    assert utility.http.post(url).json()["authorisation_id"] == "a-1"
    assert len(utility.gateway.purged) == 1
    assert purge_of(utility, "app-17")["confirmed_at"]


def test_a_stage_waits_until_the_contract_was_signed(utility: Utility) -> None:
    sent = submitted("app-18", purpose="演示电子合同")
    sent["data"]["stages"] = ["sign_up", "metering"]
    utility.deliver(sent)
    eventually(lambda: "contract" in utility.gateway.done)
    time.sleep(0.5)
    assert "sign_up completed" not in utility.gateway.done
    told = {"application_id": "app-18", "contract_id": "ctr-1", "version": 1, "contract_sha256": "ab" * 32}
    signed = told | {"signed_at": "2026-11-23T07:00:00.000Z", "statement": "a.b.c"}
    declined = told | {"contract_id": "ctr-0", "declined_at": "2026-11-23T07:00:00.000Z", "reason": "到厅签"}
    utility.receipt(utility.deliver(cloud_event("contract.declined", "app-18", declined, 2)))
    assert "sign_up completed" not in utility.gateway.done
    utility.receipt(utility.deliver(cloud_event("contract.signed", "app-18", signed, 3)))
    eventually(lambda: utility.application("app-18")["finished"])
    kept = [(each["contract_id"], each["signed"], each["statement"]) for each in utility.admin("contracts")]
    assert kept == [("ctr-0", 0, None), ("ctr-1", 1, "a.b.c")]


def test_a_bad_rating_is_kept_and_answered_by_hand(utility: Utility) -> None:
    told = {"application_id": "app-19", "level": "dissatisfied", "tags": ["slow"], "rated_at": "2026-11-23T08:00:00Z"}
    utility.receipt(utility.deliver(cloud_event("service.rated", "app-19", told, 4)))
    (kept,) = utility.admin("ratings")
    assert (kept["level"], kept["tags"], kept["text"]) == ("dissatisfied", ["slow"], None)
    url = f"{utility.url}/__admin/applications/app-19/rating-answer"
    assert utility.http.post(url, json={"text": "已约谈班组"}).status_code == 200
    assert "answer 已约谈班组" in utility.gateway.done


def test_a_changed_certificate_is_kept_once_and_work_goes_on(utility: Utility) -> None:
    utility.deliver(submitted("app-15", purpose="演示人工"))
    changed = {
        "application_id": "app-15",
        "kind": "business_licence",
        "title": "营业执照",
        "change": "revoked",
        "verdict": "invalid",
        "check": "status.revoked",
        "owner": "政府",
        "remedy": "请联系颁发机构核实",
        "as_of": "2026-11-23T07:00:00.000Z",
        "found_by": "feed",
    }
    event = cloud_event("certificate.changed", "app-15", changed, 2)
    receipts = [utility.receipt(utility.deliver(event)) for _ in range(2)]
    assert [receipt.status for receipt in receipts] == ["accepted", "duplicate"]
    [held] = utility.admin("certificate-changes")
    assert (held["application_id"], held["kind"], held["change"], held["failed_check"]) == (
        "app-15",
        "business_licence",
        "revoked",
        "status.revoked",
    )
    url = f"{utility.url}/__admin/applications/app-15/advance"
    assert utility.http.post(url).json()["done"], "a change stops nothing by itself"


CONTRACT = {"contract_id": "con_1", "version": 1, "contract_sha256": "a" * 64}
SAID = {
    "contract.signed": {**CONTRACT, "signed_at": "2026-11-23T07:00:00.000Z", "statement": "eyJ.e30.c2ln"},
    "contract.declined": {**CONTRACT, "declined_at": "2026-11-23T07:00:00.000Z", "reason": "想到营业厅签"},
    "service.rated": {"level": "satisfied", "tags": ["clear"], "rated_at": "2026-11-23T07:00:00.000Z"},
}


@pytest.mark.parametrize("name", SAID)
def test_what_applicants_say_at_the_end_is_taken(utility: Utility, name: str) -> None:
    utility.deliver(submitted("app-16", purpose="演示人工"))
    event = cloud_event(name, "app-16", {"application_id": "app-16", **SAID[name]}, 2)
    receipts = [utility.receipt(utility.deliver(event)) for _ in range(2)]
    assert [receipt.status for receipt in receipts] == ["accepted", "duplicate"]


def test_no_kind_of_event_is_unknown_here() -> None:
    assert set(EVENT_DATA) == set(EventType)


def test_a_stage_event_that_is_sent_again_claims_the_same_time(utility: Utility) -> None:
    utility.deliver(submitted("app-14", purpose="演示人工"))
    url = f"{utility.url}/__admin/applications/app-14/advance"
    utility.gateway.down_for = "app-14"
    for _ in range(2):
        assert utility.http.post(url).json()["done"] is False
        time.sleep(0.01)
    utility.gateway.down_for = None
    assert utility.http.post(url).json()["done"] is True
    first, *again = [each for each in utility.gateway.heard if each[0].startswith("app-14:")]
    assert again == [first, first]


def test_tokens_are_kept_dropped_when_refused_and_nonces_are_followed(utility: Utility) -> None:
    asked = {"kind": "business_licence", "purpose": "grid_connection"}
    url = f"{utility.url}/__admin/applications/app-12/licences"
    assert utility.http.post(url, json=asked).status_code == 200
    utility.gateway.done.clear()
    assert utility.http.post(url, json=asked).status_code == 200
    assert utility.gateway.done == ["licence business_licence"]
    utility.gateway.token = "token-2"
    utility.gateway.nonce = "nonce-1"
    assert utility.http.post(url, json=asked).status_code == 200
    assert utility.gateway.done.count("token") == 1


def test_a_utility_that_is_down_answers_503_until_it_is_back(utility: Utility) -> None:
    event = outcome(utility.gateway, "app-13", "permit-1")
    assert utility.http.post(f"{utility.url}/__admin/scenario/utility-down").status_code == 200
    down = utility.deliver(event)
    assert (down.status_code, down.headers["retry-after"]) == (503, "1")
    utility.http.delete(f"{utility.url}/__admin/faults")
    assert utility.receipt(utility.deliver(event)).status == "accepted"


def test_it_says_that_it_runs(utility: Utility) -> None:
    assert utility.http.get(f"{utility.url}/healthz").json() == {"status": "ok"}


def test_a_new_gateway_key_is_found_by_itself(utility: Utility) -> None:
    time.sleep(0.1)
    old, utility.gateway.webhook_key = utility.gateway.webhook_key, Ed25519PrivateKey.generate()
    event = outcome(utility.gateway, "app-14", "permit-1")
    eventually(lambda: utility.deliver(event).status_code == 200, seconds=8)
    assert utility.deliver(outcome(utility.gateway, "app-14", "permit-2"), webhook_key=old).status_code == 401


def test_it_passes_the_conformance_suite_and_holds_no_event_of_it(utility: Utility) -> None:
    key = jwk.SigningKey("webhooks", "EdDSA", utility.gateway.webhook_key)
    suite, hook = Suite(issuer=utility.server.url, webhook_key=key, secret=SECRET), f"{utility.url}/webhooks/bandian"
    (own,) = utility.http.get(f"{utility.url}/.well-known/jwks.json").json()["keys"]
    suite.enrol(Role.UTILITY, own, hook, f"{hook}/events", PARTNER)
    report = asyncio.run(suite.service().run(PARTNER, "cli:root"))
    assert [each for each in report.results if each.verdict is not Verdict.PASSED] == []
    assert utility.admin("events") == []
    assert not any(utility.admin("holes").values())


def test_it_tells_of_an_outage_when_it_is_told_to(utility: Utility) -> None:
    told = {
        "outage_id": "o-1",
        "event_id": "e-1",
        "kind": "fault",
        "region": "440106",
        "area": "天河北路",
        "begins_at": "2026-11-28T08:00:00Z",
        "said_at": "2026-11-28T08:05:00Z",
        "text": "抢修中。",
    }
    answer = utility.http.post(f"{utility.url}/__admin/outages", json=told)
    assert (answer.status_code, answer.json()["outage"]["kind"]) == (200, "fault")
    assert "outage fault" in utility.gateway.done
    touching = utility.http.post(f"{utility.url}/__admin/outages", json=told | {"applications": ["app_1", "app_2"]})
    assert touching.json()["notified"] == 2
    wrong = utility.http.post(f"{utility.url}/__admin/outages", json=told | {"region": "1"})
    assert (wrong.status_code, wrong.json()["check"]) == (422, "outage.form")
