"""The drill of an upgrade in short: today's code takes over from the older release that the repository names.

On PostgreSQL, where both serve beside each other; ``python -m tests.prove.mixed_versions`` does it on SQLite too.
Collected only where that release is in the history of the clone; see ``conftest.py``.
"""

import secrets

import pytest

from tests.prove.machine import Skipped
from tests.prove.mixed_versions import drill, table
from tests.prove.older import named
from tests.prove.postgres import server_programs
from tests.prove.system import DatabaseKind
from tests.prove.takeover import Plan
from tests.support.require import skip_or_fail

pytestmark = pytest.mark.timeout(600)
OUTCOMES = 40
STAGES = 6


async def test_beside_an_older_release_nothing_is_lost_doubled_or_out_of_order() -> None:
    try:
        server_programs()
    except Skipped as reason:
        skip_or_fail(str(reason))
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    (result,) = await drill([Plan(DatabaseKind.POSTGRESQL, OUTCOMES, seed)], named(), print)
    print(table(result))
    assert result.wrong == []
    assert result.report.findings == []
    assert result.holds
    assert result.report.counts["outcomes"] == STAGES * OUTCOMES
