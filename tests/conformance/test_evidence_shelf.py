"""What verdicts rested on: each document once, sealed, for as long as somebody rests on it, on both databases."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from adapters.storage.evidence import application_evidence, evidence_documents
from gateway.applications.model import IntakeKind
from gateway.certificates.proofs import EvidenceRole, ProofCause
from gateway.retention.policies import Kept, policies
from gateway.retention.service import RetentionService
from schemas.partner_api import EndingRequest
from tests.support.licences import SHOP, UTILITY, LicencesRoom, an_applicant, licences_room
from tests.support.raw_database import every_value
from tests.support.retention import PERIODS


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made


async def kept(room: LicencesRoom) -> Counter[str]:
    """How many documents there are of each role."""
    rows = await room.transactions.read(
        lambda tx: tx.evidence._statements.execute(select(evidence_documents.c.role)).scalars().all()
    )
    return Counter(rows)


async def rested_on(room: LicencesRoom, application_id: str) -> Any:
    documents = await room.transactions.read(lambda tx: tx.evidence.documents(application_id))
    return Counter(each.role for each in documents)


async def proofs(room: LicencesRoom, application_id: str) -> Any:
    return await room.transactions.read(lambda tx: tx.evidence.proofs(application_id))


def retention(room: LicencesRoom) -> RetentionService:
    return RetentionService(room.transactions, policies(PERIODS, {}), room.clock)


async def test_a_list_that_many_rest_on_is_kept_once_and_sealed(room: LicencesRoom, database_url: str) -> None:
    first = (await room.apply()).application.application_id
    before = await kept(room)
    second = (await room.apply()).application.application_id
    assert await kept(room) == before
    assert before[EvidenceRole.STATUS_LIST] == 1
    assert before[EvidenceRole.ENVELOPE] == 2
    assert await rested_on(room, first) == await rested_on(room, second)
    documents = await room.transactions.read(lambda tx: tx.evidence.documents(first))
    stored = b"\0".join(every_value(database_url))
    assert all(each.body not in stored for each in documents)
    assert all(each.digest.encode() in stored for each in documents)


async def test_a_verdict_names_everything_that_it_rested_on(room: LicencesRoom) -> None:
    made = (await room.apply()).application
    found = await proofs(room, made.application_id)
    assert {each.cause for each in found} == {ProofCause.SUBMITTED}
    documents = {each.document: each.content_digest for each in made.documents}
    assert {each.proof.kind: each.proof.envelope_digest for each in found} == documents
    there = await room.transactions.read(lambda tx: tx.evidence.documents(made.application_id))
    shelf = {each.digest for each in there}
    for each in found:
        assert each.proof.documents
        assert {*each.proof.documents, each.proof.envelope_digest} <= shelf


async def test_the_same_answer_on_the_same_evidence_is_one_proof(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    submitted = len(await proofs(room, application_id))
    for _ in range(3):
        await room.ask(application_id)
    assert len(await proofs(room, application_id)) == submitted, "nothing else than at the submission"
    room.clock.advance(hours=1)
    await room.ask(application_id)
    causes = [each.cause for each in await proofs(room, application_id)]
    assert causes.count(ProofCause.LICENCE) == 1, "newer lists are other evidence"


async def test_what_tells_of_the_applicant_goes_with_the_applicant_s_name(room: LicencesRoom) -> None:
    application_id = (await room.apply()).application.application_id
    room.clock.advance(hours=1)
    other = (await room.apply()).application.application_id
    ending = EndingRequest(event_id="end-1", claimed_at=room.clock.advance(minutes=1), reason="不再用电")
    await room.stages.end(UTILITY, application_id, ending)
    room.clock.advance(days=181)
    removed = await retention(room).run()
    assert removed["parties"] == 1
    assert await rested_on(room, application_id) == Counter()
    assert await rested_on(room, other), "another application rests on the same envelopes"
    assert len(await proofs(room, application_id)) == 2, "verdicts and digests stay"
    await room.stages.end(UTILITY, other, ending.model_copy(update={"event_id": "end-2", "claimed_at": room.clock()}))
    room.clock.advance(days=181)
    await retention(room).run()
    assert await kept(room) == Counter()
    linked = await room.transactions.read(
        lambda tx: tx.evidence._statements.execute(select(application_evidence)).all()
    )
    assert linked == []


async def test_an_intake_that_is_not_confirmed_leaves_no_envelope_and_its_lists_for_a_month(room: LicencesRoom) -> None:
    await room.intakes.begin(an_applicant(), IntakeKind.ONE_CERTIFICATE, SHOP)
    found = await kept(room)
    assert found[EvidenceRole.ENVELOPE] == 0
    assert found[EvidenceRole.STATUS_LIST] == 1
    room.clock.advance(days=30)
    await retention(room).run()
    assert await kept(room) == found
    room.clock.advance(days=1, seconds=1)
    removed = await retention(room).run()
    assert removed[Kept.STATUS_EVIDENCE] == found.total()
    assert await kept(room) == Counter()
    assert timedelta(days=31) == next(each.kept for each in policies(PERIODS, {}) if each.what is Kept.STATUS_EVIDENCE)
