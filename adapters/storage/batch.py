"""One run of the units that share a transaction: each sees what those before it did, and fails by itself."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from adapters.storage.deferred import Deferred, NotTogether
from adapters.storage.engine import LOCK_TIMEOUT_MS, is_locked_out, patient_for_locks
from adapters.storage.outbox import BatchOutbox
from adapters.storage.pending import Pending
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.records import BatchRecords
from adapters.storage.sealed import AtRest
from adapters.storage.standing_looks import StandingLooks
from adapters.storage.statements import Statements
from adapters.storage.unit_of_work import NOTHING_AHEAD, READERS, SqlUnitOfWork
from gateway.partners.ports import SPENT
from gateway.transaction import Look

IMPATIENT_MS = 10
"""How long a unit behind others waits for a row that another process holds: about as long as a commit takes there."""


_DATABASE_FAULTS = (OperationalError, InterfaceError, InternalError)
"""The database is at fault, not the unit: connection lost, disk full, locked. The whole batch is off."""


class BatchRun:
    """``deferred`` keeps changes back that are written together; without it each is written at its time.

    ``standing`` are the looks of the batches before.
    """

    def __init__(
        self,
        connection: Connection,
        at_rest: AtRest,
        records: BatchRecords,
        outbox: BatchOutbox,
        deferred: Deferred | None,
        standing: StandingLooks,
    ) -> None:
        self._connection, self._at_rest, self._standing = connection, at_rest, standing
        self._looked: ReadAhead | None = None
        self._left: tuple[ReadAhead, Sequence[Pending]] | None = None
        self._records, self._outbox, self._deferred = records, outbox, deferred

    def run(self, units: Sequence[Pending]) -> int:
        """Run them up to one that would have to wait for another process while others' rows are held; how many ran.

        Two processes that wait while they hold what units before took would wait for each other: a deadlock, ended by
        undoing all that one of them did. Who waits is the first of a batch, which finds nothing held: a unit, or the
        reading ahead for a batch that only looks.
        """
        connection, deferred = self._connection, self._deferred
        done, ahead, waits = 0, ReadAhead(READERS), _Waits(connection)
        if units[0].looks_only:  # so do all: those that do come last
            self._looked = ahead = ReadAhead(READERS, self._standing.as_of(connection))
            _fill(connection, ahead, units)
        else:
            self._standing.mark(connection)
            self._run_one(units[0], self._unit(_ahead_of(units[0])))
            done = 1
        unit = self._unit(ahead)
        try:
            for pending in units[done:]:
                if not pending.foreseen:
                    self._looked = None
                    ahead = ReadAhead(READERS)  # it may change what was looked at
                    unit = self._unit(ahead)
                elif not ahead.filled:
                    waits.hardly()
                    if self._nothing_changed():
                        self._looked = ahead = ReadAhead(READERS, self._standing.as_of(connection))
                        unit = self._unit(ahead)
                    if deferred:
                        deferred.write(connection)
                    _fill_behind_savepoint(connection, ahead, units[done:])
                if not ahead.has(pending.looks):
                    waits.hardly()
                self._run_one(pending, unit)
                done += 1
        except OperationalError as error:
            if not is_locked_out(error):
                raise
        waits.as_before()
        self._left = ahead, units[done:]
        return done

    def committed(self) -> None:
        """What was looked at stands for the next batch, where this one did nothing else.

        What was spent for units that did not run is theirs when they do; else it would look as if others had spent it.
        """
        if self._left is not None:
            ahead, left = self._left
            for pending in left:
                looks = [look for look in pending.looks or () if look.what == SPENT and ahead.get(look) is True]
                pending.spent = (*pending.spent, *looks)
        if self._looked is not None:
            self._standing.keep(self._looked)
        elif not self._nothing_changed():
            self._standing.end()

    def _nothing_changed(self) -> bool:
        """By units that did not say what they look at, nor is anything of theirs kept back."""
        return not (self._deferred or self._records.entries or self._outbox.drafts) and self._standing.unchanged(
            self._connection
        )

    def _unit(self, ahead: ReadAhead) -> "_Unit":
        """For one unit after the other, as long as they look at the same that was read ahead."""
        statements = Statements(self._connection, self._at_rest, savepoint=True, deferred=self._deferred)
        return _Unit(statements, SqlUnitOfWork(statements, self._records, self._outbox, ahead), ahead)

    def _run_one(self, pending: Pending, unit: "_Unit") -> None:
        entries, drafts = len(self._records.entries), len(self._outbox.drafts)
        try:
            value = pending.work(unit.of_work)
            unit.statements.keep()
        except NotTogether:
            raise
        except Exception as error:
            locked_out = is_locked_out(error)
            if isinstance(error, _DATABASE_FAULTS) and not locked_out:
                raise
            unit.statements.discard()
            unit.ahead.unsure()
            self._records.truncate(entries)
            self._outbox.truncate(drafts)
            if locked_out:
                raise
            pending.outcome = (True, error)
        else:
            pending.outcome = (False, value)


class _Unit(NamedTuple):
    statements: Statements
    of_work: SqlUnitOfWork
    ahead: ReadAhead


class _Waits:
    """How long statements wait for what another process holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._hardly = connection, False

    def hardly(self) -> None:
        """For as long as a commit takes there, and no longer."""
        if not self._hardly:
            patient_for_locks(self._connection, IMPATIENT_MS)
            self._hardly = True

    def as_before(self) -> None:
        """For ``LOCK_TIMEOUT_MS`` again."""
        if self._hardly:
            patient_for_locks(self._connection, LOCK_TIMEOUT_MS)


def _looks_of(batch: Sequence[Pending]) -> list[Look]:
    return [look for pending in batch for look in pending.looks or ()]


def _ahead_of(pending: Pending) -> ReadAhead:
    """For a unit that reads by itself: nothing but what was spent for it before."""
    return ReadAhead(READERS, dict.fromkeys(pending.spent, True)) if pending.spent else NOTHING_AHEAD


def _fill(connection: Connection, ahead: ReadAhead, batch: Sequence[Pending]) -> None:
    """Read ahead for ``batch``, but for what was spent for it before."""
    looks, spent = _looks_of(batch), {look for pending in batch for look in pending.spent}
    ahead.fill(connection, [look for look in looks if look not in spent] if spent else looks)
    ahead.read.update(dict.fromkeys(spent, True))


def _fill_behind_savepoint(connection: Connection, ahead: ReadAhead, batch: Sequence[Pending]) -> None:
    """``_fill``: where a table is locked, what was done before stays as it is."""
    connection.exec_driver_sql("SAVEPOINT ahead")
    try:
        _fill(connection, ahead, batch)
    except OperationalError:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT ahead")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT ahead")
