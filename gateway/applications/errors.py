"""What the rules of an application refuse. Each names the clause, whose turn it is and how it is mended."""

from dataclasses import dataclass

from gateway.errors import Conflict, Denied, Indeterminate, Malformed, Overloaded, Rejected, SubjectUnknown


class RegionMalformed(Malformed):
    """A region is not a GB/T 2260 code of 6 digits (town 9, village 12)."""

    kind = "region-malformed"
    title = "行政区划代码格式不正确"


class PurgeReceiptNotAuthentic(Rejected):
    """A purge receipt that the utility's registered key did not sign, or not for this gateway."""

    kind = "purge-receipt-not-authentic"
    title = "清除回执未通过验签"


class PurgeReceiptContradicts(Conflict):
    """A purge receipt of something else than was withdrawn."""

    kind = "purge-receipt-contradicts"
    title = "清除回执与授权不符"


class RegionTooWide(Rejected):
    """A province or city stands where a county (区县) is needed."""

    kind = "region-too-wide"
    title = "行政区划须填写到区县"


class NoRuleInForce(Rejected):
    """No row of a rule table was in force on the day of receipt; an empty policy is a refusal."""

    kind = "no-rule-in-force"
    title = "当日无适用规则"


class RulesNotAtHand(Overloaded):
    """This process has not read the rules that officers added for longer than is allowed, and judges nothing."""

    kind = "rules-not-at-hand"
    title = "暂时读不到现行规则"


class DemandNotClassifiable(Rejected):
    """The facts of a demand (电压、容量、电源数) fit no customer class of the regulation."""

    kind = "demand-not-classifiable"
    title = "用电需求无法归入任何用户类型"


@dataclass(kw_only=True, eq=False)
class DocumentNotAllowed(Denied):
    """A document was asked for that the table of 第（六）条 does not allow for the class at the stage.

    ``allowed`` holds the slugs of what may be asked for there; it is empty when nothing may.
    """

    kind = "document-not-allowed"
    title = "不得增加申请资料"

    stage: str
    allowed: tuple[str, ...]


@dataclass(kw_only=True, eq=False)
class NotRequiredAtStage(Denied):
    """Something was asked for of a document that the work at the stage does not need.

    ``allowed`` holds the names of the fields and predicates that it needs; it is empty when it needs nothing.
    """

    kind = "not-required-at-stage"
    title = "索取的信息超出办理所需"

    stage: str
    allowed: tuple[str, ...]


class StageNotInClass(Rejected):
    """The customer class has no such stage (环节); none may be added (第（六）条)."""

    kind = "stage-not-in-class"
    title = "该用户类型无此环节"


class StageSkipped(Rejected):
    """A step for a stage whose predecessors are not completed (第（三）条)."""

    kind = "stage-skipped"
    title = "不得跳过环节"


class StageReentered(Conflict):
    """A stage that was entered before is entered again (第（三）条 重走流程)."""

    kind = "stage-reentered"
    title = "不得重走流程"


class StageNotOpen(Conflict):
    """A stage is completed, paused or resumed while it is not in the state for it."""

    kind = "stage-not-open"
    title = "环节当前状态不允许此操作"


class ApplicationClosed(Conflict):
    """The application is completed, withdrawn or ended; nothing more can happen to it."""

    kind = "application-closed"
    title = "申请已终结"


class PauseReasonMissing(Rejected):
    """A clock is to stop, or an application to end, and no reason is given."""

    kind = "pause-reason-missing"
    title = "缺少暂停或终止理由"


class ApplicationUnknown(SubjectUnknown):
    """No such application, or none of this caller's."""

    kind = "application-unknown"
    title = "没有这件申请"


class StageEventContradicts(Conflict):
    """An event id that was used before for something else."""

    kind = "stage-event-contradicts"
    title = "环节事件编号已用于其他内容"


class IntakeUnknown(SubjectUnknown):
    """No such intake of this applicant, or it has expired; nothing of it was kept."""

    kind = "intake-unknown"
    title = "没有这次申请准备"


class IntakeMismatch(Denied):
    """一证办电 is an enterprise's way in, 刷脸办电 (and its alternatives) a resident's."""

    kind = "intake-mismatch"
    title = "申请方式与申请人不符"


@dataclass(kw_only=True, eq=False)
class IntakeIncomplete(Rejected):
    """Something is still open; ``documents`` names what, each with its next step in the intake's view."""

    kind = "intake-incomplete"
    title = "尚有材料未落实"

    documents: tuple[str, ...]


class NoUtility(Rejected):
    """No utility serves the region, several do and none was chosen, or the chosen one does not."""

    kind = "no-utility"
    title = "未能确定供电企业"


class AuthorisationPeriodUnsound(Rejected):
    """The authorisation would end before it began, last longer than a year, or be renewed to end sooner."""

    kind = "authorisation-period"
    title = "授权期限不合理"


@dataclass(kw_only=True, eq=False)
class CertificatesContradict(Conflict):
    """Two of the certificates cannot both be right. ``documents`` are whose they are, ``reason`` a slug; no values."""

    kind = "certificates-contradict"
    title = "证照之间不一致"

    reason: str
    documents: tuple[str, ...]


class TooManyIntakes(Conflict):
    """The holder has begun more than anyone confirms; each keeps personal data until it is confirmed or dropped."""

    kind = "too-many-intakes"
    title = "未确认的申请准备过多"


class ReviewUnderWay(Conflict):
    """The intake was confirmed otherwise before, and waits for an officer."""

    kind = "review-under-way"
    title = "正在人工核查"


class ReviewUnknown(SubjectUnknown):
    """No such review task, or none of this applicant's."""

    kind = "review-unknown"
    title = "没有这项核查任务"


class ReviewSettled(Conflict):
    """The task was settled, withdrawn or has expired; it is settled once."""

    kind = "review-settled"
    title = "核查任务已办结"


class ReviewNotLookedAt(Conflict):
    """Whoever settles a task has not been shown what was compared."""

    kind = "review-not-looked-at"
    title = "尚未查看比对内容"


@dataclass(kw_only=True, eq=False)
class ReviewOutdated(Conflict):
    """What was confirmed no longer stands as it did: ``documents`` are slugs of certificates, or of comparisons."""

    kind = "review-outdated"
    title = "核查期间证照已变化"

    documents: tuple[str, ...]


@dataclass(kw_only=True, eq=False)
class ReviewNotVerifiable(Indeterminate):
    """What was confirmed could not be verified anew just now; ``documents`` are the slugs of the certificates."""

    kind = "review-not-verifiable"
    title = "暂时无法重新核验"

    documents: tuple[str, ...]


class ReasonTellsPerson(Rejected):
    """A reason that is kept and told holds the number of a person, an enterprise or a mobile telephone, or a value that
    the applicant gave or that was compared.
    """

    kind = "reason-tells-person"
    title = "理由不得包含个人信息"
