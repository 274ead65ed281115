"""Attacks on the token endpoint: who is refused a token, and why."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.caller import Role
from gateway.crypto.jws import sign_jws
from gateway.crypto.strict_json import decode_base64url, encode_base64url
from gateway.errors import GatewayError
from gateway.partners.errors import (
    ClientRefused,
    GrantTypeUnsupported,
    ProofRefused,
    ScopeRefused,
    TokenRequestMalformed,
)
from gateway.partners.model import KeyUse
from tests.support.partners import ISSUER, TOKEN_URI, Client, PartnersRoom, es256_key, public_jwk, raw_jws, seconds

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


async def granted(room: PartnersRoom, client: Client, **form: Any):
    at = room.clock()
    return await room.tokens.grant(client.form(at, **form), [client.proof(at, "POST", TOKEN_URI)], at)


async def refusal(room: PartnersRoom, client: Client, *, proofs: list[str] | None = None, **form: Any) -> GatewayError:
    at = room.clock()
    proofs = [client.proof(at, "POST", TOKEN_URI)] if proofs is None else proofs
    with pytest.raises(GatewayError) as refused:
        await room.tokens.grant(client.form(at, **form), proofs, at)
    return refused.value


async def test_a_registered_partner_gets_a_bound_token_of_five_minutes(room: PartnersRoom) -> None:
    client = await room.enrol()
    answer = await granted(room, client)
    assert (answer.token_type, answer.expires_in, answer.scope) == ("DPoP", 300, "events leads licences reviews stages")


@pytest.mark.parametrize(
    ("check", "claims"),
    [
        ("client.audience", {"aud": "https://other.example"}),
        ("client.audience", {"aud": [ISSUER, "https://other.example"]}),
        ("client.audience", {"aud": TOKEN_URI}),
        ("client.claim_missing", {"aud": None}),
        ("client.claim_missing", {"exp": None}),
        ("client.claim_missing", {"iat": None}),
        ("client.claim_missing", {"jti": None}),
        ("client.subject", {"sub": "csg-shenzhen"}),
        ("client.key_unknown", {"iss": "csg-shenzhen", "sub": "csg-shenzhen"}),
        ("client.key_unknown", {"iss": None}),
        ("client.key_unknown", {"iss": 7}),
        ("client.jti", {"jti": "short"}),
        ("client.jti", {"jti": "x" * 129}),
        ("client.claim_type", {"jti": 12345678}),
        ("client.time", {"exp": "9999999999"}),
    ],
)
async def test_an_assertion_with_wrong_claims_is_refused(room: PartnersRoom, check: str, claims: dict) -> None:
    client = await room.enrol()
    refused = await refusal(room, client, client_assertion=client.assertion(room.clock(), **claims))
    assert isinstance(refused, ClientRefused)
    assert refused.check == check


@pytest.mark.parametrize(
    ("check", "issued", "expires"),
    [
        ("client.expired", -65, -5),
        ("client.lifetime", 0, 61),
        ("client.lifetime", -30, 600),
        ("client.issued_in_future", 6, 60),
    ],
)
async def test_an_assertion_lives_sixty_seconds_and_not_yet_or_no_more_is_refused(
    room: PartnersRoom, check: str, issued: int, expires: int
) -> None:
    client = await room.enrol()
    now = seconds(room.clock())
    assertion = client.assertion(room.clock(), iat=now + issued, exp=now + expires)
    assert (await refusal(room, client, client_assertion=assertion)).check == check


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "dpop+jwt", "approval-outcome+jwt"])
async def test_another_kind_of_token_is_not_a_client_assertion(room: PartnersRoom, typ: str) -> None:
    client = await room.enrol()
    refused = await refusal(room, client, client_assertion=client.assertion(room.clock(), typ=typ))
    assert refused.check == "client.typ"


async def test_alg_none_is_refused(room: PartnersRoom) -> None:
    client = await room.enrol()
    now = seconds(room.clock())
    claims = {"iss": client.code, "sub": client.code, "aud": ISSUER, "jti": "a" * 16, "iat": now, "exp": now + 60}
    for algorithm in ("none", "None", "NONE"):
        token = raw_jws({"alg": algorithm, "typ": "client-authentication+jwt"}, claims, b"")
        assert (await refusal(room, client, client_assertion=token)).check == "client.algorithm"


async def test_hmac_with_the_public_key_as_its_secret_is_refused(room: PartnersRoom) -> None:
    client = await room.enrol()
    public = client.auth_key.private_key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    now = seconds(room.clock())
    header = {"alg": "HS256", "typ": "client-authentication+jwt", "kid": client.auth_key.kid}
    claims = {"iss": client.code, "sub": client.code, "aud": ISSUER, "jti": "a" * 16, "iat": now, "exp": now + 60}
    signed = b".".join(encode_base64url(json.dumps(part).encode()) for part in (header, claims))
    mac = hmac.new(pem, signed, hashlib.sha256).digest()
    token = f"{signed.decode()}.{encode_base64url(mac).decode()}"
    assert (await refusal(room, client, client_assertion=token)).check == "client.algorithm"


async def test_a_key_in_the_header_is_not_trusted(room: PartnersRoom) -> None:
    client, own = await room.enrol(), es256_key("attacker")
    now = seconds(room.clock())
    claims = {"iss": client.code, "sub": client.code, "aud": ISSUER, "jti": "a" * 16, "iat": now, "exp": now + 60}
    token = sign_jws(claims, own, "client-authentication+jwt", {"jwk": public_jwk(own)})
    assert (await refusal(room, client, client_assertion=token)).check == "client.header_key"


async def test_another_partners_key_under_this_partners_kid_is_refused(room: PartnersRoom) -> None:
    client = await room.enrol()
    forged = es256_key(client.auth_key.kid)
    refused = await refusal(room, client, client_assertion=client.assertion(room.clock(), key=forged))
    assert refused.check == "client.signature"


async def test_an_assertion_works_once_even_with_its_signature_respelt(room: PartnersRoom) -> None:
    """ECDSA's (r, n−s) is valid too: a memory of bytes would take the copy for another token."""
    client = await room.enrol()
    assertion = client.assertion(room.clock(), jti="the-one-and-only")
    await granted(room, client, client_assertion=assertion)
    assert (await refusal(room, client, client_assertion=assertion)).check == "client.replayed"
    head, signature = assertion.rsplit(".", 1)
    raw = decode_base64url(signature.encode())
    respelt = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    again = f"{head}.{encode_base64url(respelt).decode()}"
    assert again != assertion
    assert (await refusal(room, client, client_assertion=again)).check == "client.replayed"


