"""What the ratings room refuses."""

from gateway.errors import Conflict, Malformed, SubjectUnknown


class RatingMalformed(Malformed):
    """A reason that does not go with the level."""

    kind = "rating-malformed"
    title = "评价理由与等级不符"


class RatingNotOpen(Conflict):
    """The application has not ended, or ended too long ago."""

    kind = "rating-not-open"
    title = "现在不能评价"


class RatingGiven(Conflict):
    """It was rated before; a rating is never changed."""

    kind = "rating-given"
    title = "已经评价过"


class RatingUnknown(SubjectUnknown):
    """No rating that this caller may know of."""

    kind = "rating-unknown"
    title = "没有这项评价"


class FollowUpNotOpen(Conflict):
    """There is nothing to answer, or it was answered before."""

    kind = "follow-up-not-open"
    title = "没有待反馈的整改"
