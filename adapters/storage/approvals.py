"""Tables and repositories of approvals: joint reviews, which permit belongs to which, and signed outcomes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Row,
    Select,
    Table,
    Text,
    insert,
    select,
    update,
)

from adapters.storage.sealed import SealedBytes, SealedJson
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.approvals.joint_review import JointReview, Permit
from gateway.approvals.permit_states import review_status
from gateway.approvals.ports import KeptOutcome, KeptReview
from gateway.approvals.storage_form import from_json, to_json
from schemas.departments import ConnectionLine

joint_reviews = Table(
    "joint_reviews",
    metadata,
    Column("review_id", Text, primary_key=True),
    Column("application_id", Text, nullable=False),
    Column("utility", Text, nullable=False),
    Column("opened_at", UtcInstant, nullable=False),
    Column("status", Text, nullable=False),
    Column("line", SealedJson, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("review", SealedJson, nullable=False),
    Index("uq_joint_reviews_application_id", "application_id", unique=True),
)

joint_review_permits = Table(
    "joint_review_permits",
    metadata,
    Column("permit_id", Text, primary_key=True),
    Column("review_id", Text, ForeignKey("joint_reviews.review_id"), nullable=False),
)

approval_outcomes = Table(
    "approval_outcomes",
    metadata,
    Column("department", Text, primary_key=True),
    Column("outcome_id", Text, primary_key=True),
    Column("permit_id", Text, ForeignKey("joint_review_permits.permit_id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("signed", SealedBytes, nullable=False),
    Column("signed_digest", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("received_at", UtcInstant, nullable=False),
    Index("ix_approval_outcomes_permit_id_sequence", "permit_id", "sequence"),
)


class SqlJointReviews:
    """``gateway.approvals.ports.JointReviewRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, kept: KeptReview) -> None:
        review = kept.review
        columns = {
            "review_id": review.review_id,
            "application_id": kept.application_id,
            "utility": kept.utility,
            "opened_at": review.opened_at,
            "status": review_status(review).value,
            "line": kept.line.model_dump(mode="json"),
            "record_id": kept.record_id,
            "review": to_json(review),
        }
        self._statements.execute(insert(joint_reviews).values(**self._statements.sealed(joint_reviews, columns)))
        self._add_permits(review, review.permits)

    def find_by_application(self, application_id: str) -> KeptReview | None:
        return self._one(_of_application(application_id))

    def find_by_application_for_change(self, application_id: str) -> KeptReview | None:
        return self._one(_of_application(application_id).with_for_update())

    def find_by_permit_for_change(self, permit_id: str) -> KeptReview | None:
        of_permit = select(joint_review_permits.c.review_id).where(joint_review_permits.c.permit_id == permit_id)
        return self._one(
            select(joint_reviews)
            .where(joint_reviews.c.review_id == of_permit.scalar_subquery())
            .with_for_update(of=joint_reviews)
        )

    def put(self, review: JointReview) -> None:
        changed = {"review": to_json(review), "status": review_status(review).value}
        sealed = self._statements.sealed(joint_reviews, changed, review_id=review.review_id)
        self._statements.execute(
            update(joint_reviews).where(joint_reviews.c.review_id == review.review_id).values(**sealed)
        )

    def put_extended(self, review: JointReview, added: Sequence[Permit]) -> None:
        self.put(review)
        self._add_permits(review, added)

    def _add_permits(self, review: JointReview, permits: Sequence[Permit]) -> None:
        self._statements.execute(
            insert(joint_review_permits),
            [{"permit_id": permit.permit_id, "review_id": review.review_id} for permit in permits],
        )

    def _one(self, query: Select[Any]) -> KeptReview | None:
        row = self._statements.execute(query).one_or_none()
        if row is None:
            return None
        opened = self._statements.opened(joint_reviews, row)
        return KeptReview(
            application_id=row.application_id,
            utility=row.utility,
            line=ConnectionLine.model_validate(opened["line"]),
            record_id=row.record_id,
            review=from_json(opened["review"]),
        )


class SqlApprovalOutcomes:
    """``gateway.approvals.ports.OutcomeRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, outcome: KeptOutcome) -> None:
        sealed = self._statements.sealed(approval_outcomes, outcome.__dict__)
        self._statements.execute(insert(approval_outcomes).values(**sealed))

    def find(self, department: str, outcome_id: str) -> KeptOutcome | None:
        row = self._statements.execute(
            select(approval_outcomes).where(
                approval_outcomes.c.department == department, approval_outcomes.c.outcome_id == outcome_id
            )
        ).one_or_none()
        return None if row is None else self._outcome(row)

    def of_permit(self, permit_id: str) -> list[KeptOutcome]:
        rows = self._statements.execute(
            select(approval_outcomes)
            .where(approval_outcomes.c.permit_id == permit_id)
            .order_by(approval_outcomes.c.sequence, approval_outcomes.c.outcome_id)
        )
        return [self._outcome(row) for row in rows]

    def _outcome(self, row: Row[tuple[object, ...]]) -> KeptOutcome:
        return KeptOutcome(**self._statements.opened(approval_outcomes, row))


def _of_application(application_id: str) -> Select[Any]:
    return select(joint_reviews).where(joint_reviews.c.application_id == application_id)
