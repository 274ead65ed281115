"""Names of organisations, and what a page says of fields: codes and slugs are nobody's language."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from gateway.approvals.departments import Departments
from gateway.http.services import Services, services_of
from gateway.partners.directory import PartnerDirectory
from gateway.partners.model import Partner


class Names:
    """Who is meant by a partner's code, and which permit by a department's slug; what has no name stands as it is."""

    def __init__(self, partners: Mapping[str, Partner], departments: Departments) -> None:
        self._partners = partners
        self._departments = departments

    def of(self, code: str) -> str:
        """The organisation's registered name."""
        found = self._partners.get(code)
        return code if found is None else found.name

    def department(self, code: str) -> str:
        """What kind of department it is (``规划和自然资源部门``)."""
        found = self._departments.of_code(code)
        return self.of(code) if found is None else found.title

    def permit(self, department: str, permit: str) -> str:
        """The permit as the department calls it."""
        found = self._departments.of_code(department)
        return permit if found is None else found.permits.get(permit, permit)


async def names_now(services: Services) -> Names:
    """As the directory stands now."""
    snapshot = await services.get(PartnerDirectory).snapshot()
    return Names(snapshot.partners, services.get(Departments))


async def names(request: Request) -> Names:
    """``names_now`` of what serves the request."""
    return await names_now(services_of(request.app))


KnownNames = Annotated[Names, Depends(names)]
