"""The journeys of the demo, each over real HTTP between real processes, on both databases."""

from collections.abc import Awaitable, Callable

import pytest

from mock_services.demo.journeys import JOURNEYS, Stage
from tests.support.province import LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("journey", [journey for _, journey in JOURNEYS], ids=lambda journey: journey.__name__)
async def test_a_journey_ends_as_it_should(province: LiveProvince, journey: Callable[[Stage], Awaitable[None]]) -> None:
    await journey(province.stage())


async def test_the_record_is_whole_after_the_journeys(province: LiveProvince) -> None:
    code, printed = await province.audit()
    assert code == 0, printed
    assert "完好" in printed


async def test_migrating_again_changes_nothing_for_the_running_gateway(province: LiveProvince) -> None:
    code, printed = await province.command("migrate")
    assert code == 0, printed
    assert await province.readiness() == 200


async def test_nothing_went_wrong_inside(province: LiveProvince) -> None:
    logs = province.gateway_logs()
    assert "gateway.started" in logs
    assert "worker.started" in logs
    assert '"level":"error"' not in logs
    assert "Traceback" not in logs
