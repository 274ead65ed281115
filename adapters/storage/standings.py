"""An application with its authorisation and its joint review: one of each at most, and all asked in one statement."""

from collections import namedtuple
from typing import Any

from sqlalchemy import Table, bindparam, select

from adapters.storage.applications import application_of, applications
from adapters.storage.approvals import SqlJointReviews, joint_reviews
from adapters.storage.authorisations import authorisation_of, authorisations
from adapters.storage.constant import Constant
from adapters.storage.statements import Statements
from gateway.progress.ports import Standing


def _row_of(table: Table) -> Any:
    return namedtuple(table.name, table.c.keys())


_SIDES = (applications, authorisations, joint_reviews)
_APPLICATION, _AUTHORISATION, _REVIEW = map(_row_of, _SIDES)
_FIRST, _SECOND = len(applications.c), len(applications.c) + len(authorisations.c)
_OWN = Constant(
    select(*(column.label(f"{table.name}_{column.name}") for table in _SIDES for column in table.c))
    .select_from(
        applications.outerjoin(
            authorisations, authorisations.c.application_id == applications.c.application_id
        ).outerjoin(joint_reviews, joint_reviews.c.application_id == applications.c.application_id)
    )
    .where(applications.c.application_id == bindparam("own"))
)


class SqlStandings:
    """``gateway.progress.ports.Standings``."""

    def __init__(self, statements: Statements, reviews: SqlJointReviews) -> None:
        self._statements, self._reviews = statements, reviews

    def of_application(self, application_id: str) -> Standing | None:
        for row in self._statements.ask(_OWN, own=application_id):
            authorisation, review = _AUTHORISATION(*row[_FIRST:_SECOND]), _REVIEW(*row[_SECOND:])
            return Standing(
                application_of(self._statements, _APPLICATION(*row[:_FIRST])),
                None if authorisation.authorisation_id is None else authorisation_of(authorisation._asdict()),
                None if review.review_id is None else self._reviews.kept(review),
            )
        return None
