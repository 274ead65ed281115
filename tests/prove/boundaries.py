"""Where a process can be killed: every boundary has a name, and the function of the gateway that it lies at.

A new boundary is one line here. A function that is gone makes the launcher refuse to start, so the table cannot rot.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Moment(StrEnum):
    """When the process dies: as the function is entered, or when it has returned (an exception is no return)."""

    BEFORE = "before"
    AFTER = "after"


class Role(StrEnum):
    """Which process comes past the boundary; its value is the command of ``bandian``."""

    SERVE = "serve"
    WORKER = "worker"


SERVE, WORKER = frozenset({Role.SERVE}), frozenset({Role.WORKER})
BOTH = SERVE | WORKER


@dataclass(frozen=True)
class Boundary:
    """``name`` and ``moment`` make the boundary; ``function`` is ``module:attribute`` or ``module:Class.method``.

    ``rare`` – it is passed seldom: waited for longer, and for its first hit.
    """

    name: str
    moment: Moment
    function: str
    roles: frozenset[Role]
    meaning: str
    rare: bool = False

    @property
    def slug(self) -> str:
        """``commit.before``."""
        return f"{self.name}.{self.moment}"

    def place(self) -> tuple[Any, str, Callable[..., Any]]:
        """What holds the function, its name there, and the function. Raises ``AttributeError``, ``ImportError``."""
        module, _, path = self.function.partition(":")
        *owners, attribute = path.split(".")
        owner: Any = importlib.import_module(module)
        for name in owners:
            owner = getattr(owner, name)
        return owner, attribute, getattr(owner, attribute)


def _around(
    name: str, function: str, roles: frozenset[Role], before: str, after: str, *, rare: bool = False
) -> tuple[Boundary, Boundary]:
    return (
        Boundary(name, Moment.BEFORE, function, roles, before, rare),
        Boundary(name, Moment.AFTER, function, roles, after, rare),
    )


BOUNDARIES: tuple[Boundary, ...] = (
    *_around(
        "commit",
        "adapters.storage.writer:_commit_phase",
        BOTH,
        "state, record entry and outbox row are written, and nothing is committed",
        "all of it is committed, and nobody who waits has been told",
    ),
    *_around(
        "seal",
        "adapters.storage.writer:write_batch",
        BOTH,
        "the units of a batch have run; their record entries and seal are not written",
        "entries, seal and the log's head are written, not committed",
    ),
    *_around(
        "number",
        "adapters.storage.outbox:BatchOutbox.write",
        BOTH,
        "events wait for their numbers",
        "events are numbered and written, not committed",
    ),
    *_around(
        "outcome",
        "gateway.approvals.outcomes:OutcomeIntake.receive",
        SERVE,
        "a department's outcome has arrived and nothing was done with it",
        "the outcome is durable, and the department has no answer yet",
    ),
    *_around(
        "claim",
        "adapters.storage.delivery_queue:SqlDeliveryQueue.claim",
        WORKER,
        "the relay is about to take leases",
        "leases are taken, not committed",
    ),
    *_around(
        "attempt",
        "gateway.delivery.attempts:Attempts.make",
        WORKER,
        "lease and open attempt are committed, and nothing was sent",
        "how the attempt ended is known to this process alone",
    ),
    *_around(
        "ask",
        "adapters.channels.posting:Poster.ask",
        WORKER,
        "a receiver is about to be asked what became of an event",
        "it has answered, and what it said is not checked",
    ),
    *_around(
        "send",
        "adapters.channels.posting:Poster.post",
        WORKER,
        "the body is ready and not a byte was sent",
        "the receiver's answer is read and not checked",
    ),
    Boundary(
        "answer",
        Moment.BEFORE,
        "adapters.channels.posting:_require_success",
        WORKER,
        "the receiver has stored the event and answers; its receipt is not read",
    ),
    *_around(
        "receipt",
        "adapters.channels.signed_events:SignedEvents.verify_receipt",
        WORKER,
        "a receipt has come and was not checked",
        "the receipt holds, and nothing of it is stored",
    ),
    *_around(
        "settle",
        "gateway.delivery.settling:Settling._settle",
        WORKER,
        "attempts that have ended are about to be settled",
        "they are settled, not committed",
    ),
    *_around(
        "head",
        "adapters.head_keeper:HeadFiles._replace",
        BOTH,
        "a head of the record is about to leave the database",
        "the head is kept outside the database",
    ),
    *_around(
        "checkpoint",
        "gateway.records.anchoring:Anchoring._anchor",
        WORKER,
        "logs have moved, and no leaf of the super log says so",
        "leaves are appended and a checkpoint is signed, not committed",
        rare=True,  # the lease of a worker that was killed while it anchored lasts half a minute
    ),
    *_around(
        "witness",
        "adapters.witnesses.files:CheckpointFiles.observe",
        WORKER,
        "a checkpoint is committed and has not left the database",
        "the checkpoint is kept outside the database",
        rare=True,
    ),
)
"""In the order in which an outcome passes them."""


def boundaries_of(role: Role) -> tuple[Boundary, ...]:
    """Those that a process of ``role`` comes past."""
    return tuple(boundary for boundary in BOUNDARIES if role in boundary.roles)
