"""One province per database for all flows: real processes, real HTTP.

It ends with the last of them: what runs on beside other tests takes time from them.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import pytest_asyncio

from tests.support.databases import Databases
from tests.support.province import LiveProvince, live_province


@pytest_asyncio.fixture(scope="package", loop_scope="session", params=["sqlite", "postgresql"])
async def province(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LiveProvince]:
    """A province over an empty database that ``bandian migrate`` brings up."""
    with ExitStack() as stack:
        on_sqlite = request.param == "sqlite"
        url = databases.empty_sqlite() if on_sqlite else stack.enter_context(databases.empty_postgresql())
        async with live_province(tmp_path_factory.mktemp(f"province-{request.param}"), url) as live:
            yield live
