"""Every way in which an identity provider can fail, over its wire. Nothing it says is believed but what is proved."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import respx

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.identity_provider import OpenIdProvider
from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import JwsPolicy, sign_jws, verify_jws
from gateway.crypto.strict_json import encode_base64url
from gateway.errors import Owner, PartnerUnavailable
from gateway.identity.errors import AssertionRefused
from schemas.identity import VerificationMethod
from schemas.wire import Typ
from tests.support.partners import es256_key, public_jwk, raw_jws, seconds

ISSUER = "https://identity.example"
CLIENT = "bandian"
CALLBACK = "https://gateway.example/v1/identity/callback"
AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NONCE = "nonce-1"
KEY, NEXT_KEY = es256_key("idp-1"), es256_key("idp-2")
CLIENT_KEY = es256_key("client-1")
CONFIGURATION = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}
UPSTREAM = {
    "time-out": (httpx.ReadTimeout("slow"), "http.timeout"),
    "no connection": (httpx.ConnectError("refused"), "http.connection"),
    "reset": (httpx.ReadError("reset"), "http.connection"),
    "500": (httpx.Response(500), "http.status"),
    "502": (httpx.Response(502), "http.status"),
    "503": (httpx.Response(503, headers={"retry-after": "120"}), "http.throttled"),
    "429": (httpx.Response(429, headers={"retry-after": "120"}), "http.throttled"),
    "redirect": (httpx.Response(302, headers={"location": "https://elsewhere.example"}), "http.status"),
    "404": (httpx.Response(404), "identity_provider.malformed"),
    "not JSON": (
        httpx.Response(200, text="<html>", headers={"content-type": "text/html"}),
        "identity_provider.malformed",
    ),
    "broken JSON": (
        httpx.Response(200, content=b'{"issuer": ', headers={"content-type": "application/json"}),
        "identity_provider.malformed",
    ),
    "duplicate member": (
        httpx.Response(200, content=b'{"issuer": "a", "issuer": "b"}', headers={"content-type": "application/json"}),
        "identity_provider.malformed",
    ),
    "a list": (httpx.Response(200, json=[]), "identity_provider.malformed"),
    "too large": (
        httpx.Response(200, content=b" " * 70_000, headers={"content-type": "application/json"}),
        "http.oversize",
    ),
    "packed": (httpx.Response(200, content=b"{}", headers={"content-encoding": "compress"}), "http.encoding"),
}


def as_side_effect(failure: Any) -> dict[str, Any]:
    return {"side_effect": failure} if isinstance(failure, Exception) else {"return_value": failure}


@pytest.fixture
def world() -> Iterator[respx.MockRouter]:
    """A provider that is well; tests spoil single routes."""
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{ISSUER}/.well-known/openid-configuration", name="metadata").respond(json=CONFIGURATION)
        router.get(f"{ISSUER}/jwks", name="keys").respond(json={"keys": [public_jwk(KEY)]})
        router.post(f"{ISSUER}/token", name="token").respond(json={"id_token": "a.b.c"})
        yield router


@pytest.fixture
async def provider(world: respx.MockRouter) -> AsyncIterator[OpenIdProvider]:
    async def no_wait(_: float) -> None:
        pass

    http = HttpxClient(HttpLimits(), clock=lambda: AT, sleep=no_wait)
    yield OpenIdProvider(
        issuer=ISSUER,
        client_id=CLIENT,
        redirect_uri=CALLBACK,
        client_key=lambda: CLIENT_KEY,
        http=http,
        make_id=lambda kind: f"{kind}_1",
    )
    await http.aclose()


def claims(at: datetime = AT, **changes: Any) -> dict[str, Any]:
    own = {
        "iss": ISSUER,
        "sub": "pairwise-1",
        "aud": CLIENT,
        "iat": seconds(at),
        "exp": seconds(at) + 300,
        "auth_time": seconds(at),
        "nonce": NONCE,
        "jti": "jti-1",
        "amr": ["face"],
        "person": {"name": "测试", "resident_identity_number": "0" * 18},
    }
    return {name: value for name, value in (own | changes).items() if value is not None}


def assertion(at: datetime = AT, key: SigningKey = KEY, typ: str = Typ.IDENTITY_ASSERTION, **changes: Any) -> str:
    return sign_jws(claims(at, **changes), key, typ)


async def sent_to(provider: OpenIdProvider, at: datetime = AT) -> str:
    return await provider.authorization_url("state-1", NONCE, "challenge-1", VerificationMethod.FACE, at)


async def test_the_applicant_is_sent_with_state_nonce_and_challenge(provider: OpenIdProvider) -> None:
    url = urlsplit(await sent_to(provider))
    assert f"{url.scheme}://{url.netloc}{url.path}" == CONFIGURATION["authorization_endpoint"]
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert query == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "state-1",
        "nonce": NONCE,
        "code_challenge": "challenge-1",
        "code_challenge_method": "S256",
        "acr_values": "face",
        "prompt": "login",
    }


@pytest.mark.parametrize("route", ["metadata", "keys"])
@pytest.mark.parametrize("failure", UPSTREAM)
async def test_what_the_provider_cannot_tell_is_unavailable(
    provider: OpenIdProvider, world: respx.MockRouter, route: str, failure: str
) -> None:
    answer, check = UPSTREAM[failure]
    world[route].mock(**as_side_effect(answer))
    with pytest.raises(PartnerUnavailable) as caught:
        await sent_to(provider)
    assert (caught.value.check, caught.value.partner) == (check, "identity-provider")
    assert caught.value.retry_after == (120 if failure in ("429", "503") else None)
    assert caught.value.owner is Owner.GOVERNMENT


@pytest.mark.parametrize("failure", ["time-out", "reset", "502"])
async def test_reading_is_tried_again(provider: OpenIdProvider, world: respx.MockRouter, failure: str) -> None:
    answer, _ = UPSTREAM[failure]
    world["metadata"].mock(side_effect=[answer, httpx.Response(200, json=CONFIGURATION)])
    assert await sent_to(provider)
    assert world["metadata"].call_count == 2


@pytest.mark.parametrize(
    "metadata",
    [
        {**CONFIGURATION, "issuer": "https://other.example"},
        {**CONFIGURATION, "issuer": f"{ISSUER}/"},
        {name: value for name, value in CONFIGURATION.items() if name != "issuer"},
        {name: value for name, value in CONFIGURATION.items() if name != "token_endpoint"},
        {**CONFIGURATION, "jwks_uri": 7},
        {**CONFIGURATION, "authorization_endpoint": None},
    ],
    ids=["other issuer", "trailing slash", "no issuer", "no token endpoint", "number", "null"],
)
async def test_metadata_of_another_or_incomplete_ones_are_not_used(
    provider: OpenIdProvider, world: respx.MockRouter, metadata: dict[str, Any]
) -> None:
    world["metadata"].respond(json=metadata)
    with pytest.raises(PartnerUnavailable) as caught:
        await sent_to(provider)
    assert caught.value.check == "identity_provider.metadata"


PRIVATE = {**public_jwk(KEY), "d": encode_base64url(b"1" * 32).decode()}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": None},
        {"keys": []},
        {"keys": ["text"]},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
        {"keys": [PRIVATE]},
    ],
    ids=["none", "null", "empty", "text", "symmetric", "private"],
)
async def test_no_usable_key_is_no_provider(
    provider: OpenIdProvider, world: respx.MockRouter, keys: dict[str, Any]
) -> None:
    world["keys"].respond(json=keys)
    with pytest.raises(PartnerUnavailable) as caught:
        await sent_to(provider)
    assert caught.value.check == "identity_provider.keys"


async def test_keys_not_spoken_here_do_not_spoil_the_set(provider: OpenIdProvider, world: respx.MockRouter) -> None:
    world["keys"].respond(json={"keys": [{"kty": "oct", "k": "c2VjcmV0"}, public_jwk(KEY)]})
    assert (await provider.read_assertion(assertion(), NONCE, AT))["jti"] == "jti-1"


async def test_metadata_are_kept_ten_minutes_and_serve_longer_while_the_provider_is_away(
    provider: OpenIdProvider, world: respx.MockRouter
) -> None:
    await sent_to(provider)
    await sent_to(provider, AT + timedelta(minutes=9))
    assert world["metadata"].call_count == 1
    world["metadata"].mock(side_effect=httpx.ConnectError("away"))
    assert await sent_to(provider, AT + timedelta(minutes=11))
    assert world["metadata"].call_count > 1


async def test_a_code_is_redeemed_once_with_a_proof_of_who_asks(
    provider: OpenIdProvider, world: respx.MockRouter
) -> None:
    assert await provider.redeem("code-1", "verifier-1", AT) == "a.b.c"
    form = {name: values[0] for name, values in parse_qs(world["token"].calls.last.request.content.decode()).items()}
    assert (form["grant_type"], form["code"], form["code_verifier"], form["redirect_uri"]) == (
        "authorization_code",
        "code-1",
        "verifier-1",
        CALLBACK,
    )
    policy = JwsPolicy(
        typ=frozenset({Typ.CLIENT_ASSERTION}),
        issuer=CLIENT,
        audience=frozenset({CONFIGURATION["token_endpoint"]}),
        required=frozenset({"jti", "sub"}),
        max_lifetime=timedelta(seconds=60),
    )
    verify_jws(form["client_assertion"], [CLIENT_KEY.public()], policy, AT)


@pytest.mark.parametrize("failure", [name for name in UPSTREAM if name != "404"])
async def test_a_redemption_that_fails_is_not_repeated(
    provider: OpenIdProvider, world: respx.MockRouter, failure: str
) -> None:
    answer, check = UPSTREAM[failure]
    world["token"].mock(**as_side_effect(answer))
    with pytest.raises(PartnerUnavailable) as caught:
        await provider.redeem("code-1", "verifier-1", AT)
    assert caught.value.check == check
    assert world["token"].call_count == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_code_that_is_refused_is_told_to_be_asked_for_anew(
    provider: OpenIdProvider, world: respx.MockRouter, status: int
) -> None:
    world["token"].respond(status, json={"error": "invalid_grant", "error_description": "code-1 was used by 张三"})
    with pytest.raises(AssertionRefused) as caught:
        await provider.redeem("code-1", "verifier-1", AT)
    assert caught.value.check == "identity.assertion.code"
    assert "code-1" not in str(caught.value)
    assert "张三" not in str(caught.value)


@pytest.mark.parametrize("body", [{}, {"id_token": 7}, {"id_token": None}, {"access_token": "a.b.c"}])
async def test_an_answer_without_an_id_token_is_malformed(
    provider: OpenIdProvider, world: respx.MockRouter, body: dict[str, Any]
) -> None:
    world["token"].respond(json=body)
    with pytest.raises(PartnerUnavailable) as caught:
        await provider.redeem("code-1", "verifier-1", AT)
    assert caught.value.check == "identity_provider.malformed"


async def test_a_sound_assertion_is_read(provider: OpenIdProvider) -> None:
    assert await provider.read_assertion(assertion(), NONCE, AT) == claims()


def unsigned() -> str:
    return raw_jws({"alg": "none", "typ": Typ.IDENTITY_ASSERTION}, claims(), b"")


def hs256() -> str:
    """The public key's own text as an HMAC secret: the classic confusion."""
    import hmac

    header = encode_base64url(json.dumps({"alg": "HS256", "typ": Typ.IDENTITY_ASSERTION, "kid": KEY.kid}).encode())
    body = encode_base64url(json.dumps(claims()).encode())
    mac = hmac.new(json.dumps(public_jwk(KEY)).encode(), header + b"." + body, "sha256").digest()
    return b".".join((header, body, encode_base64url(mac))).decode()


