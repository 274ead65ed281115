"""Gateway and worker are killed at any moment: what departments were told is accepted reaches the utility, once."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from mock_services.demo.journeys.stage import LOW_VOLTAGE_LINE, MILL, until
from tests.support.locking import writes_blocked
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]
PREFIXES = {"planning": "construction_planning", "road": "road_occupation", "water": "river_works"}
SCRIPT = """
[[rule]]
name = "busy"
steps = [
  { outcome = "accepted", after_ms = 0 },
  { outcome = "correction_requested", reason = "补正", after_ms = 150 },
  { outcome = "correction_received", reason = "已补正", after_ms = 150 },
  { outcome = "rejected", reason = "不予许可", after_ms = 150 },
  { outcome = "approved", supersedes = "last_decision", after_ms = 150 },
]
"""
OUTCOMES_OF_A_PERMIT = 5
PATIENCE = 90.0
"""A killed worker's leases lapse after thirty seconds; only then do others take its events over."""


async def apply_unannounced(fragile: LiveProvince) -> str:
    """An application that the utility will leave alone once it has it; answers its id."""
    applicant = fragile.applicant("enterprise-agent")
    await applicant.verify("enterprise", "e_licence")
    preview = await applicant.begin("one-certificate", {**MILL, "purpose": "演示人工"})
    assert preview["ready"]
    application_id: str = (await applicant.confirm(preview["intake_id"]))["application_id"]
    return application_id


async def apply(fragile: LiveProvince) -> str:
    """An application that has reached the utility."""
    application_id = await apply_unannounced(fragile)
    await fragile.stage().at_utility(application_id)
    return application_id


async def open_review(fragile: LiveProvince, application_id: str) -> set[str]:
    """Three departments at work; answers their permits."""
    review = {
        "line": LOW_VOLTAGE_LINE,
        "permits": [{"department": f"{prefix}-440600", "permit": permit} for prefix, permit in PREFIXES.items()],
    }
    url = f"{fragile.province.utility}/__admin/applications/{application_id}/joint-review"
    opened = await fragile.http.post(url, json=review)
    return {permit["permit_id"] for permit in opened.raise_for_status().json()["permits"]}


async def keep_departments_busy(fragile: LiveProvince) -> None:
    """From now on every permit that is asked for produces five outcomes."""
    rules = await fragile.http.put(f"{fragile.province.departments}/__admin/rules", content=SCRIPT.encode())
    rules.raise_for_status()


async def busy_reviews(fragile: LiveProvince, count: int) -> dict[str, set[str]]:
    """``count`` applications with reviews that produce five outcomes for each of three permits."""
    await keep_departments_busy(fragile)
    applications = [await apply(fragile) for _ in range(count)]
    return {application_id: await open_review(fragile, application_id) for application_id in applications}


async def set_faults(fragile: LiveProvince, *faults: dict[str, Any]) -> None:
    """Exactly these at the utility, whose journal starts anew."""
    (await fragile.http.delete(f"{fragile.province.utility}/__admin/requests")).raise_for_status()
    (await fragile.http.put(f"{fragile.province.utility}/__admin/faults", json=list(faults))).raise_for_status()


async def acknowledged(fragile: LiveProvince, permits: set[str], *, at_least: int) -> list[dict[str, Any]]:
    """The outcomes of ``permits`` that the gateway has accepted, once there are so many."""

    async def enough() -> list[dict[str, Any]] | None:
        decided = [each for each in await fragile.stage().department_outcomes(permits) if each["acknowledged_at"]]
        return decided if len(decided) >= at_least else None

    found: list[dict[str, Any]] = await until(enough, f"{at_least} outcomes are accepted", PATIENCE)
    return found


async def arrived(fragile: LiveProvince, reviews: dict[str, set[str]]) -> None:
    """Every outcome accepted is at the utility: once, and each permit's in order."""
    permits = set().union(*reviews.values())
    expected = len(permits) * OUTCOMES_OF_A_PERMIT
    decided = Counter(each["outcome_id"] for each in await acknowledged(fragile, permits, at_least=expected))

    async def whole() -> bool:
        held = [each for one in reviews for each in await fragile.stage().utility_outcomes(one)]
        return len(held) >= expected

    await until(whole, "every outcome reaches the utility", PATIENCE)
    for application_id, own in reviews.items():
        held = await fragile.stage().utility_outcomes(application_id)
        assert Counter(each["outcome_id"] for each in held) == Counter(
            {each["outcome_id"]: 1 for each in await fragile.stage().department_outcomes(own)}
        )
        assert {each["outcome_id"] for each in held} <= set(decided)
        for permit in own:
            assert [each["sequence"] for each in held if each["permit_id"] == permit] == [1, 2, 3, 4, 5]


