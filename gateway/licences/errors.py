"""What a request for a verified licence refuses beyond agreement, authorisation and the document table."""

from gateway.errors import Conflict, Denied, Malformed, NotFound, Rejected


class CallerNotUtility(Denied):
    """Who asks is no utility that is registered here."""

    kind = "caller-not-utility"
    title = "调用方不是供电企业"


class HolderNotNamed(Malformed):
    """The kind belongs to a third party (设计单位, 施工单位), and none was named."""

    kind = "holder-not-named"
    title = "未指明持证单位"


class HolderNotAllowed(Rejected):
    """A holder was named for a kind that can only be the applicant's own."""

    kind = "holder-not-allowed"
    title = "不得查询他人证照"


class ThirdPartyRefused(Denied):
    """Nothing is told of this 设计单位 or 施工单位: it has nothing, or too many were asked for. Which, is not said.

    Told apart, the answers would let anybody look companies up.
    """

    kind = "third-party-refused"
    title = "未能提供该单位的资质"


class StageMoved(Conflict):
    """The application went on to another stage while the certificate was being verified."""

    kind = "stage-moved"
    title = "申请环节已变化"


class NoOpenStage(Rejected):
    """The application is over; nothing may be asked for it any more."""

    kind = "no-open-stage"
    title = "申请已办结"


class SiteNotGiven(NotFound):
    """The applicant wrote no address; the property certificate has the place (坐落)."""

    kind = "site-not-given"
    title = "未填写用电地址"


class ConfirmedCertificateGone(Rejected):
    """What the applicant confirmed is no longer there, and which of the others stands for it is not for us to guess."""

    kind = "confirmed-certificate-gone"
    title = "申请人确认的证照已变更"
