"""A utility asks for a verified licence.

1. The application is the caller's, and open.
2. 第（六）条 lets this document be asked for at the present stage of this class.
3. The applicant's authorisation covers utility, kind and purpose, now.
4. A sharing agreement covers purpose, kind, region, stage and fields, today.
5. The certificate is at hand or fetched, and verified at this instant.
6. The disclosure is compiled: agreed ∩ disclosable ∩ asked for. One certificate: the one the applicant confirmed, or
   that of one of the few third parties (设计单位, 施工单位) that the application may ask for.
7. One commit judges once more what may have changed meanwhile, and writes what was disclosed – or refused, and by
   which check – into the record.
8. The answer is signed: fields, withheld fields, verdict, source, as-of time, record id.
"""

from dataclasses import dataclass, field
from datetime import datetime

from gateway.applications.model import GridConnectionApplication, Party
from gateway.applications.requirements import Document, require_allowed
from gateway.applications.stage_events import require_application
from gateway.applications.stages import Stage
from gateway.applications.submission import PURPOSE
from gateway.authorisations.model import Authorisation, require_covers
from gateway.caller import Caller
from gateway.certificates.disclosure import Disclosure, compile_disclosure, disclose
from gateway.certificates.errors import NoECertificate
from gateway.certificates.kind import PredicateContext
from gateway.certificates.ports import UsePurpose
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CheckResult, HolderExpectation, Verification
from gateway.clock import Clock, date_in_china
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.jws import sign_jws
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.errors import GatewayError, Indeterminate, Owner, PartnerUnavailable
from gateway.ids import MakeId
from gateway.licences.confirmed import confirmed_certificate
from gateway.licences.errors import NoOpenStage, StageMoved
from gateway.licences.ports import LicencesTransaction
from gateway.licences.third_parties import (
    THIRD_PARTY_KINDS,
    bind_third_party,
    require_holder,
    their_certificate,
    third_party_refused,
)
from gateway.partners.agreements import AgreementDecision, permits
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT
from schemas.identity import ApplicantKind
from schemas.partner_api import FailedCheck, SourceBasis, VerifiedLicence, VerifiedLicenceRequest, WithheldField
from schemas.wire import Typ, format_instant

DISCLOSED = "licence.disclosed"
"""The action of each answer, and of each refusal, in the record; the applicant sees them all."""
HOLDER_DIGESTS = "holder"
"""The use of keyed digests of holders, the same as an application's own ``holder_digest``."""
DOCUMENT_NAMES = frozenset(document.value for document in Document)
UNKNOWN = "unknown"
"""Stands in the record for a kind or purpose that nobody here knows: what a caller made up does not enter it."""


@dataclass(frozen=True)
class _Allowed:
    """A request that every rule lets through, and what it is answered from.

    ``holder_code`` is the applicant's, or the third party's; ``holder_digest`` is that of the same holder.
    """

    application: GridConnectionApplication
    party: Party
    authorisation: Authorisation
    decision: AgreementDecision
    stage: Stage
    holder_code: str = field(repr=False)
    holder_digest: str


