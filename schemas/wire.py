"""What every wire model shares: strictness, time stamps and the media types and ``typ`` values of signed documents."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints


class WireModel(BaseModel):
    """A message that is exactly what it says: unknown members are refused, and it does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False, hide_input_in_errors=True)


class OpenWireModel(BaseModel):
    """A message that a receiver reads by Postel's rule: members it does not know are ignored (CloudEvents ``data``)."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def format_instant(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and ``Z``: one spelling for one instant, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    AwareDatetime,
    AfterValidator(lambda at: at.astimezone(UTC)),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
]
"""An instant with its offset given; kept as UTC."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""A code of ours: certificate kinds, purposes, departments' permits."""

PartnerCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
"""A partner's code, as in ``csg-guangzhou`` or ``planning-440100``."""

OpaqueId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
"""An identifier that means something to its issuer alone."""

RegionDigits = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}([0-9]{3}([0-9]{3})?)?$")]
"""行政区划代码 GB/T 2260: six digits, nine for a town, twelve for a village."""


class Typ(StrEnum):
    """The ``typ`` header of each signed document: one kind of token never passes for another (RFC 8725 §3.11)."""

    CERTIFICATE = "ecert+jwt"
    STATUS_LIST = "statuslist+jwt"
    CLIENT_ASSERTION = "client-authentication+jwt"
    ACCESS_TOKEN = "at+jwt"  # noqa: S105
    DPOP_PROOF = "dpop+jwt"
    IDENTITY_ASSERTION = "identity-assertion+jwt"
    APPROVAL_OUTCOME = "approval-outcome+jwt"
    REVIEW_REQUEST = "review-request+jwt"
    VERIFIED_LICENCE = "verified-licence+jwt"
    DELIVERY_RECEIPT = "delivery-receipt+jwt"


MEDIA_JOSE: Final = "application/jose"
MEDIA_CLOUDEVENT: Final = "application/cloudevents+json"
MEDIA_PROBLEM: Final = "application/problem+json"
