"""一证办电 and 刷脸办电: find everything, show it, and – once confirmed and authorised – send it to the utility.

1. Who applies is verified (identity); an enterprise comes with its licence alone, a resident with a verification.
2. The customer class follows from the demand, with its clause.
3. Every document that the first stage allows is fetched and verified; nothing else is asked for.
4. The applicant sees what was found and what the utility will get, or a next step for what is missing.
5. Confirmed: application, authorisation, record and outbox row are one commit. Dropped: nothing is kept.
"""

from contextlib import AbstractAsyncContextManager
from datetime import datetime

from gateway.applications.customer_classes import derive_class
from gateway.applications.errors import IntakeMismatch, IntakeUnknown, NoUtility
from gateway.applications.found_documents import Search, find_documents
from gateway.applications.lifecycle import Lifecycle
from gateway.applications.model import Demand, GridConnectionApplication, IntakeKind, Party
from gateway.applications.places import require_county
from gateway.applications.ports import IntakeTransaction
from gateway.applications.preview import INTAKE_LIVES, Preview, intake_view
from gateway.applications.requirements import Provider, allowed_documents
from gateway.applications.stages import stages_of
from gateway.applications.stored_intake import StoredDocument, StoredIntake
from gateway.applications.submission import (
    PURPOSE,
    SUBMITTED,
    Submitted,
    authorise,
    authorised_entry,
    settle_documents,
    submitted_entry,
    submitted_event,
)
from gateway.applications.working_days import WorkingCalendar
from gateway.caller import Role
from gateway.certificates.ports import UsePurpose
from gateway.certificates.service import CertificateService
from gateway.clock import Clock, date_in_china
from gateway.errors import Owner
from gateway.identity.model import VerifiedApplicant
from gateway.ids import MakeId
from gateway.partners.agreements import agreed_fields
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.applicant_api import Confirmation, IntakeView
from schemas.identifiers import region_levels
from schemas.identity import ApplicantKind

