"""一证办电 and 刷脸办电: find everything, show it, and – once confirmed and authorised – send it to the utility.

1. Who applies is verified (identity); an enterprise comes with its licence alone, a resident with a verification.
2. The customer class follows from the demand, with its clause.
3. Every document that the first stage allows is fetched and verified; nothing else is asked for.
4. The certificates are compared with one another, and with who applies.
5. The applicant sees what was found and what the utility will get, or a next step for what is missing or unsure.
6. Confirmed: application, authorisation, record and outbox row are one commit – or, where the certificates do not
   plainly agree, a task that an officer settles first. Dropped: nothing is kept.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime

from gateway.applications.agent_authority import AgentAuthorities
from gateway.applications.confirmation import (
    Ids,
    ReviewOpened,
    open_review,
    prepare,
    require_no_contradiction,
    submit,
)
from gateway.applications.consistency import consistency_of
from gateway.applications.customer_classes import derive_class
from gateway.applications.disclosure_rules import needed_names
from gateway.applications.errors import IntakeMismatch, IntakeUnknown, ReviewUnderWay, TooManyIntakes
from gateway.applications.first_stage import documents_of_first_stage
from gateway.applications.found_documents import FoundDocument
from gateway.applications.model import Demand, IntakeKind, Party
from gateway.applications.places import require_county
from gateway.applications.ports import IntakeTransaction
from gateway.applications.preview import INTAKE_LIVES, Preview, intake_view
from gateway.applications.review_tasks import ReviewState, Settlement
from gateway.applications.review_views import under_review
from gateway.applications.rule_book import RulesNow
from gateway.applications.stored_intake import StoredDocument, StoredIntake
from gateway.applications.submission import PURPOSE, SUBMITTED, Submitted
from gateway.applications.utilities import require_utilities, utilities_of
from gateway.certificates.proofs import documents_behind
from gateway.certificates.service import CertificateService
from gateway.clock import Clock, date_in_china
from gateway.errors import Owner
from gateway.identity.model import VerifiedApplicant
from gateway.ids import MakeId
from gateway.partners.agreements import agreed_fields
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Beside, Transactions, alone
from gateway.wording.phrases import Phrase
from schemas.applicant_api import Confirmation, DemandRequest, IntakeView
from schemas.identity import ApplicantKind

PREVIEWED, DROPPED = "intake.previewed", "intake.dropped"
PURGED_AT_ONCE = 200
MOST_OPEN = 10
"""Intakes of one holder that wait to be confirmed: more than anyone needs, and each holds personal data."""
INTAKE_OF = {
    ApplicantKind.ENTERPRISE: IntakeKind.ONE_CERTIFICATE,
    ApplicantKind.RESIDENT: IntakeKind.FACE_VERIFIED,
}


class IntakeService:
    """受理 from the applicant's side."""

    def __init__(
        self,
        transactions: Transactions[IntakeTransaction],
        certificates: CertificateService,
        authorities: AgentAuthorities,
        partners: PartnerDirectory,
        rules: RulesNow,
        clock: Clock,
        make_id: MakeId,
        gateway_name: str,
    ) -> None:
        self._transactions = transactions
        self._certificates = certificates
        self._authorities = authorities
        self._partners = partners
        self._rules = rules
        self._clock = clock
        self._make_id = make_id
        self._gateway_name = gateway_name

    async def begin(
        self,
        applicant: VerifiedApplicant,
        intake: IntakeKind,
        demand: Demand,
        address: str | None = None,
        beside: Beside = alone,
    ) -> IntakeView:
        """Steps 2 to 5; ``beside`` is committed with what is kept for the confirmation.

        Raises ``IntakeMismatch``, ``DemandNotClassifiable``, ``RegionMalformed``, ``RegionTooWide``, ``NoUtility``,
        ``TooManyIntakes``; each refusal is recorded.
        """
        facts: dict[str, Fact] = {"intake": intake.value, "holder_digest": applicant.holder_digest}
        async with self._refusals(PREVIEWED, None, facts):
            return await self._begin(applicant, intake, demand, address, beside)

    async def _begin(
        self, applicant: VerifiedApplicant, intake: IntakeKind, demand: Demand, address: str | None, beside: Beside
    ) -> IntakeView:
        if INTAKE_OF[applicant.applicant_kind] is not intake:
            raise IntakeMismatch(
                check="intake.kind",
                owner=Owner.APPLICANT,
                remedy="企业请用一证办电，居民请用刷脸办电（或短信、窗口核验）",
                clause="第（七）条",
            )
        require_county(demand.region)
        now = self._clock()
        on = date_in_china(now)
        rules = self._rules()
        derivation = derive_class(demand.facts(applicant.applicant_kind), on, demand.region, rules.ceilings)
        snapshot = await self._partners.snapshot()
        utilities = require_utilities(snapshot, demand.region)
        await self._transactions.read(lambda tx: _require_room(tx, applicant.holder_digest, now))
        party = _party(applicant, address)
        documents, authority = await asyncio.gather(
            documents_of_first_stage(self._certificates, party, demand.region, derivation.customer_class, now),
            self._authorities.judge(applicant.authorisation, now),
        )
        preview = Preview(
            intake_id=self._make_id("int"),
            intake=intake,
            region=demand.region,
            expires_at=now + INTAKE_LIVES,
            derivation=derivation,
            documents=documents,
            disclosed=_disclosed(documents, utilities, snapshot, demand.region, on),
            utilities=utilities,
            findings=consistency_of(party, demand.region, documents, authority),
        )
        view = intake_view(preview, rules).model_copy(update={"demand": _asked(demand, address)})
        stored = StoredIntake(
            intake=intake,
            demand=demand,
            derivation=derivation,
            party=party,
            documents=tuple(StoredDocument.of(document) for document in documents),
            view=view,
            findings=preview.findings,
            authorisation=applicant.authorisation,
            assertion=applicant.assertion,
        )

        def keep(tx: IntakeTransaction) -> IntakeView:
            _keep(tx, preview, stored, applicant, now)
            return view

        return await self._transactions.write(lambda tx: beside(tx, lambda: keep(tx)))

    async def show(self, applicant: VerifiedApplicant, intake_id: str) -> IntakeView:
        """What was found, as it was found, and whether an officer looks at it. Raises ``IntakeUnknown``."""
        now = self._clock()

        def read(tx: IntakeTransaction) -> IntakeView:
            stored = _require(tx, intake_id, applicant.holder_digest, now)
            task = tx.reviews.of_intake(intake_id) if stored.review_task_id else None
            return stored.view if task is None else under_review(stored.view, task, tx.reviews.looks(task.task_id))

        return await self._transactions.read(read)

    async def drop(self, applicant: VerifiedApplicant, intake_id: str) -> None:
        """Walk away: the intake and the copies fetched for it are removed, a review ends. Raises ``IntakeUnknown``."""
        now = self._clock()

        def drop(tx: IntakeTransaction) -> None:
            stored = _require(tx, intake_id, applicant.holder_digest, now)
            task_id = stored.review_task_id
            if task_id is not None and not tx.reviews.settle(task_id, Settlement(ReviewState.WITHDRAWN, now)):
                raise _unknown()  # an officer was first
            remove_intake(tx, intake_id, applicant.holder_digest)
            tx.records.append(RecordEntry(DROPPED, now, "applicant", intake_id, facts={"review": task_id}))

        async with self._refusals(DROPPED, intake_id):
            await self._transactions.write(drop)

    async def purge_expired(self) -> int:
        """Remove intakes that were not confirmed or not settled in time, with what was fetched; answers how many.

        None of them is opened: also what nobody can open any more goes when its time is over.
        """
        now = self._clock()

        def purge(tx: IntakeTransaction) -> int:
            expired = tx.intakes.expired(now, PURGED_AT_ONCE)
            for intake_id, holder_digest in expired:
                task = tx.reviews.of_intake(intake_id)
                if task is not None:
                    tx.reviews.settle(task.task_id, Settlement(ReviewState.EXPIRED, now))
                remove_intake(tx, intake_id, holder_digest)
                facts: dict[str, Fact] = {"review": task.task_id if task else None}
                tx.records.append(RecordEntry("intake.expired", now, "gateway", intake_id, facts=facts))
            return len(expired)

        return await self._transactions.write(purge)

    async def confirm(
        self, applicant: VerifiedApplicant, intake_id: str, confirmation: Confirmation, beside: Beside = alone
    ) -> Submitted | ReviewOpened:
        """Step 6; ``beside`` is committed with it. Raises ``IntakeUnknown``, ``IntakeIncomplete``, ``NoUtility``,
        ``AuthorisationPeriodUnsound``, ``CertificatesContradict``, ``ReviewUnderWay``.
        """
        now = self._clock()
        snapshot = await self._partners.snapshot()
        ids = Ids(*(self._make_id(kind) for kind in ("app", "auth", "evt", "rev")))
        async with self._refusals(SUBMITTED, intake_id):
            return await self._transactions.write(
                lambda tx: beside(tx, lambda: self._confirm(tx, applicant, intake_id, confirmation, snapshot, ids, now))
            )

    def _refusals(
        self, action: str, intake_id: str | None, facts: dict[str, Fact] | None = None
    ) -> AbstractAsyncContextManager[None]:
        return refusals_recorded(self._transactions, action, self._clock, "applicant", intake_id, facts or {})

    def _confirm(
        self,
        tx: IntakeTransaction,
        applicant: VerifiedApplicant,
        intake_id: str,
        confirmation: Confirmation,
        snapshot: DirectorySnapshot,
        ids: Ids,
        now: datetime,
    ) -> Submitted | ReviewOpened:
        stored = _require(tx, intake_id, applicant.holder_digest, now)
        if stored.review_task_id is not None:
            return _already_opened(tx, stored, confirmation)
        serving = utilities_of(snapshot, stored.demand.region)
        prepared = prepare(stored, applicant.holder_digest, confirmation, serving, self._gateway_name, ids, now)
        require_no_contradiction(prepared.findings)
        if prepared.unsure:
            opened = open_review(tx, prepared, stored, intake_id, confirmation, ids.task_id, now)
            if opened is not None:
                return opened
            stored = _require(tx, intake_id, applicant.holder_digest, now)  # another gateway was first
            return _already_opened(tx, stored, confirmation)
        if not tx.intakes.remove(intake_id, under_review=False):
            raise _unknown()
        return submit(tx, prepared, stored, intake_id)


