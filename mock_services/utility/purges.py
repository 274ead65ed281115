"""Confirms to the gateway that what was fetched for a withdrawn application is purged (清除回执)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mock_services.utility.client import GatewayClient, GatewayRefused, GatewayUnavailable
from mock_services.utility.store.purges import Purge, Purges
from schemas.partner_api import PurgeRecorded

IDLE = 0.05
"""Seconds between looks at the store."""
FIRST_BACKOFF = timedelta(milliseconds=250)
LONGEST_BACKOFF = timedelta(seconds=15)


@dataclass
class PurgeClerk:
    """One per process."""

    client: GatewayClient
    purges: Purges
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Until cancelled: confirm what is due."""
        while True:
            for purge in self.purges.due(self.clock()):
                await self._confirm_or_postpone(purge)
            await asyncio.sleep(IDLE)

    async def confirm(self, purge: Purge) -> PurgeRecorded:
        """Send the receipt now; told again, the gateway lets the first one stand. Raises as the client does."""
        recorded = await self.client.purged(
            purge.application_id, purge.authorisation_id, purged_at=purge.purged_at, at=self.clock()
        )
        self.purges.confirmed(purge, recorded.heard_at)
        return recorded

    async def _confirm_or_postpone(self, purge: Purge) -> None:
        try:
            await self.confirm(purge)
        except GatewayUnavailable as error:
            wait = min(FIRST_BACKOFF * (1 << min(purge.attempts, 10)), LONGEST_BACKOFF)
            wait = max(wait, timedelta(seconds=min(error.retry_after or 0, 60)))
            self.purges.postponed(purge, self.clock() + wait, {"unavailable": str(error)})
        except GatewayRefused as error:
            self.purges.postponed(purge, None, error.problem.model_dump(mode="json", exclude_none=True))
