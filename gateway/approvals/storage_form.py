"""A joint review as JSON, for storage; times are RFC 3339 in UTC.

A permit that was read or written before, and is still the same, is written as it stood there: with each outcome that is
heard its review is written whole.
"""

from datetime import UTC, date, datetime
from typing import Any, Final

import orjson

from gateway.approvals.joint_review import Commitment, HeardOutcome, JointReview, Outcome, Permit
from schemas.departments import OutcomeKind, ReviewMode


def to_json(review: JointReview) -> dict[str, Any]:
    """What ``orjson`` writes for ``review``; ``from_json`` reads it back."""
    return {
        "review_id": review.review_id,
        "opened_at": _text(review.opened_at),
        "received_on": review.received_on.isoformat(),
        "region": review.region,
        "voltage_v": review.voltage_v,
        "permits": [_permit_to_json(permit) for permit in review.permits],
    }


def from_json(stored: dict[str, Any]) -> JointReview:
    """What ``to_json`` wrote. Raises ``KeyError`` or ``ValueError`` for anything else; nothing is judged again."""
    return JointReview(
        review_id=stored["review_id"],
        opened_at=datetime.fromisoformat(stored["opened_at"]),
        received_on=date.fromisoformat(stored["received_on"]),
        region=stored["region"],
        voltage_v=stored["voltage_v"],
        permits=tuple(_permit_from_json(permit) for permit in stored["permits"]),
    )


_STORED: Final = "stored"


def _permit_to_json(permit: Permit) -> orjson.Fragment:
    stored: orjson.Fragment | dict[str, Any] | None = permit.derived.get(_STORED)
    if not isinstance(stored, orjson.Fragment):
        stored = permit.derived[_STORED] = _spelled(_written(permit) if stored is None else stored)
    return stored


def _written(permit: Permit) -> dict[str, Any]:
    return {
        "permit_id": permit.permit_id,
        "department": permit.department,
        "permit": permit.permit,
        "mode": permit.mode.value,
        "opened_at": _text(permit.opened_at),
        "mode_clause": permit.mode_clause,
        "commitment": _commitment_to_json(permit.commitment),
        "heard": [_heard_to_json(known) for known in permit.heard],
        "noted": list(permit.noted),
    }


def _permit_from_json(stored: dict[str, Any]) -> Permit:
    permit = Permit(
        permit_id=stored["permit_id"],
        department=stored["department"],
        permit=stored["permit"],
        mode=ReviewMode(stored["mode"]),
        opened_at=datetime.fromisoformat(stored["opened_at"]),
        mode_clause=stored["mode_clause"],
        commitment=_commitment_from_json(stored["commitment"]),
        heard=tuple(_heard_from_json(known) for known in stored["heard"]),
        noted=tuple(stored["noted"]),
    )
    permit.derived[_STORED] = stored
    return permit


def _commitment_to_json(commitment: Commitment | None) -> dict[str, Any] | None:
    if commitment is None:
        return None
    return {
        "statement": commitment.statement,
        "sha256": commitment.sha256,
        "given_at": _text(commitment.given_at),
        "record_id": commitment.record_id,
    }


def _commitment_from_json(stored: dict[str, Any] | None) -> Commitment | None:
    if stored is None:
        return None
    return Commitment(**{**stored, "given_at": datetime.fromisoformat(stored["given_at"])})


def _heard_to_json(known: HeardOutcome) -> dict[str, Any]:
    outcome = known.outcome
    return {
        "outcome_id": outcome.outcome_id,
        "permit_id": outcome.permit_id,
        "sequence": outcome.sequence,
        "outcome": outcome.outcome.value,
        "decided_at": _text(outcome.decided_at),
        "supersedes": outcome.supersedes,
        "reason": outcome.reason,
        "document_number": outcome.document_number,
        "valid_until": outcome.valid_until.isoformat() if outcome.valid_until else None,
        "heard_at": _text(known.heard_at),
    }


def _heard_from_json(stored: dict[str, Any]) -> HeardOutcome:
    outcome = Outcome(
        outcome_id=stored["outcome_id"],
        permit_id=stored["permit_id"],
        sequence=stored["sequence"],
        outcome=OutcomeKind(stored["outcome"]),
        decided_at=datetime.fromisoformat(stored["decided_at"]),
        supersedes=stored["supersedes"],
        reason=stored["reason"],
        document_number=stored["document_number"],
        valid_until=date.fromisoformat(stored["valid_until"]) if stored["valid_until"] else None,
    )
    return HeardOutcome(outcome, datetime.fromisoformat(stored["heard_at"]))


def _spelled(plain: dict[str, Any]) -> orjson.Fragment:
    """Its bytes in a block of their own length: those that ``orjson`` answers lie in one of a kilobyte or more."""
    return orjson.Fragment(bytes(memoryview(orjson.dumps(plain))))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
