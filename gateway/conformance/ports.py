"""What the suite asks of the world and of the unit of work."""

from collections.abc import Sequence
from typing import Protocol

from gateway.conformance.model import Answer, ConformanceReport, Probe
from gateway.partners.directory import DirectorySnapshot
from gateway.partners.model import Partner
from gateway.records.ports import RecordAppender


class Counterpart(Protocol):
    """A partner's registered endpoint. It never raises for what the partner does or leaves undone."""

    async def try_probe(self, probe: Probe, test_id: str) -> Answer | None:
        """Send one probe under ``test_id``; None where it does not apply (no secret, no status address)."""
        ...

    async def close(self) -> None: ...


class Reaches(Protocol):
    """Opens the way to a partner."""

    def open(self, snapshot: DirectorySnapshot, partner: Partner, run_id: str) -> Counterpart: ...

    def address_fault(self, snapshot: DirectorySnapshot, partner: Partner) -> str | None:
        """Why the registered addresses may not be sent to; None where they may, or where there is none."""
        ...


class ConformanceReports(Protocol):
    """Every run that was made."""

    def add(self, report: ConformanceReport) -> None: ...

    def last(self, partner_code: str) -> ConformanceReport | None: ...

    def recent(self, partner_code: str, limit: int) -> Sequence[ConformanceReport]:
        """The newest first."""
        ...


class ConformanceTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def conformance(self) -> ConformanceReports: ...
    @property
    def records(self) -> RecordAppender: ...
