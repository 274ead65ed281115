"""What an applicant is to do about a document that does not stand: whose turn it is, where, and how.

The step follows the owner of the failed check. The applicant's own: what to renew, and at which authority. The
government's: which authority to turn to. Ours: a telephone number, since waiting mends nothing there. Only what passes
by itself is answered with "later".
"""

from gateway.applications.requirements import IDENTITY_DOCUMENTS, Document
from gateway.certificates.verification import Verification
from gateway.errors import Denied, GatewayError, NotFound, Owner
from gateway.wording.phrases import Phrase

CHOOSE_ONE = "名下有多份，请选择本次用电所用的一份"
HOTLINES = "12345（政务服务便民热线）或95598（供电服务热线）"
PASSES_BY_ITSELF = frozenset({"status.unavailable", "status.stale", "source.stale", "chain.revocation_unknown"})
"""Checks that fail only while a source is down or late."""

REFUSED_STEPS = {
    "validity.expired": "{title}已过有效期，请向{authority}换发后重新发起申请",
    "validity.not_yet": "{title}尚未到生效日期，请于生效后重新发起申请；日期有误的，请向{authority}更正",
    "holder.mismatch": "查到的{title}不属于申请人，请以持证主体的身份核验后申请；登记有误的，请向{authority}更正",
    "status.suspended": "{title}已被暂停使用，请向{authority}了解原因并办理恢复，恢复后重新发起申请",
    "status.revoked": "{title}已被吊销或注销，请向{authority}核实并重新申领，领取后重新发起申请",
    "issuer.not_entitled": "{title}的颁发机构未在共享平台登记，请拨打{hotlines}反映，由平台与{authority}核实",
}
"""By check. What is not listed follows the owner of the check."""
REFUSED_BY_OWNER = {
    Owner.APPLICANT: "{title}未通过核验：{remedy}。请向{authority}办理后重新发起申请",
    Owner.GOVERNMENT: "{title}未通过核验：{remedy}。请联系{authority}核实更正，更正后重新发起申请；也可拨打{hotlines}",
}
UNDECIDED = "{title}暂时无法核验：{remedy}。请联系{authority}核实更正，更正后重新发起申请；也可拨打{hotlines}"
"""A certificate of which the government has to say more; it may yet prove good."""
OURS = "{title}暂时无法由共享平台核验，请拨打{hotlines}反映，由平台处理；无需重新准备材料"


LATER = "暂时无法核验{title}，可稍后再试，或先声明并由供电企业核对原件（容缺受理）"
LATER_FOR_IDENTITY = "暂时无法核验{title}，请稍后再试，无需重新准备材料；持续不能核验的，请拨打{hotlines}"
MISSING = "未查到{title}，可先声明并由供电企业核对原件（容缺受理），或向登记机关核实"
MISSING_FOR_IDENTITY = "未查到{title}，请向发证机关核实登记信息后再申请"
OR_DECLARE = "{step}；也可先声明并由供电企业核对原件（容缺受理）"


def step_when_missing(document: Document) -> str:
    """No source has it."""
    return _filled(MISSING_FOR_IDENTITY if document in IDENTITY_DOCUMENTS else MISSING, document)


def step_when_source_fails(document: Document, error: GatewayError) -> str:
    """The source could not be asked, or refused the gateway; nothing is known about the document."""
    if isinstance(error, Denied | NotFound) or error.owner is Owner.GATEWAY:
        return _or_declare(_filled(OURS, document), document)
    return _later(document)


def step_when_undecided(document: Document, verification: Verification) -> str:
    """A certificate is there, and whether it holds could not be known."""
    failed = verification.failed_check
    check, owner = (failed.check or failed.name, failed.owner) if failed else ("", None)
    if check in PASSES_BY_ITSELF:
        return _later(document)
    if owner is Owner.GOVERNMENT and failed is not None:
        return _or_declare(_filled(UNDECIDED, document, verification, failed.remedy), document)
    return _or_declare(_filled(OURS, document, verification), document)


def step_when_refused(document: Document, verification: Verification) -> str:
    """A certificate is there and does not hold."""
    failed = verification.failed_check
    check, owner, remedy = (failed.check or failed.name, failed.owner, failed.remedy) if failed else ("", None, "")
    template = REFUSED_STEPS.get(check) or (REFUSED_BY_OWNER.get(owner, OURS) if owner else OURS)
    return _filled(template, document, verification, remedy)


def _filled(template: str, document: Document, verification: Verification | None = None, why: str = "") -> Phrase:
    """Why it does not stand is a sentence in a sentence, so that its own full stop goes."""
    named = verification.issuing_authority if verification else None
    return Phrase(
        template,
        title=Phrase(document.chinese_title),
        authority=named or Phrase("颁发机构"),
        remedy=why if isinstance(why, Phrase) else Phrase(why.rstrip("。")),
        hotlines=Phrase(HOTLINES),
    )


def _later(document: Document) -> Phrase:
    return _filled(LATER_FOR_IDENTITY if document in IDENTITY_DOCUMENTS else LATER, document)


def _or_declare(step: Phrase, document: Document) -> Phrase:
    return step if document in IDENTITY_DOCUMENTS else Phrase(OR_DECLARE, step=step)
