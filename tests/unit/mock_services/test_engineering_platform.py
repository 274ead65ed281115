"""The mock approval platform: versions pushed until acknowledged, faults, and what it remembers over a restart."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from mock_services.demo.journeys.stage import until
from mock_services.engineering_platform.desk import Desk
from mock_services.engineering_platform.seeds import planning_permit, project
from mock_services.engineering_platform.store import Store
from mock_services.jose import KeySet, SigningKey, read_claims
from schemas.project_push import ProjectPush
from schemas.wire import Typ

CODE, GATEWAY = "gd-projects", "https://gateway.example"


class Gateway:
    """Takes pushes; ``answers`` are the statuses of the first ones, then all are acknowledged."""

    def __init__(self, key: SigningKey, *answers: int) -> None:
        self.keys = KeySet.parse({"keys": [key.public_jwk]})
        self.answers = list(answers)
        self.taken: list[ProjectPush] = []
        self.bodies: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == f"{GATEWAY}/v1/platforms/{CODE}/projects"
        self.bodies.append(request.content.decode())
        if self.answers:
            return httpx.Response(self.answers.pop(0))
        push = ProjectPush.model_validate(read_claims(self.bodies[-1], typs={Typ.PROJECT_PUSH}, keys=self.keys))
        self.taken.append(push)
        told = {"project_id": "prj_1", "version": push.xh, "effect": "applied", "record_id": "rec_1"}
        return httpx.Response(202, json={**told, "duplicate": False, "waiting": False})


def desk_of(path: Path, key: SigningKey, gateway: Gateway, spoil: Callable[[str], bool] = lambda _: False) -> Desk:
    return Desk(
        code=CODE,
        key=key,
        store=Store(path / "platform.sqlite3"),
        gateway=GATEWAY,
        issuer=GATEWAY,
        http=httpx.AsyncClient(transport=httpx.MockTransport(gateway)),
        clock=lambda: datetime.now(UTC),
        jitter=random.Random(1),
        spoil=spoil,
    )


def pushes(desk: Desk) -> list[dict[str, Any]]:
    return [push for each in desk.store.projects() for push in each["pushes"]]


async def push_all(desk: Desk) -> None:
    """Run until every version is acknowledged."""
    task = asyncio.create_task(desk.run())

    async def all_acknowledged() -> bool:
        return all(push["state"] == "acknowledged" for push in pushes(desk))

    await until(all_acknowledged, "every version is acknowledged")
    task.cancel()


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


async def test_versions_are_pushed_in_order_until_each_is_acknowledged(tmp_path: Path, key: SigningKey) -> None:
    gateway = Gateway(key, 503, 404)
    desk = desk_of(tmp_path, key, gateway)
    works = desk.say(project(1))["works_code"]
    desk.change(works, planning_permit(works, "建字第440100202600001号"))
    desk.change(works, {"xmjbxxb": {"sjyxbs": 0}})
    await push_all(desk)
    assert [push.xh for push in gateway.taken] == [1, 2, 3]
    assert [push.xmjbxxb.sjyxbs for push in gateway.taken] == [1, 1, 0]
    assert gateway.bodies[0] == gateway.bodies[1] == gateway.bodies[2], "a push is repeated byte for byte"
    assert [push["attempts"] for push in desk.store.projects()[0]["pushes"]] == [3, 1, 1]


async def test_what_was_said_outlives_a_restart(tmp_path: Path, key: SigningKey) -> None:
    desk = desk_of(tmp_path, key, Gateway(key))
    works = desk.say(project(1))["works_code"]
    desk.store.close()
    gateway = Gateway(key)
    again = desk_of(tmp_path, key, gateway)
    assert again.change(works, {"xmjbxxb": {"xmmc": "改名"}})["version"] == 2
    await push_all(again)
    assert [push.xmjbxxb.xmmc for push in gateway.taken] == ["示例产业园项目1号", "改名"]


async def test_each_fault_does_its_wrong_once(tmp_path: Path, key: SigningKey) -> None:
    switches = ["malformed", "wrong_signature", "duplicate"]

    def spoil(kind: str) -> bool:
        if kind in switches:
            switches.remove(kind)
            return True
        return False

    gateway = Gateway(key, 400, 401)
    desk = desk_of(tmp_path, key, gateway, spoil)
    desk.say(project(1))
    await push_all(desk)
    malformed, forged, first, second = gateway.bodies
    assert malformed.startswith("{")
    assert forged.rpartition(".")[0] == first.rpartition(".")[0]
    assert forged != first == second


async def test_a_version_that_is_held_back_is_overtaken(tmp_path: Path, key: SigningKey) -> None:
    holds = ["out_of_order"]
    gateway = Gateway(key)
    desk = desk_of(tmp_path, key, gateway, lambda kind: kind in holds and bool(holds.pop()))
    works = desk.say(project(1))["works_code"]
    desk.change(works, {"xmjbxxb": {"xmmc": "后发先到"}})
    await push_all(desk)
    assert [push.xh for push in gateway.taken] == [2, 1]


def test_what_is_no_project_is_not_said(tmp_path: Path, key: SigningKey) -> None:
    desk = desk_of(tmp_path, key, Gateway(key))
    with pytest.raises(ValidationError):
        desk.say({"xmjbxxb": {"gcdm": "x"}})
    with pytest.raises(KeyError):
        desk.change("unknown", {})
    assert desk.store.projects() == []


def test_every_seed_is_a_project_of_an_organisation() -> None:
    for number in range(1, 40):
        ProjectPush.model_validate({"iss": CODE, "aud": GATEWAY, "iat": 1, "xh": 1, **project(number)})
        assert project(number) == project(number)
