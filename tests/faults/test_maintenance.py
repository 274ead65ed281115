"""Maintenance under load: told to stop, or migrated while it serves, nothing that was acknowledged is lost."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from adapters.storage.migrate import migrate
from adapters.storage.schema_version import newest
from mock_services.demo.journeys.stage import until
from tests.faults.test_database_down import OPEN_SESSION, refused_for_now
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
CALLERS = 8
NEXT_RELEASE = f"""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9001", "{newest()}", None, None


def upgrade():
    for table in ("verification_sessions", "record_entries", "outbox"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("of_the_next_release", sa.Text(), nullable=True))
            batch_op.create_index(f"ix_{{table}}_of_the_next_release", ["of_the_next_release"], unique=False)
    op.create_table("next_release", sa.Column("key", sa.Text(), primary_key=True))
"""


@dataclass
class Load:
    """Callers that each send one request after the other, until ``ended``."""

    fragile: LiveProvince
    ended: bool = False
    acknowledged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    most_refusals_in_a_row: int = 0

    async def call(self) -> None:
        url, refused = f"{self.fragile.province.gateway}/v1/verification-sessions", 0
        async with httpx.AsyncClient(timeout=60) as http:
            while not self.ended:
                try:
                    answer = await http.post(url, json=OPEN_SESSION)
                except httpx.TransportError as error:
                    self.broken.append(type(error).__name__)
                    continue
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["session_id"])
                    refused = 0
                elif answer.status_code == 429:  # one address, all of them: beyond its rate they wait
                    await asyncio.sleep(0.2)
                else:
                    refused_for_now(answer)
                    refused += 1
                    self.most_refusals_in_a_row = max(self.most_refusals_in_a_row, refused)

    async def end_when(self, condition: Callable[[], bool], what: str) -> None:
        async def met() -> bool:
            return condition()

        await until(met, what, 60)
        self.ended = True

    def stored(self) -> bool:
        """Whether everything acknowledged is in the database."""
        return set(self.acknowledged) <= stored_sessions(self.fragile.database_url)


def stored_sessions(database_url: str) -> set[str]:
    query = "SELECT session_id FROM verification_sessions"
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.split(":///", 1)[1])) as database:
            return {session_id for (session_id,) in database.execute(query)}
    with psycopg.connect(database_url) as database:
        return {session_id for (session_id,) in database.execute(query)}


async def test_told_to_stop_it_drains_answers_what_was_begun_and_loses_nothing(fragile: LiveProvince) -> None:
    """Callers are behind a balancer, which sends nothing more to what says that it is not ready."""
    await fragile.until_ready()
    assert await fragile.end("serve", signal.SIGTERM) == 0
    environment = {**fragile.province.environment, "BANDIAN_DRAIN_S": "5"}
    await fragile.processes.gateway("serve", environment, fragile.province.gateway)
    await fragile.until_ready()
    load = Load(fragile)
    running = [asyncio.create_task(load.call()) for _ in range(CALLERS)]

    async def balance() -> None:
        async def turned_away() -> bool:
            return await fragile.readiness() == 503

        await until(turned_away, "it says that it is not ready while it still serves", 90)
        load.ended = True

    balancing = asyncio.create_task(balance())

    async def busy() -> bool:
        return len(load.acknowledged) >= 2 * CALLERS

    await until(busy, "the gateway is under load", 60)
    assert await fragile.end("serve", signal.SIGTERM) == 0
    await asyncio.gather(balancing, *running)
    assert load.broken == [], "nobody was cut off"
    assert load.stored()
    await fragile.start("serve")


async def test_migrated_by_the_next_release_it_serves_on_and_loses_nothing(
    fragile: LiveProvince, tmp_path: Path
) -> None:
    (tmp_path / "9001_later.py").write_text(NEXT_RELEASE)
    await fragile.until_ready()
    load = Load(fragile)
    running = [asyncio.create_task(load.call()) for _ in range(CALLERS)]
    await asyncio.to_thread(migrate, fragile.database_url, more_versions=tmp_path, serves_from=newest())
    migrated = len(load.acknowledged)
    await load.end_when(lambda: len(load.acknowledged) > migrated + CALLERS, "requests are answered afterwards")
    await asyncio.gather(*running)
    assert load.broken == []
    assert load.most_refusals_in_a_row <= 1, "whoever came again was answered"
    assert load.stored()
    assert await fragile.readiness() == 200
    code, printed = await fragile.audit()
    assert code == 0, printed
    assert (await fragile.command("migrate"))[0] == 0, "the present release's own command leaves it as it is"
