"""The writer: every write of this process goes through one thread and its one connection.

Units of work that wait together become one database transaction, each in a savepoint of its own, so that state
change, record entry and outbox row are one commit and one fsync is shared by many. The writer owns the head of this
process's record log and moves it only after the commit; callers get their answer only then.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from adapters.storage.batch import BatchRun
from adapters.storage.deferred import Deferred, NotTogether
from adapters.storage.engine import is_transient
from adapters.storage.outbox import BatchOutbox
from adapters.storage.pending import Pending, tell
from adapters.storage.record_trees import store_subtrees
from adapters.storage.records import (
    BatchRecords,
    LostLog,
    record_unavailable,
    release_log,
    take_log,
    write_batch,
)
from adapters.storage.sealed import AtRest
from adapters.storage.standing_looks import StandingLooks
from adapters.storage.unit_of_work import SqlUnitOfWork
from gateway.clock import Clock
from gateway.delivery.hand_over import HandOver
from gateway.records.log import LogHead, Seal
from gateway.records.ports import HeadKeeper
from gateway.records.seal_key import SealSigner

ResultT = TypeVar("ResultT")

MOST_UNITS = 256
"""Units in one transaction: beyond this the fsync is already cheap, and a failure would take more with it."""
MOST_WAITING = 4096
QUIET_ROUNDS = 3
"""After so many rounds of the event loop nobody else is about to come: who is being admitted is under way for two."""
BUSY_ROUND_S = 0.0002
"""A round that took longer was not quiet: its work may bring somebody, and a commit would share its processor."""
GATHERING_S = 0.02
"""Nobody waits longer for others than this, whatever the loop is busy with, unless it stands still: the thread looks
by itself then (``LOOKS_EVERY_S``)."""
LOOKS_EVERY_S, LOOKS_FOR_S = 0.1, 1.0
"""So often and so long after a commit the thread looks whether somebody came, before it rests until it is told. To wake
it for the first of each batch would cost a change of threads, and bring nothing: the loop tells when to begin."""
MOST_RUNS = 4
"""How often a batch is run when the database asks for it to be run again (deadlock, log taken over)."""
PATIENCE = 8.0
"""Seconds after which a batch is not run again: each run may have waited for a lock, and callers wait for them all."""

log = structlog.get_logger()


class WriterWatch(Protocol):
    """Is told how commits went; it answers at once and never raises."""

    def committed(self, units: int, seconds: float) -> None: ...
    def failed(self, fault: str) -> None: ...
    def log_continued(self) -> None: ...
    def log_lost(self) -> None: ...


class GroupWriter:
    """Runs units of work one after the other and commits them in groups."""

    def __init__(
        self,
        engine: Engine,
        signer: SealSigner,
        at_rest: AtRest,
        clock: Clock,
        head_keeper: HeadKeeper | None = None,
        source: str = "",
        watch: WriterWatch | None = None,
    ) -> None:
        self._source = source
        self._engine = engine
        self._watch = watch
        self._at_rest = at_rest
        self._head_keeper = head_keeper
        self._signer = signer
        self._clock = clock
        self.hand_over: HandOver | None = None
        """To whom events go as they are committed."""
        self._connection: Connection | None = None
        self._standing = StandingLooks()
        self._holder = uuid4().hex
        self._head: LogHead | None = None
        self._waiting: deque[Pending] = deque()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._closing = False
        self._gathering = self._ready = self._resting = False
        self._looks_until = 0.0
        self._coming = 0
        self._about_to_write = _Between(self._comes, self._came)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Start the thread; the database is first touched by the first unit."""
        self._thread.start()

    def close(self) -> None:
        """Commit what waits, let go of the log, and end the thread."""
        with self._lock:
            self._closing = True
            self._arrived.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def waiting(self) -> int:
        """How many units wait for the next transaction."""
        return len(self._waiting)

    def about_to_write(self) -> AbstractContextManager[None]:
        """Whoever waits for a commit waits for what is submitted in this context, and no longer than ``GATHERING_S``.

        Of the event loop alone.
        """
        return self._about_to_write

    def _comes(self) -> None:
        self._coming += 1

    def _came(self) -> None:
        self._coming -= 1
        if not self._coming and self._waiting and self._gathering:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._gather, loop, len(self._waiting), QUIET_ROUNDS, time.monotonic())

    def submit(self, work: Callable[[SqlUnitOfWork], ResultT]) -> "asyncio.Future[ResultT]":
        """Run ``work``; awaited, what it answers once that is durable. Raises what it raised.

        Raises ``Overloaded``, at once or awaited: nothing was done.
        """
        pending = Pending(work, asyncio.get_running_loop())
        with self._lock:
            if self._closing:
                raise record_unavailable("writer_closing")
            if len(self._waiting) >= MOST_WAITING:
                raise record_unavailable("writer_queue_full")
            self._waiting.append(pending)
            begin, known = not self._gathering, len(self._waiting)
            self._gathering = True
            if self._resting:  # else the thread looks by itself, and would be woken for nothing
                self._arrived.notify()
        if begin:
            pending.loop.call_soon(self._gather, pending.loop, known, QUIET_ROUNDS, pending.since)
        return pending.future

    def _gather(self, loop: asyncio.AbstractEventLoop, known: int, quiet: int, began: float) -> None:
        """Let the thread begin once ``quiet`` rounds brought nobody more: whoever is about to come shares a commit.

        Without it a loop that is busy would see each of its units committed alone, at the price of them all. The thread
        relies on nobody to call this: where the loop stands still it begins by itself, a little later. The round before
        this one ``began`` then, by the clock that is never set.
        """
        with self._lock:
            if not self._gathering:
                return  # the thread began by itself
            waiting, now = len(self._waiting), time.monotonic()
            late = not waiting or now - self._waiting[0].since >= GATHERING_S
            quiet = QUIET_ROUNDS if waiting > known or now - began > BUSY_ROUND_S else quiet - 1
            if quiet and waiting < MOST_UNITS and not late:
                loop.call_soon(self._gather, loop, waiting, quiet, now)
                return
            if self._coming and waiting < MOST_UNITS and not late:
                self._arrived.notify()  # so that it counts the time
                return  # the last who comes looks again; the thread waits for no more than its time
            self._gathering, self._ready = False, True
            self._arrived.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                while (patience := self._patience()) != 0:
                    self._resting = patience is None
                    self._arrived.wait(patience)
                self._resting = False
                if not self._waiting:
                    break
                self._gathering = self._ready = False
            self.commit_waiting()
            self._looks_until = time.monotonic() + LOOKS_FOR_S
            self._gather_again()
        self._release()
        self._disconnect()

    def _gather_again(self) -> None:
        """After a commit those whom it answered are about to come again, and share the next with who came meanwhile."""
        with self._lock:
            if self._closing or not self._waiting:
                return
            self._gathering, self._ready = True, False
            loop, waiting = self._waiting[0].loop, len(self._waiting)
        with suppress(RuntimeError):  # the loop is closed: the thread begins by itself
            loop.call_soon_threadsafe(self._gather, loop, waiting, QUIET_ROUNDS, time.monotonic())

    def _patience(self) -> float | None:
        """Seconds until the thread may begin or is to look again: 0 is now, None when somebody came."""
        if self._closing:
            return 0
        if not self._waiting:
            return LOOKS_EVERY_S if time.monotonic() < self._looks_until else None
        if self._ready or not self._gathering or len(self._waiting) >= MOST_UNITS:
            return 0
        return max(0.0, self._waiting[0].since + GATHERING_S - time.monotonic())

    def commit_waiting(self) -> None:
        """Commit what waits, in one transaction. The thread does so; without ``start`` whoever has none calls this."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_UNITS))]
        if batch:
            # Those that told what they look at come last, to look together; nobody is sent to the end twice.
            self._commit(sorted(batch, key=lambda each: each.looks_only))

    def _commit(self, batch: list[Pending]) -> None:
        try:
            done = self._commit_with_reruns(batch)
        except Exception as error:
            self._head = None
            log.error("writer.failed", error=type(error).__name__, units=len(batch))
            if self._watch is not None:
                self._watch.failed(type(error).__name__)
            given_up = [*batch, *self._out_of_patience()]
            for pending in given_up:
                pending.outcome = (True, record_unavailable("not_written"))
            tell(given_up)
            return
        if done < len(batch):
            for pending in batch[done:]:
                pending.put_back = True
            with self._lock:
                self._waiting.extendleft(reversed(batch[done:]))
        tell(batch[:done])

    def _out_of_patience(self) -> list[Pending]:
        """Whoever waited as long behind a batch that failed: another try would keep them as long again."""
        with self._lock:
            before = time.monotonic() - PATIENCE
            late = [pending for pending in self._waiting if pending.since <= before]
            for pending in late:
                self._waiting.remove(pending)
        return late

    def _commit_with_reruns(self, batch: list[Pending]) -> int:
        ends, run, together = time.monotonic() + PATIENCE, 0, True
        while True:
            run += 1
            try:
                return self._commit_once(batch, Deferred() if together else None)
            except NotTogether as error:
                self._head, together = None, False
                log.warning("writer.one_by_one", fault=str(error), units=len(batch))
            except LostLog:
                self._head = None
                if self._watch is not None:
                    self._watch.log_lost()
                if run == MOST_RUNS:
                    raise
            except DBAPIError as error:
                if not error.connection_invalidated:  # else nothing was committed, and the log is still ours
                    self._head = None
                may_succeed = is_transient(error) or error.connection_invalidated
                if run == MOST_RUNS or time.monotonic() >= ends or not may_succeed:
                    raise

    def _commit_once(self, batch: list[Pending], deferred: Deferred | None) -> int:
        """One run of the batch; answers how many of its units were committed, none of them when it raises.

        A connection lost during the commit itself leaves it open whether the batch was committed. It is not run
        again then: ``_commit_phase`` turns that into an error that is no ``DBAPIError``.
        """
        began, held = time.perf_counter(), self._head is not None
        connection = self._connected()
        outbox = BatchOutbox(self._at_rest.sealer, self._source, self.hand_over)
        try:
            transaction = connection.begin()
            try:
                head = taken = self._head or take_log(connection, self._holder, self._clock())
                records = BatchRecords(head)
                run = BatchRun(connection, self._at_rest, records, outbox, deferred, self._standing)
                done = run.run(batch)
                if deferred:
                    deferred.write(connection)
                outbox.write(connection)
                head, seal = self._seal(connection, head, records)
            except BaseException:
                _roll_back_quietly(transaction)
                raise
            _commit_phase(transaction)
        except BaseException:
            outbox.broken_off()
            self._standing.end()
            self._disconnect()
            raise
        self._head = head
        run.committed()
        outbox.committed()
        if self._watch is not None:
            self._watch.committed(done, time.perf_counter() - began)
            if not held and taken.seals:
                self._watch.log_continued()
        if seal is not None and self._head_keeper is not None:
            self._head_keeper.keep(seal)
        return done

    def _connected(self) -> Connection:
        """The connection of the batch before; one that was lost meanwhile fails before anything is committed."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(sqlite_begin="IMMEDIATE")
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _seal(self, connection: Connection, head: LogHead, records: BatchRecords) -> tuple[LogHead, Seal | None]:
        if not records.leaves:
            return head, None
        hashes, signer = records.leaf_hashes, self._signer
        seal, after, completed = head.sealed(hashes, self._clock(), signer.key_id, signer.sign)
        write_batch(connection, self._holder, records, seal, after)
        if completed:
            store_subtrees(connection, seal.log_id, completed)
        return after, seal

    def _release(self) -> None:
        if self._head is None:
            return
        try:
            connection = self._connected()
            with connection.begin():
                release_log(connection, self._holder, self._head, self._clock())
        except SQLAlchemyError as error:  # the log is free anyway once its hold lapses
            log.warning("writer.log_not_released", error=type(error).__name__)


class _Between(AbstractContextManager[None]):
    """Between two functions, for many at once: a generator of its own for each would cost more than they do."""

    def __init__(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._before, self._after = before, after

    def __enter__(self) -> None:
        self._before()

    def __exit__(self, *_: object) -> None:
        self._after()


class CommitUnknown(Exception):
    """The connection was lost while committing: the batch may or may not have been committed."""


def _commit_phase(transaction: Any) -> None:
    try:
        transaction.commit()
    except DBAPIError as error:
        if is_transient(error):
            raise
        raise CommitUnknown(type(error.orig).__name__) from error


def _roll_back_quietly(transaction: Any) -> None:
    try:
        transaction.rollback()
    except SQLAlchemyError as error:  # the connection is gone, and with it the transaction
        log.warning("writer.rollback_failed", error=type(error).__name__)