class LicenceService:
    """Answers verified licences."""

    def __init__(
        self,
        transactions: Transactions[LicencesTransaction],
        certificates: CertificateService,
        partners: PartnerDirectory,
        clock: Clock,
        make_id: MakeId,
        digests: KeyedDigest,
        answer_key: CurrentKey,
        issuer: str,
    ) -> None:
        self._transactions = transactions
        self._certificates = certificates
        self._partners = partners
        self._clock = clock
        self._make_id = make_id
        self._digests = digests
        self._answer_key = answer_key
        self._issuer = issuer

    async def answer(self, caller: Caller, request: VerifiedLicenceRequest) -> str:
        """The signed answer, a compact JWS. An invalid or indeterminate certificate is an answer, not an error.

        Raises ``ApplicationUnknown``, ``NoOpenStage``, ``DocumentNotAllowed``, ``AuthorisationMissing``,
        ``AgreementRefused``, ``HolderNotNamed``, ``HolderNotAllowed``, ``ThirdPartyRefused``, ``NoECertificate``,
        ``ConfirmedCertificateGone``, ``StageMoved``.
        """
        now = self._clock()
        facts: dict[str, Fact] = {"kind": self._known_kind(request.kind), "purpose": UNKNOWN}
        async with refusals_recorded(
            self._transactions, DISCLOSED, self._clock, caller.partner_code, request.application_id, facts
        ):
            snapshot = await self._partners.snapshot()
            facts["purpose"] = _known_purpose(snapshot, caller.partner_code, request.purpose)
            allowed = await self._judge(caller, request, snapshot, now)
            facts["holder_digest"] = allowed.holder_digest
            verification = await self._obtain(allowed, request, now)
            disclosure = self._disclose(allowed, request, verification, now)
            disclosed = {**facts, **_facts(allowed, verification, disclosure)}
            record_id = await self._transactions.write(
                lambda tx: self._record(tx, caller, request, allowed.stage, disclosed)
            )
        answer = self._compose(caller, request, verification, disclosure, record_id, now)
        return sign_jws(answer.model_dump_json().encode(), self._answer_key(), Typ.VERIFIED_LICENCE)

    def _known_kind(self, kind: str) -> str:
        return kind if kind in self._certificates.kinds.by_code or kind in DOCUMENT_NAMES else UNKNOWN

    async def _judge(
        self, caller: Caller, request: VerifiedLicenceRequest, snapshot: DirectorySnapshot, now: datetime
    ) -> _Allowed:
        application, authorisation, party = await self._transactions.read(
            lambda tx: (
                tx.applications.find(request.application_id),
                tx.authorisations.of_application(request.application_id),
                tx.applications.party(request.application_id),
            )
        )
        application = require_application(application, caller.partner_code)
        stage = _open_stage(application)
        if party is None:
            raise _closed()
        require_allowed(
            request.kind,
            application.customer_class,
            stage,
            application.received_on,
            application.applicant_kind,
        )
        authorisation = require_covers(authorisation, caller.partner_code, request.kind, request.purpose, now)
        partner = snapshot.partners[caller.partner_code]
        decision = permits(
            snapshot.agreements.get(caller.partner_code, ()),
            partner,
            request.purpose,
            request.kind,
            application.region,
            request.fields,
            date_in_china(now),
            stage.value,
        )
        require_holder(request.kind, request.holder_code)
        code = request.holder_code or party.code
        return _Allowed(
            application, party, authorisation, decision, stage, code, self._digests.of(HOLDER_DIGESTS, code)
        )

    async def _obtain(self, allowed: _Allowed, request: VerifiedLicenceRequest, now: datetime) -> Verification:
        """The one verification that is answered from; where the source does not answer, one that knows nothing."""
        try:
            if request.kind in THIRD_PARTY_KINDS:
                return await self._theirs(allowed, request.kind, now)
            return await self._own(allowed, request.kind, now)
        except (PartnerUnavailable, Indeterminate) as error:
            return self._out_of_reach(request.kind, error, now)

    async def _own(self, allowed: _Allowed, kind: str, now: datetime) -> Verification:
        application, holder = allowed.application, HolderExpectation(allowed.party.code, allowed.party.name)
        resident = application.applicant_kind is ApplicantKind.RESIDENT
        found = await self._fetch(allowed, kind, holder, HOLDER_IS_RESIDENT if resident else HOLDER_IS_ENTERPRISE, now)
        definition = self._certificates.kinds.get(kind)
        here = tuple(each for each in found if definition.lies_in(each.claims, application.region))
        return confirmed_certificate(
            here, next((each for each in application.documents if each.document == kind), None)
        )

    async def _theirs(self, allowed: _Allowed, kind: str, now: datetime) -> Verification:
        application_id, holder = allowed.application.application_id, HolderExpectation(allowed.holder_code)
        await self._transactions.write(
            lambda tx: bind_third_party(tx, application_id, kind, allowed.holder_digest, now)
        )
        try:
            return their_certificate(await self._fetch(allowed, kind, holder, HOLDER_IS_ENTERPRISE, now))
        except NoECertificate:
            raise third_party_refused() from None

    async def _fetch(
        self, allowed: _Allowed, kind: str, holder: HolderExpectation, holder_type: str, now: datetime
    ) -> tuple[Verification, ...]:
        obtained = await self._certificates.obtain(
            kind,
            holder,
            holder_type=holder_type,
            region=allowed.application.region,
            purpose=UsePurpose("用电报装", PURPOSE, allowed.stage.chinese_title),
            at=now,
        )
        return obtained.verifications

    def _out_of_reach(self, kind: str, error: GatewayError, now: datetime) -> Verification:
        """It could not be known: the source did not answer, and nothing that may stand in for it is at hand."""
        return Verification(
            kind=kind,
            verdict=Verdict.INDETERMINATE,
            checks=(CheckResult("source", Verdict.INDETERMINATE, error.check, error.owner, error.remedy),),
            at=now,
            basis=(self._certificates.kinds.get(kind).policy.source.missing("certificate"),),
        )

    def _disclose(
        self, allowed: _Allowed, request: VerifiedLicenceRequest, verification: Verification, now: datetime
    ) -> Disclosure:
        compiled = compile_disclosure(
            self._certificates.kinds.get(request.kind),
            agreed=allowed.decision.allowed,
            requested=frozenset(request.fields) if request.fields is not None else None,
        )
        return disclose(compiled, verification, PredicateContext(date_in_china(now), allowed.holder_code))

    def _record(
        self,
        tx: LicencesTransaction,
        caller: Caller,
        request: VerifiedLicenceRequest,
        stage: Stage,
        facts: dict[str, Fact],
    ) -> str:
        """Record the disclosure, unless authorisation or stage ended while the certificate was being verified.

        The authorisation stays as it is until the entry is written, so that no withdrawal comes in between.
        The entry bears the time at which it is written, not that of the request, so that the record runs forwards.
        """
        at = self._clock()
        authorisation = tx.authorisations.of_application_for_use(request.application_id)
        require_covers(authorisation, caller.partner_code, request.kind, request.purpose, at)
        application = require_application(tx.applications.find(request.application_id), caller.partner_code)
        if _open_stage(application) is not stage:
            raise StageMoved(
                check="licence.stage_moved", owner=Owner.UTILITY, remedy="核验期间申请已进入下一环节，请重新查询"
            )
        return tx.records.append(RecordEntry(DISCLOSED, at, caller.partner_code, request.application_id, facts=facts))

    def _compose(
        self,
        caller: Caller,
        request: VerifiedLicenceRequest,
        verification: Verification,
        disclosure: Disclosure,
        record_id: str,
        now: datetime,
    ) -> VerifiedLicence:
        provenance, failed = verification.provenance, verification.failed_check
        return VerifiedLicence(
            iss=self._issuer,
            aud=caller.partner_code,
            iat=int(now.timestamp()),
            jti=self._make_id("lic"),
            application_id=request.application_id,
            kind=request.kind,
            title=self._certificates.kinds.get(request.kind).title,
            purpose=request.purpose,
            verdict=verification.verdict.value,
            failed_check=(
                FailedCheck(check=failed.check or failed.name, owner=failed.owner or "", remedy=failed.remedy)
                if failed
                else None
            ),
            fields=disclosure.fields,
            predicates=disclosure.predicates,
            withheld=[WithheldField(field=each.field, reason=each.reason.value) for each in disclosure.withheld],
            findings=list(verification.findings),
            source=provenance.source if provenance else None,
            as_of=provenance.fetched_at if provenance else None,
            basis=_basis(verification, now),
            record_id=record_id,
        )