def tampered() -> str:
    head, _, signature = assertion().split(".")
    body = encode_base64url(json.dumps(claims(sub="somebody-else")).encode()).decode()
    return f"{head}.{body}.{signature}"


BAD_ASSERTIONS: dict[str, tuple[Any, str]] = {
    "another audience": (lambda: assertion(aud="another-client"), "audience"),
    "no audience": (lambda: assertion(aud=None), "audience"),
    "another issuer": (lambda: assertion(iss="https://other.example"), "issuer"),
    "no issuer": (lambda: assertion(iss=None), "issuer"),
    "another nonce": (lambda: assertion(nonce="nonce-2"), "nonce"),
    "no nonce": (lambda: assertion(nonce=None), "claim_missing"),
    "no jti": (lambda: assertion(jti=None), "claim_missing"),
    "no amr": (lambda: assertion(amr=None), "claim_missing"),
    "no expiry": (lambda: assertion(exp=None), "claim_missing"),
    "no issue time": (lambda: assertion(iat=None), "too_old"),
    "expired": (lambda: assertion(AT - timedelta(minutes=6)), "expired"),
    "not yet issued": (lambda: assertion(AT + timedelta(minutes=2)), "issued_in_future"),
    "longer than five minutes": (lambda: assertion(exp=seconds(AT) + 301), "lifetime"),
    "expiry as text": (lambda: assertion(exp=str(seconds(AT) + 300)), "time"),
    "alg none": (unsigned, "algorithm"),
    "HS256 with the public key": (hs256, "algorithm"),
    "typ JWT": (lambda: assertion(typ="JWT"), "typ"),
    "an access token": (lambda: assertion(typ=Typ.ACCESS_TOKEN), "typ"),
    "another key under the same name": (lambda: assertion(key=es256_key(KEY.kid)), "signature"),
    "changed after signing": (tampered, "signature"),
    "not a token": (lambda: "not-a-token", "compact"),
    "key address in the header": (
        lambda: sign_jws(claims(), KEY, Typ.IDENTITY_ASSERTION, {"jku": "https://evil.example/jwks"}),
        "header_key",
    ),
    "own key in the header": (
        lambda: sign_jws(claims(), KEY, Typ.IDENTITY_ASSERTION, {"jwk": public_jwk(KEY)}),
        "header_key",
    ),
    "critical extension": (lambda: sign_jws(claims(), KEY, Typ.IDENTITY_ASSERTION, {"crit": ["exp"]}), "crit"),
}


