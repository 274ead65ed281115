"""A form sent twice – a double click, the back button – is done once, also where it sends the visitor on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import RedirectResponse

from gateway.http.idempotency import Claim, Idempotency
from gateway.portal.forms import OwnForm, sent_to
from gateway.portal.visits import COOKIE, Visit
from tests.support.databases import Databases
from tests.support.door import app_behind_the_door, asking
from tests.support.partners import partners_room
from tests.support.storage import DIGESTS

SECRET = "s" * 43


@dataclass
class Scene:
    client: httpx.AsyncClient
    done: list[str] = field(default_factory=list)
    slowly: float = 0.0
    path: str = "/things"

    async def send(self, **values: str) -> httpx.Response:
        form = {"form_token": Visit(SECRET, begun=False).form_token, "once": "once-0001", **values}
        return await self.client.post(self.path, data=form, headers={"cookie": f"{COOKIE}={SECRET}"})


@pytest.fixture(params=["/things", "/deeds"])
async def scene(request: pytest.FixtureRequest, databases: Databases) -> AsyncIterator[Scene]:
    with partners_room(databases.sqlite()) as room:
        app: FastAPI = app_behind_the_door(Idempotency(room.transactions, room.clock, DIGESTS))
        async with asking(app) as client:
            made = Scene(client, path=request.param)

            @app.post("/things")
            async def make(request: Request, form: OwnForm) -> Response:
                async def work() -> Response:
                    await asyncio.sleep(made.slowly)
                    made.done.append(form.text("name"))
                    if form.text("name") == "":
                        return Response("missing", 422)
                    return RedirectResponse(f"/things/{len(made.done)}", 303)

                return await form.once(request, "somebody", work)

            @app.post("/deeds")
            async def deed(request: Request, form: OwnForm) -> Response:
                """The same where the claim is committed with the deed."""

                async def work(claim: Claim) -> Response:
                    await asyncio.sleep(made.slowly)
                    if form.text("name") == "":
                        made.done.append("")
                        return Response("missing", 422)
                    beside = claim.with_answer(lambda number: sent_to(f"/things/{number}"))

                    def do() -> int:
                        made.done.append(form.text("name"))
                        return len(made.done)

                    await room.transactions.write(lambda tx: beside(tx, do))
                    return claim.answer

                return await form.once_with(request, "somebody", work)

            yield made


async def test_sent_twice_it_leads_to_the_same_place(scene: Scene) -> None:
    first, again = await scene.send(name="a"), await scene.send(name="a")
    assert [(each.status_code, each.headers["location"]) for each in (first, again)] == [(303, "/things/1")] * 2
    assert scene.done == ["a"]


async def test_the_second_click_waits_for_the_first(scene: Scene) -> None:
    scene.slowly = 0.6
    answers = await asyncio.gather(scene.send(name="a"), scene.send(name="a"))
    assert {each.headers["location"] for each in answers} == {"/things/1"}
    assert scene.done == ["a"]


async def test_a_form_with_a_fault_can_be_sent_again(scene: Scene) -> None:
    assert (await scene.send(name="")).status_code == 422
    assert (await scene.send(name="a")).headers["location"] == "/things/2"
