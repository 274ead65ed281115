"""The OpenID Connect journey over real HTTP, driven without a browser, and what is refused on the way."""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mock_services.jose import KeySet, SigningKey, base64url, read_claims, read_header
from schemas.identity import IdentityAssertion, VerificationStep
from tests.support.mock_process import running_mock

REDIRECT = "http://127.0.0.1:9/callback"
VERIFIER = "v" * 50
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class RelyingParty:
    """A client of the provider, with its key."""

    issuer: str
    key: SigningKey
    http: httpx.Client

    def authorize(self, **changes: str | None) -> httpx.Response:
        parameters = {
            "response_type": "code",
            "client_id": "bandian",
            "redirect_uri": REDIRECT,
            "scope": "openid",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": base64url(hashlib.sha256(VERIFIER.encode()).digest()),
            "code_challenge_method": "S256",
            "acr_values": "face",
            **changes,
        }
        present = {name: value for name, value in parameters.items() if value is not None}
        return self.http.get(f"{self.issuer}/authorize", params=present, headers={"Accept": "application/json"})

    def attempt(self, interaction: dict[str, Any], subject: str, method: str) -> VerificationStep:
        response = self.http.post(interaction["verification_uri"], json={"method": method, "subject": subject})
        assert response.status_code == 200, response.text
        return VerificationStep.model_validate(response.json())

    def code(self, subject: str, method: str, **changes: str | None) -> str:
        step = self.attempt(self.authorize(**changes).json(), subject, method)
        return answer_of(step)["code"]

    def assertion(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "bandian",
            "sub": "bandian",
            "aud": f"{self.issuer}/token",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
            **changes,
        }
        return self.key.sign("client-authentication+jwt", claims)

    def redeem(self, code: str, *, assertion: str | None = None, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
            **changes,
        }
        return self.http.post(f"{self.issuer}/token", data=form)


def answer_of(step: VerificationStep) -> dict[str, str]:
    assert step.redirect_to is not None
    assert step.redirect_to.startswith(REDIRECT + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(step.redirect_to).query).items()}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelyingParty]:
    directory = tmp_path_factory.mktemp("identity")
    key = SigningKey.generate()
    (directory / "client.json").write_text(json.dumps({"keys": [key.public_jwk]}))
    arguments = [
        f"--data-dir={directory}",
        f"--client=id=bandian,redirect_uri={REDIRECT},jwks={directory / 'client.json'}",
        "--residents=40",
        "--enterprises=20",
    ]
    with running_mock("mock_services.identity_provider", *arguments) as (url, _), httpx.Client() as http:
        yield RelyingParty(url, key, http)


@pytest.fixture(autouse=True)
def _fresh(provider: RelyingParty) -> None:
    assert provider.http.post(f"{provider.issuer}/__admin/reset").status_code == 204


def read_id_token(provider: RelyingParty, token: str) -> IdentityAssertion:
    discovery = provider.http.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    keys = KeySet.parse(provider.http.get(discovery["jwks_uri"]).json())
    return IdentityAssertion.model_validate(read_claims(token, typs={"identity-assertion+jwt"}, keys=keys))


def test_a_resident_is_verified_by_face(provider: RelyingParty) -> None:
    interaction = provider.authorize().json()
    assert interaction["methods"] == ["face", "sms_otp", "counter"]
    answer = answer_of(provider.attempt(interaction, "resident-ordinary", "face"))
    assert (answer["state"], answer["iss"]) == ("s-1", provider.issuer)

    tokens = provider.redeem(answer["code"]).json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 300)
    assertion = read_id_token(provider, tokens["id_token"])
    assert (assertion.iss, assertion.aud, assertion.nonce) == (provider.issuer, "bandian", "n-1")
    assert (assertion.amr, assertion.exp - assertion.iat) == (["face"], 300)
    assert assertion.person.name == "陈安然"
    assert assertion.enterprise is None


def test_an_agent_speaks_for_the_enterprise(provider: RelyingParty) -> None:
    tokens = provider.redeem(provider.code("enterprise-agent", "e_licence", acr_values="e_licence")).json()
    assertion = read_id_token(provider, tokens["id_token"])
    assert assertion.enterprise is not None
    assert (assertion.enterprise.role, assertion.enterprise.name) == ("agent", "佛山市砚溪纺织有限公司")


def test_two_visits_of_one_person_share_the_subject_and_nothing_else(provider: RelyingParty) -> None:
    first, second = (
        read_id_token(provider, provider.redeem(provider.code("resident-ordinary", "face")).json()["id_token"])
        for _ in range(2)
    )
    assert first.sub == second.sub
    assert first.jti != second.jti


def test_a_face_that_does_not_match_locks_at_the_third_try_and_sms_stays_open(provider: RelyingParty) -> None:
    interaction = provider.authorize().json()
    left = []
    for _ in range(2):
        step = provider.attempt(interaction, "resident-face-fails", "face")
        assert (step.status, step.failure) == ("retry", "mismatch")
        left.append(step.attempts_left)
    assert left == [2, 1]
    answer = answer_of(provider.attempt(interaction, "resident-face-fails", "face"))
    assert (answer["error"], answer["error_description"], answer["state"]) == ("access_denied", "locked", "s-1")

    assert provider.http.post(interaction["verification_uri"], json={"method": "face", "subject": "x"}).is_error
    again = answer_of(provider.attempt(provider.authorize().json(), "resident-face-fails", "face"))
    assert again["error_description"] == "locked"
    assert provider.code("resident-face-fails", "sms_otp")


