"""A department may sign with SM2: its key is registered like any other, and its outcome proved by the same seam."""

from collections.abc import Iterator

import pytest

from gateway.approvals.errors import OutcomeNotAuthentic
from gateway.caller import Role
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.crypto.jwk import VerificationKey, export_jwk, thumbprint
from gateway.partners.directory import HeldKey
from gateway.partners.model import KeyUse, PartnerKey
from tests.support.approvals import ROAD, ApprovalsRoom, approvals_room, road_claims
from tests.support.databases import Databases
from tests.support.partners import partners_room
from tests.support.storage import NOON
from tests.support.tokens import make_token

PRIVATE = sm2.generate_private_key()
KEY = VerificationKey("road-sm2", PRIVATE.public_key.spki, frozenset({"SM2-SM3"}))
HEADER = {"alg": "SM2-SM3", "typ": "approval-outcome+jwt", "kid": "road-sm2"}


@pytest.fixture
def room(databases: Databases) -> Iterator[ApprovalsRoom]:
    with approvals_room(databases.sqlite()) as made:
        registered = PartnerKey(ROAD, KEY.kid, thumbprint(KEY.public_key), export_jwk(KEY), KeyUse.OUTCOME, NOON)
        made.directory.keys[ROAD] = [HeldKey(registered, KEY)]
        yield made


async def test_an_outcome_signed_with_sm2_is_taken_and_a_spoilt_one_is_not(room: ApprovalsRoom) -> None:
    await room.receive_application()
    permit = (await room.open())[ROAD]
    at = room.clock.advance(hours=1)
    signed = make_token(HEADER, road_claims(permit, 1, "approved", at), PRIVATE, "SM2-SM3")
    with pytest.raises(OutcomeNotAuthentic) as refused:
        await room.outcomes.receive(ROAD, signed[:-6] + b"AAAAAA", at)
    assert refused.value.check == "outcome.jose.signature"
    answer = await room.outcomes.receive(ROAD, signed, at)
    assert (answer.permit_id, answer.duplicate) == (permit, False)


async def test_without_a_library_it_is_neither_taken_nor_refused(room: ApprovalsRoom) -> None:
    await room.receive_application()
    permit = (await room.open())[ROAD]
    at = room.clock.advance(hours=1)
    signed = make_token(HEADER, road_claims(permit, 1, "approved", at), PRIVATE, "SM2-SM3")
    sm2.use_library("no-such-libcrypto.so")
    try:
        with pytest.raises(AlgorithmUnavailable):
            await room.outcomes.receive(ROAD, signed, at)
    finally:
        sm2.use_library(None)
    assert not (await room.outcomes.receive(ROAD, signed, at)).duplicate


async def test_the_directory_can_be_read_where_no_library_speaks_sm2(databases: Databases) -> None:
    with partners_room(databases.sqlite()) as partners:
        await partners.enrol("road-440100", Role.DEPARTMENT)
        at = partners.clock()
        await partners.service.add_key("road-440100", export_jwk(KEY), KeyUse.OUTCOME, actor="gateway", at=at)
        sm2.use_library("no-such-libcrypto.so")
        try:
            keys = (await partners.directory.snapshot()).verification_keys("road-440100", KeyUse.OUTCOME, at)
        finally:
            sm2.use_library(None)
        assert KEY in keys
