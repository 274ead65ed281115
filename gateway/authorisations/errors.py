"""What an authorisation refuses."""

from gateway.errors import Conflict, Denied, SubjectUnknown


class AuthorisationMissing(Denied):
    """The applicant did not allow this."""

    kind = "authorisation-missing"
    title = "缺少申请人授权"


class AuthorisationUnknown(SubjectUnknown):
    """No authorisation that this applicant may know of."""

    kind = "authorisation-unknown"
    title = "没有这项授权"


class AlreadyWithdrawn(Conflict):
    """It was withdrawn before."""

    kind = "authorisation-withdrawn"
    title = "授权已撤回"