PREVIEWED, DROPPED = "intake.previewed", "intake.dropped"
PURGED_AT_ONCE = 200
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
        partners: PartnerDirectory,
        calendar: WorkingCalendar,
        clock: Clock,
        make_id: MakeId,
        gateway_name: str,
    ) -> None:
        self._transactions = transactions
        self._certificates = certificates
        self._partners = partners
        self._calendar = calendar
        self._clock = clock
        self._make_id = make_id
        self._gateway_name = gateway_name

    async def begin(
        self, applicant: VerifiedApplicant, intake: IntakeKind, demand: Demand, address: str | None = None
    ) -> IntakeView:
        """Steps 2 to 4. Raises ``IntakeMismatch``, ``DemandNotClassifiable``, ``RegionMalformed``, ``RegionTooWide``,
        ``NoUtility``; each refusal is recorded.
        """
        facts: dict[str, Fact] = {"intake": intake.value, "holder_digest": applicant.holder_digest}
        async with self._refusals(PREVIEWED, None, facts):
            return await self._begin(applicant, intake, demand, address)

    async def _begin(
        self, applicant: VerifiedApplicant, intake: IntakeKind, demand: Demand, address: str | None
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
        derivation = derive_class(demand.facts(applicant.applicant_kind), on, demand.region)
        snapshot = await self._partners.snapshot()
        utilities = utilities_of(snapshot, demand.region)
        if not utilities:
            raise _no_utility("该地区尚无接入的供电企业，请拨打 95598 咨询")
        first_stage = stages_of(derivation.customer_class)[0]
        cause = derivation.customer_class.chinese_title + first_stage.chinese_title
        rows = allowed_documents(derivation.customer_class, first_stage, on, applicant.applicant_kind)
        documents = await find_documents(
            self._certificates,
            tuple(row for row in rows if row.provider is Provider.SOURCE),
            Search(
                applicant.applicant_kind,
                applicant.holder_code,
                applicant.holder_name,
                demand.region,
                UsePurpose("用电报装", PURPOSE, cause),
                now,
                frozenset({applicant.holder_code, applicant.person_code}),
            ),
        )
        preview = Preview(
            intake_id=self._make_id("int"),
            intake=intake,
            region=demand.region,
            expires_at=now + INTAKE_LIVES,
            derivation=derivation,
            documents=documents,
            disclosed={
                document.row.document.value: sorted(
                    agreed_fields(
                        (each for code in utilities for each in snapshot.agreements.get(code, ())),
                        PURPOSE,
                        document.row.document.value,
                        demand.region,
                        on,
                    )
                )
                for document in documents
            },
            utilities=utilities,
        )
        view = intake_view(preview, self._calendar)
        stored = _stored(preview, view, applicant, demand, address)
        await self._transactions.write(lambda tx: _keep(tx, preview, stored, applicant.holder_digest, now))
        return view

    async def show(self, applicant: VerifiedApplicant, intake_id: str) -> IntakeView:
        """What was found, as it was found. Raises ``IntakeUnknown``."""
        now = self._clock()
        stored = await self._transactions.read(lambda tx: _require(tx, intake_id, applicant.holder_digest, now))
        return stored.view

    async def drop(self, applicant: VerifiedApplicant, intake_id: str) -> None:
        """Walk away: the intake and the copies fetched for it are removed. Raises ``IntakeUnknown``."""
        now = self._clock()

        def drop(tx: IntakeTransaction) -> None:
            _require(tx, intake_id, applicant.holder_digest, now)
            _remove(tx, intake_id, applicant.holder_digest, applicant.holder_code)
            tx.records.append(RecordEntry(DROPPED, now, "applicant", intake_id))

        async with self._refusals(DROPPED, intake_id):
            await self._transactions.write(drop)

    async def purge_expired(self) -> int:
        """Remove intakes that were neither confirmed nor dropped, and what was fetched for them; answers how many."""
        now = self._clock()

        def purge(tx: IntakeTransaction) -> int:
            expired = tx.intakes.expired(now, PURGED_AT_ONCE)
            for intake_id, holder_digest, body in expired:
                _remove(tx, intake_id, holder_digest, StoredIntake.from_json(body).party.code)
                tx.records.append(RecordEntry("intake.expired", now, "gateway", intake_id))
            return len(expired)

        return await self._transactions.write(purge)

    async def confirm(self, applicant: VerifiedApplicant, intake_id: str, confirmation: Confirmation) -> Submitted:
        """Step 5. Raises ``IntakeUnknown``, ``IntakeIncomplete``, ``NoUtility``, ``AuthorisationPeriodUnsound``."""
        now = self._clock()
        snapshot = await self._partners.snapshot()
        ids = (self._make_id("app"), self._make_id("auth"), self._make_id("evt"))
        async with self._refusals(SUBMITTED, intake_id):
            return await self._transactions.write(
                lambda tx: self._confirm(tx, applicant, intake_id, confirmation, snapshot, ids, now)
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
        ids: tuple[str, str, str],
        now: datetime,
    ) -> Submitted:
        application_id, authorisation_id, event_id = ids
        stored = _require(tx, intake_id, applicant.holder_digest, now)
        if not tx.intakes.remove(intake_id):
            raise _unknown()
        utility = _choose_utility(utilities_of(snapshot, stored.demand.region), confirmation.utility)
        application = GridConnectionApplication(
            application_id=application_id,
            intake=stored.intake,
            utility=utility,
            applicant_kind=stored.party.applicant_kind,
            holder_digest=applicant.holder_digest,
            demand=stored.demand,
            derivation=stored.derivation,
            received_at=now,
            lifecycle=Lifecycle(stored.derivation.customer_class, now),
            documents=settle_documents(stored.documents, confirmation),
        )
        with_address = stored.party.address is not None
        authorisation = authorise(
            application, authorisation_id, self._gateway_name, confirmation, now, with_address=with_address
        )
        tx.applications.add(application, stored.party)
        tx.authorisations.add(authorisation)
        tx.outbox.append(submitted_event(event_id, application, authorisation))
        tx.records.append(authorised_entry(authorisation, now))
        record_id = tx.records.append(submitted_entry(application, intake_id))
        return Submitted(application, authorisation, record_id)


def _remove(tx: IntakeTransaction, intake_id: str, holder_digest: str, holder_code: str) -> None:
    tx.intakes.remove(intake_id)
    if not tx.applications.of_holder(holder_digest, 1):
        tx.certificate_copies.forget(holder_code)


def utilities_of(snapshot: DirectorySnapshot, region: str) -> list[str]:
    """Active utilities that serve ``region``: those of the lowest level that has any (county → city → province)."""
    for level in region_levels(region):
        codes = sorted(
            partner.code
            for partner in snapshot.partners.values()
            if partner.active and partner.role is Role.UTILITY and level in partner.regions
        )
        if codes:
            return codes
    return []


def _choose_utility(serving: list[str], chosen: str | None) -> str:
    if chosen is None and len(serving) == 1:
        return serving[0]
    if chosen in serving:
        return str(chosen)
    if serving:
        raise _no_utility("请从服务该地区的供电企业中选择：" + "、".join(serving))
    raise _no_utility("该地区尚无接入的供电企业，请拨打 95598 咨询")


def _no_utility(remedy: str) -> NoUtility:
    return NoUtility(check="intake.utility", owner=Owner.APPLICANT, remedy=remedy)


def _stored(
    preview: Preview, view: IntakeView, applicant: VerifiedApplicant, demand: Demand, address: str | None
) -> StoredIntake:
    return StoredIntake(
        intake=preview.intake,
        demand=demand,
        derivation=preview.derivation,
        party=Party(
            applicant_kind=applicant.applicant_kind,
            name=applicant.holder_name,
            code=applicant.holder_code,
            person_name=applicant.person_name,
            person_code=applicant.person_code,
            role=applicant.role.value if applicant.role else "self",
            method=applicant.method.value,
            address=address,
        ),
        documents=tuple(StoredDocument.of(document) for document in preview.documents),
        view=view,
    )


def _keep(tx: IntakeTransaction, preview: Preview, stored: StoredIntake, holder_digest: str, now: datetime) -> None:
    tx.intakes.add(preview.intake_id, holder_digest, preview.expires_at, stored.to_json())
    facts: dict[str, Fact] = {
        "intake": preview.intake.value,
        "customer_class": preview.derivation.customer_class.value,
        "clause": preview.derivation.clause,
    }
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