async def test_the_same_jti_from_two_partners_is_two_tokens(room: PartnersRoom) -> None:
    one, two = await room.enrol(), await room.enrol("csg-shenzhen")
    await granted(room, one, client_assertion=one.assertion(room.clock(), jti="shared-by-chance"))
    await granted(room, two, client_assertion=two.assertion(room.clock(), jti="shared-by-chance"))


async def test_a_refused_grant_uses_up_nothing(room: PartnersRoom) -> None:
    client = await room.enrol()
    assertion, proof = client.assertion(room.clock()), client.proof(room.clock(), "POST", TOKEN_URI)
    await granted(room, client, client_assertion=client.assertion(room.clock(), jti="used-before"))
    used = client.assertion(room.clock(), jti="used-before")
    assert (await refusal(room, client, proofs=[proof], client_assertion=used)).check == "client.replayed"
    answer = await room.tokens.grant(client.form(room.clock(), client_assertion=assertion), [proof], room.clock())
    assert answer.access_token


async def test_a_proof_works_once_at_the_token_endpoint(room: PartnersRoom) -> None:
    client = await room.enrol()
    proof = client.proof(room.clock(), "POST", TOKEN_URI)
    await room.tokens.grant(client.form(room.clock()), [proof], room.clock())
    refused = await refusal(room, client, proofs=[proof])
    assert isinstance(refused, ProofRefused)
    assert refused.check == "dpop.replayed"


