"""One attempt at a delivery: ask or send, and what its end means for the event."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from gateway.clock import Clock
from gateway.delivery.backoff import Backoff
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import (
    NO_TURN,
    AttemptOutcome,
    Channel,
    ChannelKind,
    ClaimedDelivery,
    DeliveryState,
    Receipt,
    Settlement,
)
from gateway.errors import GatewayError, Owner, PartnerUnavailable

log = structlog.get_logger()


class ReceiverHealth(StrEnum):
    """What an attempt tells of the receiver as such: it works, it fails, or nothing."""

    WORKS = "works"
    FAILS = "fails"
    UNTOLD = "untold"


@dataclass(frozen=True)
class _Ended:
    """How an attempt ended. ``final`` – the receiver will never take the event."""

    outcome: AttemptOutcome
    reason: str
    health: ReceiverHealth
    status: int | None = None
    receipt: Receipt | None = None
    retry_after: int | None = None
    final: bool = False


@dataclass(frozen=True)
class Attempts:
    """Makes attempts over the channels; ``chance`` spreads what is tried again."""

    channels: Mapping[ChannelKind, Channel]
    clock: Clock
    backoff: Backoff
    chance: random.Random

    async def make(self, claim: ClaimedDelivery) -> tuple[Settlement, ReceiverHealth]:
        """Deliver what was claimed; never raises but for cancellation."""
        started_at = self.clock()
        ended = await self._found(claim, started_at) or await self._sent(claim)
        return self._settlement(claim, ended, started_at), ended.health

    def put_back(self, claim: ClaimedDelivery, until: datetime | None = None) -> Settlement:
        """Nothing of it was sent: it is due again at once, or as soon as what it was behind, which waits ``until``."""
        now = self.clock()
        return Settlement(
            claim.event.event_id,
            claim.attempt,
            now,
            now,
            DeliveryState.UNKNOWN if claim.unknown else DeliveryState.PENDING,
            NO_TURN,
            next_attempt_at=until or now,
            outcome=AttemptOutcome.NOT_SENT,
            tried_for=claim.tried_for,
        )

    async def _found(self, claim: ClaimedDelivery, at: datetime) -> _Ended | None:
        """The receipt of an earlier attempt whose answer was lost; whatever else comes of asking, it is sent again."""
        if not claim.unknown:
            return None
        try:
            receipt = await self.channels[claim.event.channel].find_receipt(claim.event, at)
        except GatewayError as error:
            log.info("delivery.status_unknown", event_id=claim.event.event_id, check=error.check)
            return None
        except Exception as error:
            log.error("delivery.fault", event_id=claim.event.event_id, fault=type(error).__name__)
            return None
        if receipt is None:
            return None
        return _Ended(AttemptOutcome.RECEIPTED, "found", ReceiverHealth.WORKS, 200, receipt)

    async def _sent(self, claim: ClaimedDelivery) -> _Ended:
        event = claim.event
        try:
            receipt = await self.channels[event.channel].send(event, self.clock())
        except DeliveryRefused as error:
            outcome, works = AttemptOutcome.DECLINED, ReceiverHealth.WORKS
            return _Ended(outcome, error.check, works, error.status, final=True)
        except NotDelivered as error:
            return _Ended(error.outcome, error.check, _health(error), retry_after=error.retry_after)
        except PartnerUnavailable as error:
            return _Ended(AttemptOutcome.UNKNOWN, error.check, _health(error), retry_after=error.retry_after)
        except GatewayError as error:
            return _Ended(AttemptOutcome.UNKNOWN, error.check, ReceiverHealth.UNTOLD)
        except Exception as error:  # a fault of ours must not lose the event or stop the relay
            log.exception("delivery.fault", event_id=event.event_id)
            return _Ended(AttemptOutcome.UNKNOWN, f"gateway.{type(error).__name__}", ReceiverHealth.UNTOLD)
        reason = "duplicate" if receipt.duplicate else "accepted"
        return _Ended(AttemptOutcome.RECEIPTED, reason, ReceiverHealth.WORKS, 200, receipt)

    def _settlement(self, claim: ClaimedDelivery, ended: _Ended, started_at: datetime) -> Settlement:
        now = self.clock()
        next_attempt_at = None
        if ended.receipt is not None:
            state = DeliveryState.DELIVERED
        else:
            # A later answer that is no receipt does not tell what became of an earlier attempt.
            unknown = claim.unknown or ended.outcome is AttemptOutcome.UNKNOWN
            state = DeliveryState.UNKNOWN if unknown else DeliveryState.PENDING
            if not ended.final:
                chance = self.chance.random()
                next_attempt_at = self.backoff.next_attempt_at(
                    claim.attempt, claim.tried_for, now, chance, ended.retry_after
                )
            if next_attempt_at is None:
                state = DeliveryState.DEAD
        return Settlement(
            claim.event.event_id,
            claim.attempt,
            started_at,
            now,
            state,
            ended.reason,
            ended.status,
            ended.receipt,
            next_attempt_at,
            ended.outcome,
            claim.tried_for,
        )


def _health(error: PartnerUnavailable) -> ReceiverHealth:
    """What is ours to mend – an address or a secret not there, a broker down – says nothing of the receiver."""
    return ReceiverHealth.UNTOLD if error.owner is Owner.GATEWAY else ReceiverHealth.FAILS
