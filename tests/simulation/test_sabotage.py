"""Each invariant bites: a gateway that is broken on purpose does not come through."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.storage.applications import SqlStageEvents
from adapters.storage.delivery_queue import SqlDeliveryQueue
from adapters.storage.outbox import BatchOutbox
from adapters.storage.records import BatchRecords
from gateway.applications import confirmation, intake, lifecycle, stage_events
from gateway.certificates.registry import KindRegistry
from gateway.certificates.status_lists import StatusListReader
from gateway.certificates.verdicts import Verdict
from gateway.delivery.attempts import Attempts, ReceiverHealth
from gateway.delivery.ports import AttemptOutcome, Channel, DeliveryState, Settlement
from gateway.licences import compiled, judgement
from gateway.rechecks import service as rechecks
from mock_services.provincial_platform.registry import Order
from schemas.events import EventType
from tests.simulation import applicants, channel, simulation, utilities
from tests.simulation.simulation import simulate

pytestmark = pytest.mark.timeout(600)
APPLICATIONS = 8
SEEDS = (11, 12, 13, 14)
"""One after the other, until one goes wrong: a sabotage may have nothing to spoil in a history."""
Break = Callable[[pytest.MonkeyPatch], None]


def swallow_an_outcome(patch: pytest.MonkeyPatch) -> None:
    append = BatchOutbox.append

    def swallowing(self: BatchOutbox, draft: Any) -> None:
        if draft.type != EventType.PERMIT_OUTCOME:
            append(self, draft)

    patch.setattr(BatchOutbox, "append", swallowing)


def settle_what_was_not_sent(patch: pytest.MonkeyPatch) -> None:
    async def claiming(self: Attempts, claim: Any) -> tuple[Settlement, ReceiverHealth]:
        now, event_id = self.clock(), claim.event.event_id
        said = DeliveryState.DELIVERED, "accepted", 200, None, None, AttemptOutcome.RECEIPTED
        return Settlement(event_id, claim.attempt, now, now, *said), ReceiverHealth.WORKS

    patch.setattr(Attempts, "make", claiming)


def queue_an_outcome_twice(patch: pytest.MonkeyPatch) -> None:
    append = BatchOutbox.append

    def doubling(self: BatchOutbox, draft: Any) -> None:
        append(self, draft)
        if draft.type == EventType.PERMIT_OUTCOME:
            append(self, replace(draft, event_id=draft.event_id + "x"))

    patch.setattr(BatchOutbox, "append", doubling)


def change_what_is_sent_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(channel, "ANSWERS_LOST", 0.5)
    patch.setattr(channel.SimulatedChannel, "find_receipt", Channel.find_receipt)
    claim = SqlDeliveryQueue.claim

    def other(self: SqlDeliveryQueue, *args: Any, **named: Any) -> Any:
        return [
            replace(each, event=replace(each.event, data={**each.event.data, "attempt": each.attempt}))
            for each in claim(self, *args, **named)
        ]

    patch.setattr(SqlDeliveryQueue, "claim", other)


def forget_stage_events(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqlStageEvents, "find", lambda *_: None)


def leave_a_hole(patch: pytest.MonkeyPatch) -> None:
    feed = SqlDeliveryQueue.feed

    def holed(self: SqlDeliveryQueue, *args: Any) -> Any:
        return [replace(event, sequence=event.sequence + (event.sequence > 1)) for event in feed(self, *args)]

    patch.setattr(SqlDeliveryQueue, "feed", holed)


def overtake(patch: pytest.MonkeyPatch) -> None:
    """What is behind goes first: everything is due at once but the first event of an application."""
    claim = SqlDeliveryQueue.claim

    def newest_first(self: SqlDeliveryQueue, *args: Any, **named: Any) -> Any:
        claims = claim(self, *args, **named)
        return [replace(each, event=replace(each.event, sequence=each.event.sequence + 1)) for each in claims]

    patch.setattr(SqlDeliveryQueue, "claim", newest_first)


def skip_stages(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lifecycle, "_require_in_order", lambda *_: None)


def forget_steps(patch: pytest.MonkeyPatch) -> None:
    def forgetting(before: Any, event: Any, heard_at: Any) -> Any:
        after = lifecycle.apply(before, event, heard_at)
        return replace(after, steps=after.steps[-1:])

    patch.setattr(stage_events, "apply", forgetting)


def turn_back_the_clock(patch: pytest.MonkeyPatch) -> None:
    record = lifecycle._record

    def early(*args: Any) -> Any:
        step = record(*args)
        return replace(step, counted_at=step.counted_at - timedelta(days=30))

    patch.setattr(lifecycle, "_record", early)


def disclose_to_anyone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(applicants, "TAKEN_BACK", 0.5)
    patch.setattr(judgement, "require_application", lambda application, _: application)
    patch.setattr(judgement, "require_covers", lambda authorisation, *_: authorisation)


def disclose_at_any_stage(patch: pytest.MonkeyPatch) -> None:
    allowed = judgement.require_allowed

    def lenient(document: str, customer_class: Any, _stage: Any, on: Any, holder: Any) -> Any:
        return allowed(document, customer_class, lifecycle.stages_of(customer_class)[0], on, holder)

    patch.setattr(judgement, "require_allowed", lenient)


def disclose_all_that_was_agreed(patch: pytest.MonkeyPatch) -> None:
    need = compiled.require_needed
    names = frozenset[str]().union(*(kind.disclosable for kind in KindRegistry.discover().by_code.values()))
    patch.setattr(compiled, "require_needed", lambda *args: replace(need(*args), needed=names))


def tell_who_it_is(patch: pytest.MonkeyPatch) -> None:
    def telling(tx: Any, prepared: Any, stored: Any, intake_id: str) -> Any:
        demand = replace(prepared.application.demand, purpose=stored.party.name)
        told = replace(prepared, application=replace(prepared.application, demand=demand))
        return confirmation.submit(tx, told, stored, intake_id)

    patch.setattr(intake, "submit", telling)


def look_without_authorisation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(applicants, "TAKEN_BACK", 0.9)
    patch.setattr(rechecks, "_covers", lambda *_: True)


def leave_out_entries(patch: pytest.MonkeyPatch) -> None:
    append = BatchRecords.append

    def elsewhere(self: BatchRecords, entry: Any) -> str:
        named = append(self, entry)
        if entry.action == "application.submitted":
            self.truncate(len(self.entries) - 1)
        return named

    patch.setattr(BatchRecords, "append", elsewhere)


def seal_other_leaves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(simulation, "RECORD_EVERY", 50)
    patch.setattr("adapters.storage.records.leaf_hash", lambda _: bytes(32))


def believe_what_was_revoked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(simulation, "FATES", 1.0)
    patch.setattr(simulation, "ORDERS", (Order.REVOKE,))
    patch.setattr(utilities, "STALLED", 1.0)
    judge = StatusListReader.judge

    def trusting(self: StatusListReader, *args: Any) -> Any:
        return replace(judge(self, *args), verdict=Verdict.VALID, check=None)

    patch.setattr(StatusListReader, "judge", trusting)


def call_good_ones_revoked(patch: pytest.MonkeyPatch) -> None:
    """Every other minute."""
    judge = StatusListReader.judge

    def doubting(self: StatusListReader, reference: Any, issued: Any, at: Any, *rest: Any) -> Any:
        answer = judge(self, reference, issued, at, *rest)
        return answer if at.minute % 2 else replace(answer, verdict=Verdict.INVALID, check="status.revoked", remedy="-")

    patch.setattr(StatusListReader, "judge", doubting)


@pytest.mark.parametrize(
    ("sabotage", "invariant"),
    [
        (swallow_an_outcome, "lost"),
        (settle_what_was_not_sent, "lost"),
        (queue_an_outcome_twice, "twice"),
        (change_what_is_sent_again, "twice"),
        (forget_stage_events, "twice"),
        (leave_a_hole, "order"),
        (overtake, "order"),
        (skip_stages, "lifecycle"),
        (forget_steps, "lifecycle"),
        (turn_back_the_clock, "clock"),
        (disclose_to_anyone, "disclosure"),
        (disclose_at_any_stage, "disclosure"),
        (disclose_all_that_was_agreed, "disclosure"),
        (tell_who_it_is, "disclosure"),
        (look_without_authorisation, "disclosure"),
        (leave_out_entries, "record"),
        (seal_other_leaves, "record"),
        (believe_what_was_revoked, "revocation"),
        (call_good_ones_revoked, "revocation"),
    ],
    ids=lambda given: getattr(given, "__name__", given),
)
def test_a_broken_gateway_does_not_come_through(
    sabotage: Break, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utilities, "MISCHIEF", 0.7)
    sabotage(monkeypatch)
    found = None
    for seed in SEEDS:
        found = simulate(seed, APPLICATIONS).violated
        if found:
            break
    assert found is not None, "no history noticed"
    assert found.split(":")[0] == invariant, found
