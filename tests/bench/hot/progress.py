"""Path 3: the applicant's progress page, as a browser gets it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import cycle

from mock_services.demo.applicant import Applicant
from tests.bench.hot.exchanges import ExchangePath, Sides, beside_limit
from tests.bench.hot.ground import Ground
from tests.bench.hot.recorded import SpeedBought
from tests.bench.hot.slices import Side
from tests.bench.hot.stand import Prepared
from tests.bench.hot.visitors import session_of, signed_in
from tests.bench.hot.wire import Exchange, Fleet

COOKIE = "__Host-bandian_session"
TITLE = "申请进度"


class ProgressPath(ExchangePath):
    """Session, application and all that stands around it, a page; nothing is recorded."""

    needs = None

    @asynccontextmanager
    async def sides(self, ground: Ground, connections: int) -> AsyncIterator[Sides]:
        """As ``ExchangePath``."""
        stand = ground.stand
        visitors = await signed_in(stand, ground.http, stand.untouched)
        requests = [_page_of(each, visitor) for each, visitor in zip(stand.untouched, visitors, strict=True)]
        turns = cycle(requests)

        async def make(count: int) -> Sequence[Exchange]:
            return [next(turns) for _ in range(count)]

        ours = Side("gateway", stand.pids, Fleet(stand.ports, connections), make)
        pages = {}
        for each, request in zip(stand.untouched, requests, strict=True):
            page = (await ours.fleet.ask([request])).last_body
            self.require_right(page)
            pages[each.application_id] = page.decode()
        work = {"does": "progress", "cookie": COOKIE, "pages": pages, "kept": await _kept(stand.untouched, visitors)}
        async with beside_limit(ground, ours, work, make) as sides:
            yield sides

    def require_right(self, answer: bytes) -> None:
        """As ``ExchangePath``: the page, and not the way to sign in."""
        page = answer.decode()
        if f"<h1>{TITLE}</h1>" not in page or "</html>" not in page:
            raise SpeedBought("what was answered is not the progress page")


def _page_of(prepared: Prepared, visitor: Applicant) -> bytes:
    return (
        f"GET /applications/{prepared.application_id} HTTP/1.1\r\nhost: gateway\r\naccept: text/html\r\n"
        f"accept-language: zh-CN\r\ncookie: {COOKIE}={visitor.token}\r\n\r\n"
    ).encode()


async def _kept(applications: Sequence[Prepared], visitors: Sequence[Applicant]) -> dict[str, dict[str, object]]:
    """What the limit reads, of about the bytes that the gateway reads."""
    both = list(zip(applications, visitors, strict=True))
    return {
        "sessions": {sha256(visitor.token.encode()).hexdigest(): session_of(each) for each, visitor in both},
        "applications": {
            each.application_id: {**await visitor.progress(each.application_id), "holder": each.holder_code}
            for each, visitor in both
        },
        "authorisations": {each.application_id: {"holder": each.holder_code} for each in applications},
    }