def remove_intake(tx: IntakeTransaction, intake_id: str, holder_digest: str) -> None:
    """Remove the intake, and the copies that were fetched for it unless an application rests on them."""
    tx.intakes.remove(intake_id)
    if not tx.applications.of_holder(holder_digest, 1):
        tx.certificate_copies.forget_holder(holder_digest)


def _already_opened(tx: IntakeTransaction, stored: StoredIntake, confirmation: Confirmation) -> ReviewOpened:
    task = tx.reviews.find(stored.review_task_id) if stored.review_task_id else None
    if task is None:
        raise _unknown()
    if stored.confirmation != confirmation.model_dump(mode="json"):
        raise ReviewUnderWay(
            check="review.under_way",
            owner=Owner.GOVERNMENT,
            remedy="已确认的申请正在人工核查；如需改动，请放弃后重新发起",
        )
    return ReviewOpened(task)


def _asked(demand: Demand, address: str | None) -> DemandRequest:
    return DemandRequest(**{**demand.__dict__, "area": demand.area.value, "address": address})


def _party(applicant: VerifiedApplicant, address: str | None) -> Party:
    return Party(
        applicant_kind=applicant.applicant_kind,
        name=applicant.holder_name,
        code=applicant.holder_code,
        person_name=applicant.person_name,
        person_code=applicant.person_code,
        role=applicant.role.value if applicant.role else "self",
        method=applicant.method.value,
        address=address,
    )


