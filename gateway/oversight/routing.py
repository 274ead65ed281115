"""谁来答复: for a region, which registered level answers, county → city → province (第（七）条), and which levels
were fallen through.

Sources are asked by the very directory that fetches certificates, departments and utilities by the directory of
partners as it stands. Nobody is called.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.applications.utilities import utilities_of
from gateway.approvals.ports import Department
from gateway.caller import Role
from gateway.certificates.errors import NoSource
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceRoute
from gateway.partners.directory import Directory, DirectorySnapshot
from schemas.identifiers import region_levels
from schemas.routing import Answerer, RegionRouting

FindSource = Callable[[str, str], SourceRoute]
"""(kind, region) → its source; raises ``NoSource``."""


@dataclass(frozen=True)
class _Found:
    code: str
    name: str
    level: str
    fell_through: tuple[str, ...]


def routing(
    region: str,
    kinds: Mapping[str, str],
    find_source: FindSource,
    departments: Iterable[Department[Any]],
    partners: DirectorySnapshot,
) -> RegionRouting:
    """Who would answer for ``region`` (GB/T 2260, 6, 9 or 12 digits). ``kinds`` are certificate kinds to their titles.

    Raises ``IdentifierError`` for what is no region.
    """
    levels = region_levels(region)
    return RegionRouting(
        region=region,
        levels=list(levels),
        sources=[_answerer(kind, title, _source(find_source, kind, region), levels) for kind, title in kinds.items()],
        departments=[
            _answerer(each.prefix, each.title, _department(each.prefix, levels, partners), levels)
            for each in departments
        ],
        utilities=utilities_of(partners, region),
    )


def _answerer(what: str, title: str, found: _Found | None, levels: tuple[str, ...]) -> Answerer:
    if found is None:
        return Answerer(what=what, title=title, answers=None, name=None, level=None, fell_through=list(levels))
    return Answerer(
        what=what,
        title=title,
        answers=found.code,
        name=found.name,
        level=found.level,
        fell_through=list(found.fell_through),
    )


def _source(find_source: FindSource, kind: str, region: str) -> _Found | None:
    try:
        route = find_source(kind, region)
    except NoSource:
        return None
    return _Found(route.source.code, route.source.code, route.level, route.fell_through)


def _department(prefix: str, levels: tuple[str, ...], partners: DirectorySnapshot) -> _Found | None:
    """The most local active department of the kind; of several at one level the first by code."""
    own = sorted(
        (each for each in partners.partners.values() if each.role is Role.DEPARTMENT and each.active),
        key=lambda each: each.code,
    )
    for number, level in enumerate(levels):
        for partner in own:
            if partner.code.rpartition("-")[0] == prefix and level in partner.regions:
                return _Found(partner.code, partner.name, level, levels[:number])
    return None


class RoutingService:
    """Answers from what is registered now."""

    def __init__(
        self,
        certificates: CertificateService,
        kinds: KindRegistry,
        departments: Iterable[Department[Any]],
        directory: Directory,
    ) -> None:
        self._certificates = certificates
        self._kinds = {kind.code: kind.title for kind in kinds.by_code.values()}
        self._departments = tuple(departments)
        self._directory = directory

    async def who_answers(self, region: str) -> RegionRouting:
        """See ``routing``."""
        snapshot = await self._directory.snapshot()
        return routing(region, self._kinds, self._certificates.route, self._departments, snapshot)
