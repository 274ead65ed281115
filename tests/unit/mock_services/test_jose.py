"""What the mocks' JWS check refuses: anything but one known key, one algorithm, one kind of token."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from jwt.api_jws import PyJWS

from mock_services.jose import (
    KeySet,
    RemoteKeySet,
    SigningKey,
    TokenRefused,
    check_times,
    read_claims,
    thumbprint,
    verify,
)

AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
KEY = SigningKey.generate()
KEYS = KeySet.parse({"keys": [KEY.public_jwk]})


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hmac_with_the_public_key() -> str:
    return PyJWS().encode(b"{}", KEY.public_jwk["x"], "HS256", {"typ": "a+jwt", "kid": KEY.kid})


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (f"{part({'alg': 'none', 'typ': 'a+jwt', 'kid': KEY.kid})}.{part({})}.", "shape"),
        (f"{part({'alg': 'none', 'typ': 'a+jwt', 'kid': KEY.kid})}.{part({})}.AA", "signature"),
        (hmac_with_the_public_key(), "signature"),
        (SigningKey(SigningKey.generate().private, KEY.kid).sign("a+jwt", {}), "signature"),
        (SigningKey.generate().sign("a+jwt", {}), "unknown-key"),
        (KEY.sign("b+jwt", {}), "typ"),
        (KEY.sign("a+jwt", {}, jwk=KEY.bare_jwk), "header"),
        (KEY.sign("a+jwt", {}, jku="https://evil.example/keys"), "header"),
        (KEY.sign("a+jwt", {}, kid=None), "header"),
        (KEY.sign("a+jwt", {}) + "=", "shape"),
        ("a" * 70_000, "shape"),
        ("", "shape"),
    ],
)
def test_a_token_that_is_not_quite_right_is_refused(token: str, reason: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        read_claims(token, typs={"a+jwt"}, keys=KEYS)
    assert refused.value.reason == reason


def test_a_token_that_is_right_is_read() -> None:
    assert read_claims(KEY.sign("a+jwt", {"名": "值"}), typs={"a+jwt"}, keys=KEYS) == {"名": "值"}


def test_only_signature_keys_of_known_kinds_are_taken() -> None:
    rsa_key = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
    odd = [
        {**KEY.public_jwk, "use": "enc"},
        {**rsa_key, "kid": "rsa"},
        {**KEY.public_jwk, "kid": "off-curve", "x": KEY.public_jwk["y"]},
        "no key",
    ]
    assert KeySet.parse({"keys": odd}).keys == {}
    with pytest.raises(TokenRefused):
        KeySet.parse([])


def test_rfc_7638_thumbprint_of_an_okp_key() -> None:
    """The key of RFC 8037 appendix A.2 and its thumbprint of A.3."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "sig"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_times_are_judged_by_the_clock_that_is_passed_in() -> None:
    now = int(AT.timestamp())
    check_times({"iat": now + 59, "exp": now}, at=AT)
    for claims in ({}, {"iat": now + 61}, {"iat": "1"}, {"iat": True}, {"iat": now, "exp": now - 60}):
        with pytest.raises(TokenRefused):
            check_times(claims, at=AT)


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key.pem"
    first, second = SigningKey.load_or_create(path), SigningKey.load_or_create(path)
    assert first.public_jwk == second.public_jwk
    assert path.stat().st_mode & 0o077 == 0


@respx.mock
async def test_a_key_set_is_read_again_for_an_unknown_key_but_not_in_a_storm() -> None:
    new = SigningKey.generate()
    route = respx.get("https://gateway.example/jwks").mock(
        side_effect=[httpx.Response(200, json={"keys": [one.public_jwk]}) for one in (KEY, KEY, new)]
    )
    claims = {"iss": "i", "aud": "a", "iat": int(AT.timestamp())}
    async with httpx.AsyncClient() as http:
        keys = RemoteKeySet("https://gateway.example/jwks", http)

        async def check(token: str, at: datetime) -> dict[str, Any]:
            return await verify(token, typ="a+jwt", keys=keys, issuer="i", audience="a", at=at)

        assert await check(KEY.sign("a+jwt", claims), AT) == claims
        for _ in range(5):
            with pytest.raises(TokenRefused, match="unknown-key"):
                await check(new.sign("a+jwt", claims), AT + timedelta(seconds=6))
        assert route.call_count == 2
        assert await check(new.sign("a+jwt", claims), AT + timedelta(seconds=12)) == claims
