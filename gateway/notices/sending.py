"""Sends what waits: claim a lease, commit, send, settle. Its queue and leases are its own: nothing waits for it.

What was sent and not settled is sent once more after its lease; the key that goes along lets a platform tell.
"""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.clock import Clock
from gateway.delivery.backoff import Backoff
from gateway.delivery.errors import DeliveryRefused
from gateway.errors import GatewayError, Owner, PartnerUnavailable
from gateway.notices.ports import NoticeChannel, NoticesTransaction
from gateway.notices.preferences import SendState, Waiting, Way
from gateway.notices.words import message
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.transaction import Transactions

LEASE: Final = timedelta(minutes=2)
AT_ONCE: Final = 8
EVERY: Final = timedelta(seconds=5)

log = structlog.get_logger()


class NoticeSender:
    """Any number of processes may send at once; each claims under a name of its own."""

    def __init__(
        self,
        owner: str,
        transactions: Transactions[NoticesTransaction],
        channels: Mapping[Way, NoticeChannel],
        clock: Clock,
        backoff: Backoff,
        base_url: str,
        chance: random.Random | None = None,
    ) -> None:
        self._owner = owner
        self._transactions = transactions
        self._channels = channels
        self._clock = clock
        self._backoff = backoff
        self._base_url = base_url
        self._chance = chance or random.SystemRandom()

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Until ``stop`` is set. A database that does not answer is waited out."""
        while not stop.is_set():
            full = False
            try:
                full = await self.pass_once() == AT_ONCE
            except GatewayError as error:
                log.warning("notices.waiting", check=error.check)
            except Exception as error:  # the next round may find it mended
                log.error("notices.fault", fault=type(error).__name__)
            if not full:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), every.total_seconds())

    async def pass_once(self) -> int:
        """Send what is due, at most eight at once; answers how many were tried."""
        now = self._clock()
        if not self._channels or not await self._transactions.read(lambda tx: tx.notice_sends.any_due(now)):
            return 0
        claimed = await self._transactions.write(lambda tx: tx.notice_sends.claim(self._owner, now, LEASE, AT_ONCE))
        await asyncio.gather(*(self._send(each) for each in claimed))
        return len(claimed)

    async def _send(self, waiting: Waiting) -> None:
        failed = await self._attempt(waiting)
        now = self._clock()
        await self._transactions.write(lambda tx: self._settle(tx, waiting, failed, now))

    async def _attempt(self, waiting: Waiting) -> GatewayError | None:
        """None where it was sent, else why not."""
        preference, notice = waiting.preference, waiting.notice
        channel = self._channels.get(preference.way)
        if channel is None:
            return PartnerUnavailable(
                check="notice.no_channel", owner=Owner.GATEWAY, remedy="请配置该消息通道", partner=preference.way.value
            )
        said = message(notice, preference.tongue, self._base_url)
        try:
            await channel.send(notice.key, preference.address, said, self._clock())
        except (PartnerUnavailable, DeliveryRefused) as error:
            return error
        except Exception as error:  # a fault of ours: told by its type alone, since its text may hold the address
            return PartnerUnavailable(
                check=f"notice.fault.{type(error).__name__}",
                owner=Owner.GATEWAY,
                remedy="请查看网关日志",
                partner=preference.way.value,
            )
        return None

    def _settle(self, tx: NoticesTransaction, waiting: Waiting, failed: GatewayError | None, now: datetime) -> None:
        key, again = waiting.notice.key, None
        if failed is not None and not isinstance(failed, DeliveryRefused):
            asked = failed.retry_after if isinstance(failed, PartnerUnavailable) else None
            tried = timedelta(seconds=waiting.tried_s)
            again = self._backoff.next_attempt_at(waiting.attempt, tried, now, self._chance.random(), asked)
        check = None if failed is None else failed.check
        if again is not None:
            tx.notice_sends.put_off(self._owner, key, again, now)
            log.info("notice.put_off", notice=key, attempt=waiting.attempt, check=check)
            return
        state = SendState.SENT if failed is None else SendState.DEAD
        if not tx.notice_sends.settle(self._owner, key, state, now):
            return  # another has taken it over, or the applicant wants to be told no more
        way = waiting.preference.way.value
        facts: dict[str, Fact] = {"notice_sha256": digest(key), "way": way, "attempts": waiting.attempt, "check": check}
        tx.records.append(RecordEntry(f"notice.{state}", now, "gateway", waiting.notice.application_id, facts=facts))
        log.info("notice.settled", notice=key, state=state.value, attempt=waiting.attempt, check=check)
