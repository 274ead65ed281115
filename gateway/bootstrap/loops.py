"""What runs beside: relay, rechecks, anchoring of the record, and the loops of a serving process."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from adapters.channels.department import DepartmentChannel
from adapters.channels.posting import Outgoing
from adapters.channels.signed_events import SecretsOf
from adapters.channels.utility import UtilityChannel
from adapters.channels.webhook import WebhookChannel
from adapters.heartbeat import Heartbeat
from adapters.http_client import HttpClient
from adapters.key_directory import KeyPurpose
from adapters.time_stamping import AnchorsUnreadable, HttpTimeStamps, read_anchors
from adapters.witnesses.files import CheckpointFiles, KeptCheckpointFile
from adapters.witnesses.http import HttpWitness
from gateway.bootstrap.certificates import platform_of
from gateway.bootstrap.foundation import Foundation, checkpoint_keys
from gateway.bootstrap.hub import Hub
from gateway.bootstrap.notice_channels import notice_channels
from gateway.bootstrap.webhook_secrets import secrets_in
from gateway.certificates.service import CertificateService
from gateway.crypto.jwk import CurrentKey
from gateway.delivery.backoff import Backoff
from gateway.delivery.ports import ChannelKind
from gateway.delivery.relay import Relay, RelayLimits
from gateway.housekeeping import forgetting
from gateway.notices.loops import NoticeLoops
from gateway.notices.sending import NoticeSender
from gateway.notices.watching import DeadlineWatch
from gateway.partners.directory import Directory
from gateway.rechecks.feed import FeedReader
from gateway.rechecks.loops import RecheckLoops
from gateway.rechecks.service import RecheckService
from gateway.rechecks.sweeper import Sweeper
from gateway.rechecks.worker import RecheckWorker
from gateway.records.anchoring import Anchoring
from gateway.records.loops import RecordLoops
from gateway.records.ports import StoredCheckpoint
from gateway.records.stamping import Stamping
from gateway.records.witnessing import Witnessing
from gateway.settings import Settings, SettingsError
from gateway.supervision import Loop, Supervisor

if TYPE_CHECKING:
    from adapters.channels.nats import NatsChannel
    from adapters.channels.nats_link import NatsLink

_Signing = tuple[Directory, str, CurrentKey, SecretsOf]


@dataclass(frozen=True)
class Relaying:
    """The relay, and what is let go when it has ended."""

    relay: Relay
    link: "NatsLink | None"
    supervisor: Supervisor

    async def run(self, stop: asyncio.Event) -> None:
        """See ``Relay.run``."""
        try:
            await self.supervisor.run("relay", self.relay.run, stop)
        finally:
            if self.link is not None:
                await self.link.close()


def loops_beside_serving(
    hub: Hub, http: HttpClient, outgoing: Outgoing, stop: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """What a serving process runs until ``stop`` is set; with an embedded worker that one's loops too.

    Raises as ``build_anchoring``.
    """
    foundation = hub.foundation
    own: dict[str, Loop] = {
        "housekeeping": hub.housekeeping.run,
        "keys": foundation.keys.run,
        "lag": foundation.lag.run,
        "memory": partial(forgetting, partial(foundation.sweep_memory, hub.sweep_rooms)),
        "rules": foundation.rules.run,
    }
    if not foundation.settings.embedded_worker:
        workers: list[Relaying | RecheckLoops | RecordLoops | NoticeLoops] = []
    else:
        rechecks = build_rechecks(foundation, hub.certificates, http)
        workers = [
            build_relay(foundation, outgoing),
            rechecks,
            build_anchoring(foundation, http),
            build_notices(foundation, outgoing),
        ]
    supervised = [foundation.supervisor.run(name, loop, stop) for name, loop in own.items()]
    return [*supervised, *(worker.run(stop) for worker in workers)]


def build_relay(foundation: Foundation, outgoing: Outgoing) -> Relaying:
    """The relay over every channel; it claims under a name of its own."""
    settings, keys, directory = foundation.settings, foundation.keys, foundation.directory
    insecure = settings.insecure_endpoint_hosts
    signing = (directory, settings.issuer_url, keys.signer(KeyPurpose.WEBHOOK), secrets_in(settings.secrets_dir))
    link, nats = _over_nats(settings, signing)
    utility = UtilityChannel(directory, WebhookChannel(outgoing, *signing, insecure_hosts=insecure), nats)
    department = DepartmentChannel(outgoing, directory, keys.signer(KeyPurpose.ANSWER), insecure_hosts=insecure)
    relay = Relay(
        owner=uuid4().hex,
        transactions=foundation.transactions,
        channels={
            ChannelKind.WEBHOOK: utility,
            ChannelKind.NATS: utility,
            ChannelKind.DEPARTMENT: department,
        },
        clock=foundation.clock,
        backoff=Backoff(give_up_after=timedelta(days=settings.delivery_give_up_days)),
        limits=RelayLimits(
            in_flight=settings.delivery_in_flight,
            per_destination=settings.delivery_per_destination,
            lease=timedelta(seconds=settings.delivery_lease_s),
            wait=_wait(settings.delivery_lease_s, settings.delivery_timeout_s),
            disable_after=timedelta(hours=settings.delivery_disable_after_h),
        ),
        progress=Heartbeat(settings.heartbeat_file) if settings.heartbeat_file else None,
        watch=foundation.metrics,
    )
    foundation.transactions.hand_over_to(relay.hand_over)
    return Relaying(relay, link, foundation.supervisor)


def _over_nats(settings: Settings, signing: _Signing) -> "tuple[NatsLink, NatsChannel] | tuple[None, None]":
    """The client of NATS is loaded only where a broker is named."""
    url = settings.nats()
    if url is None:
        return None, None
    from adapters.channels.nats import NatsChannel
    from adapters.channels.nats_link import NatsLink

    link = NatsLink(url, settings.nats_prefix)
    return link, NatsChannel(link, *signing, timedelta(seconds=settings.delivery_timeout_s))


def _wait(lease_s: float, timeout_s: float) -> timedelta:
    """How long an event may wait for its turn: half of what a lease leaves when a receiver was asked and sent to in
    vain, and at the least what a busy process takes to begin.
    """
    return timedelta(seconds=max((lease_s - 2 * timeout_s) / 2, lease_s / 20))


def build_rechecks(foundation: Foundation, certificates: CertificateService, http: HttpClient) -> RecheckLoops:
    """What looks at certificates of open applications again; it leases under a name of its own."""
    settings, transactions, clock = foundation.settings, foundation.transactions, foundation.clock
    owner, make_id = uuid4().hex, foundation.make_id
    service = RecheckService(transactions, certificates, clock, make_id)
    sources = {source.code: source for source in settings.sources if source.changes}
    feeds = [platform_of(source, certificates.kinds, http) for source in sources.values()]
    poll, interval = timedelta(seconds=settings.feed_poll_s), timedelta(days=settings.recheck_days)
    return RecheckLoops(
        RecheckWorker(owner, transactions, service, clock, make_id, concluded=foundation.metrics.rechecked),
        FeedReader(owner, feeds, transactions, certificates.identifier_digests, clock, poll),
        Sweeper(transactions, clock, interval),
        foundation.supervisor,
    )


def build_notices(foundation: Foundation, outgoing: Outgoing) -> NoticeLoops:
    """What looks at deadlines, and tells applicants; it leases under a name of its own."""
    settings = foundation.settings
    near = settings.notice_near_working_days
    watch = DeadlineWatch(foundation.transactions, foundation.rules.book, foundation.clock, near)
    sender = NoticeSender(
        uuid4().hex,
        foundation.transactions,
        notice_channels(settings, outgoing),
        foundation.clock,
        Backoff(timedelta(seconds=30), timedelta(hours=1), timedelta(days=settings.notice_give_up_days)),
        settings.base_url,
    )
    return NoticeLoops(watch, sender, foundation.supervisor)


def build_anchoring(foundation: Foundation, http: HttpClient) -> RecordLoops:
    """What signs checkpoints of the record and shows them to witnesses; it leases under a name of its own.

    Raises as ``checkpoint_keys``, and ``SettingsError``.
    """
    settings, transactions = foundation.settings, foundation.transactions
    witnesses = [HttpWitness(http, each.url, each.verifier_keys()) for each in settings.witnesses]
    witnessing = Witnessing(
        transactions,
        [CheckpointFiles(settings.head_directory), *witnesses],
        [key for each in settings.witnesses for key in each.verifier_keys()],
        foundation.metrics.witnessed,
    )
    stamping = Stamping(
        transactions,
        _time_stampers(foundation, http),
        foundation.clock,
        timedelta(seconds=settings.time_stamps.every_s if settings.time_stamps else 0),
    )

    def signed(latest: StoredCheckpoint) -> None:
        witnessing.signed(latest)
        stamping.signed(latest)

    anchoring = Anchoring(
        transactions,
        foundation.clock,
        settings.checkpoint_origin,
        checkpoint_keys(foundation).signers(),
        uuid4().hex,
        timedelta(seconds=settings.checkpoint_every_s),
        signed,
        kept=KeptCheckpointFile(settings.head_directory),
        contradicted=foundation.metrics.record_contradicted,
        lease=timedelta(seconds=settings.checkpoint_lease_s),
    )
    return RecordLoops(anchoring, witnessing, stamping, foundation.supervisor)


def _time_stampers(foundation: Foundation, http: HttpClient) -> list[HttpTimeStamps]:
    asked = foundation.settings.time_stamps
    if asked is None:
        return []
    try:
        return [HttpTimeStamps(http, asked.url, read_anchors(asked.anchors), foundation.clock)]
    except AnchorsUnreadable as error:
        raise SettingsError(f"BANDIAN_TIME_STAMPS: {error}") from None
