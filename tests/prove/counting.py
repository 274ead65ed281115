"""How far a run is, and where what it leaves lies: the departments' budget and log, the gateway's outbox."""

from pathlib import Path

from mock_services.demo.roster import UTILITY
from tests.prove import applicants, checker, department, utility
from tests.prove.record_check import opened
from tests.prove.system import System

_UNDELIVERED = "SELECT count(*) FROM outbox WHERE state NOT IN ('delivered', 'dead')"
_UNANCHORED = (
    "SELECT count(*) FROM record_logs WHERE size > coalesce("
    "(SELECT max(last) FROM record_super_leaves WHERE record_super_leaves.log_id = record_logs.log_id), 0)"
)


class Acknowledged:
    """Counts what stands in the departments' log, reading on from where it was."""

    def __init__(self, system: System) -> None:
        self._path, self._offset = system.layout.departments / department.LOG, 0
        self.acknowledged = 0
        self.decided = 0

    def look(self) -> int:
        """Outcomes acknowledged so far."""
        if self._path.exists():
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                read = stream.read()
            whole = read[: read.rfind(b"\n") + 1]
            self._offset += len(whole)
            self.acknowledged += whole.count(b'"what":"acknowledged"')
            self.decided += whole.count(b'"what":"outcome"')
        return self.acknowledged


def allow(system: System, outcomes: int) -> None:
    """The departments may decide so many outcomes in all."""
    path = system.layout.departments / department.BUDGET
    draft = path.with_suffix(".draft")
    draft.write_text(str(outcomes))
    draft.rename(path)


def undelivered_events(system: System) -> int:
    """How many events stand in the outbox that are neither delivered nor given up."""
    return _counted(system, _UNDELIVERED)


def unanchored_logs(system: System) -> int:
    """How many logs of the record have entries that no checkpoint covers."""
    return _counted(system, _UNANCHORED)


def _counted(system: System, query: str) -> int:
    with opened(system.database_url) as database:
        return int(database.execute(query).fetchone()[0])


def evidence_of(system: System, gateway_keys: Path) -> checker.Evidence:
    """What the checker compares after this run."""
    layout = system.layout
    return checker.Evidence(
        departments=layout.departments / department.LOG,
        applicants=layout.root / applicants.LOG,
        utility=layout.utility / utility.STORE,
        roster=layout.root / "roster.json",
        gateway_keys=gateway_keys,
        database_url=system.database_url,
        utility_code=UTILITY,
    )
