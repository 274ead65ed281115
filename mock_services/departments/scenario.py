"""Scenarios: which steps a department takes after it received a review request. Readable TOML, first match wins."""

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from mock_services.departments.roster import Department
from schemas.departments import OutcomeKind, ReviewMode, ReviewRequest
from schemas.wire import OpaqueId, WireModel

LAST_DECISION = "last_decision"
"""In ``supersedes``: the latest approval or rejection of the same permit, whatever its id."""

DECISIONS = (OutcomeKind.APPROVED, OutcomeKind.REJECTED)

DEFAULT_SCENARIO = Path(__file__).parent / "scenarios" / "default.toml"


class Decision(WireModel):
    """What a department decides; the body of ``POST /__admin/permits/{permit_id}/outcomes``."""

    outcome: OutcomeKind
    reason: str | None = Field(default=None, max_length=1000)
    supersedes: OpaqueId | None = Field(default=None, description=f"An outcome id, or {LAST_DECISION}")
    document_number: str | None = Field(
        default=None, max_length=100, description="An approval gets one if none is given"
    )
    valid_days: int | None = Field(default=None, ge=1, le=36_500)


class Step(Decision):
    """One step of a script, ``after_ms`` after the one before; ``manual`` waits for ``POST …/advance`` instead."""

    after_ms: int = Field(default=0, ge=0, le=86_400_000)
    manual: bool = False


class Rule(WireModel):
    """A script and what it is for; a condition left out holds for everything."""

    name: str
    department: str | None = Field(default=None, description="Name without region (planning) or whole code")
    permit: str | None = None
    mode: ReviewMode | None = None
    region: str | None = Field(default=None, description="The request's region starts with it")
    line_contains: str | None = Field(default=None, description="Words in the line's description")
    steps: list[Step]

    @model_validator(mode="after")
    def _can_be_played(self) -> Self:
        if not self.steps:
            raise ValueError("a rule without steps would leave a permit undecided; write a manual step instead")
        decided = False
        for step in self.steps:
            if step.supersedes is not None and (step.supersedes != LAST_DECISION or not decided):
                raise ValueError(f"a step can only supersede {LAST_DECISION}, and only after a decision")
            decided = decided or step.outcome in DECISIONS
        return self

    def fits(self, department: Department, request: ReviewRequest) -> bool:
        """Every condition that is written holds."""
        return (
            self.department in (None, department.name, department.code)
            and self.permit in (None, request.permit)
            and self.mode in (None, request.mode)
            and request.region.startswith(self.region or "")
            and (self.line_contains or "") in request.line.description
        )


class Scenario(WireModel):
    """All rules, in order."""

    title: str = ""
    rule: list[Rule]

    @model_validator(mode="after")
    def _ends_with_a_default(self) -> Self:
        last = self.rule[-1] if self.rule else None
        open_conditions = last and (last.department, last.permit, last.mode, last.region, last.line_contains)
        if open_conditions != (None,) * 5:
            raise ValueError("the last rule must fit every request")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read TOML. Raises ``ValueError`` (TOML or pydantic) that says what is wrong."""
        document: dict[str, Any] = tomllib.loads(text)
        return cls.model_validate(document)

    def rule_for(self, department: Department, request: ReviewRequest) -> Rule:
        """The first rule that fits."""
        return next(rule for rule in self.rule if rule.fits(department, request))
