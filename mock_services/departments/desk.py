"""What a department does: take a review request, follow its script, decide, sign. No HTTP here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mock_services.departments.dialects import Outcome, claims_of
from mock_services.departments.roster import OUTCOME_TYP, Department
from mock_services.departments.scenario import DECISIONS, LAST_DECISION, Decision, Scenario, Step
from mock_services.departments.store import Permit, SentOutcome, Store
from mock_services.jose import SigningKey
from schemas.conformance import is_test
from schemas.departments import OutcomeKind, ReviewAcknowledged, ReviewRequest

HOLD_TIME = timedelta(seconds=3)
"""How long an outcome waits, under the fault ``out_of_order``, for a later one to overtake it."""


class Refused(Exception):
    """The desk cannot do this; ``check`` is a stable name, ``remedy`` one sentence."""

    def __init__(self, check: str, remedy: str) -> None:
        super().__init__(check)
        self.check = check
        self.remedy = remedy


@dataclass
class Desk:
    """All departments of this process. ``token`` makes ids; ``hold_back`` asks the out-of-order switch."""

    departments: Mapping[str, Department]
    keys: Mapping[str, SigningKey]
    store: Store
    scenario: Scenario
    token: Callable[[], str]
    hold_back: Callable[[str], bool] = lambda _: False
    tests: dict[str, str] = field(default_factory=dict)
    """Conformance tests that came, with the reference that each was given."""

    def receive(self, request: ReviewRequest, at: datetime) -> ReviewAcknowledged:
        """Take ``request`` in and choose its script; the very same request again gets the same answer.

        Raises ``Refused`` (``reviews.permit_taken``) for a permit that another request brought.
        """
        if request.conformance_test:
            return self._receive_test(request, at)
        known = self.store.permit_of_request(request.jti)
        if known is not None:
            return ReviewAcknowledged(permit_id=known.permit_id, department_reference=known.reference, duplicate=True)
        if self.store.find_permit(request.permit_id) is not None:
            raise Refused("reviews.permit_taken", "该许可已由另一请求送达，请勿重复编号。")
        rule = self.scenario.rule_for(self.departments[request.aud], request)
        permit = Permit(
            permit_id=request.permit_id,
            department=request.aud,
            request_id=request.jti,
            reference=f"{request.aud}-{self.token()}",
            rule=rule.name,
            request=request.model_dump(mode="json"),
            steps=[step.model_dump(mode="json") for step in rule.steps],
            next_step=0,
            next_step_at=_due(rule.steps[0], at),
        )
        self.store.add_permit(permit)
        return ReviewAcknowledged(permit_id=permit.permit_id, department_reference=permit.reference)

    def _receive_test(self, request: ReviewRequest, at: datetime) -> ReviewAcknowledged:
        """A conformance test gets a reference and a signed outcome to look at, and no script. Raises ``Refused``."""
        if not (is_test(request.jti) and is_test(request.permit_id)):
            raise Refused("reviews.test_id", "测试请求的编号须以 cft_ 开头。")
        department = self.departments[request.aud]
        duplicate = request.jti in self.tests
        reference = self.tests.setdefault(request.jti, f"{request.aud}-{self.token()}")
        outcome = Outcome(
            outcome_id=f"{department.code}:{self.token()}",
            permit_id=request.permit_id,
            audience=request.iss,
            sequence=1,
            kind=OutcomeKind.ACCEPTED,
            decided_at=at,
            reason=None,
            supersedes=None,
            document_number=None,
            valid_until=None,
        )
        return ReviewAcknowledged(
            permit_id=request.permit_id,
            department_reference=reference,
            duplicate=duplicate,
            test_outcome=self.keys[department.code].sign(OUTCOME_TYP, claims_of(department, outcome)),
        )

    def run_due_steps(self, at: datetime) -> int:
        """Take every step that is due; answers how many."""
        due = self.store.due_permits(at)
        for permit in due:
            self._take_step(permit, at)
        return len(due)

    def advance(self, permit_id: str, at: datetime) -> SentOutcome:
        """Take the next step of the script now. Raises ``Refused`` where the script has ended."""
        permit = self._permit(permit_id)
        if permit.next_step >= len(permit.steps):
            raise Refused("permits.script_ended", "脚本已走完，可用 outcomes 直接给出结果。")
        return self._take_step(permit, at)

    def decide(self, permit_id: str, decision: Decision, at: datetime) -> SentOutcome:
        """Decide by hand; the script goes on where it was. Raises ``Refused``."""
        permit = self._permit(permit_id)
        return self._issue(permit, decision, permit.next_step, permit.next_step_at, at)

    def _permit(self, permit_id: str) -> Permit:
        permit = self.store.find_permit(permit_id)
        if permit is None:
            raise Refused("permits.unknown", "没有该编号的许可。")
        return permit

    def _take_step(self, permit: Permit, at: datetime) -> SentOutcome:
        step = Step.model_validate(permit.steps[permit.next_step])
        following = permit.next_step + 1
        next_step_at = None
        if following < len(permit.steps):
            next_step_at = _due(Step.model_validate(permit.steps[following]), at)
        return self._issue(permit, step, following, next_step_at, at)

    def _issue(
        self, permit: Permit, decision: Decision, next_step: int, next_step_at: datetime | None, at: datetime
    ) -> SentOutcome:
        department = self.departments[permit.department]
        earlier = self.store.outcomes(permit.permit_id)
        outcome = Outcome(
            outcome_id=f"{department.code}:{self.token()}",
            permit_id=permit.permit_id,
            audience=str(permit.request["iss"]),
            sequence=len(earlier) + 1,
            kind=decision.outcome,
            decided_at=at,
            reason=decision.reason,
            supersedes=_superseded(decision, earlier),
            document_number=_document_number(department, decision, permit, at),
            valid_until=(at + timedelta(days=decision.valid_days)).date() if decision.valid_days else None,
        )
        sent = SentOutcome(
            outcome_id=outcome.outcome_id,
            permit_id=permit.permit_id,
            department=department.code,
            sequence=outcome.sequence,
            kind=outcome.kind.value,
            uri=str(permit.request["outcomes_uri"]),
            token=self.keys[department.code].sign(OUTCOME_TYP, claims_of(department, outcome)),
            decided_at=at,
            state="pending",
            attempts=0,
            next_attempt_at=at,
            held_until=at + HOLD_TIME if self.hold_back(department.code) else None,
            last_status=None,
            acknowledged_at=None,
        )
        self.store.add_outcome(sent, next_step=next_step, next_step_at=next_step_at)
        return sent


def _due(step: Step, at: datetime) -> datetime | None:
    return None if step.manual else at + timedelta(milliseconds=step.after_ms)


def _superseded(decision: Decision, earlier: list[SentOutcome]) -> str | None:
    if decision.supersedes is None:
        return None
    if decision.supersedes == LAST_DECISION:
        decided = [one.outcome_id for one in earlier if OutcomeKind(one.kind) in DECISIONS]
        if not decided:
            raise Refused("outcomes.nothing_to_supersede", "该许可尚无可被替代的结果。")
        return decided[-1]
    if decision.supersedes not in {one.outcome_id for one in earlier}:
        raise Refused("outcomes.supersedes_unknown", "被替代的结果不属于该许可。")
    return decision.supersedes


def _document_number(department: Department, decision: Decision, permit: Permit, at: datetime) -> str | None:
    if decision.document_number or decision.outcome is not OutcomeKind.APPROVED:
        return decision.document_number
    serial = int.from_bytes(permit.permit_id.encode()[-4:], "big") % 100_000
    return f"{department.number_prefix}{department.region}{at.year}{serial:05d}号"