@pytest.mark.parametrize("what", BAD_ASSERTIONS)
async def test_an_assertion_that_does_not_hold_is_refused_and_not_quoted(provider: OpenIdProvider, what: str) -> None:
    make, check = BAD_ASSERTIONS[what]
    with pytest.raises(AssertionRefused) as caught:
        await provider.read_assertion(make(), NONCE, AT)
    assert caught.value.check == f"identity.assertion.{check}"
    assert "somebody-else" not in str(caught.value)


async def test_a_rotated_key_is_found_on_a_second_look(provider: OpenIdProvider, world: respx.MockRouter) -> None:
    await provider.read_assertion(assertion(), NONCE, AT)
    world["keys"].respond(json={"keys": [public_jwk(KEY), public_jwk(NEXT_KEY)]})
    later = AT + timedelta(seconds=31)
    assert (await provider.read_assertion(assertion(later, NEXT_KEY), NONCE, later))["iss"] == ISSUER
    assert world["keys"].call_count == 2


async def test_an_unknown_key_does_not_make_us_ask_at_every_turn(
    provider: OpenIdProvider, world: respx.MockRouter
) -> None:
    await provider.read_assertion(assertion(), NONCE, AT)
    for later in (AT + timedelta(seconds=31), AT + timedelta(seconds=40)):
        with pytest.raises(AssertionRefused) as caught:
            await provider.read_assertion(assertion(later, NEXT_KEY), NONCE, later)
        assert caught.value.check == "identity.assertion.key_unknown"
    assert world["keys"].call_count == 2


async def test_a_second_look_that_fails_does_not_lose_the_keys_at_hand(
    provider: OpenIdProvider, world: respx.MockRouter
) -> None:
    await provider.read_assertion(assertion(), NONCE, AT)
    world["keys"].mock(side_effect=httpx.ConnectError("away"))
    later = AT + timedelta(seconds=31)
    with pytest.raises(PartnerUnavailable):
        await provider.read_assertion(assertion(later, NEXT_KEY), NONCE, later)
    assert (await provider.read_assertion(assertion(later), NONCE, later))["nonce"] == NONCE
