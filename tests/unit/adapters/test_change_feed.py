"""Pulling a platform's change feed: what it may say, and what is refused."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.provincial_platform import ProvincialPlatform
from gateway.certificates.errors import SourceDenied
from gateway.certificates.ports import SourceQuery, UsePurpose
from gateway.errors import PartnerUnavailable
from gateway.rechecks.errors import FeedPositionLost
from schemas.share_interface import access_token_is_good
from tests.support.ecertificates import AT, ENTERPRISE
from tests.support.rechecks import LICENCE, identifier

BASE = "https://platform.example/api"
LINE = {
    "certIdentifier": identifier(LICENCE),
    "certTypeCode": "11100000MB0143028R001",
    "change": "revoked",
    "at": "2026-11-23T11:59:00+08:00",
    "somethingNew": 1,
}


def answered(status: int = 0, **data: Any) -> httpx.Response:
    body: dict[str, Any] = {"head": {"status": status, "message": "…"}}
    return httpx.Response(200, json=body | ({"data": data} if data else {}))


@pytest.fixture
async def platform() -> AsyncIterator[ProvincialPlatform]:
    async def no_wait(_: float) -> None: ...

    http = HttpxClient(HttpLimits(), clock=lambda: AT, sleep=no_wait)
    yield ProvincialPlatform(
        code="gd-province",
        base_url=BASE,
        access_id="id",
        access_secret="secret",
        system_name="办电",
        http=http,
        type_codes=["b", "a"],
    )
    await http.aclose()


@pytest.fixture
def feed() -> Iterator[respx.Route]:
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{BASE}/share/queryCertInfoByHolderCode").mock(return_value=answered(410))
        yield router.post(f"{BASE}/share/queryCertChanges").mock(return_value=answered(changes=[], nextCursor="7"))


async def test_changes_beyond_a_cursor_of_the_types_that_are_of_use(
    platform: ProvincialPlatform, feed: respx.Route
) -> None:
    feed.mock(return_value=answered(changes=[LINE, LINE | {"change": "a word to come"}], nextCursor="9", more=True))
    page = await platform.pull("7", 200, AT)
    assert [(each.identifier, each.at) for each in page.changes] == [
        (LINE["certIdentifier"], datetime(2026, 11, 23, 3, 59, tzinfo=UTC))
    ] * 2
    assert (page.position, page.more) == ("9", True)
    sent = json.loads(feed.calls.last.request.content)
    assert sent["data"] == {"cursor": "7", "limit": 200, "certTypeCodes": ["a", "b"]}
    assert access_token_is_good(sent["head"]["accessToken"], "id", "secret", AT)


async def test_without_a_cursor_it_begins_at_the_end(platform: ProvincialPlatform, feed: respx.Route) -> None:
    page = await platform.pull(None, 200, AT)
    assert (page.changes, page.position, page.more) == ((), "7", False)
    assert "cursor" not in json.loads(feed.calls.last.request.content)["data"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"changes": [LINE], "nextCursor": ""},
        {"changes": [LINE], "nextCursor": "x" * 513},
        {"changes": [LINE], "nextCursor": "7", "more": True},
        {"changes": [LINE] * 3, "nextCursor": "9"},
        {"changes": [LINE | {"at": 1790000000}], "nextCursor": "9"},
        {"changes": [LINE | {"certIdentifier": "1.2.156"}], "nextCursor": "9"},
        {"changes": {}, "nextCursor": "9"},
    ],
    ids=["no-cursor", "long-cursor", "stands-still", "too-many", "number-for-time", "no-identifier", "no-list"],
)
async def test_what_does_not_keep_to_the_interface_is_no_answer(
    platform: ProvincialPlatform, feed: respx.Route, wrong: dict[str, Any]
) -> None:
    feed.mock(return_value=answered(**wrong))
    with pytest.raises(PartnerUnavailable) as refused:
        await platform.pull("7", 2, AT)
    assert refused.value.check == "source.malformed"


@pytest.mark.parametrize(
    ("status", "error"),
    [(410, FeedPositionLost), (2, PartnerUnavailable), (10, PartnerUnavailable), (100, SourceDenied)],
)
async def test_what_the_platform_refuses(
    platform: ProvincialPlatform, feed: respx.Route, status: int, error: type[Exception]
) -> None:
    feed.mock(return_value=answered(status))
    with pytest.raises(error):
        await platform.pull("7", 200, AT)


async def test_elsewhere_that_status_means_nothing(platform: ProvincialPlatform, feed: respx.Route) -> None:
    query = SourceQuery("11100000MB0143028R001", ENTERPRISE, "001", "440100", UsePurpose("用电报装", "intake", "核验"))
    with pytest.raises(PartnerUnavailable) as refused:
        await platform.find(query, AT)
    assert refused.value.check == "source.other"