def test_after_one_failed_face_the_same_visit_goes_on_by_sms(provider: RelyingParty) -> None:
    interaction = provider.authorize().json()
    assert provider.attempt(interaction, "resident-face-fails", "face").status == "retry"
    code = answer_of(provider.attempt(interaction, "resident-face-fails", "sms_otp"))["code"]
    assert read_id_token(provider, provider.redeem(code).json()["id_token"]).amr == ["sms_otp"]


@pytest.mark.parametrize(("subject", "failure"), [("resident-timeout", "time_out"), ("resident-locked", "locked")])
def test_what_ends_a_visit_is_told_in_the_redirect(provider: RelyingParty, subject: str, failure: str) -> None:
    answer = answer_of(provider.attempt(provider.authorize().json(), subject, "face"))
    assert (answer["error"], answer["error_description"]) == ("access_denied", failure)


def test_liveness_is_a_failure_of_its_own(provider: RelyingParty) -> None:
    step = provider.attempt(provider.authorize().json(), "resident-liveness-failed", "face")
    assert (step.failure, step.attempts_left) == ("liveness_failed", 2)


def test_an_unknown_person_looks_like_a_mismatch(provider: RelyingParty) -> None:
    assert provider.attempt(provider.authorize().json(), "nobody", "face").failure == "mismatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"nonce": None},
        {"state": None},
        {"acr_values": "telepathy"},
        {"response_type": "token"},
        {"scope": "profile"},
    ],
)
def test_an_incomplete_request_is_sent_back_with_the_error(
    provider: RelyingParty, changes: dict[str, str | None]
) -> None:
    response = provider.authorize(**changes)
    assert response.status_code == 303
    query = parse_qs(urlsplit(response.headers["location"]).query)
    assert "error" in query
    assert "code" not in query


@pytest.mark.parametrize(
    "changes", [{"client_id": "stranger"}, {"redirect_uri": REDIRECT + "/"}, {"redirect_uri": "http://evil.example/"}]
)
def test_nothing_is_ever_redirected_to_an_unregistered_place(provider: RelyingParty, changes: dict[str, str]) -> None:
    response = provider.authorize(**changes)
    assert response.status_code == 400
    assert "location" not in response.headers


def test_the_wrong_verifier_gets_nothing_and_spends_the_code(provider: RelyingParty) -> None:
    code = provider.code("resident-ordinary", "face")
    refused = provider.redeem(code, code_verifier="w" * 50)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert provider.redeem(code).json()["error"] == "invalid_grant"


def test_a_replayed_code_revokes_what_it_gave(provider: RelyingParty) -> None:
    code = provider.code("resident-ordinary", "face")
    bearer = {"Authorization": f"Bearer {provider.redeem(code).json()['access_token']}"}
    assert provider.http.get(f"{provider.issuer}/userinfo", headers=bearer).status_code == 200
    assert provider.redeem(code).json()["error"] == "invalid_grant"
    assert provider.http.get(f"{provider.issuer}/userinfo", headers=bearer).status_code == 401


def test_client_assertions_are_checked_and_good_once(provider: RelyingParty) -> None:
    code = provider.code("resident-ordinary", "face")
    now = int(time.time())
    stranger = RelyingParty(provider.issuer, SigningKey(SigningKey.generate().private, provider.key.kid), provider.http)
    used = provider.assertion()
    assert provider.redeem("unknown", assertion=used).json()["error"] == "invalid_grant"
    for refused in (
        used,
        stranger.assertion(),
        provider.assertion(aud="http://elsewhere.example/token"),
        provider.assertion(sub="someone"),
        provider.assertion(iat=now - 600, exp=now - 300),
        provider.assertion(exp=now + 86_400),
        provider.assertion(jti=None),
    ):
        response = provider.redeem(code, assertion=refused)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert provider.redeem(code).status_code == 200


def test_the_fault_switch_breaks_the_signature_once(provider: RelyingParty) -> None:
    assert provider.http.post(f"{provider.issuer}/__admin/scenario/identity-forged").status_code == 200
    forged = provider.redeem(provider.code("resident-ordinary", "face")).json()["id_token"]
    keys = KeySet.parse(provider.http.get(f"{provider.issuer}/jwks").json())
    assert read_header(forged)["kid"] in keys.keys
    with pytest.raises(Exception, match="signature"):
        read_id_token(provider, forged)
    read_id_token(provider, provider.redeem(provider.code("resident-ordinary", "face")).json()["id_token"])


def test_it_says_that_it_runs(provider: RelyingParty) -> None:
    assert provider.http.get(f"{provider.issuer}/healthz").json() == {"status": "ok"}


def test_a_browser_gets_pages_and_no_image_is_asked_for(provider: RelyingParty) -> None:
    interaction = provider.authorize().json()["interaction"]
    page = provider.http.get(f"{provider.issuer}/authorize/{interaction}?method=face")
    assert "不上传" in page.text
    assert 'type="file"' not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    form = {"method": "face", "subject": "resident-face-fails"}
    retry = provider.http.post(f"{provider.issuer}/authorize/{interaction}/verification", data=form)
    assert "还可再试 2 次" in retry.text
    form["subject"] = "resident-ordinary"
    done = provider.http.post(f"{provider.issuer}/authorize/{interaction}/verification", data=form)
    assert done.status_code == 303
    assert done.headers["location"].startswith(f"{REDIRECT}?code=")
