"""Journal, faults and scenarios, as any mock gets them."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from mock_services.admin import JOURNAL_BODY_BYTES, Admin, Fault, Faults, Journal


class Mock:
    def __init__(self, scenarios: Path) -> None:
        self.resets = 0
        self.seeds: list[dict[str, Any]] = []
        self.scripts: list[Any] = []
        self.admin = Admin("department", reset=self.reset, seed=self.seeds.append, scenarios=scenarios)
        self.admin.on_scenario("script", self.scripts.append)
        app = FastAPI()
        app.include_router(self.admin.router())

        @app.post("/tasks/{thing}")
        async def work(thing: str, body: dict[str, Any]) -> dict[str, Any]:
            return {
                "thing": thing,
                "body": body,
                "wrong": self.admin.faults.take("wrong_signature", "/tasks") is not None,
            }

        self.app: ASGIApp = self.admin.wrap(app)

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def mock(tmp_path: Path) -> Mock:
    (tmp_path / "busy.toml").write_text(
        'title = "忙"\n[department]\nscript = ["approve"]\n[[department.faults]]\nkind = "status"\nstatus = 429\n'
        'retry_after = 7\nmatch = "/tasks"\n[[other.faults]]\nkind = "reset"\n',
        encoding="utf-8",
    )
    (tmp_path / "odd.toml").write_text("[department]\nunheard = 1\n", encoding="utf-8")
    (tmp_path / "bad.toml").write_text('[[department.faults]]\nkind = "explode"\n', encoding="utf-8")
    return Mock(tmp_path)


@pytest.fixture
async def client(mock: Mock):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(mock.app), base_url="http://mock.test") as found:
        yield found


async def put(client: httpx.AsyncClient, *faults: dict[str, Any]) -> None:
    (await client.put("/__admin/faults", json=list(faults))).raise_for_status()


async def work(client: httpx.AsyncClient, thing: str = "a") -> httpx.Response:
    return await client.post(f"/tasks/{thing}", json={"n": 1})


async def test_journal_tells_what_was_asked(client: httpx.AsyncClient) -> None:
    await work(client)
    await client.post("/nowhere?x=1", json={})
    entries = (await client.get("/__admin/requests")).json()
    assert [(entry["method"], entry["path"], entry["query"], entry["status"]) for entry in entries] == [
        ("POST", "/tasks/a", "", 200),
        ("POST", "/nowhere", "x=1", 404),
    ]
    assert entries[0]["body"] == '{"n":1}'
    assert len((await client.get("/__admin/requests", params={"path": "/tasks"})).json()) == 1
    await client.delete("/__admin/requests")
    assert (await client.get("/__admin/requests")).json() == []


async def test_journal_is_bounded(client: httpx.AsyncClient) -> None:
    await client.post("/tasks/a", json={"long": "x" * (JOURNAL_BODY_BYTES * 2)})
    [entry] = (await client.get("/__admin/requests")).json()
    assert len(entry["body"]) <= JOURNAL_BODY_BYTES
    journal = Journal(length=2)
    for path in ("/1", "/2", "/3"):
        journal.open({"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []})
    assert [entry["path"] for entry in journal.entries()] == ["/2", "/3"]


async def test_status_fault_counts_down(client: httpx.AsyncClient) -> None:
    await put(client, {"kind": "status", "status": 503, "times": 2, "retry_after": 3, "match": "/tasks"})
    answers = [await work(client) for _ in range(3)]
    assert [found.status_code for found in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert (await client.get("/__admin/faults")).json() == []


async def test_faults_match_by_prefix_and_leave_admin_alone(client: httpx.AsyncClient) -> None:
    await put(client, {"kind": "status", "match": "/tasks/b", "times": None}, {"kind": "status", "match": "/__admin"})
    assert (await work(client, "a")).status_code == 200
    assert (await work(client, "b")).status_code == 503
    assert (await work(client, "b")).status_code == 503
    assert (await client.get("/__admin/faults")).status_code == 200
    assert (await client.delete("/__admin/faults")).status_code == 204
    assert (await work(client, "b")).status_code == 200


async def test_malformed_is_no_json(client: httpx.AsyncClient) -> None:
    await put(client, {"kind": "malformed"})
    answer = await work(client)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()


async def test_delay_goes_on_to_the_answer(client: httpx.AsyncClient) -> None:
    await put(client, {"kind": "delay", "delay_ms": 30}, {"kind": "status", "status": 500})
    assert (await work(client)).status_code == 500
    assert (await work(client)).status_code == 200


async def test_reset_in_process_raises(client: httpx.AsyncClient) -> None:
    await put(client, {"kind": "reset"})
    with pytest.raises(ConnectionResetError):
        await work(client)
    [entry] = (await client.get("/__admin/requests")).json()
    assert (entry["fault"], entry["status"]) == ("reset", None)


async def test_hooks_are_taken_by_the_mock(client: httpx.AsyncClient) -> None:
    await put(client, {"kind": "wrong_signature", "match": "/tasks"})
    assert [(await work(client)).json()["wrong"] for _ in range(2)] == [True, False]


async def test_unknown_faults_are_refused(client: httpx.AsyncClient) -> None:
    for wrong in ({"kind": "explode"}, {"kind": "status", "status": 200}, {"kind": "delay", "colour": 1}):
        assert (await client.put("/__admin/faults", json=[wrong])).status_code == 422


async def test_reset_and_seed_reach_the_mock(client: httpx.AsyncClient, mock: Mock) -> None:
    await put(client, {"kind": "status"})
    await client.post("/nowhere")
    assert (await client.post("/__admin/reset")).status_code == 204
    assert mock.resets == 1
    assert (await client.get("/__admin/requests")).json() == []
    assert (await work(client)).status_code == 200
    assert (await client.post("/__admin/seed", json={"seed": 3})).status_code == 204
    assert mock.seeds == [{"seed": 3}]


async def test_scenarios(client: httpx.AsyncClient, mock: Mock) -> None:
    assert (await client.get("/__admin/scenarios")).json() == ["bad", "busy", "odd"]
    assert (await client.post("/__admin/scenario/busy")).json() == {"name": "busy", "title": "忙"}
    assert mock.scripts == [["approve"]]
    assert (await work(client)).status_code == 429
    assert (await work(client)).status_code == 200


@pytest.mark.parametrize(("name", "status"), [("odd", 422), ("bad", 422), ("absent", 404), ("..%2Fbusy", 404)])
async def test_scenarios_that_cannot_be_applied(client: httpx.AsyncClient, name: str, status: int) -> None:
    assert (await client.post(f"/__admin/scenario/{name}")).status_code == status


def test_first_come_first_served() -> None:
    faults = Faults()
    faults.replace([Fault(kind="delay", delay_ms=1), Fault(kind="delay", delay_ms=2, times=2)])
    taken = [faults.take("delay", "/x") for _ in range(4)]
    assert [found.delay_ms if found else None for found in taken] == [1, 2, 2, None]
