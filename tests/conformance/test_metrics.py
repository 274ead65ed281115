"""What a person on call sees of the outbox, on both databases."""

from datetime import timedelta

from gateway.certificates.verdicts import Verdict
from gateway.delivery.ports import ChannelKind, ClaimRoom, DeliveryState, EventDraft, Settlement
from gateway.metrics import LOOKED_AT, GatewayMetrics
from tests.support.storage import NOON, SetClock, opened


def draft(name: str, destination: str, seconds: int) -> EventDraft:
    at = NOON + timedelta(seconds=seconds)
    return EventDraft(name, destination, ChannelKind.WEBHOOK, "t", f"app-{name}", at, {})


async def shown(metrics: GatewayMetrics) -> dict[str, float]:
    lines = (await metrics.exposition()).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def test_what_waits_and_what_is_dead_is_counted_by_destination(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        metrics = GatewayMetrics(transactions, clock)
        empty = await shown(metrics)
        assert (empty["bandian_database_up"], empty["bandian_outbox_oldest_pending_seconds"]) == (1, 0)
        assert empty["bandian_writer_queue"] == 0

        drafts = [draft("a", "csg", 0), draft("b", "csg", 5), draft("c", "water-440100", 9)]
        await transactions.write(lambda tx: [tx.outbox.append(each) for each in drafts])
        at = clock.advance(seconds=60)
        claims = await transactions.write(
            lambda tx: tx.deliveries.claim("r", at, at + timedelta(minutes=1), ClaimRoom(9, 9))
        )
        dead = next(claim for claim in claims if claim.event.event_id == "a")
        settlement = Settlement("a", dead.attempt, at, at, DeliveryState.DEAD, "webhook.status_410", 410)
        assert await transactions.write(lambda tx: tx.deliveries.settle("r", settlement))

        metrics.attempted("csg", DeliveryState.DEAD)
        metrics.judged("business_licence", Verdict.VALID)
        now = await shown(metrics)
        assert now['bandian_outbox_pending{destination="csg"}'] == 1
        assert now['bandian_outbox_pending{destination="water-440100"}'] == 1
        assert now['bandian_dead_letters{destination="csg"}'] == 1
        assert now["bandian_outbox_oldest_pending_seconds"] == 55
        assert now['bandian_delivery_attempts_total{destination="csg",state="dead"}'] == 1
        assert now['bandian_verdicts_total{kind="business_licence",verdict="valid"}'] == 1


async def test_the_database_is_not_asked_at_every_scrape_and_its_absence_is_told() -> None:
    clock, asked = SetClock(), 0

    class Down:
        waiting = 7

        async def read(self, work: object) -> None:
            nonlocal asked
            asked += 1
            raise TimeoutError

        async def write(self, work: object) -> None:
            raise AssertionError

    metrics = GatewayMetrics(Down(), clock)  # type: ignore[arg-type]
    for _ in range(3):
        assert (await shown(metrics))["bandian_database_up"] == 0
    assert asked == 1
    clock.at += LOOKED_AT
    assert (await shown(metrics))["bandian_writer_queue"] == 7
    assert asked == 2