async def test_no_proof_or_two_proofs_are_refused(room: PartnersRoom) -> None:
    client = await room.enrol()
    proof = client.proof(room.clock(), "POST", TOKEN_URI)
    assert (await refusal(room, client, proofs=[])).check == "dpop.missing"
    assert (await refusal(room, client, proofs=[proof, proof])).check == "dpop.missing"


@pytest.mark.parametrize(
    ("error", "form"),
    [
        (TokenRequestMalformed, {"grant_type": None}),
        (GrantTypeUnsupported, {"grant_type": "authorization_code"}),
        (TokenRequestMalformed, {"client_assertion_type": "saml"}),
        (TokenRequestMalformed, {"client_assertion": None}),
        (TokenRequestMalformed, {"client_secret": "secret"}),
        (ClientRefused, {"client_id": "csg-shenzhen"}),
        (ScopeRefused, {"scope": "operate"}),
        (ScopeRefused, {"scope": ""}),
    ],
)
async def test_a_request_of_the_wrong_form_is_refused(room: PartnersRoom, error: type, form: dict) -> None:
    assert isinstance(await refusal(room, await room.enrol(), **form), error)


async def test_less_scope_can_be_asked_for(room: PartnersRoom) -> None:
    assert (await granted(room, await room.enrol(), scope="events licences")).scope == "events licences"


async def test_a_key_for_outcomes_does_not_authenticate_a_client(room: PartnersRoom) -> None:
    at = room.clock()
    key = es256_key("outcomes-only")
    await room.service.register_partner("planning", "规划部门", Role.DEPARTMENT, ["440100"], actor="gateway", at=at)
    await room.service.add_key("planning", public_jwk(key), KeyUse.OUTCOME, actor="gateway", at=at)
    assert (await refusal(room, Client("planning", key))).check == "client.key_unknown"


async def test_keys_rotate_without_downtime(room: PartnersRoom) -> None:
    client = await room.enrol()
    successor = es256_key("csg-guangzhou-2")
    await room.service.rotate_key(
        client.code,
        client.auth_key.kid,
        public_jwk(successor),
        overlap=timedelta(hours=1),
        actor="ops",
        at=room.clock(),
    )
    renewed = Client(client.code, successor)
    await granted(room, client)
    await granted(room, renewed)
    room.clock.advance(hours=1)
    assert (await refusal(room, client)).check == "client.key_unknown"
    await granted(room, renewed)


async def test_a_key_is_good_from_its_first_instant_to_before_its_last(room: PartnersRoom) -> None:
    client, at = await room.enrol(), room.clock()
    key = es256_key("later")
    begins, ends = at + timedelta(hours=1), at + timedelta(hours=2)
    await room.service.add_key(
        client.code, public_jwk(key), KeyUse.ANY, actor="ops", at=at, valid_from=begins, valid_until=ends
    )
    later = Client(client.code, key)
    assert (await refusal(room, later)).check == "client.key_unknown"
    room.clock.at = begins
    await granted(room, later)
    room.clock.at = ends
    assert (await refusal(room, later)).check == "client.key_unknown"


async def test_a_suspended_partner_and_a_revoked_key_get_no_token(room: PartnersRoom) -> None:
    client = await room.enrol()
    await room.service.suspend_partner(client.code, actor="ops", at=room.clock())
    assert (await refusal(room, client)).check == "client.key_unknown"
    await room.service.resume_partner(client.code, actor="ops", at=room.clock())
    await granted(room, client)
    await room.service.revoke_key(client.code, client.auth_key.kid, actor="ops", at=room.clock())
    assert (await refusal(room, client)).check == "client.key_unknown"
