"""Verification sessions on both databases, with a provider that says what the test tells it to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters.storage.transactions import SqlTransactions
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.errors import Owner, PartnerUnavailable
from gateway.identity.errors import (
    AssertionRefused,
    CallbackNotOwn,
    MethodNotOffered,
    SessionRequired,
    SessionSpent,
    SessionUnknown,
    VerificationFailed,
)
from gateway.identity.model import SessionStatus
from gateway.identity.service import IdentityService, OpenedSession
from gateway.retention.policies import Kept, RetentionPolicy
from schemas.identity import ActingRole, ApplicantKind, ProviderFailure, VerificationMethod
from tests.support.storage import SetClock, opened

PERSON = {"name": "测试甲", "resident_identity_number": "110101190001010018"}
ENTERPRISE = {"name": "测试公司", "unified_social_credit_code": "91440101TDMA000012", "role": "agent"}
SECRETS = (PERSON["name"], PERSON["resident_identity_number"], *ENTERPRISE.values())
FACE, SMS, LICENCE = VerificationMethod.FACE, VerificationMethod.SMS_OTP, VerificationMethod.E_LICENCE
SESSIONS = RetentionPolicy(Kept.SESSIONS, "", "", timedelta(), "")


@dataclass
class ToldProvider:
    """A provider without a wire: ``changes`` go into the next assertion, ``refuses`` is raised instead."""

    clock: SetClock
    changes: dict[str, Any] = field(default_factory=dict)
    refuses: Exception | None = None
    states: list[str] = field(default_factory=list)
    redeemed: list[tuple[str, str]] = field(default_factory=list)
    method: VerificationMethod = FACE
    numbers: int = 0
    issuer: str = "https://identity.example"
    client_id: str = "bandian"

    async def authorization_url(
        self, state: str, nonce: str, code_challenge: str, method: VerificationMethod, at: datetime
    ) -> str:
        if self.refuses:
            raise self.refuses
        self.states.append(state)
        self.method = method
        return f"{self.issuer}/authorize"

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        if self.refuses:
            raise self.refuses
        self.redeemed.append((code, code_verifier))
        return "token"

    async def read_assertion(self, token: str, nonce: str, at: datetime) -> dict[str, object]:
        now = int(self.clock().timestamp())
        self.numbers += 1
        own: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "pairwise-1",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": nonce,
            "jti": f"jti-{self.numbers}",
            "amr": [self.method.value],
            "person": PERSON,
            "enterprise": ENTERPRISE if self.method is LICENCE else None,
        }
        return own | self.changes


@dataclass
class IdentityRoom:
    service: IdentityService
    provider: ToldProvider
    clock: SetClock
    transactions: SqlTransactions

    async def open(self, method: VerificationMethod | None = FACE) -> tuple[OpenedSession, str]:
        """An opened session and its state, which only the provider was told."""
        kind = ApplicantKind.ENTERPRISE if method is LICENCE else ApplicantKind.RESIDENT
        made = await self.service.open(kind, method)
        return made, self.provider.states[-1]

    async def entries(self) -> list[dict[str, Any]]:
        def read(tx: Any) -> list[bytes]:
            return [e.leaf for log in tx.record_reader.log_ids() for e in tx.record_reader.entries(log)]

        leaves = await self.transactions.read(read)
        assert not [leaf for leaf in leaves for secret in SECRETS if secret.encode() in leaf]
        return [orjson.loads(leaf) for leaf in leaves]


@pytest.fixture
def room(database_url: str) -> Iterator[IdentityRoom]:
    clock = SetClock()
    provider = ToldProvider(clock)
    with opened(database_url, clock) as transactions:
        yield IdentityRoom(
            IdentityService(transactions, provider, KeyedDigest(b"k" * 32), clock), provider, clock, transactions
        )


async def test_verified_with_a_code_and_recorded_without_a_name(room: IdentityRoom) -> None:
    made, state = await room.open()
    assert made.session.status is SessionStatus.OPEN
    completed = await room.service.complete(state, "code-1", made.session_token)
    applicant = await room.service.applicant(completed.session_token)
    assert (applicant.holder_name, applicant.holder_code) == (PERSON["name"], PERSON["resident_identity_number"])
    assert (applicant.method, applicant.role) == (FACE, None)
    (entry,) = await room.entries()
    assert (entry["action"], entry["result"], entry["subject"]) == (
        "identity.verified",
        "done",
        made.session.session_id,
    )
    assert entry["facts"]["holder_digest"] == applicant.holder_digest


async def test_the_secret_from_before_the_verification_holds_nothing_after_it(room: IdentityRoom) -> None:
    made, state = await room.open()
    completed = await room.service.complete(state, "code-1", made.session_token)
    assert completed.session_token != made.session_token
    with pytest.raises(SessionRequired):
        await room.service.applicant(made.session_token)


async def test_who_signs_out_is_forgotten(room: IdentityRoom) -> None:
    made, state = await room.open()
    completed = await room.service.complete(state, "code-1", made.session_token)
    await room.service.close(completed.session_token)
    with pytest.raises(SessionRequired):
        await room.service.session(completed.session_token)
    assert [entry["action"] for entry in await room.entries()] == ["identity.verified", "identity.closed"]


async def test_an_earlier_verification_of_someone_is_not_taken_for_this_one(room: IdentityRoom) -> None:
    made, state = await room.open()
    room.provider.changes = {"auth_time": int(made.session.opened_at.timestamp()) - 3600}
    with pytest.raises(AssertionRefused) as caught:
        await room.service.complete(state, "code-1", made.session_token)
    assert caught.value.check == "identity.assertion.auth_time"


async def test_an_agent_acts_for_an_enterprise(room: IdentityRoom) -> None:
    made, state = await room.open(LICENCE)
    completed = await room.service.complete(state, "code-1", made.session_token)
    applicant = await room.service.applicant(completed.session_token)
    assert applicant.holder_code == ENTERPRISE["unified_social_credit_code"]
    assert applicant.person_code == PERSON["resident_identity_number"]
    assert applicant.role is ActingRole.AGENT


async def test_the_code_goes_with_the_verifier_that_was_promised(room: IdentityRoom) -> None:
    made, state = await room.open()
    await room.service.complete(state, "code-1", made.session_token)
    assert room.provider.redeemed == [("code-1", made.session.code_verifier)]


async def test_the_same_assertion_counts_once(room: IdentityRoom) -> None:
    room.provider.changes = {"jti": "used-once"}
    first, first_state = await room.open()
    second, second_state = await room.open()
    await room.service.complete(first_state, "code-1", first.session_token)
    with pytest.raises(AssertionRefused) as caught:
        await room.service.complete(second_state, "code-2", second.session_token)
    assert caught.value.check == "identity.assertion.replayed"
    assert (await room.service.session(second.session_token)).status is SessionStatus.OPEN
    done, refusal = await room.entries()
    assert (done["action"], done["subject"]) == ("identity.verified", first.session.session_id)
    assert (refusal["action"], refusal["result"]) == ("identity.refused", "refused")
    assert (refusal["subject"], refusal["facts"]["check"]) == (second.session.session_id, caught.value.check)
    assert caught.value.record_id


async def test_whoever_returns_must_hold_the_secret_of_who_was_sent(room: IdentityRoom) -> None:
    lured, lured_state = await room.open()
    stranger, _ = await room.open()
    with pytest.raises(CallbackNotOwn):
        await room.service.complete(lured_state, "code-1", stranger.session_token)
    with pytest.raises(CallbackNotOwn):
        await room.service.fail(lured_state, ProviderFailure.MISMATCH, stranger.session_token)
    assert room.provider.redeemed == []
    assert (await room.service.session(lured.session_token)).status is SessionStatus.OPEN
    refusals = [(each["subject"], each["facts"]["refusal"]) for each in await room.entries()]
    assert refusals == [(lured.session.session_id, "callback-not-own")] * 2


async def test_a_state_is_used_once(room: IdentityRoom) -> None:
    made, state = await room.open()
    completed = await room.service.complete(state, "code-1", made.session_token)
    for again in (
        room.service.complete(state, "code-1", made.session_token),
        room.service.fail(state, ProviderFailure.MISMATCH, made.session_token),
    ):
        with pytest.raises(SessionSpent):
            await again
    assert (await room.service.session(completed.session_token)).status is SessionStatus.VERIFIED
    assert [entry["result"] for entry in await room.entries()] == ["done", "refused", "refused"]


async def test_a_state_nobody_was_given_is_unknown(room: IdentityRoom) -> None:
    made, _ = await room.open()
    with pytest.raises(SessionUnknown):
        await room.service.complete("never-given", "code-1", made.session_token)


async def test_who_was_never_given_a_state_leaves_no_entry(room: IdentityRoom) -> None:
    made, _ = await room.open()
    for attempt in (
        room.service.complete("made-up", "code", made.session_token),
        room.service.fail("made-up", ProviderFailure.MISMATCH, made.session_token),
        room.service.leave_open("made-up", "server_error", made.session_token),
    ):
        with pytest.raises(SessionUnknown):
            await attempt
    assert await room.entries() == []


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (ApplicantKind.RESIDENT, LICENCE),
        (ApplicantKind.ENTERPRISE, FACE),
        (ApplicantKind.ENTERPRISE, VerificationMethod.COUNTER),
    ],
)
async def test_a_method_that_is_not_for_this_kind_is_not_offered(
    room: IdentityRoom, kind: ApplicantKind, method: VerificationMethod
) -> None:
    with pytest.raises(MethodNotOffered):
        await room.service.open(kind, method)
    assert room.provider.states == []


async def test_an_enterprises_licence_does_not_verify_a_resident(room: IdentityRoom) -> None:
    made, state = await room.open(FACE)
    room.provider.changes = {"amr": ["e_licence"], "enterprise": ENTERPRISE}
    with pytest.raises(AssertionRefused) as caught:
        await room.service.complete(state, "code-1", made.session_token)
    assert caught.value.check == "identity.assertion.method"


async def test_the_method_that_was_really_used_is_kept_and_recorded(room: IdentityRoom) -> None:
    made, state = await room.open(FACE)
    room.provider.changes = {"amr": ["sms_otp"]}
    completed = await room.service.complete(state, "code-1", made.session_token)
    assert (await room.service.applicant(completed.session_token)).method is SMS
    assert (await room.entries())[0]["facts"]["method"] == "sms_otp"


@pytest.mark.parametrize(
    "changes",
    [
        {"person": None},
        {"person": {"name": "测试甲", "resident_identity_number": "1"}},
        {"amr": []},
        {"amr": ["face", "sms_otp"]},
        {"amr": ["fingerprint"]},
        {"enterprise": ENTERPRISE},
        {"jti": "x" * 200},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_incomplete_assertion_is_refused_without_its_words(
    room: IdentityRoom, changes: dict[str, Any]
) -> None:
    made, state = await room.open(FACE)
    room.provider.changes = changes
    with pytest.raises(AssertionRefused) as caught:
        await room.service.complete(state, "code-1", made.session_token)
    assert caught.value.check == "identity.assertion.claims"
    assert caught.value.owner is Owner.GOVERNMENT
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


async def test_an_assertion_that_lives_too_long_is_refused(room: IdentityRoom) -> None:
    made, state = await room.open()
    room.provider.changes = {"exp": int(room.clock().timestamp()) + 301}
    with pytest.raises(AssertionRefused) as caught:
        await room.service.complete(state, "code-1", made.session_token)
    assert caught.value.check == "identity.assertion.lifetime"


@pytest.mark.parametrize("failure", ProviderFailure)
async def test_a_failure_names_the_ways_that_remain(room: IdentityRoom, failure: ProviderFailure) -> None:
    made, state = await room.open(FACE)
    failed = await room.service.fail(state, failure, made.session_token)
    assert failed.alternatives == (SMS, VerificationMethod.COUNTER)
    with pytest.raises(VerificationFailed) as caught:
        await room.service.applicant(made.session_token)
    assert caught.value.check == f"identity.{failure}"
    assert caught.value.alternatives == ["sms_otp", "counter"]
    (entry,) = await room.entries()
    assert (entry["action"], entry["result"], entry["facts"]["failure"]) == (
        "identity.failed",
        "refused",
        failure.value,
    )


async def test_after_a_failure_a_new_session_by_another_way_succeeds(room: IdentityRoom) -> None:
    made, state = await room.open(FACE)
    await room.service.fail(state, ProviderFailure.LIVENESS_FAILED, made.session_token)
    with pytest.raises(SessionSpent):
        await room.service.complete(state, "code-1", made.session_token)
    again, again_state = await room.open(SMS)
    completed = await room.service.complete(again_state, "code-1", again.session_token)
    assert (await room.service.applicant(completed.session_token)).method is SMS
    actions = [entry["action"] for entry in await room.entries()]
    assert actions == ["identity.failed", "identity.refused", "identity.verified"]


async def test_an_open_session_ends_after_half_an_hour(room: IdentityRoom) -> None:
    made, state = await room.open()
    room.clock.advance(minutes=30)
    with pytest.raises(SessionUnknown):
        await room.service.complete(state, "code-1", made.session_token)
    with pytest.raises(SessionRequired):
        await room.service.session(made.session_token)


async def test_a_verified_session_ends_after_two_hours_of_its_verification(room: IdentityRoom) -> None:
    made, state = await room.open()
    room.clock.advance(minutes=29)
    completed = await room.service.complete(state, "code-1", made.session_token)
    room.clock.advance(minutes=119)
    assert await room.service.applicant(completed.session_token)
    room.clock.advance(minutes=1)
    with pytest.raises(SessionRequired):
        await room.service.applicant(completed.session_token)


async def test_an_open_session_is_nobody_yet(room: IdentityRoom) -> None:
    made, _ = await room.open()
    with pytest.raises(SessionRequired):
        await room.service.applicant(made.session_token)
    with pytest.raises(SessionRequired):
        await room.service.applicant("somebody-elses-secret")


async def test_a_provider_that_is_down_leaves_no_session_and_no_trace(room: IdentityRoom) -> None:
    room.provider.refuses = PartnerUnavailable(
        check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后", partner="identity-provider"
    )
    with pytest.raises(PartnerUnavailable):
        await room.service.open(ApplicantKind.RESIDENT, FACE)
    assert await room.transactions.read(lambda tx: tx.removal.due(SESSIONS, room.clock() + timedelta(days=1))) == 0
    room.provider.refuses = None
    made, state = await room.open()
    room.provider.refuses = PartnerUnavailable(
        check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后", partner="identity-provider"
    )
    with pytest.raises(PartnerUnavailable):
        await room.service.complete(state, "code-1", made.session_token)
    room.provider.refuses = None
    await room.service.complete(state, "code-1", made.session_token)


async def test_secrets_are_kept_as_digests_alone(room: IdentityRoom, database_url: str) -> None:
    made, state = await room.open()
    stored = await room.transactions.read(lambda tx: tx.sessions.by_token(made.session.token_digest))
    assert stored is not None
    assert made.session_token not in repr(stored)
    assert state not in repr(stored.__dict__)
