"""One small bundle for all tests of the verifier: made once, by the gateway's own services, over SQLite."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.evidence.verify_evidence import Anchors
from tests.support.databases import Databases
from tests.support.evidence import DECLARED, Keys, evidence_room
from tests.support.licences import PLANT, an_applicant


@dataclass(frozen=True)
class Made:
    """A bundle, its redacted form, whom to believe, and everybody's keys."""

    whole: bytes
    redacted: bytes
    for_utility: bytes
    directory: Path
    anchors: Anchors
    keys: Keys
    application_id: str
    other: bytes
    """Of another application of the same installation."""


@pytest.fixture(scope="session")
def made(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Made:
    directory = tmp_path_factory.mktemp("anchors")

    async def work() -> Made:
        async with evidence_room(databases.sqlite()) as room:
            await room.live()
            room.write_anchors(directory)
            application_id = room.application_id
            whole = await room.service.for_applicant(application_id, an_applicant(), redacted=False)
            await room.anchored()
            redacted = await room.service.for_operator(application_id, "cli:test", redacted=True)
            await room.anchored()
            for_utility = await room.service.for_utility(application_id, "csg-guangzhou")
            room.room.clock.advance(hours=2)
            second = (await room.room.apply(PLANT, declared=[DECLARED])).application.application_id
            await room.anchored()
            other = await room.service.for_operator(second, "cli:test", redacted=False)
            return Made(
                whole.archive,
                redacted.archive,
                for_utility.archive,
                directory,
                Anchors.read(directory),
                room.keys,
                application_id,
                other.archive,
            )

    return asyncio.run(work())
