"""A utility asks for a verified licence.

1. The caller is a utility, and the application is its own and open.
2. 第（六）条 lets this document be asked for at the present stage of this class.
3. The applicant's authorisation covers utility, kind and purpose, now.
4. A sharing agreement covers purpose, kind, region, stage and fields, today.
5. The work at this stage needs what is asked for (``disclosure_rules``).
6. The certificate is at hand or fetched, and verified at this instant: the one the applicant confirmed, or that of one
   of the few third parties (设计单位, 施工单位) that the application may ask for.
7. One commit judges once more what may have changed meanwhile, compiles what leaves (disclosable ∩ agreed ∩ needed ∩
   asked for), and writes it – or the refusal, and by which check – into the record.
8. The answer is signed: fields, withheld fields, verdict, what it rests on and how old that is, record id.

Steps 2 to 6 may be taken from what this process remembers of the application and its copies: not one byte of it is
relied on before the commit of step 7 has found all of it unchanged, and where it was not, or where it would refuse, all
of them are taken anew. What was answered so is answered again as long as it stands (``gateway.licences.standing``).

A dry run takes the same steps to their end. It answers the checks in place of the fields, and is recorded as such.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.applications.requirements import Document
from gateway.applications.stage_events import require_application
from gateway.applications.submission import PURPOSE
from gateway.authorisations.model import require_covers
from gateway.caller import Caller, ProofUse
from gateway.certificates.disclosure import disclose
from gateway.certificates.fetching import Fetched
from gateway.certificates.service import CertificateService
from gateway.certificates.verdicts import Verdict
from gateway.clock import Clock, date_in_china
from gateway.crypto.jwk import CurrentKey
from gateway.crypto.jws import sign_jws
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import GatewayError, Overloaded, Owner
from gateway.ids import MakeId
from gateway.licences.answers import AnswerForm, Leaving, Outcome, facts_of
from gateway.licences.compiled import Compiled, DisclosureCompiler
from gateway.licences.errors import StageMoved
from gateway.licences.explanation import explain_outcome, explain_refusal
from gateway.licences.gates import Gate, Gates
from gateway.licences.judgement import Allowed, judge, open_stage, require_utility
from gateway.licences.kept_with import keep_evidence, keep_others, tells_of_others
from gateway.licences.memory import LicenceMemory, Moved, RememberedCase
from gateway.licences.obtaining import Found, Obtainer
from gateway.licences.ports import Case, LicencesTransaction
from gateway.licences.standing import StandingAnswer, asked_by, looks_of
from gateway.licences.third_parties import THIRD_PARTY_KINDS
from gateway.partners.directory import DirectorySnapshot, PartnerDirectory
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.rounds import Round
from gateway.transaction import Foreseen, Transactions
from schemas.partner_api import LicenceExplanation, VerifiedLicenceRequest
from schemas.wire import Typ

DISCLOSED = "licence.disclosed"
"""The action of each answer, and of each refusal, in the record; the applicant sees them all."""
EXPLAINED = "licence.explained"
"""The action of a dry run: nothing of the certificate was told but how it was judged."""
DOCUMENT_NAMES = frozenset(document.value for document in Document)
UNKNOWN = "unknown"
"""Stands in the record for a kind or purpose that nobody here knows: what a caller made up does not enter it."""


@dataclass(frozen=True)
class _Asking:
    """One request under way: who asks what, at which instant, and as what it is recorded.

    ``fetched`` is what the source answered to it already.
    """

    partner_code: str
    request: VerifiedLicenceRequest
    now: datetime
    action: str
    actor: str
    gates: Gates
    fetched: Fetched | None = None


class LicenceService:
    """Answers verified licences, and explains what it would answer."""

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
        self._obtainer = Obtainer(transactions, certificates)
        self._compiler = DisclosureCompiler(certificates.kinds)
        self._partners = partners
        self._clock = clock
        self._make_id = make_id
        self._digests = digests
        self._answer_key = answer_key
        self._issuer = issuer
        self._round = Round()
        self._memory = LicenceMemory(transactions, certificates, partners, clock, DISCLOSED, self._signed)

    async def answer(self, caller: Caller, request: VerifiedLicenceRequest, use: ProofUse | None = None) -> str:
        """The signed answer, a compact JWS. An invalid or indeterminate certificate is an answer, not an error.

        ``use`` is of the caller's proof, where that is still to be spent.
        Raises ``ProofRefused``, ``CallerNotUtility``, ``ApplicationUnknown``, ``NoOpenStage``, ``DocumentNotAllowed``,
        ``AuthorisationMissing``, ``AgreementRefused``, ``NotRequiredAtStage``, ``HolderNotNamed``,
        ``HolderNotAllowed``, ``ThirdPartyRefused``, ``NoECertificate``, ``ConfirmedCertificateGone``, ``StageMoved``.
        """
        code, now = caller.partner_code, self._clock()
        again = await self._memory.answer_again(code, request, now, use)
        if isinstance(again, str):
            return again
        if use is not None:
            await use.spend()
        outcome = await self._run(_Asking(code, request, now, DISCLOSED, code, Gates(), again))
        return await self._round.run(self._signed, self._form(code, request, outcome.leaving), now, outcome.record_id)

    def _signed(self, form: AnswerForm, now: datetime, record_id: str) -> str:
        claims = form.filled_in(now, self._make_id("lic"), record_id)
        return sign_jws(claims, self._answer_key(), Typ.VERIFIED_LICENCE)

    def _form(self, code: str, request: VerifiedLicenceRequest, leaving: Leaving) -> AnswerForm:
        title = self._certificates.kinds.get(request.kind).title
        return AnswerForm.of(request, title, leaving, iss=self._issuer, aud=code)

    async def explain(
        self, partner_code: str, request: VerifiedLicenceRequest, actor: str | None = None
    ) -> LicenceExplanation:
        """How ``answer`` would judge the same request of the same partner now, check by check, without any value.

        A refusal is told as the check that refused. ``actor`` is who asks for it, if that is not the partner.
        Raises ``Overloaded``: then nothing was judged to its end, or it could not be recorded.
        """
        asking = _Asking(partner_code, request, self._clock(), EXPLAINED, actor or partner_code, Gates())
        kind = self._certificates.kinds.by_code.get(request.kind)
        try:
            outcome = await self._run(asking)
        except Overloaded:
            raise
        except GatewayError as error:
            return explain_refusal(request, kind, asking.gates, error.record_id or "", asking.now)
        return explain_outcome(request, self._certificates.kinds.get(request.kind), asking.gates, outcome)

    async def _run(self, asking: _Asking) -> Outcome:
        """Steps 1 to 7, the same for an answer and for a dry run."""
        request, gates = asking.request, asking.gates
        facts: dict[str, Fact] = {"kind": self._known_kind(request.kind), "purpose": UNKNOWN}
        if asking.actor != asking.partner_code:
            facts["utility"] = UNKNOWN
        async with refusals_recorded(
            self._transactions, asking.action, self._clock, asking.actor, request.application_id, facts
        ):
            snapshot = await self._partners.snapshot()
            require_utility(snapshot, asking.partner_code, gates)
            if "utility" in facts:
                facts["utility"] = asking.partner_code
            facts["purpose"] = _known_purpose(snapshot, asking.partner_code, request.purpose)
            outcome = await self._from_memory(asking, snapshot, facts)
            if outcome is None:
                case = await self._transactions.read(lambda tx: tx.cases.read(request.application_id))
                outcome = await self._judged(asking, snapshot, facts, case)
                self._memory.keep(request.application_id, case, asking.now)
        verdict = outcome.leaving.found.verification.verdict
        if verdict is not Verdict.VALID:
            gates.note(Gate.DISCLOSURE, verdict, check="disclosure.not_verified", note="未通过核验的证照不提供任何内容")
        return outcome

    async def _from_memory(
        self, asking: _Asking, snapshot: DirectorySnapshot, facts: dict[str, Fact]
    ) -> Outcome | None:
        """The answer from what is remembered; None where nothing is, or where it does not stand or would refuse."""
        application_id = asking.request.application_id
        known, before = self._memory.case(application_id, asking.now), dict(facts)
        if known is None or asking.request.kind in THIRD_PARTY_KINDS:  # a third party is asked for once, not twice
            return None
        try:
            return await self._judged(asking, snapshot, facts, known.case, known)
        except Overloaded:
            raise
        except (Moved, GatewayError):
            self._memory.forget(application_id, asking.request.kind, known)
            asking.gates.begin_anew()
            facts.clear()
            facts.update(before)
            return None

    def sweep_memory(self, at: datetime) -> None:
        """What is remembered of applications goes when its time is over, whether somebody asks or not."""
        self._memory.sweep(at)

    async def _judged(
        self,
        asking: _Asking,
        snapshot: DirectorySnapshot,
        facts: dict[str, Fact],
        case: Case,
        known: RememberedCase | None = None,
    ) -> Outcome:
        """Steps 2 to 7 for ``case``; ``known`` where it is only remembered: ``Moved`` is raised where it changed."""
        request, now, gates = asking.request, asking.now, asking.gates
        allowed = judge(case, asking.partner_code, request, snapshot, self._compiler, gates, now)
        holder_digest = self._digests.of(Use.HOLDER, allowed.holder_code)
        facts["holder_digest"] = holder_digest
        before_asking = None if known is None else lambda: self._memory.require(request.application_id, known, snapshot)
        found = await self._obtainer.obtain(
            allowed, holder_digest, now, gates, before_asking=before_asking, fetched=asking.fetched
        )
        leaving = self._leaving(allowed, allowed.compiled, found, now)
        looks = looks_of(request.application_id, found.rests_on or found.keeping)
        try:
            with gates.passing(Gate.DISCLOSURE):
                outcome = await self._transactions.write(
                    Foreseen(lambda tx: self._record(tx, asking, allowed, leaving, snapshot, facts, known), looks)
                    if known is not None
                    else lambda tx: self._record(tx, asking, allowed, leaving, snapshot, facts, None)
                )
        except Overloaded:
            raise
        except (Moved, GatewayError):
            if found.keeping is not None:  # what the source said is kept, whatever it is not answered for
                await self._certificates.keep(found.keeping)
            raise
        if known is not None:
            known.kept(outcome.leaving.found.verification, others=tells_of_others(outcome.leaving))
            self._remember_answer(asking, allowed, snapshot, facts, outcome, known)
        return outcome

    def _remember_answer(
        self,
        asking: _Asking,
        allowed: Allowed,
        snapshot: DirectorySnapshot,
        facts: dict[str, Fact],
        outcome: Outcome,
        known: RememberedCase,
    ) -> None:
        """What was answered from memory by the rules under ``snapshot`` stands for the next who asks the same."""
        asked, leaving = asked_by(asking.partner_code, asking.request), outcome.leaving
        if asking.action != DISCLOSED or asked is None or leaving.compiled is not allowed.compiled:
            return
        form = self._form(asking.partner_code, asking.request, leaving)
        answer = StandingAnswer.of(
            asking.request.application_id, allowed, leaving, snapshot, asking.now, form, {**facts, **outcome.facts}
        )
        if answer is not None:
            known.stands(asked, answer)

    def _known_kind(self, kind: str) -> str:
        return kind if kind in self._certificates.kinds.by_code or kind in DOCUMENT_NAMES else UNKNOWN

    def _record(
        self,
        tx: LicencesTransaction,
        asking: _Asking,
        allowed: Allowed,
        leaving: Leaving,
        snapshot: DirectorySnapshot,
        facts: dict[str, Fact],
        known: RememberedCase | None,
    ) -> Outcome:
        """Record what leaves, as authorisation, stage and agreement allow it now that the certificate is here.

        The authorisation stays as it is until the entry is written, so that no withdrawal comes in between. Where the
        directory or the day changed since ``snapshot``, what leaves is compiled anew; else that costs one row read.
        The entry bears the time at which it is written, not that of the request, so that the record runs forwards.
        """
        at, request, code = self._clock(), asking.request, asking.partner_code
        if known is None:
            authorisation = tx.authorisations.of_application_for_use(request.application_id)
            found_application = tx.applications.find(request.application_id)
        else:
            known.require_standing(tx, request.application_id, leaving.found.rests_on)
            authorisation, found_application = known.case.authorisation, known.case.application
        require_covers(authorisation, code, request.kind, request.purpose, at)
        application = require_application(found_application, code)
        if open_stage(application) is not allowed.stage:
            raise StageMoved(
                check="licence.stage_moved", owner=Owner.UTILITY, remedy="核验期间申请已进入下一环节，请重新查询"
            )
        current, question = self._partners.as_of(tx, snapshot), allowed.question_on(date_in_china(at))
        if current is not snapshot or question is not allowed.question:
            compiled = self._compiler.compile_anew(current, question)
            leaving = self._leaving(allowed, compiled, leaving.found, asking.now)
        told = facts_of(allowed, leaving, self._certificates.identifier_digests)
        entry = RecordEntry(asking.action, at, asking.actor, request.application_id, facts={**facts, **told})
        if leaving.found.keeping is not None:
            leaving.found.keeping.put(tx)
        if known is None or not known.has_kept(leaving.found.verification):
            keep_evidence(tx, request.application_id, leaving.found, str(facts["holder_digest"]), at)
        if tells_of_others(leaving) and (known is None or not known.has_named(leaving.found.verification)):
            keep_others(tx, allowed, leaving, self._digests)
        return Outcome(asking.now, leaving, tx.records.append(entry), told)

    def _leaving(self, allowed: Allowed, compiled: Compiled, found: Found, now: datetime) -> Leaving:
        return Leaving(found, compiled, disclose(compiled.disclosure, found.verification, allowed.context(now)))


def _known_purpose(snapshot: DirectorySnapshot, partner_code: str, purpose: str) -> str:
    agreed = {agreement.purpose for agreement in snapshot.agreements.get(partner_code, ())}
    return purpose if purpose == PURPOSE or purpose in agreed else UNKNOWN
