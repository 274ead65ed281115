"""Table and repository of ratings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Table, Text, insert, select, update

from adapters.storage.sealed import SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import JsonDocument, UtcInstant, metadata
from gateway.ratings.model import Rating
from schemas.ratings import RatingLevel, RatingTag

service_ratings = Table(
    "service_ratings",
    metadata,
    Column("application_id", Text, primary_key=True),
    Column("utility", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("tags", JsonDocument, nullable=False),
    Column("rated_at", UtcInstant, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("text", SealedText),
    Column("answer_by", UtcInstant),
    Column("answer", SealedText),
    Column("answered_at", UtcInstant),
    Column("answered_by", Text),
)
_WAITS = service_ratings.c.answer_by.is_not(None) & service_ratings.c.answered_at.is_(None)
Index("ix_service_ratings_rated_at", service_ratings.c.rated_at)
Index("ix_service_ratings_waiting", service_ratings.c.answer_by, sqlite_where=_WAITS, postgresql_where=_WAITS)


class SqlRatings:
    """``gateway.ratings.ports.RatingRepository``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def add(self, rating: Rating) -> None:
        values = {**rating.__dict__, "level": rating.level.value, "tags": [tag.value for tag in rating.tags]}
        self._statements.execute(insert(service_ratings).values(**self._statements.sealed(service_ratings, values)))

    def find(self, application_id: str) -> Rating | None:
        own = service_ratings.c.application_id == application_id
        row = self._statements.execute(select(service_ratings).where(own)).one_or_none()
        return None if row is None else _rating(self._statements.opened(service_ratings, row))

    def answer(self, application_id: str, text: str, by: str, at: datetime) -> bool:
        values = {"answer": text, "answered_by": by, "answered_at": at}
        sealed = self._statements.sealed(service_ratings, values, application_id=application_id)
        open_one = (service_ratings.c.application_id == application_id) & _WAITS
        return self._statements.execute(update(service_ratings).where(open_one).values(**sealed)).rowcount == 1

    def waiting(self, limit: int) -> Sequence[Rating]:
        query = select(service_ratings).where(_WAITS).order_by(service_ratings.c.answer_by).limit(limit)
        return [_rating(self._statements.opened(service_ratings, row)) for row in self._statements.execute(query)]


def forget_ratings(statements: Statements, applications: Sequence[str]) -> None:
    """What was written goes; level and reasons stay."""
    of_them = service_ratings.c.application_id.in_(applications)
    statements.execute(update(service_ratings).where(of_them).values(text=None, answer=None))


def _rating(row: dict[str, Any]) -> Rating:
    tags = tuple(RatingTag(tag) for tag in row["tags"])
    return Rating(**{**row, "level": RatingLevel(row["level"]), "tags": tags})
