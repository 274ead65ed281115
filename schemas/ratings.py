"""好差评 on the wire: what an applicant says, what the utility is told, and how a bad rating is answered."""

from enum import StrEnum

from pydantic import Field

from schemas.wire import Instant, OpaqueId, OpenWireModel, WireModel


class RatingLevel(StrEnum):
    """The five levels of the national 好差评 (GB/T 39735)."""

    VERY_SATISFIED = "very_satisfied"
    SATISFIED = "satisfied"
    BASICALLY_SATISFIED = "basically_satisfied"
    DISSATISFIED = "dissatisfied"
    VERY_DISSATISFIED = "very_dissatisfied"


class RatingTag(StrEnum):
    """Fixed reasons. What went well goes with the three upper levels, what went ill with the three lower ones."""

    QUICK = "quick"
    CLEAR = "clear"
    KIND = "kind"
    NO_ERRANDS = "no_errands"
    SLOW = "slow"
    EXTRA_DOCUMENTS = "extra_documents"
    UNCLEAR = "unclear"
    UNKIND = "unkind"
    REPEATED_ERRANDS = "repeated_errands"
    FEES = "fees"


class RatingRequest(WireModel):
    """``POST /v1/applications/{id}/rating``: once, when the application has ended."""

    level: RatingLevel
    tags: list[RatingTag] = Field(default=[], max_length=10)
    text: str | None = Field(default=None, min_length=1, max_length=300, description="In the applicant's own words")
    share_text: bool = Field(default=False, description="The utility reads the text too")


class RatingView(OpenWireModel):
    """A rating as its applicant sees it. ``answer_by`` – until when a bad one is to be answered."""

    application_id: OpaqueId
    level: RatingLevel
    tags: list[RatingTag]
    text: str | None = None
    rated_at: Instant
    answer_by: Instant | None = None
    answer: str | None = None
    answered_at: Instant | None = None
    record_id: str


class RatingAnswer(WireModel):
    """``POST /v1/applications/{id}/rating/answer``: what was mended (整改反馈). The applicant reads it."""

    text: str = Field(min_length=1, max_length=500, description="No personal data")


class ServiceRated(OpenWireModel):
    """``data`` of service.rated. ``text`` only where the applicant lets the utility read it."""

    application_id: OpaqueId
    level: RatingLevel
    tags: list[RatingTag]
    text: str | None = Field(default=None, description="In the applicant's words; may hold personal data")
    rated_at: Instant
    answer_by: Instant | None = Field(default=None, description="A bad rating is to be answered until then")
