"""Which source answers for a region: county → city → province (第（七）条 “省、市、县跨层级纵向联通”)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.certificates.errors import NoSource
from gateway.certificates.ports import ECertificateSource
from schemas.identifiers import region_levels


@dataclass(frozen=True, slots=True)
class SourceRegistration:
    """``source`` answers for the 6-digit ``region``; ``kinds`` None means for every kind."""

    region: str
    source: ECertificateSource
    kinds: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SourceRoute:
    """The source that answers and its level. ``fell_through`` lists the levels without one, lowest first."""

    source: ECertificateSource
    level: str
    fell_through: tuple[str, ...]


class SourceDirectory:
    """Sources by region and kind."""

    def __init__(self, registrations: Sequence[SourceRegistration]) -> None:
        """Raises ``ValueError`` when two sources claim the same region and kind."""
        self._table: dict[tuple[str, str | None], ECertificateSource] = {}
        for entry in registrations:
            for kind in entry.kinds if entry.kinds is not None else (None,):
                if (entry.region, kind) in self._table:
                    raise ValueError(f"two sources are registered for region {entry.region} and the same kind")
                self._table[entry.region, kind] = entry.source
        self._sources = [entry.source for entry in registrations]

    def route(self, region: str, kind: str) -> SourceRoute:
        """The source for ``kind`` in ``region`` (6, 9 or 12 digits). Raises ``NoSource``, ``IdentifierError``."""
        passed: list[str] = []
        for level in region_levels(region):
            source = self._table.get((level, kind)) or self._table.get((level, None))
            if source is not None:
                return SourceRoute(source, level, tuple(passed))
            passed.append(level)
        raise NoSource

    def sweep_memory(self, at: datetime) -> None:
        """No source remembers any longer what it answered than it may."""
        for source in self._sources:
            source.sweep_memory(at)
