"""The same request under the same key has one effect and one answer; another request under it is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI, Response

from gateway.errors import Conflict, Owner
from gateway.http.idempotency import Idempotency, OnceOnly
from tests.support.databases import Databases
from tests.support.door import app_behind_the_door, asking
from tests.support.partners import partners_room
from tests.support.storage import DIGESTS, SetClock

KEY = "0a1b2c3d-0001"


@dataclass
class Effects:
    """What was really done."""

    done: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    status: int = 201


def make_app(idempotency: Idempotency, effects: Effects) -> FastAPI:
    app = app_behind_the_door(idempotency)

    @app.post("/things/{subject}")
    async def make(subject: str, once: OnceOnly) -> Response:
        async def work() -> Response:
            effects.entered.set()
            if effects.hold is not None:
                await effects.hold.wait()
            if effects.failure is not None:
                raise effects.failure
            effects.done.append(subject)
            return Response(f'{{"number":{len(effects.done)}}}', effects.status, media_type="application/json")

        return await once.answer(subject.split("-")[0], work)

    return app


@dataclass
class Scene:
    client: httpx.AsyncClient
    effects: Effects
    clock: SetClock

    async def post(self, path: str = "/things/one", key: str | None = KEY, **request) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post(path, headers=headers, **({"json": {"a": 1}} | request))


@pytest.fixture
async def scene(databases: Databases) -> AsyncIterator[Scene]:
    with partners_room(databases.sqlite()) as room:
        effects = Effects()
        async with asking(make_app(Idempotency(room.transactions, room.clock, DIGESTS), effects)) as client:
            yield Scene(client, effects, room.clock)


async def test_a_repetition_gets_the_very_same_answer(scene: Scene) -> None:
    first, again = await scene.post(), await scene.post()
    assert (first.status_code, first.content) == (again.status_code, again.content) == (201, b'{"number":1}')
    assert again.headers["content-type"] == "application/json"
    assert ("idempotency-replayed" in first.headers, "idempotency-replayed" in again.headers) == (False, True)
    assert scene.effects.done == ["one"]


async def test_the_key_in_quotes_is_the_same_key(scene: Scene) -> None:
    await scene.post()
    assert (await scene.post(key=f'"{KEY}"')).headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "changed",
    [{"json": {"a": 2}}, {"path": "/things/one-more"}, {"params": {"q": "1"}}, {"content": b"x", "json": None}],
)
async def test_another_request_under_the_key_is_refused(scene: Scene, changed: dict) -> None:
    await scene.post()
    refused = await scene.post(**changed)
    assert (refused.status_code, refused.json()["check"]) == (422, "idempotency.key_reused")
    assert len(scene.effects.done) == 1


async def test_two_subjects_do_not_share_a_key(scene: Scene) -> None:
    await scene.post("/things/one")
    await scene.post("/things/two")
    assert scene.effects.done == ["one", "two"]


@pytest.mark.parametrize(
    "key", [None, "", "short", "x" * 129, "white space", '"unbalanced-quote', "中文中文中文中文".encode()]
)
async def test_a_usable_key_is_required(scene: Scene, key) -> None:
    refused = await scene.post(key=key)
    assert (refused.status_code, refused.json()["check"]) == (400, "idempotency.key_missing")


async def test_while_the_first_is_at_work_the_second_is_told_to_wait(scene: Scene) -> None:
    scene.effects.hold = asyncio.Event()
    first = asyncio.create_task(scene.post())
    await scene.effects.entered.wait()
    second = await scene.post()
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    scene.effects.hold.set()
    assert (await first).status_code == 201
    assert (await scene.post()).content == (await first).content
    assert scene.effects.done == ["one"]


async def test_of_many_at_once_one_is_done(scene: Scene) -> None:
    answers = await asyncio.gather(*(scene.post() for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert scene.effects.done == ["one"]


@pytest.mark.parametrize("failure", [Conflict(check="x", owner=Owner.CALLER, remedy="x"), RuntimeError("boom")])
async def test_a_refusal_or_a_fault_frees_the_key(scene: Scene, failure: Exception) -> None:
    scene.effects.failure = failure
    assert (await scene.post()).status_code in (409, 500)
    scene.effects.failure = None
    assert (await scene.post()).status_code == 201


async def test_an_answer_that_is_no_success_frees_the_key(scene: Scene) -> None:
    scene.effects.status = 503
    await scene.post()
    scene.effects.status = 201
    assert (await scene.post()).status_code == 201


async def test_an_answer_is_kept_for_a_day(scene: Scene) -> None:
    await scene.post()
    scene.clock.advance(hours=23, minutes=59)
    assert (await scene.post()).content == b'{"number":1}'
    scene.clock.advance(minutes=1)
    assert (await scene.post()).content == b'{"number":2}'
