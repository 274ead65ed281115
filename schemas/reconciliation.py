"""对账: what a utility and the gateway tell each other about the events of a day (``/v1/reconciliation``)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.wire import Day, Instant, OpaqueId, OpenWireModel, PartnerCode, WireModel

MOST_RESENT = 200
MOST_DIFFERENCES = 1000

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class DaySummary(OpenWireModel):
    """A day of the utility's events: positions ``first_position`` to ``last_position``, without a gap.

    ``root`` is over the leaves of these positions in order (RFC 9162 §2.1); a leaf is the JSON text
    ``{"body_sha256":…,"event_id":…,"position":…,"sequence":…,"subject":…,"v":1}`` with its members in this order and no
    white space. Of a day without events ``last_position`` is the last one before it, and ``first_position`` the next.
    """

    day: Day
    closed: bool = Field(description="A closed day never changes; an open one is told as it stands")
    count: int = Field(ge=0)
    first_position: int = Field(ge=1)
    last_position: int = Field(ge=0)
    applications: int = Field(ge=0, description="How many applications the events belong to")
    root: Sha256Hex
    record_id: str | None = Field(default=None, description="The record entry that holds a closed day's root")


class Reconciliation(OpenWireModel):
    """Claims of the signed answer (``typ`` reconciliation+jwt; ``iss`` gateway, ``aud`` the utility's code)."""

    iss: str
    aud: PartnerCode
    iat: int
    jti: OpaqueId
    last_position: int = Field(ge=0, description="Of all the utility's events so far")
    days: list[DaySummary]


class DayEventView(OpenWireModel):
    """One event of a day. ``body_sha256`` is of the body as sent; the leaf is made from it and the four before it."""

    position: int
    event_id: OpaqueId
    subject: OpaqueId = Field(description="The application")
    sequence: int
    body_sha256: Sha256Hex | None = Field(
        description="null where nobody can tell any more: an event of an earlier release, erased and never receipted"
    )
    type: str
    state: str = Field(description="Where its delivery stands: pending and unknown are under way")
    erased: bool = Field(description="What it said was removed by retention: it cannot be sent again")


class DayEventPage(OpenWireModel):
    """``GET /v1/reconciliation/events?day=…&after=…``. ``cursor`` is passed as ``after`` next time."""

    day: Day
    events: list[DayEventView]
    cursor: int
    more: bool


class ResendOrder(WireModel):
    """``POST /v1/reconciliation/resend``: events that the utility has lost or holds altered."""

    reason: Literal["receiver_lost_data", "receiver_restored", "receiver_asked"]
    event_ids: list[OpaqueId] = Field(min_length=1, max_length=MOST_RESENT)


class ResendAnswer(OpenWireModel):
    """``202``. ``resent`` and ``under_way`` arrive by the ordinary channel; ``erased`` and ``unknown`` cannot."""

    resent: list[OpaqueId]
    under_way: list[OpaqueId]
    erased: list[OpaqueId]
    unknown: list[OpaqueId]


DifferenceKind = Literal["missed_by_utility", "altered_at_utility", "unknown_to_gateway", "under_way"]


class Difference(WireModel):
    """One event that the two sides do not hold alike; ``held_sha256`` is of the body that the utility holds."""

    kind: DifferenceKind
    event_id: OpaqueId
    position: int | None = Field(default=None, ge=1, le=2**62)
    held_sha256: Sha256Hex | None = None
    healed: bool = False


class ReportRequest(WireModel):
    """``POST /v1/reconciliation/reports``: what a comparison of one day found, after healing. The latest one stands.

    ``root`` and ``count`` are the utility's own, over what it held before anything was healed.
    """

    day: Day
    root: Sha256Hex
    count: int = Field(ge=0, le=2**62)
    differences: list[Difference] = Field(max_length=MOST_DIFFERENCES)
    differences_total: int = Field(ge=0, le=2**62, description="How many there are, also beyond those listed")


class ReportRecorded(OpenWireModel):
    """``200``. ``agrees``: the reported root is the gateway's. ``known_here`` are events reported as unknown to the
    gateway that it does know under that name.
    """

    day: Day
    agrees: bool
    known_here: list[OpaqueId]
    record_id: str


class ReportView(OpenWireModel):
    """A report as an operator sees it."""

    utility: PartnerCode
    day: Day
    reported_at: Instant
    agrees: bool
    differences_total: int
    unhealed: dict[str, int] = Field(description="Differences that remain, by kind")
    differences: list[Difference] = []
    record_id: str


class ReportList(OpenWireModel):
    """The latest days first."""

    reports: list[ReportView]