def _open_stage(application: GridConnectionApplication) -> Stage:
    """The stage that the application is in. Raises ``NoOpenStage``."""
    current = application.lifecycle.current()
    if current is None:
        raise _closed()
    return current.stage


def _closed() -> NoOpenStage:
    return NoOpenStage(
        check="licence.closed", owner=Owner.UTILITY, remedy="申请已办结或终止，不得再索取", clause="第（六）条"
    )


def _known_purpose(snapshot: DirectorySnapshot, partner_code: str, purpose: str) -> str:
    agreed = {agreement.purpose for agreement in snapshot.agreements.get(partner_code, ())}
    return purpose if purpose == PURPOSE or purpose in agreed else UNKNOWN


def _basis(verification: Verification, now: datetime) -> list[SourceBasis]:
    listed = []
    for basis in verification.basis:
        age = basis.age(now)
        provenance = verification.provenance if basis.name == "certificate" else None
        listed.append(
            SourceBasis(
                name=basis.name,
                source=basis.source,
                as_of=basis.as_of,
                age_seconds=int(age.total_seconds()) if age is not None else None,
                limit_seconds=int(basis.limit.total_seconds()) if basis.limit is not None else None,
                state=basis.state.value,
                level=provenance.level if provenance else None,
                fell_through=list(provenance.fell_through) if provenance else [],
            )
        )
    return listed


def _facts(allowed: _Allowed, verification: Verification, disclosure: Disclosure) -> dict[str, Fact]:
    failed, provenance = verification.failed_check, verification.provenance
    return {
        "stage": allowed.stage.value,
        "verdict": verification.verdict.value,
        "failed_check": failed.check if failed else None,
        "fields": sorted([*disclosure.fields, *disclosure.predicates]),
        "agreements": list(allowed.decision.agreement_ids),
        "clauses": list(allowed.decision.clauses),
        "authorisation": allowed.authorisation.authorisation_id,
        "envelope_sha256": verification.envelope_digest,
        "identifier_sha256": digest(verification.identifier) if verification.identifier else None,
        "source": provenance.source if provenance else None,
        "as_of": format_instant(provenance.fetched_at) if provenance else None,
    }
