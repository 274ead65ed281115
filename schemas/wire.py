"""What every wire model shares: strictness, time stamps and the media types and ``typ`` values of signed documents."""

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

EARLIEST_YEAR: Final = 1900
LATEST_YEAR: Final = 9998
"""An instant within these years can be told in any time zone and moved by a year without leaving the calendar."""
_INSTANT_TEXT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)
_DAY_TEXT: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class WireModel(BaseModel):
    """A message that is exactly what it says: unknown members are refused, and it does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False, hide_input_in_errors=True)


class OpenWireModel(BaseModel):
    """A message that a receiver reads by Postel's rule: members it does not know are ignored (CloudEvents ``data``)."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def _as_said(value: object, check: ValidatorFunctionWrapHandler) -> object:
    return value if isinstance(value, str) else check(value)


SaidText = Annotated[str, WrapValidator(_as_said)]
"""A sentence for people. Text that knows its own translation (a ``str`` of another class) is kept as it is."""


@lru_cache(4096)
def format_instant(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and ``Z``: one spelling for one instant, to the millisecond."""
    spelled = orjson.dumps(at.astimezone(UTC), option=orjson.OPT_UTC_Z)  # all of it takes half of what isoformat does
    return f"{spelled[1:24].decode()}Z" if at.microsecond else f"{spelled[1:20].decode()}.000Z"


def _instant_text(value: object) -> object:
    """Text is RFC 3339 and nothing else that pydantic would read (a count of seconds, a bare date)."""
    if isinstance(value, datetime) or (isinstance(value, str) and _INSTANT_TEXT.match(value)):
        return value
    raise ValueError("must be an RFC 3339 date-time with its offset")


def _in_utc(at: datetime) -> datetime:
    if not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise ValueError(f"must lie in the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    return at.astimezone(UTC)


def _day_text(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and _DAY_TEXT.fullmatch(value)):
        return value
    raise ValueError("must be a date such as 2026-03-02")


def _in_the_calendar(on: date) -> date:
    if on.year < EARLIEST_YEAR:
        raise ValueError(f"must not lie before {EARLIEST_YEAR}")
    return on


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant_text),
    AfterValidator(_in_utc),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
]
"""An instant with its offset given (RFC 3339), in the years 1900 to 9998; kept as UTC."""

Day = Annotated[date, BeforeValidator(_day_text), AfterValidator(_in_the_calendar)]
"""A date in China, ``2026-03-02``; 9999-12-31 is for ever (长期)."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""A code of ours: certificate kinds, purposes, departments' permits."""

PartnerCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
"""A partner's code, as in ``csg-guangzhou`` or ``planning-440100``."""

OpaqueId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
"""An identifier that means something to its issuer alone."""

RegionDigits = Annotated[
    str,
    StringConstraints(
        pattern=r"^(1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12])"
        r"(0000|([0-9][1-9]|[1-9]0)[0-9]{2}([0-9]{3}([0-9]{3})?)?)$"
    ),
]
"""行政区划代码 GB/T 2260: six digits, nine for a town, twelve for a village; of a province that exists, and no county
without a city. Whether the region itself exists is not told by its shape: boundaries change."""


class Typ(StrEnum):
    """The ``typ`` header of each signed document: one kind of token never passes for another (RFC 8725 §3.11)."""

    CERTIFICATE = "ecert+jwt"
    STATUS_LIST = "statuslist+jwt"
    CLIENT_ASSERTION = "client-authentication+jwt"
    ACCESS_TOKEN = "at+jwt"  # noqa: S105 - a media type
    DPOP_PROOF = "dpop+jwt"
    IDENTITY_ASSERTION = "identity-assertion+jwt"
    APPROVAL_OUTCOME = "approval-outcome+jwt"
    REVIEW_REQUEST = "review-request+jwt"
    VERIFIED_LICENCE = "verified-licence+jwt"
    DELIVERY_RECEIPT = "delivery-receipt+jwt"
    DELIVERY_REFUSAL = "delivery-refusal+jwt"
    RECONCILIATION = "reconciliation+jwt"
    AGENT_AUTHORISATION = "agent-authorisation+jwt"
    EVIDENCE_MANIFEST = "evidence-manifest+jwt"
    PROJECT_PUSH = "project-push+jwt"
    PURGE_RECEIPT = "purge-receipt+jwt"
    CONTRACT_SIGNATURE = "contract-signature+jwt"


MEDIA_JOSE: Final = "application/jose"
MEDIA_CLOUDEVENT: Final = "application/cloudevents+json"
MEDIA_PROBLEM: Final = "application/problem+json"
