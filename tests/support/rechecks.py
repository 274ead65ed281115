"""The rechecks room over a real database, with real certificates, a feed and a utility's outbox to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.delivery.ports import Event
from gateway.errors import Owner, PartnerUnavailable
from gateway.rechecks.errors import FeedPositionLost
from gateway.rechecks.feed import FeedReader
from gateway.rechecks.ports import FeedChange, FeedPage
from gateway.rechecks.service import RecheckService
from gateway.rechecks.sweeper import Sweeper
from gateway.rechecks.worker import RecheckWorker, WorkerLimits
from mock_services.authorities import AUTHORITY_OF_KIND
from schemas.ecertificates import TYPE_CODES
from schemas.events import CertificateChanged, EventType
from schemas.identifiers import ECertificateIdentifier
from schemas.partner_api import StageEventRequest
from tests.support.licences import DIGESTS, UTILITY, LicencesRoom, licences_room, province

LICENCE, PROPERTY = "business_licence", "property_certificate"
GOOD, REVOKED, SUSPENDED = 0, 1, 2
LIMITS = WorkerLimits(in_flight=4, lease=timedelta(seconds=30), idle=timedelta(milliseconds=5))
POLL = timedelta(seconds=60)
A_WEEK = timedelta(days=7)


def identifier(kind: str, version: str = "001", serial: str = "20260000001") -> str:
    """The one that ``province().envelope(kind)`` has, or another version or certificate."""
    return str(ECertificateIdentifier.make(TYPE_CODES[kind], AUTHORITY_OF_KIND[kind].code, serial, version))


@dataclass
class Feed:
    """A change feed in memory; ``down`` answers nothing, ``kept_from`` is the oldest number that it still has."""

    code: str = "gd-platform"
    changes: list[FeedChange] = field(default_factory=list)
    down: bool = False
    kept_from: int = 0
    pulls: list[str | None] = field(default_factory=list)
    page: int = 500

    def say(self, identifier: str, at: datetime) -> None:
        self.changes.append(FeedChange(identifier, at))

    async def pull(self, position: str | None, limit: int, at: datetime) -> FeedPage:
        self.pulls.append(position)
        if self.down:
            raise PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="…", partner=self.code)
        if position is None:
            return FeedPage((), str(len(self.changes)), more=False)
        start = int(position)
        if start < self.kept_from:
            raise FeedPositionLost(partner=self.code)
        end = min(start + min(limit, self.page), len(self.changes))
        return FeedPage(tuple(self.changes[start:end]), str(end), more=end < len(self.changes))


@dataclass
class RechecksRoom:
    """Applications are made in ``licences``; what becomes of their certificates is found here."""

    licences: LicencesRoom
    service: RecheckService
    feed: Feed
    numbers: Any
    results: list[tuple[str, str]] = field(default_factory=list)

    @property
    def clock(self) -> Any:
        return self.licences.clock

    @property
    def transactions(self) -> Any:
        return self.licences.transactions

    def make_id(self, kind: str) -> str:
        return f"{kind}_r{next(self.numbers):04d}"

    def worker(self, owner: str = "one") -> RecheckWorker:
        return RecheckWorker(
            owner,
            self.transactions,
            self.service,
            self.clock,
            self.make_id,
            LIMITS,
            Random(1),
            concluded=lambda kind, result: self.results.append((kind, result)),
        )

    def reader(self, owner: str = "one") -> FeedReader:
        digests = self.licences.certificates.identifier_digests
        return FeedReader(owner, [self.feed], self.transactions, digests, self.clock, POLL, Random(1))

    def sweeper(self) -> Sweeper:
        return Sweeper(self.transactions, self.clock, A_WEEK)

    async def work(self, owner: str = "one") -> int:
        """Look at all that is due now; answers how many were."""
        worker, looked = self.worker(owner), 0
        while some := await worker.pass_once():
            looked += some
            await worker.drain()
        return looked

    def elsewhere(self) -> RecheckService:
        """Rechecks of another process: with the same database and sources, and nothing fetched yet."""
        verifier = province().verifier()
        certificates = CertificateService(
            kinds=KindRegistry.discover(),
            sources=SourceDirectory([SourceRegistration("440000", self.licences.source)]),
            verifier=verifier,
            evidence=EvidenceGatherer(verifier, self.licences.status),
            transactions=self.transactions,
            digests=DIGESTS,
        )
        return RecheckService(self.transactions, certificates, self.clock, self.make_id)

    async def apply(self) -> str:
        """An application that rests on a licence and a property certificate."""
        return (await self.licences.apply()).application.application_id

    async def stage(self, application_id: str) -> None:
        """The utility starts the first of the two stages."""
        await self.hear(application_id, "sign_up", "started")

    async def hear(self, application_id: str, stage: str, action: Any) -> None:
        """What the utility says it did just now."""
        event = StageEventRequest(
            event_id=f"ev-{stage}-{action}", stage=stage, action=action, claimed_at=self.later(minutes=1)
        )
        await self.licences.stages.hear(UTILITY, application_id, event)

    def later(self, **by: float) -> datetime:
        at: datetime = self.clock.advance(**by)
        return at

    async def told(self) -> list[CertificateChanged]:
        """What the utility is told, in order."""
        return [CertificateChanged.model_validate(event.data) for event in await self.events()]

    async def events(self) -> list[Event]:
        feed = await self.transactions.read(lambda tx: tx.deliveries.feed(UTILITY, 0, 1000))
        return [event for event in feed if event.type == EventType.CERTIFICATE_CHANGED]

    async def document(self, application_id: str, kind: str = LICENCE) -> Any:
        application = await self.transactions.read(lambda tx: tx.applications.find(application_id))
        return next(each for each in application.documents if each.document == kind)

    async def waiting(self) -> int:
        state = await self.transactions.read(lambda tx: tx.recheck_queue.state())
        waiting: int = state.waiting
        return waiting

    def replace(self, kind: str, **changes: str) -> None:
        """The source has another document of the kind from now on."""
        self.licences.source.hold(kind, province().envelope(kind, **changes))


@contextmanager
def rechecks_room(database_url: str) -> Iterator[RechecksRoom]:
    """At ``AT``; certificates have index 1 of the status list, which is put right again afterwards."""
    with licences_room(database_url) as licences:
        numbers = count(1)
        service = RecheckService(
            licences.transactions, licences.certificates, licences.clock, lambda kind: f"{kind}_s{next(numbers):04d}"
        )
        try:
            yield RechecksRoom(licences, service, Feed(), numbers)
        finally:
            province().statuses[:] = [GOOD] * len(province().statuses)
