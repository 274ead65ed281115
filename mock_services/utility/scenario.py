"""Scenarios: how this utility handles applications of each customer class. Readable TOML, first match wins."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.departments import ConnectionLine, ReviewMode
from schemas.events import ApplicationSubmitted
from schemas.partner_api import JointReviewRequest, PermitRequest
from schemas.wire import Slug, WireModel

DEFAULT_SCENARIO = Path(__file__).parent / "scenarios" / "default.toml"


class Step(WireModel):
    """One thing to do for an application.

    ``licence`` fetches a kind for a purpose; ``stage`` posts ``action``; ``joint_review`` opens the single window;
    ``await_permits`` waits until every permit is approved; ``contract`` sends the supply contract and
    ``await_contract`` waits until it was signed (who declines it signs on paper: nothing is planned beyond).
    """

    do: Literal["licence", "stage", "joint_review", "await_permits", "contract", "await_contract"]
    stage: Slug | None = None
    action: Literal["started", "completed"] | None = None
    kind: Slug | None = None
    purpose: Slug | None = None
    holder_code: str | None = None
    review: JointReviewRequest | None = None


class StageLicence(WireModel):
    """A third party's qualification that a stage needs (设计单位, 施工单位); ``holder_code`` says whose."""

    stage: Slug
    kind: Slug
    purpose: Slug
    holder_code: str | None = None


class PlannedPermit(WireModel):
    """A permit to ask for; ``{city}`` and ``{county}`` in ``department`` become the application's region."""

    department: str
    permit: Slug
    mode: ReviewMode = ReviewMode.FULL


class PlannedReview(WireModel):
    """When the single window opens, for which line, and what waits for the permits."""

    after_stage: Slug = Field(description="Opens when this stage is completed")
    await_before: Slug | None = Field(default=None, description="This stage starts only when all permits are there")
    line: ConnectionLine
    permits: list[PlannedPermit] = Field(min_length=1)

    def request_for(self, region: str) -> JointReviewRequest:
        """The request for an application in ``region``."""
        places = {"{city}": region[:4] + "00", "{county}": region[:6]}
        permits = []
        for permit in self.permits:
            department = permit.department
            for place, code in places.items():
                department = department.replace(place, code)
            permits.append(PermitRequest(department=department, permit=permit.permit, mode=permit.mode))
        return JointReviewRequest(line=self.line, permits=permits)


class Plan(WireModel):
    """How applications of some classes go; a condition left out holds for all."""

    name: str
    customer_class: list[Slug] | None = None
    purpose_contains: str | None = Field(default=None, description="Words in the applicant's 用途")
    automatic: bool = Field(default=True, description="False: every step waits for POST …/advance")
    step_ms: int = Field(default=50, ge=0, le=86_400_000, description="Pause between steps")
    stop_after: Slug | None = Field(default=None, description="Nothing is planned beyond this stage")
    fetch_documents: bool = Field(default=True, description="Fetch every verified kind of the application at intake")
    purpose: Slug = "grid_connection"
    stage_licences: list[StageLicence] = []
    joint_review: PlannedReview | None = None
    purge_receipt: bool = Field(
        default=True, description="After a withdrawal confirm by itself that what was fetched is purged (清除回执)"
    )
    contract_at: Slug | None = Field(default=None, description="The stage in which the supply contract is signed")

    def fits(self, application: ApplicationSubmitted) -> bool:
        """Every condition that is written holds."""
        return (self.customer_class is None or application.customer_class in self.customer_class) and (
            self.purpose_contains or ""
        ) in application.demand.purpose

    def steps_for(self, application: ApplicationSubmitted) -> list[Step]:
        """The whole plan, in order: stages as the application names them, licences inside the stage that needs them."""
        steps: list[Step] = []
        review = self.joint_review
        for stage in application.stages:
            if review is not None and review.await_before == stage:
                steps.append(Step(do="await_permits"))
            steps.append(Step(do="stage", stage=stage, action="started"))
            if self.fetch_documents and stage == application.stages[0]:
                steps += [
                    Step(do="licence", kind=document.kind, purpose=self.purpose)
                    for document in application.documents
                    if document.verdict != "self_declared"
                ]
            steps += [
                Step(do="licence", kind=one.kind, purpose=one.purpose, holder_code=one.holder_code)
                for one in self.stage_licences
                if one.stage == stage
            ]
            if stage == self.contract_at:
                steps += [Step(do="contract"), Step(do="await_contract")]
            steps.append(Step(do="stage", stage=stage, action="completed"))
            if review is not None and review.after_stage == stage:
                steps.append(Step(do="joint_review", review=review.request_for(application.demand.region)))
            if stage == self.stop_after:
                break
        return steps


class Scenario(WireModel):
    """All plans, in order."""

    title: str = ""
    plan: list[Plan]

    @model_validator(mode="after")
    def _ends_with_a_default(self) -> Self:
        last = self.plan[-1] if self.plan else None
        if last is None or last.customer_class is not None or last.purpose_contains is not None:
            raise ValueError("the last plan must fit every application")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read TOML. Raises ``ValueError`` (TOML or pydantic) that says what is wrong."""
        document: dict[str, Any] = tomllib.loads(text)
        return cls.model_validate(document)

    def plan_for(self, application: ApplicationSubmitted) -> Plan:
        """The first plan that fits."""
        return next(plan for plan in self.plan if plan.fits(application))
