"""What must hold before a certificate is asked for; pure, over what one read of the database answered."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from gateway.applications.model import GridConnectionApplication, Party
from gateway.applications.requirements import require_allowed
from gateway.applications.stage_events import require_application
from gateway.applications.stages import Stage
from gateway.authorisations.model import Authorisation, require_covers
from gateway.caller import Role
from gateway.clock import date_in_china
from gateway.errors import Owner
from gateway.licences.application_context import ApplicationContext
from gateway.licences.compiled import Compiled, DisclosureCompiler, Question
from gateway.licences.errors import CallerNotUtility, NoOpenStage
from gateway.licences.gates import Gate, Gates
from gateway.licences.ports import Case
from gateway.licences.third_parties import require_holder
from gateway.partners.directory import DirectorySnapshot
from schemas.partner_api import VerifiedLicenceRequest


@dataclass(frozen=True)
class Allowed:
    """A request that every rule lets through, and what it is answered from.

    ``holder_code`` is the applicant's, or the third party's.
    """

    application: GridConnectionApplication
    party: Party
    authorisation: Authorisation
    stage: Stage
    question: Question
    compiled: Compiled
    holder_code: str = field(repr=False)

    def question_on(self, on: date) -> Question:
        """The same question on the China date ``on``: the day may end while the certificate is fetched."""
        return self.question if on == self.question.on else replace(self.question, on=on)

    def context(self, now: datetime) -> ApplicationContext:
        """What predicates are asked against at ``now``."""
        return ApplicationContext(date_in_china(now), self.holder_code, self.application.region, self.party.address)


def require_utility(snapshot: DirectorySnapshot, partner_code: str, gates: Gates) -> None:
    """The partner is registered as a utility. Raises ``CallerNotUtility``."""
    with gates.passing(Gate.CALLER):
        partner = snapshot.partners.get(partner_code)
        if partner is None or partner.role is not Role.UTILITY:
            raise CallerNotUtility(
                check="caller.role", owner=Owner.CALLER, remedy="只有已登记的供电企业可以核验证照，请核对接入代码"
            )


def judge(
    case: Case,
    partner_code: str,
    request: VerifiedLicenceRequest,
    snapshot: DirectorySnapshot,
    compiler: DisclosureCompiler,
    gates: Gates,
    now: datetime,
) -> Allowed:
    """Application, document, authorisation, agreement, need and holder, in this order.

    Raises ``ApplicationUnknown``, ``NoOpenStage``, ``DocumentNotAllowed``, ``AuthorisationMissing``,
    ``AgreementRefused``, ``NotRequiredAtStage``, ``HolderNotNamed``, ``HolderNotAllowed``.
    """
    with gates.passing(Gate.APPLICATION):
        application = require_application(case.application, partner_code)
        stage, party = open_stage(application), case.party
        if party is None:
            raise _closed()
    with gates.passing(Gate.REQUIREMENT):
        row = require_allowed(
            request.kind,
            application.customer_class,
            stage,
            application.received_on,
            application.applicant_kind,
        )
    gates.note(Gate.REQUIREMENT, clause=row.clause, note=f"{stage.chinese_title}：{row.term}")
    with gates.passing(Gate.AUTHORISATION):
        authorisation = require_covers(case.authorisation, partner_code, request.kind, request.purpose, now)
    question = Question(
        partner=partner_code,
        item=request.purpose,
        kind=request.kind,
        stage=stage,
        region=application.region,
        on=date_in_china(now),
        received_on=application.received_on,
        requested=None if request.fields is None else frozenset(request.fields),
    )
    compiled = compiler.compile(snapshot, question, gates)
    with gates.passing(Gate.HOLDER):
        require_holder(request.kind, request.holder_code)
    return Allowed(application, party, authorisation, stage, question, compiled, request.holder_code or party.code)


def open_stage(application: GridConnectionApplication) -> Stage:
    """The stage that the application is in. Raises ``NoOpenStage``."""
    current = application.lifecycle.current()
    if current is None:
        raise _closed()
    return current.stage


def _closed() -> NoOpenStage:
    return NoOpenStage(
        check="licence.closed", owner=Owner.UTILITY, remedy="申请已办结或终止，不得再索取", clause="第（六）条"
    )
