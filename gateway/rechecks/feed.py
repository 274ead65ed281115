"""Reads change feeds: pull, match, move on.

A page's hits are asked for in the same commit that moves the position, so that a reader that dies in between pulls the
page again. A change is a hint: it leads to a look, and is never believed by itself. Of a certificate that no open
application rests on nothing is kept.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.clock import Clock
from gateway.errors import GatewayError, Overloaded
from gateway.rechecks.errors import FeedPositionLost
from gateway.rechecks.model import Reason
from gateway.rechecks.pacing import after_pull_failed
from gateway.rechecks.ports import ChangeFeed, FeedPage, FeedState, RechecksTransaction
from gateway.records.entries import RecordEntry
from gateway.transaction import Transactions
from schemas.identifiers import ECertificateIdentifier, IdentifierError

PAGE = 200
MOST_PAGES = 50
"""In one go; what is left is pulled in the next."""
LEASE = timedelta(minutes=2)
STARTED = "feed.started"

log = structlog.get_logger()


class FeedReader:
    """Reads every feed, one reader at a time for each."""

    def __init__(
        self,
        owner: str,
        feeds: Sequence[ChangeFeed],
        transactions: Transactions[RechecksTransaction],
        digests: IdentifierDigests,
        clock: Clock,
        poll: timedelta,
        chance: random.Random | None = None,
    ) -> None:
        """``poll`` is how long after a feed's end was reached it is pulled again."""
        self._owner = owner
        self._feeds = tuple(feeds)
        self._transactions = transactions
        self._digests = digests
        self._clock = clock
        self._poll = poll
        self._chance = chance or random.SystemRandom()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Without feeds there is nothing to do."""
        while self._feeds and not stop.is_set():
            await asyncio.gather(*(self._read_safely(feed) for feed in self._feeds))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(self._poll.total_seconds(), 5.0))

    async def _read_safely(self, feed: ChangeFeed) -> None:
        try:
            await self.read(feed)
        except Overloaded as error:
            log.warning("feed.waiting", source=feed.code, check=error.check)
        except Exception as error:  # one feed's fault keeps no other waiting
            log.error("feed.fault", source=feed.code, fault=type(error).__name__)

    async def read(self, feed: ChangeFeed) -> int | None:
        """Pull the feed to its end, if it is due and nobody else reads it; answers how many looks were asked for.

        Raises ``Overloaded``: whatever was not committed is pulled again.
        """
        now = self._clock()
        state = await self._transactions.write(lambda tx: tx.feed_positions.claim(feed.code, self._owner, now, LEASE))
        if state is None:
            return None
        try:
            caught_up, hits = await self._read_on(feed, state)
        except Overloaded:
            raise
        except GatewayError as error:
            log.warning("feed.down", source=feed.code, check=error.check)
            await self._release(feed.code, after_pull_failed(state.failures, now, self._poll, self._chance.random()))
            return None
        await self._release(feed.code, self._clock() + (self._poll if caught_up else timedelta()), failed=False)
        return hits

    async def _read_on(self, feed: ChangeFeed, state: FeedState) -> tuple[bool, int]:
        """Page by page; answers whether the end was reached, and how many looks were asked for."""
        position, hits = state.position, 0
        for _ in range(MOST_PAGES):
            try:
                page, fresh = await feed.pull(position, PAGE, self._clock()), position is None
            except FeedPositionLost as error:
                log.warning("feed.position_lost", source=feed.code, check=error.check)
                page, fresh = await feed.pull(None, PAGE, self._clock()), True
            found = await self._take(feed.code, page, fresh=fresh)
            if found is None:
                return False, hits
            hits += found
            if not page.more:
                return True, hits
            position = page.position
        return False, hits

    async def _take(self, source: str, page: FeedPage, *, fresh: bool) -> int | None:
        """One commit asks for what the page names, and moves on; None where another reads the feed meanwhile.

        ``fresh`` – we start from the end, and know nothing of what was before: every open application's certificates
        are looked at.
        """
        now = self._clock()
        hints = self._hints(page, now)

        def take(tx: RechecksTransaction) -> int | None:
            if not tx.feed_positions.advance(source, self._owner, page.position, now, LEASE, caught_up=not page.more):
                return None
            if fresh:
                tx.application_certificates.sweep_all()
                tx.records.append(RecordEntry(STARTED, now, "gateway", facts={"source": source}))
            resting = tx.application_certificates.of_series(hints) if hints else []
            for application_id, kind, series in resting:
                tx.recheck_queue.ask(application_id, kind, Reason.FEED, now, hints[series])
            return len(resting)

        found = await self._transactions.write(take)
        if page.changes:
            log.info("feed.pulled", source=source, changes=len(page.changes), hits=found)
        return found

    async def _release(self, source: str, until: datetime, *, failed: bool = True) -> None:
        await self._transactions.write(lambda tx: tx.feed_positions.release(source, self._owner, until, failed=failed))

    def _hints(self, page: FeedPage, now: datetime) -> dict[str, datetime]:
        """Series digest → when its certificate changed last by the feed's word, whole seconds, not later than now."""
        hints: dict[str, datetime] = {}
        for change in page.changes:
            try:
                series = self._digests.series(ECertificateIdentifier.parse(change.identifier))
            except IdentifierError:
                continue  # not a certificate that could ever be verified
            at = min(change.at, now).replace(microsecond=0)
            hints[series] = max(at, hints.get(series, at))
        return hints
