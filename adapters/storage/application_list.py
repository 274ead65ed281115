"""Applications as officers list them, newest first: along an index, so that a page costs no more than a page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from itertools import product
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, select, union_all

from adapters.storage.statements import Statements
from gateway.applications.lifecycle import LifecycleStatus
from gateway.applications.model import ApplicationHeading, HeadingFilter
from gateway.clock import start_of_day_in_china

MOST_COUNTIES: Final = 40
"""A city has no more; of a region with more of them its applications are no rare find among all."""


@dataclass(frozen=True, slots=True)
class ApplicationList:
    """Over ``table``, which is ``applications``."""

    statements: Statements
    table: Table

    def page(self, wanted: HeadingFilter, limit: int) -> Sequence[ApplicationHeading]:
        """See ``gateway.applications.ports.ApplicationRepository.headings``."""
        own = self.table.c
        shown = [own[each.name] for each in fields(ApplicationHeading)]
        query = select(*shown).where(*self._narrowed(wanted))
        newest = (own.received_at.desc(), own.application_id)
        query = query.order_by(*newest).limit(limit)
        below = "" if wanted.region is None else re.sub(r"(00)+$", "", wanted.region)
        counties = self._counties(below) if below and wanted.application_id is None else []
        if 0 < len(counties) <= MOST_COUNTIES:
            query = self._of_each(query, counties, wanted.status, limit)
        else:
            if below:
                query = query.where(own.region.startswith(below, autoescape=True))
            if wanted.status is not None:  # bounded and ordered as the index of statuses alone is
                alike = own.status.between(wanted.status.value, wanted.status.value)
                query = query.where(alike).order_by(None).order_by(own.status.desc(), *newest)
        rows = self.statements.execute(query)
        return [ApplicationHeading(**{**row._mapping, "status": LifecycleStatus(row.status)}) for row in rows]

    def _narrowed(self, wanted: HeadingFilter) -> list[ColumnElement[bool]]:
        own, narrowed = self.table.c, list[ColumnElement[bool]]()
        if wanted.application_id is not None:
            narrowed.append(own.application_id == wanted.application_id)
        if wanted.received_from is not None:
            narrowed.append(own.received_at >= start_of_day_in_china(wanted.received_from))
        if wanted.received_until is not None:
            narrowed.append(own.received_at < start_of_day_in_china(wanted.received_until + timedelta(days=1)))
        return narrowed

    def _counties(self, below: str) -> Sequence[str]:
        """The regions with applications whose codes begin with ``below``: a probe of the index for each, from the one
        before. No more than one beyond ``MOST_COUNTIES``.
        """
        own, found = self.table.c, list[str]()
        while len(found) <= MOST_COUNTIES:
            beyond = own.region > found[-1] if found else own.region >= below
            following = select(own.region).where(beyond).order_by(own.region, own.status, own.received_at).limit(1)
            region = self.statements.execute(following).scalar_one_or_none()
            if region is None or not region.startswith(below):
                break
            found.append(region)
        return found

    def _of_each(
        self, query: Select[Any], counties: Sequence[str], status: LifecycleStatus | None, limit: int
    ) -> Select[Any]:
        """The newest of each county and status, and of all those the newest."""
        own, statuses = self.table.c, LifecycleStatus if status is None else (status,)
        parts = [
            query.where(own.region == county, own.status == each.value).subquery()
            for county, each in product(counties, statuses)
        ]
        found = union_all(*(select(part) for part in parts)).subquery()
        return select(found).order_by(found.c.received_at.desc(), found.c.application_id).limit(limit)
