"""The record's doors over HTTP: who may ask, what malformed questions get, and what everybody may follow."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from gateway.records.merkle import verify_consistency
from gateway.records.notes import parse_note, parse_vkey
from gateway.records.record_proof import RecordProof, verify_record_proof
from gateway.records.router import router
from gateway.records.service import PublishedVerifierKeys, RecordProofs
from schemas.wire import MEDIA_PROBLEM
from tests.support.anchoring import LOG_KEY, ORIGIN, anchoring, entry, recorded
from tests.support.databases import Databases
from tests.support.door import app_behind_the_door, asking
from tests.support.storage import SetClock, opened

UTILITY = {"Authorization": "Test csg-guangzhou utility"}
STRANGER = {"Authorization": "Test csg-shenzhen utility"}


@dataclass
class Door:
    http: httpx.AsyncClient
    ids: list[str]


@pytest.fixture
async def door(databases: Databases) -> AsyncIterator[Door]:
    clock = SetClock()
    with opened(databases.sqlite(), clock) as transactions:
        services = (RecordProofs(transactions, 10), PublishedVerifierKeys(lambda: (LOG_KEY,)))
        app = app_behind_the_door(*services)
        app.include_router(router)
        ids = await recorded(transactions, *map(entry, range(3)))
        for number in range(3):
            await anchoring(transactions, clock).anchor_once()
            ids += await recorded(transactions, entry(number))
        async with asking(app) as http:
            yield Door(http, ids)


def unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


async def test_a_proof_as_it_is_told_can_be_verified_with_the_published_key(door: Door) -> None:
    key = parse_vkey((await door.http.get("/.well-known/record-keys")).text.strip())
    for record_id in door.ids[:5]:
        said = (await door.http.get(f"/v1/records/{record_id}/proof", headers=UTILITY)).json()
        anchor = said["super_leaf"]
        proof = RecordProof(
            said["log"],
            said["sequence"],
            unb64(said["leaf"]),
            said["log_size"],
            [unb64(each) for each in said["inclusion"]],
            unb64(anchor["leaf"]),
            anchor["index"],
            [unb64(each) for each in anchor["inclusion"]],
            parse_note(said["checkpoint"].encode()),
        )
        assert (said["record_id"], proof.record_id) == (record_id, record_id)
        assert verify_record_proof(proof, [key], ORIGIN).size == anchor["size"]


async def test_an_entry_is_nobody_else_s_and_one_without_a_checkpoint_comes_later(door: Door) -> None:
    url = f"/v1/records/{door.ids[0]}/proof"
    assert (await door.http.get(url)).status_code == 401
    others, unknown = (
        await door.http.get(url, headers=STRANGER),
        await door.http.get("/v1/records/nothing-1/proof", headers=UTILITY),
    )
    assert (others.status_code, unknown.status_code) == (404, 404)
    assert others.json() == unknown.json()
    later = await door.http.get(f"/v1/records/{door.ids[-1]}/proof", headers=UTILITY)
    assert (later.status_code, later.headers["retry-after"]) == (503, "10")
    assert later.json()["check"] == "record.not_anchored"


async def test_anybody_can_follow_the_record(door: Door) -> None:
    checkpoint = await door.http.get("/v1/records/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    note = parse_note(checkpoint.content)
    assert note.text.startswith(f"{ORIGIN}\n3\n")
    leaves = (await door.http.get("/v1/records/leaves", params={"from": 1, "limit": 5})).json()
    assert (leaves["first"], leaves["size"], len(leaves["leaves"])) == (1, 3, 2)
    growth = (await door.http.get("/v1/records/consistency", params={"from": 2})).json()
    assert (growth["old_size"], growth["new_size"]) == (2, 3)
    first = (await door.http.get("/v1/records/consistency", params={"from": 2, "to": 2})).json()
    assert first["proof"] == []
    with pytest.raises(ValueError):
        verify_consistency(2, 3, [unb64(each) for each in growth["proof"]], bytes(32), bytes(32))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/records/consistency", 422),
        ("/v1/records/consistency?from=-1", 422),
        ("/v1/records/consistency?from=x", 422),
        ("/v1/records/consistency?from=1e3", 422),
        ("/v1/records/consistency?from=9223372036854775808", 422),
        ("/v1/records/consistency?from=4", 404),
        ("/v1/records/consistency?from=2&to=1", 404),
        ("/v1/records/consistency?from=0&to=4611686018427387904", 404),
        ("/v1/records/leaves?from=-1", 422),
        ("/v1/records/leaves?limit=0", 422),
        ("/v1/records/leaves?limit=1001", 422),
        ("/v1/records/leaves?from=4611686018427387904", 200),
        ("/v1/records/%00/proof", 422),
        ("/v1/records/张三/proof", 422),
        ("/v1/records/a-1%20/proof", 422),
        ("/v1/records/super-1/proof", 404),
        (f"/v1/records/{'a' * 200}/proof", 422),
    ],
)
async def test_malformed_questions_are_told_what_is_wrong(door: Door, path: str, status: int) -> None:
    answer = await door.http.get(path, headers=UTILITY)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == MEDIA_PROBLEM
        assert "张三" not in answer.text


async def test_before_there_is_a_checkpoint_none_is_made_up(databases: Databases) -> None:
    with opened(databases.sqlite(), SetClock()) as transactions:
        app = app_behind_the_door(RecordProofs(transactions, 10))
        app.include_router(router)
        async with asking(app) as http:
            for path in ("checkpoint", "consistency?from=0"):
                answer = await http.get(f"/v1/records/{path}")
                assert (answer.status_code, answer.json()["check"]) == (404, "record.no_checkpoint")
            assert (await http.get("/v1/records/leaves")).json() == {"first": 0, "size": 0, "leaves": []}
