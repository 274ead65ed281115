"""What a joint review refuses to hear, and from whom the remedy must come."""

from gateway.errors import Conflict, Malformed, NotFound, Rejected, SubjectUnknown, Unauthenticated


class PermitNotFound(NotFound):
    """The review has no such permit."""

    kind = "permit-not-found"
    title = "未找到该审批事项"


class OutcomeContradicts(Conflict):
    """An outcome id, or a permit's sequence number, was used before for something else."""

    kind = "outcome-contradicts"
    title = "审批结果与已收到的结果矛盾"


class OutcomeUnsound(Rejected):
    """An outcome that cannot stand by itself: a pause without a reason, or one that supersedes itself."""

    kind = "outcome-unsound"
    title = "审批结果内容不符合规定"


class ReviewUnsound(Rejected):
    """A joint review without permits, or with the same permit twice."""

    kind = "review-unsound"
    title = "并联审批内容不符合规定"


class ReviewModeNotAllowed(Rejected):
    """No rule of the region lets the permit be handled that way (告知承诺、备案、免批) for such a line."""

    kind = "review-mode-not-allowed"
    title = "该工程不适用此审批方式"


class PermitExempt(Conflict):
    """A department answers for a permit that is not needed (免批)."""

    kind = "permit-exempt"
    title = "该事项免予审批"


class DepartmentUnknown(NotFound):
    """No department of that code takes part."""

    kind = "department-unknown"
    title = "未找到该审批部门"


class OutcomeNotAuthentic(Unauthenticated):
    """The signature, key, audience or age of a pushed outcome does not prove that the department sent it to us."""

    kind = "outcome-not-authentic"
    title = "审批结果的签名未能通过验证"


class OutcomeUnreadable(Malformed):
    """The department signed it, and it is not what the department's interface says."""

    kind = "outcome-unreadable"
    title = "审批结果格式不正确"


class ReviewApplicationUnknown(SubjectUnknown):
    """No such application, or none of this utility's."""

    kind = "review-application-unknown"
    title = "未找到该用电申请"


class ReviewNotFound(NotFound):
    """The application has no joint review."""

    kind = "review-not-found"
    title = "该申请尚未发起并联审批"


class ReviewContradicts(Conflict):
    """The single window was opened for another line before, or for a permit in another mode."""

    kind = "review-contradicts"
    title = "与已受理的并联审批不一致"


class DepartmentNotConcerned(Rejected):
    """The department does not handle that permit, or not in that region, or takes no part at present."""

    kind = "department-not-concerned"
    title = "该部门不受理此审批事项"
