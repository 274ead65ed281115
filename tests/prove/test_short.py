"""The proof in short, with a fresh seed each time: both databases at once, each with some kills of everything."""

import asyncio
import secrets

import pytest

from tests.prove.chaos import SHORT
from tests.prove.machine import Skipped
from tests.prove.postgres import server_programs
from tests.prove.report import table
from tests.prove.run import Plan, Result, prove, workplace
from tests.prove.system import DatabaseKind
from tests.support.require import skip_or_fail

pytestmark = pytest.mark.timeout(300)
OUTCOMES, KILLS = 100, 10
FEW_RESIDENTS = 300
OUTCOMES_OF_A_PERMIT = 5


async def _prove_both(seed: int) -> list[Result]:
    plans = [
        Plan(
            kind, OUTCOMES, KILLS, seed, minutes=2.0, quiet_s=150.0, residents=FEW_RESIDENTS,
            of_a_permit=OUTCOMES_OF_A_PERMIT, under_fire=0.3, pace=SHORT,
        )
        for kind in DatabaseKind
    ]  # fmt: skip
    async with workplace(print) as (root, launcher, shim):
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(prove(plan, print, launcher, shim, root / plan.database)) for plan in plans]
        return [run.result() for run in runs]


async def test_killed_anywhere_nothing_is_lost_doubled_or_out_of_order() -> None:
    try:
        server_programs()
    except Skipped as reason:
        skip_or_fail(str(reason))
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    results = await _prove_both(seed)
    print(table(results))
    for result in results:
        assert result.report.findings == []
        assert (result.audit_code, result.undelivered) == (0, 0), result.audit_said
        assert result.holds
        assert result.tally.killed >= KILLS
        assert result.report.counts["outcomes"] >= OUTCOMES
