"""Attacks on a protected request: token and DPoP proof must be ours, fresh, bound to one another and to the request."""

import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.caller import Role
from gateway.crypto.jws import sign_jws
from gateway.errors import GatewayError, Overloaded, Unauthenticated
from gateway.partners.dpop import PROOF_MEMORY, normalise_htu, verify_proof
from gateway.partners.replay import ReplayMemory
from tests.support.partners import ISSUER, Client, PartnersRoom, es256_key, raw_jws, seconds
from tests.support.storage import NOON

URI = f"{ISSUER}/v1/verified-licences"


async def call(room: PartnersRoom, client: Client, token: str, *, proof: str | None = None, **claims: Any):
    at = room.clock()
    proof = proof or client.proof(at, "POST", URI, token=token, **claims)
    return await room.gate.authenticate([f"DPoP {token}"], [proof], "POST", URI, at)


async def refused(room: PartnersRoom, client: Client, token: str, **changes: Any) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await call(room, client, token, **changes)
    return refusal.value.check


async def test_a_bound_token_with_its_proof_names_the_caller(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    caller = await call(room, client, token)
    assert (caller.partner_code, caller.role, caller.regions) == (client.code, Role.UTILITY, ("440100",))
    assert "licences" in caller.scopes


@pytest.mark.parametrize(
    ("check", "claims"),
    [
        ("dpop.htm", {"htm": "GET"}),
        ("dpop.htm", {"htm": "post"}),
        ("dpop.htu", {"htu": f"{ISSUER}/v1/other"}),
        ("dpop.htu", {"htu": "http://gateway.example/v1/verified-licences"}),
        ("dpop.htu", {"htu": "https://gateway.example.evil/v1/verified-licences"}),
        ("dpop.htu", {"htu": "https://gateway.example@evil/v1/verified-licences"}),
        ("dpop.htu", {"htu": "/v1/verified-licences"}),
        ("dpop.htu", {"htu": ["x"]}),
        ("dpop.ath", {"ath": "AAAA"}),
        ("dpop.ath", {"ath": None}),
        ("dpop.too_old", {"iat": seconds(NOON) - 66}),
        ("dpop.issued_in_future", {"iat": seconds(NOON) + 6}),
        ("dpop.claim_missing", {"jti": None}),
        ("dpop.claim_missing", {"iat": None}),
        ("dpop.jti", {"jti": "x" * 129}),
        ("dpop.jti", {"jti": "white space"}),
        ("dpop.typ", {"typ": "at+jwt"}),
        ("dpop.typ", {"typ": "JWT"}),
    ],
)
async def test_a_proof_made_for_anything_else_is_refused(room: PartnersRoom, check: str, claims: dict) -> None:
    client = await room.enrol()
    assert await refused(room, client, await room.token_for(client), **claims) == check


async def test_a_proof_by_another_key_is_refused(room: PartnersRoom) -> None:
    client = await room.enrol()
    assert await refused(room, client, await room.token_for(client), key=es256_key("thief")) == "dpop.jkt"


async def test_a_proof_works_once_also_with_other_bytes(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    await call(room, client, token, jti="the-one-and-only")
    assert await refused(room, client, token, jti="the-one-and-only") == "dpop.replayed"
    room.clock.advance(seconds=64)
    again = client.proof(room.clock(), "POST", URI, token=token, jti="the-one-and-only")
    assert await refused(room, client, token, proof=again) == "dpop.replayed"


async def test_an_access_token_is_not_a_proof_and_a_proof_is_not_a_token(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    assert await refused(room, client, token, proof=token) in ("dpop.typ", "dpop.header_key")
    proof = client.proof(room.clock(), "POST", URI)
    assert await refused(room, client, proof) in ("token.typ", "token.header_key")
    assert await refused(room, client, client.assertion(room.clock())) == "token.typ"


async def test_a_proof_signed_by_none_is_refused(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    claims = {"htm": "POST", "htu": URI, "iat": seconds(room.clock()), "jti": "abcdefgh"}
    proof = raw_jws({"alg": "none", "typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "AA"}}, claims, b"")
    assert await refused(room, client, token, proof=proof) == "dpop.algorithm"


async def test_a_bound_token_is_refused_as_a_bearer_token_twice_or_bare(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    for lines in ([f"Bearer {token}"], [token], ["DPoP "], [], [f"DPoP {token}", f"DPoP {token}"], ["DPoP 令牌"]):
        proof = client.proof(room.clock(), "POST", URI, token=token)
        with pytest.raises(Unauthenticated) as refusal:
            await room.gate.authenticate(lines, [proof], "POST", URI, room.clock())
        assert refusal.value.check in ("token.scheme", "token.missing")


async def test_exactly_one_proof_is_taken(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    proofs = [client.proof(room.clock(), "POST", URI, token=token) for _ in range(2)]
    for lines in ([], proofs):
        with pytest.raises(Unauthenticated) as refusal:
            await room.gate.authenticate([f"DPoP {token}"], lines, "POST", URI, room.clock())
        assert refusal.value.check == "dpop.missing"


@pytest.mark.parametrize(
    ("check", "claims"),
    [
        ("token.issuer", {"iss": "https://other.example"}),
        ("token.audience", {"aud": "https://other.example"}),
        ("token.expired", {"iat": seconds(NOON) - 301, "exp": seconds(NOON)}),
        ("token.lifetime", {"exp": seconds(NOON) + 3600}),
        ("token.withdrawn", {"sub": "nobody"}),
        ("token.withdrawn", {"epoch": 7}),
        ("token.key_revoked", {"client_key": "never-registered"}),
    ],
)
async def test_a_token_of_ours_with_other_claims_is_refused(room: PartnersRoom, check: str, claims: dict) -> None:
    """Signed with the gateway's own key: each check stands by itself."""
    client, now = await room.enrol(), seconds(room.clock())
    own = {
        "iss": ISSUER, "sub": client.code, "aud": ISSUER, "client_id": client.code, "cnf": {"jkt": "x"},
        "scope": "licences", "jti": "j", "iat": now, "exp": now + 300, "client_key": client.auth_key.kid, "epoch": 0,
    }  # fmt: skip
    token = sign_jws(own | claims, room.gateway_key, "at+jwt")
    assert await refused(room, client, token) == check


async def test_a_token_signed_by_a_partner_is_refused(room: PartnersRoom) -> None:
    client, now = await room.enrol(), seconds(room.clock())
    claims = {"iss": ISSUER, "sub": client.code, "aud": ISSUER, "iat": now, "exp": now + 300}
    assert await refused(room, client, sign_jws(claims, client.auth_key, "at+jwt")) == "token.key_unknown"
    forged = sign_jws(claims, es256_key(room.gateway_key.kid), "at+jwt")
    assert await refused(room, client, forged) == "token.signature"


async def test_a_token_dies_after_five_minutes_though_its_verdict_is_kept(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    await call(room, client, token)
    room.clock.advance(seconds=299)
    await call(room, client, token)
    room.clock.advance(seconds=1)
    assert await refused(room, client, token) == "token.expired"


async def test_verdicts_whose_time_is_over_are_kept_no_longer(room: PartnersRoom) -> None:
    client = await room.enrol()
    for _ in range(4):
        for _ in range(3):
            await call(room, client, await room.token_for(client))
        assert len(room.gate._verdicts) == 3
        room.clock.advance(seconds=60)
    lasting, other = await room.token_for(client), await room.token_for(client)
    await call(room, client, lasting)
    await call(room, client, other)
    room.clock.advance(seconds=60)
    await call(room, client, lasting)  # verified again, and so the younger one: the other's verdict is over
    assert len(room.gate._verdicts) == 1


async def test_a_revoked_key_takes_its_tokens_with_it_at_once(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    await call(room, client, token)
    await room.service.revoke_key(client.code, client.auth_key.kid, actor="ops", at=room.clock())
    assert await refused(room, client, token) == "token.key_revoked"


async def test_a_suspended_partners_tokens_stay_dead_when_it_returns(room: PartnersRoom) -> None:
    client = await room.enrol()
    token = await room.token_for(client)
    await call(room, client, token)
    await room.service.suspend_partner(client.code, actor="ops", at=room.clock())
    assert await refused(room, client, token) == "token.withdrawn"
    await room.service.resume_partner(client.code, actor="ops", at=room.clock())
    assert await refused(room, client, token) == "token.withdrawn"
    await call(room, client, await room.token_for(client))


@given(st.text(max_size=80))
def test_whatever_stands_in_htu_is_normalised_or_refused(text: str) -> None:
    try:
        once = normalise_htu(text)
    except ValueError:
        return
    assert normalise_htu(once) == once


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("HTTPS://Gateway.Example:443/a?q#f", "https://gateway.example/a"),
        ("http://h:80", "http://h/"),
        ("http://h:8080/a/./b/../c/", "http://h:8080/a/c/"),
        ("https://h/%7euser/%e5%8a%9e", "https://h/~user/%E5%8A%9E"),
        ("https://h/a%2fb", "https://h/a%2Fb"),
        ("https://[::1]:443/a", "https://[::1]/a"),
        ("https://h/a/..", "https://h/"),
    ],
)
def test_htu_is_compared_as_rfc_3986_normalises(written: str, normal: str) -> None:
    assert normalise_htu(written) == normal


@pytest.mark.parametrize(
    "unfit", ["", "/a", "ftp://h/a", "https://u:p@h/a", "https:///a", "https://h:99999/a", "https://h/ a"]
)
def test_htu_that_is_no_address_is_refused(unfit: str) -> None:
    with pytest.raises(ValueError):
        normalise_htu(unfit)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 40)), max_size=60))
def test_nothing_is_forgotten_within_the_window(arrivals: list[tuple[int, float]]) -> None:
    memory, at, seen = ReplayMemory(PROOF_MEMORY), NOON, {}
    for name, pause in arrivals:
        at += timedelta(seconds=pause)
        fresh = memory.first_seen("key", str(name), at)
        if name in seen and at - seen[name] < PROOF_MEMORY:
            assert not fresh
        if fresh:
            seen[name] = at


def test_a_full_memory_refuses_rather_than_forgets() -> None:
    memory = ReplayMemory(PROOF_MEMORY, capacity=2)
    assert memory.first_seen("key", "1", NOON)
    assert memory.first_seen("key", "2", NOON)
    with pytest.raises(Overloaded):
        memory.first_seen("key", "3", NOON)
    assert not memory.first_seen("key", "1", NOON)
    with pytest.raises(Overloaded) as refusal:
        memory.first_seen("key", "3", NOON + PROOF_MEMORY)
    assert memory.first_seen("key", "3", NOON + timedelta(seconds=refusal.value.retry_after))


def test_a_key_is_remembered_a_quarter_of_the_window_too_long_at_most() -> None:
    """At any rate of arrivals: what is held is what was seen lately, and none of it in full."""
    memory = ReplayMemory(timedelta(seconds=80), capacity=100)
    for second in range(1000):
        assert memory.first_seen("key", f"{second}", NOON + timedelta(seconds=second))
    tracemalloc.start()
    try:
        large = ReplayMemory(timedelta(seconds=80))
        for number in range(1000):
            large.first_seen("k" * 43, f"{number}".zfill(128), NOON)
        assert tracemalloc.get_traced_memory()[0] < 150 * 1000
    finally:
        tracemalloc.stop()


def test_owners_share_no_identifiers() -> None:
    memory = ReplayMemory(PROOF_MEMORY)
    assert memory.first_seen("a", "b\0c", NOON)
    assert memory.first_seen("b", "b\0c", NOON)
    assert memory.first_seen("a", "\ud800", NOON)
    assert not memory.first_seen("a", "b\0c", NOON)


def test_refusals_carry_no_token() -> None:
    with pytest.raises(GatewayError) as refusal:
        verify_proof("not.a.token-of-ours", method="GET", uri=URI, at=NOON)
    assert "token-of-ours" not in str(refusal.value)
