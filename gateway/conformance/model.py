"""What was asked of a partner and what came of it. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.partners.directory import HeldKey
from gateway.partners.model import Endpoint, Partner

GOOD_FOR: Final = timedelta(days=30)
"""How long a run says something about today."""
ANSWERS_CODE: Final = "endpoint.answers"
"""The check that fails where nobody answers: what nobody answered is not known, and no fault of the answers."""


class Probe(StrEnum):
    """What is sent, in this order. All but the first two have an id of their own."""

    FIRST = "first"
    REPEATED = "repeated"
    SIGNATURE = "signature"
    SECRET = "secret"  # noqa: S105 - a probe's name
    UNKNOWN_KEY = "unknown_key"
    ALTERED = "altered"
    STALE = "stale"
    AUDIENCE = "audience"
    UNKNOWN_TYPE = "unknown_type"
    STATUS_KNOWN = "status_known"
    STATUS_UNKNOWN = "status_unknown"
    OVERSIZED = "oversized"
    AFTERWARDS = "afterwards"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``status`` None: nothing did, and ``found`` says why.

    ``proven`` – a receipt, or a department's acknowledgement, that holds; ``found`` says what is wrong with one that
    does not. ``repeated`` – it says that it had this before. ``reference`` is the department's own. ``signed`` –
    whether the test outcome that it showed bears its registered key's signature, None where it showed none.
    ``dated_at`` is the ``Date`` header.
    """

    status: int | None
    found: str = ""
    proven: bool = False
    repeated: bool = False
    reference: str = ""
    signed: bool | None = None
    elapsed_s: float = 0.0
    dated_at: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is judged. ``address_fault`` says why the registered address may not be sent to, if so."""

    partner: Partner
    keys: Sequence[HeldKey]
    endpoint: Endpoint | None
    address_fault: str | None
    at: datetime
    limit_s: float
    answers: Mapping[Probe, Answer] = field(default_factory=dict)

    def answered(self, probe: Probe) -> Answer | None:
        """What came back; None where it was not sent."""
        return self.answers.get(probe)


class Verdict(StrEnum):
    """Of one check. What could not be tried is neither of the others."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``found`` is a stable slug: what was seen, or why it was not tried."""

    code: str
    verdict: Verdict
    found: str = ""


class Outcome(StrEnum):
    """Of a whole run. ``UNREACHED``: nobody answered, so that nothing is known of the answers."""

    PASSED = "passed"
    FAILED = "failed"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """One run. ``ran_by`` is an actor as in the record."""

    report_id: str
    partner_code: str
    ran_at: datetime
    ran_by: str
    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Codes of the checks that failed."""
        return tuple(each.code for each in self.results if each.verdict is Verdict.FAILED)

    @property
    def outcome(self) -> Outcome:
        if not self.failed:
            return Outcome.PASSED
        return Outcome.UNREACHED if self.failed == (ANSWERS_CODE,) else Outcome.FAILED


class Readiness(StrEnum):
    """What the last run says about going live now."""

    READY = "ready"
    NEVER = "never"
    OLD = "old"
    FAILED = "failed"
    """It failed, or nobody answered: going live needs a reason."""


def readiness(last: ConformanceReport | None, at: datetime) -> Readiness:
    """Whether a partner with this last run may go live at ``at``."""
    if last is None:
        return Readiness.NEVER
    if last.outcome is not Outcome.PASSED:
        return Readiness.FAILED
    return Readiness.OLD if at - last.ran_at > GOOD_FOR else Readiness.READY


class OverrideReason(StrEnum):
    """Why somebody lets a partner go live whose last run failed. No free text: the record holds none."""

    FAULT_ACCEPTED = "fault_accepted"
    MENDED_SINCE = "mended_since"
    RECEIVES_OTHERWISE = "receives_otherwise"
    DRILL = "drill"
