"""What was used up is known by its meaning: other bytes that say the same are a replay.

Anybody who sees an ECDSA token can make a second valid one of it (n − s), and whoever signed it can write the same
claims in another way. Of a thing that counts once, neither counts again.
"""

import json
from collections.abc import Iterator

import pytest

from gateway.crypto.keyed_digest import KeyedDigest
from gateway.errors import GatewayError, Unauthenticated
from gateway.identity.errors import AssertionRefused
from gateway.identity.model import SessionStatus
from gateway.identity.service import IdentityService
from schemas.events import EventType
from schemas.identity import ApplicantKind, VerificationMethod
from schemas.partner_api import StageEventRequest
from schemas.wire import Typ
from tests.support.approvals import PLANNING, UTILITY, approvals_room, planning_claims
from tests.support.databases import Databases
from tests.support.entry_points import RESOURCE, IdentityAssertions, Receipts, an_event
from tests.support.partners import TOKEN_URI, Client, PartnersRoom, es256_key, partners_room
from tests.support.storage import SetClock, opened
from tests.support.tokens import malleable_twin, same_meaning

COPIES = [
    "the very bytes",
    "signed anew",
    "header in another order",
    "header with a further member",
    "claims with white space",
    "claims in another order",
    "claims with escapes",
    "r and n - s",
]
each_copy = pytest.mark.parametrize("copy", COPIES)


@pytest.fixture
def room(databases: Databases) -> Iterator[PartnersRoom]:
    with partners_room(databases.sqlite()) as made:
        yield made


def test_the_copies_are_those_of_the_helper(room: PartnersRoom) -> None:
    client = Client("csg-guangzhou", es256_key("k"))
    copies = same_meaning(client.assertion(room.clock()), client.auth_key.private_key)
    assert set(copies) == set(COPIES)
    assert len(set(copies.values())) == len(COPIES)


@each_copy
async def test_a_proof_is_spent_in_all_its_spellings(room: PartnersRoom, copy: str) -> None:
    client = await room.enrol()
    token, at = await room.token_for(client), room.clock()
    proof = client.proof(at, "POST", RESOURCE, token=token)
    await room.gate.authenticate([f"DPoP {token}"], [proof], "POST", RESOURCE, at)
    again = same_meaning(proof, client.dpop_key.private_key)[copy]
    with pytest.raises(Unauthenticated) as refused:
        await room.gate.authenticate([f"DPoP {token}"], [again], "POST", RESOURCE, at)
    assert refused.value.check == "dpop.replayed"


@each_copy
async def test_a_proof_at_the_token_endpoint_is_spent_in_all_its_spellings(room: PartnersRoom, copy: str) -> None:
    client = await room.enrol()
    at = room.clock()
    proof = client.proof(at, "POST", TOKEN_URI)
    await room.tokens.grant(client.form(at), [proof], at)
    with pytest.raises(GatewayError) as refused:
        await room.tokens.grant(client.form(at), [same_meaning(proof, client.dpop_key.private_key)[copy]], at)
    assert refused.value.check == "dpop.replayed"


@each_copy
async def test_a_client_assertion_is_spent_in_all_its_spellings(room: PartnersRoom, copy: str) -> None:
    client = await room.enrol()
    at = room.clock()
    assertion = client.assertion(at)
    await room.tokens.grant(client.form(at, client_assertion=assertion), [client.proof(at, "POST", TOKEN_URI)], at)
    again = client.form(at, client_assertion=same_meaning(assertion, client.auth_key.private_key)[copy])
    with pytest.raises(GatewayError) as refused:
        await room.tokens.grant(again, [client.proof(at, "POST", TOKEN_URI)], at)
    assert refused.value.check == "client.replayed"


async def test_a_twin_of_an_access_token_opens_nothing_that_the_token_did_not(room: PartnersRoom) -> None:
    """A proof is made for one token's bytes: the twin, under the original's proof, is another token."""
    client = await room.enrol()
    token, at = await room.token_for(client), room.clock()
    twin = malleable_twin(token)
    proof = client.proof(at, "POST", RESOURCE, token=token)
    with pytest.raises(Unauthenticated) as refused:
        await room.gate.authenticate([f"DPoP {twin}"], [proof], "POST", RESOURCE, at)
    assert refused.value.check == "dpop.ath"


