"""What an applicant sees of the certificates that their application rests on, and what they can do. Pure."""

from gateway.applications.model import ApplicationDocument
from gateway.applications.next_steps import HOTLINES
from gateway.certificates.verdicts import Verdict
from gateway.rechecks.model import CertificateState
from gateway.rechecks.ports import LastLook
from gateway.wording.phrases import Phrase
from schemas.applicant_api import DocumentProgress

STEPS = {
    CertificateState.SUSPENDED: "{title}已被暂停使用，请向颁发机构了解原因并办理恢复；恢复后平台自动复核并告知供电企业",
    CertificateState.REVOKED: "{title}已被吊销或注销，请向颁发机构核实；确需继续用电报装的，请重新申领后与供电企业联系",
    CertificateState.EXPIRED: "{title}已过有效期，请向颁发机构换发；换发后平台自动复核并告知供电企业",
    CertificateState.TRANSFERRED: (
        "{title}已不在您名下：如确已转移，请与供电企业联系变更用电主体或撤回申请；登记有误的，请向登记机关更正"
    ),
    CertificateState.REFUSED: "{title}未通过复核，请联系颁发机构核实；也可拨打{hotlines}",
}
WAITS = "暂时无法向来源平台复核，平台会自动再试，无需您办理"


def document_progress(document: ApplicationDocument, look: LastLook | None, *, under_way: bool) -> DocumentProgress:
    """One document as it stands. ``under_way`` – the application is open; otherwise nothing is left to do."""
    declared = document.verdict is None
    state = CertificateState.of(document.verdict, document.check)
    undecided = look is not None and look.verdict == Verdict.INDETERMINATE.value
    step = STEPS.get(state) if under_way and not declared else None
    return DocumentProgress(
        document=document.document,
        title=document.title,
        state="self_declared" if declared else state.value,
        check=document.check,
        source=document.source,
        as_of=document.as_of,
        expires_on=document.expires_on,
        rechecked_at=look.at if look else None,
        undecided=undecided,
        next_step=_filled(step, document) if step else WAITS if undecided and under_way else None,
    )


def _filled(template: str, document: ApplicationDocument) -> Phrase:
    return Phrase(template, title=Phrase(document.title), hotlines=Phrase(HOTLINES))
