"""Tables and repositories of approvals: joint reviews, which permit belongs to which, and signed outcomes."""

from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    Select,
    Table,
    Text,
    bindparam,
    insert,
    select,
)

from adapters.storage.constant import Constant
from adapters.storage.plain import Plain
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.sealed import SealedBytes, SealedJson
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from adapters.storage.together import AddTogether, ChangeTogether
from gateway.approvals.joint_review import JointReview, Permit
from gateway.approvals.permit_states import review_status
from gateway.approvals.ports import HeldReview, KeptOutcome, KeptReview, outcome_known, review_of
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


_PERMITS_COLUMNS = (
    "SELECT asked.permit_id, reviews.review_id, reviews.application_id, reviews.utility, reviews.review"
    " FROM joint_review_permits AS asked"
    " JOIN joint_reviews AS reviews ON reviews.review_id = asked.review_id"
    " WHERE asked.permit_id IN ({wanted}) ORDER BY reviews.review_id"
)
_OF_PERMITS = Plain(
    _PERMITS_COLUMNS.format(wanted="SELECT json_extract(value, '$[0]') FROM json_each(?)"),
    _PERMITS_COLUMNS.format(wanted="SELECT unnest(?::text[])") + " FOR UPDATE OF reviews SKIP LOCKED",
)


class _OfPermit(NamedTuple):
    asked_by: str
    review_id: str
    application_id: str
    utility: str
    review: bytes


_OF_PERMIT = (
    select(joint_reviews)
    .where(
        joint_reviews.c.review_id
        == select(joint_review_permits.c.review_id)
        .where(joint_review_permits.c.permit_id == bindparam("permit"))
        .scalar_subquery()
    )
    .with_for_update(of=joint_reviews)
)
_PUT = ChangeTogether(joint_reviews, ("review_id",), ("review", "status"))
_ADD_OUTCOME = AddTogether(approval_outcomes)
_KNOWN = select(approval_outcomes).where(
    approval_outcomes.c.department == bindparam("by"), approval_outcomes.c.outcome_id == bindparam("known_as")
)
_WHICH_ARE_KNOWN = Plain(
    "SELECT known.department, known.outcome_id FROM json_each(?) AS wanted CROSS JOIN approval_outcomes AS known"
    " WHERE known.department = json_extract(wanted.value, '$[0]')"
    " AND known.outcome_id = json_extract(wanted.value, '$[1]')",
    "SELECT known.department, known.outcome_id FROM unnest(?::text[], ?::text[]) AS wanted (department, outcome_id)"
    " JOIN approval_outcomes AS known USING (department, outcome_id)",
)


def read_reviews(connection: Connection, keys: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], _OfPermit]:
    """``adapters.storage.read_ahead.Reader`` of ``REVIEW``: rows held from here on. One that is held is left out."""
    return {(row.asked_by,): row for row in starmap(_OfPermit, _OF_PERMITS.rows_for(connection, keys))}


def read_outcomes(connection: Connection, keys: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], list[Row[Any]]]:
    """``Reader`` of ``OUTCOME``: the row, or none, as mostly."""
    found: dict[tuple[str, ...], list[Row[Any]]] = {key: [] for key in keys}
    for department, outcome_id in _WHICH_ARE_KNOWN.rows_for(connection, list(found)):
        known = connection.execute(_KNOWN, {"by": department, "known_as": outcome_id})
        found[department, outcome_id] = list(known)
    return found


_OF_APPLICATION = Constant(select(joint_reviews).where(joint_reviews.c.application_id == bindparam("own")))


class SqlJointReviews:
    """``gateway.approvals.ports.JointReviewRepository``."""

    def __init__(self, statements: Statements, ahead: ReadAhead) -> None:
        self._statements = statements
        self._ahead = ahead

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
        found = self._statements.ask(_OF_APPLICATION, own=application_id)
        return self.kept(found[0]) if found else None

    def find_by_application_for_change(self, application_id: str) -> KeptReview | None:
        return self._one(_of_application(application_id).with_for_update())

    def find_by_permit_for_change(self, permit_id: str) -> HeldReview | None:
        row = self._ahead.get(review_of(permit_id))
        if row is None:
            row = self._statements.execute(_OF_PERMIT, {"permit": permit_id}).one_or_none()
        if row is None:
            return None
        review = self._statements.remembered(joint_reviews, "review", row, from_json)
        return HeldReview(row.application_id, row.utility, review)

    def put(self, review: JointReview) -> None:
        changed = {"review_id": review.review_id, "review": to_json(review), "status": review_status(review).value}
        sealed = self._statements.sealed(joint_reviews, changed)
        self._statements.defer(_PUT, sealed)
        self._statements.remember(joint_reviews, "review", sealed, review)
        self._ahead.forget(review_of(permit.permit_id) for permit in review.permits)

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
        return None if row is None else self.kept(row)

    def kept(self, row: Any) -> KeptReview:
        """What a row of ``joint_reviews`` says. Raises ``StoredDataUnreadable``."""
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

    def __init__(self, statements: Statements, ahead: ReadAhead) -> None:
        self._statements = statements
        self._ahead = ahead

    def add(self, outcome: KeptOutcome) -> None:
        self._statements.defer(_ADD_OUTCOME, self._statements.sealed(approval_outcomes, outcome.__dict__))
        self._ahead.forget([outcome_known(outcome.department, outcome.outcome_id)])

    def find(self, department: str, outcome_id: str) -> KeptOutcome | None:
        rows = self._ahead.get(outcome_known(department, outcome_id))
        if rows is None:
            rows = self._statements.execute(_KNOWN, {"by": department, "known_as": outcome_id}).all()
        return self._outcome(rows[0]) if rows else None

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