@each_copy
async def test_an_outcome_has_one_effect_in_all_its_spellings(databases: Databases, copy: str) -> None:
    with approvals_room(databases.sqlite()) as approvals:
        await approvals.receive_application()
        permit = (await approvals.open())[PLANNING]
        at = approvals.clock.advance(hours=1)
        signed = approvals.sign(PLANNING, planning_claims(permit, 1, 11, at, pfwh="建字第1号")).decode()
        again = same_meaning(signed, approvals.keys[PLANNING].private_key)[copy]
        answers = [await approvals.outcomes.receive(PLANNING, each.encode(), at) for each in (signed, again, signed)]
        assert [answer.duplicate for answer in answers] == [False, True, True]
        assert len({answer.record_id for answer in answers}) == 1
        told = [event for event in await approvals.events(UTILITY) if event.type == EventType.PERMIT_OUTCOME]
        assert len(told) == 1


class _Once:
    """A provider that hands out one assertion in many spellings, whoever asks; its nonce is not judged here."""

    def __init__(self, real: IdentityAssertions, first: str, then: str) -> None:
        self.issuer, self.client_id = real.provider.issuer, real.provider.client_id
        self._real, self._tokens, self.states = real, [first, then], []

    async def authorization_url(self, state, nonce, code_challenge, method, at):
        self.states.append(state)
        return f"{self.issuer}/authorize"

    async def redeem(self, code, code_verifier, at):
        return self._tokens.pop(0)

    async def read_assertion(self, token, nonce, at):
        return await self._real.provider.read_assertion(token, "n-1", at)


@each_copy
async def test_an_identity_assertion_counts_once_in_all_its_spellings(databases: Databases, copy: str) -> None:
    real = IdentityAssertions()
    assertion = real.good(Typ.IDENTITY_ASSERTION)
    provider = _Once(real, assertion, same_meaning(assertion, real.key.private_key)[copy])
    clock = SetClock()
    with opened(databases.sqlite(), clock) as transactions:
        service = IdentityService(transactions, provider, KeyedDigest(b"k" * 32), clock)
        sessions = [await service.open(ApplicantKind.RESIDENT, VerificationMethod.FACE) for _ in range(2)]
        await service.complete(provider.states[0], "code-1", sessions[0].session_token)
        with pytest.raises(AssertionRefused) as refused:
            await service.complete(provider.states[1], "code-2", sessions[1].session_token)
        assert refused.value.check == "identity.assertion.replayed"
        assert (await service.session(sessions[1].session_token)).status is SessionStatus.OPEN


@each_copy
async def test_a_receipt_is_for_its_own_event_in_all_its_spellings(copy: str) -> None:
    receipts = Receipts()
    receipt = same_meaning(receipts.good(Typ.DELIVERY_RECEIPT), receipts.key.private_key)[copy]
    await receipts.present(receipt)
    receipts.event = an_event("evt_2")
    with pytest.raises(GatewayError) as refused:
        await receipts.present(receipt)
    assert refused.value.check == "webhook.receipt.event_id"


def test_a_stage_event_is_the_same_however_it_is_written() -> None:
    """Stage events are not signed one by one; they are kept by ``event_id`` and by what was read, not by the body."""
    said = {
        "event_id": "stage-event-1",
        "stage": "acceptance",
        "action": "started",
        "claimed_at": "2026-03-02T12:00:00+08:00",
    }
    first = StageEventRequest.model_validate_json(json.dumps(said))
    for body in (
        json.dumps(dict(reversed(said.items())), indent=2),
        json.dumps(said | {"claimed_at": "2026-03-02T04:00:00Z"}),
        json.dumps(said).replace("event_id", "\\u0065vent_id"),
    ):
        assert StageEventRequest.model_validate_json(body).model_dump_json() == first.model_dump_json()
