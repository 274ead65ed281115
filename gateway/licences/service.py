"""A utility asks for a verified licence.

1. The application is the caller's, and open.
2. 第（六）条 lets this document be asked for at the present stage of this class.
3. The applicant's authorisation covers utility, kind and purpose, now.
4. A sharing agreement covers purpose, kind, region, stage and fields, today.
5. The certificate is at hand or fetched, and verified at this instant.
6. The disclosure is compiled: agreed ∩ disclosable ∩ asked for. One certificate: the one the applicant confirmed.
7. One commit writes what was disclosed – or refused, and by which check – into the record.
8. The answer is signed: fields, withheld fields, verdict, source, as-of time, record id.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.applications.model import ApplicationDocument, GridConnectionApplication, Party
from gateway.applications.requirements import Document, require_allowed
from gateway.applications.stage_events import require_application
from gateway.applications.stages import Stage
from gateway.applications.submission import PURPOSE
from gateway.authorisations.model import Authorisation, require_covers
from gateway.caller import Caller
from gateway.certificates.disclosure import Disclosure, compile_disclosure, disclose
from gateway.certificates.kind import PredicateContext
from gateway.certificates.ports import UsePurpose
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CheckResult, HolderExpectation, Verification
from gateway.clock import Clock, date_in_china
from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import sign_jws
from gateway.errors import GatewayError, Indeterminate, Owner, PartnerUnavailable
from gateway.ids import MakeId
from gateway.licences.errors import ConfirmedCertificateGone, HolderNotAllowed, HolderNotNamed, NoOpenStage
from gateway.licences.ports import LicencesTransaction
from gateway.partners.agreements import AgreementDecision, permits
from gateway.partners.directory import PartnerDirectory
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT
from schemas.identifiers import IdentifierError, validate_unified_social_credit_code
from schemas.identity import ApplicantKind
from schemas.partner_api import FailedCheck, SourceBasis, VerifiedLicence, VerifiedLicenceRequest, WithheldField
from schemas.wire import Typ, format_instant

DISCLOSED = "licence.disclosed"
"""The action of each answer, and of each refusal, in the record; the applicant sees them all."""
THIRD_PARTY_KINDS = frozenset({Document.DESIGN_QUALIFICATION.value, Document.CONSTRUCTION_QUALIFICATION.value})
"""Held by the 设计单位 or 施工单位 that the utility names, not by the applicant."""


@dataclass(frozen=True)
class _Allowed:
    """A request that every rule lets through, and what it is answered from."""

    application: GridConnectionApplication
    party: Party
    authorisation: Authorisation
    decision: AgreementDecision
    stage: Stage


class LicenceService:
    """Answers verified licences."""

    def __init__(
        self,
        transactions: Transactions[LicencesTransaction],
        certificates: CertificateService,
        partners: PartnerDirectory,
        clock: Clock,
        make_id: MakeId,
        answer_key: SigningKey,
        issuer: str,
    ) -> None:
        self._transactions = transactions
        self._certificates = certificates
        self._partners = partners
        self._clock = clock
        self._make_id = make_id
        self._answer_key = answer_key
        self._issuer = issuer

    async def answer(self, caller: Caller, request: VerifiedLicenceRequest) -> str:
        """The signed answer, a compact JWS. An invalid or indeterminate certificate is an answer, not an error.

        Raises ``ApplicationUnknown``, ``NoOpenStage``, ``DocumentNotAllowed``, ``AuthorisationMissing``,
        ``AgreementRefused``, ``HolderNotNamed``, ``HolderNotAllowed``, ``NoECertificate``, ``PartnerUnavailable``.
        """
        now = self._clock()
        facts: dict[str, Fact] = {"kind": request.kind, "purpose": request.purpose}
        async with refusals_recorded(
            self._transactions, DISCLOSED, self._clock, caller.partner_code, request.application_id, facts
        ):
            allowed = await self._judge(caller, request, now)
            verification = await self._obtain(allowed, request, now)
            disclosure = self._disclose(allowed, request, verification, now)
            disclosed = {**facts, **_facts(allowed, verification, disclosure)}
            record_id = await self._transactions.write(lambda tx: self._record(tx, caller, request, disclosed))
        answer = self._compose(caller, request, verification, disclosure, record_id, now)
        return sign_jws(answer.model_dump_json().encode(), self._answer_key, Typ.VERIFIED_LICENCE)

    async def _judge(self, caller: Caller, request: VerifiedLicenceRequest, now: datetime) -> _Allowed:
        application, authorisation, party = await self._transactions.read(
            lambda tx: (
                tx.applications.find(request.application_id),
                tx.authorisations.of_application(request.application_id),
                tx.applications.party(request.application_id),
            )
        )
        application = require_application(application, caller.partner_code)
        current = application.lifecycle.current()
        if current is None or party is None:
            raise NoOpenStage(
                check="licence.closed", owner=Owner.UTILITY, remedy="申请已办结或终止，不得再索取", clause="第（六）条"
            )
        require_allowed(
            request.kind,
            application.customer_class,
            current.stage,
            application.received_on,
            application.applicant_kind,
        )
        authorisation = require_covers(authorisation, caller.partner_code, request.kind, request.purpose, now)
        snapshot = await self._partners.snapshot()
        partner = snapshot.partners[caller.partner_code]
        decision = permits(
            snapshot.agreements.get(caller.partner_code, ()),
            partner,
            request.purpose,
            request.kind,
            application.region,
            request.fields,
            date_in_china(now),
            current.stage.value,
        )
        _require_holder(request)
        return _Allowed(application, party, authorisation, decision, current.stage)

    async def _obtain(self, allowed: _Allowed, request: VerifiedLicenceRequest, now: datetime) -> Verification:
        own_is_resident = allowed.application.applicant_kind is ApplicantKind.RESIDENT
        if request.holder_code is not None:
            holder, resident = HolderExpectation(request.holder_code), False
        else:
            holder, resident = HolderExpectation(allowed.party.code, allowed.party.name), own_is_resident
        try:
            obtained = await self._certificates.obtain(
                request.kind,
                holder,
                holder_type=HOLDER_IS_RESIDENT if resident else HOLDER_IS_ENTERPRISE,
                region=allowed.application.region,
                purpose=UsePurpose("用电报装", PURPOSE, allowed.stage.chinese_title),
                at=now,
            )
        except (PartnerUnavailable, Indeterminate) as error:
            return self._out_of_reach(request.kind, error, now)
        documents = allowed.application.documents
        confirmed = next((each for each in documents if each.document == request.kind), None)
        of_a_place = self._certificates.kinds.get(request.kind).region_of is not None
        return _choose(obtained.verifications, confirmed, of_a_place)

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
        return disclose(compiled, verification, PredicateContext(date_in_china(now), allowed.party.code))

    def _record(
        self, tx: LicencesTransaction, caller: Caller, request: VerifiedLicenceRequest, facts: dict[str, Fact]
    ) -> str:
        """Record the disclosure, unless the authorisation ended while the certificate was being verified.

        The entry bears the time at which it is written, not that of the request, so that the record runs forwards.
        """
        at = self._clock()
        authorisation = tx.authorisations.of_application(request.application_id)
        require_covers(authorisation, caller.partner_code, request.kind, request.purpose, at)
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


def _require_holder(request: VerifiedLicenceRequest) -> None:
    third_party = request.kind in THIRD_PARTY_KINDS
    if third_party:
        try:
            validate_unified_social_credit_code(request.holder_code or "")
        except IdentifierError:
            raise HolderNotNamed(
                check="licence.holder",
                owner=Owner.UTILITY,
                remedy="请以 holder_code 指明设计或施工单位的统一社会信用代码（18 位）",
            ) from None
    elif request.holder_code is not None:
        raise HolderNotAllowed(
            check="licence.holder", owner=Owner.UTILITY, remedy="该证照只能是申请人本人的，请勿指定持证主体"
        )


def _choose(
    verifications: tuple[Verification, ...], confirmed: ApplicationDocument | None, of_a_place: bool
) -> Verification:
    """The certificate that the applicant confirmed: those bytes, else a newer version under the same 证照标识.

    Where it is gone and others are there, none of them is guessed: raises ``ConfirmedCertificateGone``. A single one
    stands for it only where a holder has but one; that of a place (``of_a_place``) may be that of another place.
    """
    if confirmed is not None and confirmed.verdict is not None:
        for verification in verifications:
            if verification.envelope_digest == confirmed.content_digest:
                return verification
        for verification in verifications:
            if verification.identifier and digest(verification.identifier) == confirmed.identifier_digest:
                return verification
        if of_a_place and any(each.verdict is Verdict.VALID for each in verifications):
            raise _confirmed_gone()
    if len(verifications) == 1:
        return verifications[0]
    raise _confirmed_gone()


def _confirmed_gone() -> ConfirmedCertificateGone:
    return ConfirmedCertificateGone(
        check="licence.confirmed_certificate",
        owner=Owner.APPLICANT,
        remedy="申请人确认的证照已变更，请由申请人重新确认所用的一份",
    )


def _basis(verification: Verification, now: datetime) -> list[SourceBasis]:
    listed = []
    for basis in verification.basis:
        age = basis.age(now)
        listed.append(
            SourceBasis(
                name=basis.name,
                source=basis.source,
                as_of=basis.as_of,
                age_seconds=int(age.total_seconds()) if age is not None else None,
                limit_seconds=int(basis.limit.total_seconds()) if basis.limit is not None else None,
                state=basis.state.value,
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
