"""What a request for a verified licence refuses beyond agreement, authorisation and the document table."""

from gateway.errors import Malformed, Rejected


class HolderNotNamed(Malformed):
    """The kind belongs to a third party (设计单位, 施工单位), and none was named."""

    kind = "holder-not-named"
    title = "未指明持证单位"


class HolderNotAllowed(Rejected):
    """A holder was named for a kind that can only be the applicant's own."""

    kind = "holder-not-allowed"
    title = "不得查询他人证照"


class NoOpenStage(Rejected):
    """The application is over; nothing may be asked for it any more."""

    kind = "no-open-stage"
    title = "申请已办结"


class ConfirmedCertificateGone(Rejected):
    """What the applicant confirmed is no longer there, and which of the others stands for it is not for us to guess."""

    kind = "confirmed-certificate-gone"
    title = "申请人确认的证照已变更"
