"""Whoever guesses what somebody wrote, or a number, cannot prove the guess with a digest that lies in the database."""

import base64
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import pytest
from starlette.responses import Response

from gateway.applications.model import IntakeKind
from gateway.certificates.named_persons import person_digest
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.http.idempotency import Idempotency
from gateway.records.log import record_id
from gateway.records.ports import StoredEntry
from schemas.identifiers import ECertificateIdentifier
from schemas.partner_api import EndingRequest
from tests.support.co_owners import CO_OWNER, CO_OWNER_CODE, RIGHT_NUMBER, hold_shared
from tests.support.licences import SHOP, UTILITY, LicencesRoom, an_applicant, licences_room
from tests.support.raw_database import every_value
from tests.support.storage import DIGESTS

REASON = "张三不再经营"


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


def guesses(*words: str | bytes) -> set[bytes]:
    digests = [sha256(word.encode() if isinstance(word, str) else word) for word in words]
    return {each.digest() for each in digests} | {each.hexdigest().encode() for each in digests}


def proved(database_url: str, *words: str | bytes) -> set[bytes]:
    """Those plain digests of ``words`` that stand anywhere in the database."""
    stored = b"\0".join(every_value(database_url))
    return {guess for guess in guesses(*words) if guess in stored}


async def test_a_plain_digest_would_be_seen_here(room: LicencesRoom, database_url: str) -> None:
    await room.apply()
    copies = await room.transactions.read(
        lambda tx: list(tx.certificate_copies.latest("business_licence", an_applicant().holder_code))
    )
    assert proved(database_url, copies[0].envelope), "the digest of the signed document is there, as it may be"


async def test_holders_and_identifiers_of_certificates(room: LicencesRoom, database_url: str) -> None:
    made = await room.apply()
    applicant = an_applicant()
    (copy,) = await room.transactions.read(
        lambda tx: list(tx.certificate_copies.latest("business_licence", applicant.holder_code))
    )
    payload = copy.envelope.split(b".")[1]
    identifier = ECertificateIdentifier.parse(json.loads(base64.urlsafe_b64decode(payload + b"=="))["jti"])
    document = next(each for each in made.application.documents if each.document == "business_licence")
    assert document.identifier_digest
    assert document.series_digest
    personal = (applicant.holder_code, applicant.holder_name, applicant.person_code, applicant.person_name)
    assert proved(database_url, *personal, str(identifier), identifier.series) == set()


async def test_whom_a_certificate_names_beside_its_holder(room: LicencesRoom, database_url: str) -> None:
    hold_shared(room)
    await room.apply()
    stored = b"\0".join(every_value(database_url))
    assert person_digest(CO_OWNER_CODE, DIGESTS).encode() in stored, "it is kept"
    assert DIGESTS.of(Use.HOLDER, CO_OWNER_CODE).encode() not in stored, "and joins with nobody's applications"
    assert CO_OWNER_CODE.encode() not in stored
    assert proved(database_url, CO_OWNER_CODE, CO_OWNER, RIGHT_NUMBER) == set()
    assert RIGHT_NUMBER.encode() not in stored


async def test_a_reason_is_known_by_a_digest_that_can_be_opened_for_it_alone(
    room: LicencesRoom, database_url: str
) -> None:
    application_id = (await room.apply()).application.application_id
    ending = EndingRequest(event_id="end-1", claimed_at=room.clock.advance(minutes=1), reason=REASON)
    await room.stages.end(UTILITY, application_id, ending)
    (entry,) = await room.entries("application.ended")
    (stored,) = [each for each in await stored_entries(room, application_id) if each.action == "application.ended"]
    found = record_id(stored.log_id, stored.sequence)
    for known, event_id in ((found, "end-1"), (f"{stored.log_id}-1", None), ("x", None)):
        told = await room.transactions.read(lambda tx, at=known: tx.traces.stage_event_of(application_id, at))  # type: ignore[misc]
        assert told == event_id, "so that a bundle finds what opens it"
    reference = f"{application_id}/end-1"
    assert entry["facts"]["reason_digest"] == DIGESTS.commitment(Use.REASON, reference, REASON)
    assert proved(database_url, REASON, ending.model_dump_json()) == set()
    assert opens(DIGESTS.opening(Use.REASON, reference), REASON) == entry["facts"]["reason_digest"]
    assert opens(DIGESTS.opening(Use.REASON, f"{application_id}/end-2"), REASON) != entry["facts"]["reason_digest"]


async def stored_entries(room: LicencesRoom, application_id: str) -> Sequence[StoredEntry]:
    return await room.transactions.read(lambda tx: tx.traces.entries_about([application_id]))


def opens(opening: bytes, value: str) -> str:
    """What anybody computes who was handed an opening: HMAC-SHA256, RFC 2104."""
    block = opening.ljust(64, b"\0")
    inner = sha256(bytes(each ^ 0x36 for each in block) + value.encode()).digest()
    return sha256(bytes(each ^ 0x5C for each in block) + inner).hexdigest()


async def test_a_request_under_an_idempotency_key(room: LicencesRoom, database_url: str) -> None:
    body = sha256("地下酒窖".encode()).hexdigest()
    once = Idempotency(room.transactions, room.clock, DIGESTS)

    async def work() -> Response:
        return Response(b"{}", 201)

    assert (await once.answer("scope", body, work)).status_code == 201
    assert (await once.answer("scope", body, work)).headers["idempotency-replayed"] == "true"
    stored = b"\0".join(every_value(database_url))
    assert body.encode() not in stored
    assert DIGESTS.of(Use.IDEMPOTENT_REQUEST, body).encode() in stored


async def test_what_an_applicant_wrote_in_an_intake(room: LicencesRoom, database_url: str) -> None:
    await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP, "云霄路九号")
    assert proved(database_url, "云霄路九号", SHOP.purpose) == set()


def test_no_two_uses_share_a_digest_and_another_secret_has_others() -> None:
    values: list[Any] = [DIGESTS.of(use, "x") for use in Use]
    values += [DIGESTS.commitment(use, "r", "x") for use in Use]
    values += [KeyedDigest(b"z" * 32).of(use, "x") for use in Use]
    assert len(set(values)) == len(values)