async def sound(fragile: LiveProvince) -> None:
    code, printed = await fragile.audit()
    assert code == 0, printed
    assert '"event":"request.fault"' not in fragile.gateway_logs()


async def kill_worker(fragile: LiveProvince) -> None:
    assert await fragile.end("worker", signal.SIGKILL) == -signal.SIGKILL
    await fragile.start("worker")


async def kill_gateway(fragile: LiveProvince) -> None:
    assert await fragile.end("serve", signal.SIGKILL) == -signal.SIGKILL
    assert await fragile.readiness() is None
    await fragile.start("serve")


async def test_killed_again_and_again_everything_arrives_once_and_in_order(fragile: LiveProvince) -> None:
    """While departments push and the utility dawdles; at last between the utility's receipt and its being settled."""
    reviews = await busy_reviews(fragile, 3)
    await set_faults(fragile, {"match": "/webhooks", "kind": "delay", "delay_ms": 500, "times": None})
    kills: list[Callable[[LiveProvince], Awaitable[None]]] = [kill_worker, kill_gateway, kill_worker, kill_gateway]
    for kill in kills:
        await kill(fragile)
        await asyncio.sleep(0.3)
    last = await apply_unannounced(fragile)
    await in_flight(fragile)
    with writes_blocked(fragile.database_url):
        await answered(fragile)
        await fragile.end("worker", signal.SIGKILL)
    await set_faults(fragile)
    await fragile.start("worker")
    await fragile.stage().at_utility(last)
    await arrived(fragile, reviews)
    await until(lambda: asked_for(fragile, last), "what was not settled is asked for", PATIENCE)
    await sound(fragile)


async def asked_for(fragile: LiveProvince, application_id: str) -> bool:
    """Whether the utility was asked for a receipt that it had given; it holds the application once."""
    stage = fragile.stage()
    held = [each["application_id"] for each in await stage.get(f"{fragile.province.utility}/__admin/applications")]
    assert held.count(application_id) == 1
    journal = await stage.get(f"{fragile.province.utility}/__admin/requests?path=/webhooks")
    return any(entry["method"] == "GET" and entry["status"] == 200 for entry in journal)


async def answered(fragile: LiveProvince) -> None:
    """Wait until the utility has answered whatever it was asked."""

    async def none_open() -> bool:
        journal = await fragile.stage().get(f"{fragile.province.utility}/__admin/requests?path=/webhooks")
        return all(entry["status"] is not None for entry in journal)

    await until(none_open, "the utility answers")


async def in_flight(fragile: LiveProvince) -> bool:
    """Wait until the utility has a request that it has not answered yet."""

    async def waiting() -> bool:
        journal = await fragile.stage().get(f"{fragile.province.utility}/__admin/requests?path=/webhooks")
        return any(entry["status"] is None for entry in journal)

    return bool(await until(waiting, "a delivery is under way"))


def holders(fragile: LiveProvince) -> set[str]:
    """Workers that hold events, or held them when they were killed."""
    engine = create_database_engine(fragile.database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            held = "SELECT DISTINCT lease_owner FROM outbox WHERE state = 'pending' AND lease_until IS NOT NULL"
            return set(connection.execute(text(held)).scalars())
    finally:
        engine.dispose()


async def test_told_to_stop_both_end_well_and_nothing_is_lost(fragile: LiveProvince) -> None:
    await keep_departments_busy(fragile)
    await fragile.end("worker", signal.SIGTERM)
    killed = holders(fragile)
    await fragile.start("worker")
    application_id = await apply(fragile)
    await set_faults(fragile, {"match": "/webhooks", "kind": "delay", "delay_ms": 600, "times": 10})
    reviews = {application_id: await open_review(fragile, application_id)}
    assert await in_flight(fragile)
    assert holders(fragile) - killed, "a lease is held, which must not be left behind"
    assert await fragile.end("worker", signal.SIGTERM) == 0
    assert await fragile.end("serve", signal.SIGTERM) == 0
    assert holders(fragile) <= killed, "a lease was left behind, and would have to lapse"
    await fragile.start("serve")
    await fragile.start("worker")
    await arrived(fragile, reviews)
    await sound(fragile)
