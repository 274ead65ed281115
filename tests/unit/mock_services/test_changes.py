"""The platform's change feed, and the orders that put another certificate in the place of one."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from mock_services.pki import ProvincialPki
from mock_services.population import build_population
from mock_services.provincial_platform.app import CHANGES, PlatformOptions, create_app
from mock_services.provincial_platform.share import Access
from schemas.ecertificates import TYPE_CODES
from schemas.identifiers import ECertificateIdentifier
from schemas.share_interface import ShareStatus, make_access_token
from schemas.status_lists import StatusListPayload, status_at, unpack_statuses

BASE = "http://platform.test"
AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
POPULATION = build_population(40, 20, seed=7)
SMALL, HOME = POPULATION.personas["enterprise-small"], POPULATION.personas["resident-ordinary"]
USE_CAUSE = {
    "certificateSystemName": "办电",
    "certificateCopyCause": "用电报装",
    "certificateMatterName": "新装",
    "certificateEventCode": "1",
}


class Desk:
    """A caller of the platform."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, operation: str, **data: Any) -> dict[str, Any]:
        head = {"accessId": "gateway", "accessToken": make_access_token("gateway", "a-secret", AT)}
        answer = await self.http.post(f"/share/{operation}", json={"head": head, "data": data})
        found: dict[str, Any] = answer.json()
        return found

    async def changes(self, cursor: str | None = None, limit: int = 100, **more: Any) -> dict[str, Any]:
        answer = await self.ask("queryCertChanges", limit=limit, **({"cursor": cursor} if cursor else {}), **more)
        assert answer["head"]["status"] == 0, answer
        found: dict[str, Any] = answer["data"]
        return found

    async def find(self, holder_code: str, holder_type: str, kind: str) -> list[dict[str, Any]]:
        asked = {"holderCode": holder_code, "holderTypeCode": holder_type, "certTypeCode": TYPE_CODES[kind]}
        answer = await self.ask("queryCertInfoByHolderCode", **asked, useCause=USE_CAUSE)
        found: list[dict[str, Any]] = answer.get("data", {}).get("certs", [])
        return found

    async def order(self, identifier: str, action: str, **more: str) -> httpx.Response:
        return await self.http.post(f"/__admin/certificates/{identifier}/status", json={"action": action, **more})


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    app = create_app(
        PlatformOptions(BASE, Access("gateway", "a-secret"), ProvincialPki.build(BASE), 40, 20, 7), lambda: AT
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Desk(http)


async def licence(desk: Desk) -> str:
    (found,) = await desk.find(SMALL.holder_code, "001", "business_licence")
    identifier: str = found["certIdentifier"]
    return identifier


async def test_every_order_is_in_the_feed_once_in_order_beyond_the_cursor(desk: Desk) -> None:
    start = await desk.changes()
    assert (start["changes"], start["more"]) == ([], False)
    identifier = await licence(desk)
    for action in ("suspend", "reinstate", "revoke", "reinstate", "expire"):
        (await desk.order(identifier, action)).raise_for_status()
    said, cursor = [], start["nextCursor"]
    while True:
        page = await desk.changes(cursor, limit=2)
        said += [change["change"] for change in page["changes"]]
        cursor = page["nextCursor"]
        if not page["more"]:
            break
    assert said == ["suspended", "reinstated", "revoked", "reinstated", "expired"]
    assert (await desk.changes(cursor))["changes"] == []
    assert (await desk.changes(start["nextCursor"], certTypeCodes=["another"]))["changes"] == []


@pytest.mark.parametrize("how", ["drop", "reset", "made-up"])
async def test_a_cursor_whose_changes_are_gone_is_too_old_and_never_skips(desk: Desk, how: str) -> None:
    cursor = (await desk.changes())["nextCursor"]
    (await desk.order(await licence(desk), "suspend")).raise_for_status()
    if how == "drop":
        (await desk.http.delete("/__admin/changes")).raise_for_status()
    elif how == "reset":
        (await desk.http.post("/__admin/reset")).raise_for_status()
    else:
        cursor = "0" * 16 + "-0"
    answer = await desk.ask("queryCertChanges", cursor=cursor, limit=9)
    assert answer["head"]["status"] == ShareStatus.CURSOR_TOO_OLD
    assert (await desk.changes())["changes"] == []


async def test_a_fault_loses_the_entry_and_not_the_order(desk: Desk) -> None:
    cursor = (await desk.changes())["nextCursor"]
    (await desk.http.put("/__admin/faults", json=[{"match": CHANGES, "kind": "lose"}])).raise_for_status()
    identifier = await licence(desk)
    for action in ("suspend", "revoke"):
        (await desk.order(identifier, action)).raise_for_status()
    assert [change["change"] for change in (await desk.changes(cursor))["changes"]] == ["revoked"]


async def test_a_reissue_is_the_next_version_under_a_status_of_its_own(desk: Desk) -> None:
    before = await licence(desk)
    (await desk.order(before, "reissue")).raise_for_status()
    after = await licence(desk)
    old, new = ECertificateIdentifier.parse(before), ECertificateIdentifier.parse(after)
    assert (old.series, old.version, new.version) == (new.series, "001", "002")
    listed = await desk.http.get("/__admin/certificates", params={"holder_code": SMALL.holder_code})
    states = {each["identifier"]: each["state"] for each in listed.json()}
    assert (states[before], states[after]) == ("invalid", "valid")
    (entry,) = (await desk.http.get("/__admin/changes")).json()
    assert (entry["cert_identifier"], entry["change"]) == (before, "reissued")


async def test_a_transfer_leaves_the_old_owner_without_it_and_back_again_makes_a_third(desk: Desk) -> None:
    kind, other = "property_certificate", POPULATION.personas["resident-face-fails"]
    (home,) = await desk.find(HOME.holder_code, "111", kind)
    (await desk.order(home["certIdentifier"], "transfer", to=other.holder_code)).raise_for_status()
    assert await desk.find(HOME.holder_code, "111", kind) == []
    theirs = await desk.find(other.holder_code, "111", kind)
    assert len(theirs) == 2
    moved = next(each for each in theirs if each["certInfo"]["KZ_BDCDYH"] == home["certInfo"]["KZ_BDCDYH"])
    assert moved["certInfo"]["KZ_QLR"] == moved["certInfo"]["CZZT"] == other.person.name
    assert moved["certInfo"]["ZZBH"] != home["certInfo"]["ZZBH"]
    (await desk.order(moved["certIdentifier"], "transfer", to=HOME.holder_code)).raise_for_status()
    (again,) = await desk.find(HOME.holder_code, "111", kind)
    assert len({home["certIdentifier"], moved["certIdentifier"], again["certIdentifier"]}) == 3


async def test_what_cannot_be_transferred_is_refused(desk: Desk) -> None:
    (home,) = await desk.find(HOME.holder_code, "111", "property_certificate")
    for identifier, to in ((home["certIdentifier"], "nobody"), (await licence(desk), HOME.holder_code)):
        assert (await desk.order(identifier, "transfer", to=to)).status_code == 422
    assert (await desk.http.get("/__admin/changes")).json() == []


async def test_the_status_list_speaks_of_the_successor_at_an_index_of_its_own(desk: Desk) -> None:
    before = await licence(desk)
    first = await reference(desk, before)
    (await desk.order(before, "reissue")).raise_for_status()
    second = await reference(desk, await licence(desk))
    listed = StatusListPayload.model_validate(claims_of((await desk.http.get("/status-lists/1")).text)).status_list
    packed = unpack_statuses(listed.lst)
    assert first != second
    assert [status_at(packed, listed.bits, index) for index in (first, second)] == [1, 0]


async def reference(desk: Desk, identifier: str) -> int:
    """The index of the status list that the sealed document names."""
    answer = await desk.ask("downloadFile", certIdentifier=identifier, useCause=USE_CAUSE)
    claims = claims_of(base64.b64decode(answer["data"]["fileData"]).decode())
    index: int = claims["status"]["status_list"]["idx"]
    return index


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a compact JWS, whoever signed it."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
