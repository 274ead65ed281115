"""Officers' rows over both databases: what is kept, what every process sees, and what two at once come to."""

import asyncio
from datetime import date

import pytest

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.errors import RulesNotAtHand
from gateway.applications.stages import Stage
from gateway.partners.errors import SecondPersonRequired
from gateway.rule_rows.errors import RuleRowRefused, RuleRowUnknown
from gateway.rule_rows.live import STALE_AFTER, LiveRules
from gateway.rule_rows.model import ExtendableTable, RowStatus
from gateway.rule_rows.rules import NOTICE
from schemas.departments import ReviewMode
from tests.support.oversight import added, application
from tests.support.rule_rows import FIRST, SECOND, THIRD, days, process, terms, two_processes
from tests.support.storage import NOON, SetClock, opened

TOMORROW = date(2026, 3, 3)


def supply_plan(live: LiveRules, on: date = TOMORROW, region: str = "440103") -> int | None:
    return live.book().stage_limits.get((CustomerClass.LV_ORDINARY, Stage.SUPPLY_PLAN), on, region).working_days


async def test_two_processes_agree_without_a_restart(database_url: str) -> None:
    clock = SetClock()
    with two_processes(database_url, clock) as ((service, live), (_, elsewhere)):
        await live.refresh()
        await elsewhere.refresh()
        row = await service.draft(terms(), FIRST)
        with pytest.raises(SecondPersonRequired):
            await service.approve(row.row_id, FIRST)
        assert (supply_plan(live), supply_plan(elsewhere)) == (3, 3)
        await service.approve(row.row_id, SECOND)
        assert supply_plan(live) == 2
        assert await elsewhere.try_refresh()
        assert supply_plan(elsewhere) == 2
        assert supply_plan(elsewhere, date(2026, 3, 2)) == 3


async def test_of_two_approvals_at_once_that_contradict_one_is_refused(database_url: str) -> None:
    clock = SetClock()
    with two_processes(database_url, clock) as ((one, live), (two, elsewhere)):
        first = await one.draft(terms(), FIRST)
        second = await two.draft(terms(working_days=1), FIRST)
        answers = await asyncio.gather(
            one.approve(first.row_id, SECOND), two.approve(second.row_id, THIRD), return_exceptions=True
        )
        refused = [each for each in answers if isinstance(each, RuleRowRefused)]
        assert [each.check for each in refused] == ["rule_row.overlaps"], answers
        await live.refresh()
        await elsewhere.refresh()
        assert supply_plan(live) == supply_plan(elsewhere) in (1, 2)


async def test_rows_read_back_as_they_were_written_and_each_step_is_on_record(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        service, live = process(transactions, clock)
        plain = {"customer_class": None, "stage": None, "working_days": None}
        said = terms(
            table=ExtendableTable.REVIEW_MODE,
            **plain,
            mode=ReviewMode.FILING,
            permit="road_occupation",
            max_voltage_v=380,
            max_length_m=150.5,
            effective_to=date(2027, 3, 2),
        )
        mode = await service.draft(said, FIRST)
        limit = await service.draft(terms(), FIRST)
        await service.approve(limit.row_id, SECOND)
        gone = await service.withdraw(mode.row_id, SECOND, "条件不具备")
        clock.advance(days=4)
        await service.propose_end(limit.row_id, date(2026, 3, 31), FIRST)
        assert (await service.find(limit.row_id)).proposed_end is not None
        ended = await service.approve_end(limit.row_id, SECOND)
        assert await service.find(mode.row_id) == gone
        assert (gone.terms, gone.status) == (said, RowStatus.WITHDRAWN)
        assert await service.find(limit.row_id) == ended
        assert (supply_plan(live, date(2026, 3, 31)), supply_plan(live, date(2026, 4, 1))) == (2, 3)
        with pytest.raises(RuleRowUnknown):
            await service.find("rul_none")
        entries = await transactions.read(
            lambda tx: [each.action for each in tx.record_reader.of_subject(limit.row_id, _ACTIONS)]
        )
        assert entries == list(_ACTIONS)


_ACTIONS = ("rule_row.drafted", "rule_row.approved", "rule_row.end_proposed", "rule_row.end_approved")


async def test_a_preview_tells_whom_a_row_concerns(database_url: str) -> None:
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        service, _ = process(transactions, clock)
        received = [application(f"a{each}", days=(1,), received_at=NOON + days(each - 4)) for each in (1, 5)]
        await transactions.write(added(*received))
        county = await service.draft(terms(region="440103", working_days=1), FIRST)
        await service.approve(county.row_id, SECOND)
        seen = await service.preview(terms())
        assert (seen.judged, seen.untouched) == (1, 1)
        assert (str(seen.before), seen.before_clause, str(seen.after)) == ("3 个工作日", "附件2", "2 个工作日")
        own = {each.region: each.own_clause for each in seen.below}
        assert own["440106"] is None
        assert own["440103"] == "穗发改〔2026〕18号第二条"
        assert set(own) >= {"440104", "440105"}
        assert not any(region.startswith("4403") for region in own)


async def test_what_was_not_read_for_long_is_not_answered(database_url: str) -> None:
    assert STALE_AFTER < NOTICE
    clock = SetClock()
    with opened(database_url, clock) as transactions:
        _, live = process(transactions, clock)
        with pytest.raises(RulesNotAtHand):
            live.book()
        await live.refresh()
        clock.advance(seconds=STALE_AFTER.total_seconds())
        assert supply_plan(live) == 3
        clock.advance(seconds=1)
        with pytest.raises(RulesNotAtHand):
            live.book()
        await live.refresh()
        assert supply_plan(live) == 3