def _disclosed(
    documents: Sequence[FoundDocument], utilities: Sequence[str], snapshot: DirectorySnapshot, region: str, on: date
) -> dict[str, list[str]]:
    """By document, the fields that would leave on ``on``: agreed with one of ``utilities``, and needed at the stage."""
    agreements = [each for code in utilities for each in snapshot.agreements.get(code, ())]
    return {
        kind: sorted(
            agreed_fields(agreements, PURPOSE, kind, region, on)
            & needed_names(PURPOSE, document.row.stage, kind, on, region)
        )
        for document in documents
        for kind in [document.row.document.value]
    }


def _require_room(tx: IntakeTransaction, holder_digest: str, now: datetime) -> None:
    if tx.intakes.open_of(holder_digest, now) >= MOST_OPEN:
        raise TooManyIntakes(
            check="intake.too_many",
            owner=Owner.APPLICANT,
            remedy=Phrase("同时未确认的申请准备最多 {most} 件：请先确认或放弃已有的，或待其过期", most=MOST_OPEN),
        )


def _keep(
    tx: IntakeTransaction, preview: Preview, stored: StoredIntake, applicant: VerifiedApplicant, now: datetime
) -> None:
    holder_digest = applicant.holder_digest
    _require_room(tx, holder_digest, now)
    tx.intakes.add(preview.intake_id, holder_digest, preview.expires_at, stored.to_json())
    found = [each.verification for document in preview.documents for each in document.candidates]
    tx.evidence.keep([behind for each in found if each is not None for behind in documents_behind(each)], now)
    facts: dict[str, Fact] = {
        "intake": preview.intake.value,
        "customer_class": preview.derivation.customer_class.value,
        "clause": preview.derivation.clause,
        "consistency": preview.compared,
        "session": applicant.session_id,
    }
    if stored.authorisation is not None:
        facts["agent_authorisation_sha256"] = digest(stored.authorisation)
    for document in preview.documents:
        facts[f"document.{document.row.document}"] = document.state.value
        checks = [each.failed_check.check for each in document.candidates if each.failed_check]
        if checks:
            facts[f"failed.{document.row.document}"] = checks
    tx.records.append(RecordEntry(PREVIEWED, now, "applicant", preview.intake_id, facts=facts))


def _require(tx: IntakeTransaction, intake_id: str, holder_digest: str, now: datetime) -> StoredIntake:
    body = tx.intakes.find(intake_id, holder_digest, now)
    if body is None:
        raise _unknown()
    return StoredIntake.from_json(body)


def _unknown() -> IntakeUnknown:
    return IntakeUnknown(
        check="intake.unknown", owner=Owner.APPLICANT, remedy="申请准备已过期或不存在，请重新发起；未留存任何信息"
    )
