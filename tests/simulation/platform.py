"""The provincial platform: real sealed certificates from the mocks' registry, and everything that goes wrong there."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache

from gateway.certificates.ports import FetchedEnvelope, SourceQuery
from gateway.certificates.trust import TrustStore
from gateway.errors import Owner, PartnerUnavailable
from gateway.rechecks.errors import FeedPositionLost
from gateway.rechecks.ports import FeedChange, FeedPage
from mock_services.authorities import AUTHORITIES, Authority
from mock_services.pki import ProvincialPki, spki_digest
from mock_services.population import Population
from mock_services.provincial_platform.certificates import Record
from mock_services.provincial_platform.registry import Order, Registry, break_signature, sign
from schemas.wire import Typ
from tests.simulation.weather import Weather
from tests.simulation.world import VirtualClock

BASE_URL = "https://platform.simulated"
SOURCE, LISTS, FEED = "gd-platform", "status-lists", "change-feed"
PUBLISHED_EVERY = timedelta(minutes=10)
CRL_EVERY = timedelta(hours=6)


@cache
def pki() -> ProvincialPki:
    """One for all histories of a process: keys are fresh, and no history tells them."""
    return ProvincialPki.build(BASE_URL)


def trust() -> TrustStore:
    """What believes that PKI."""
    from cryptography.hazmat.primitives.serialization import Encoding

    def entry(item: Authority) -> dict[str, object]:
        issuing_ca = spki_digest(pki().departments[item.department].certificate)
        return {
            "authority_code": item.code,
            "name": item.name,
            "kinds": list(item.kinds),
            "regions": list(item.regions),
            "from": "2020-01-01",
            "to": None,
            "issuing_ca": issuing_ca,
        }

    root = pki().root.certificate.public_bytes(Encoding.DER)
    return TrustStore.build([root], [entry(item) for item in AUTHORITIES])


def drifted(envelope: bytes, authority: str) -> bytes:
    """The certificate in a newer form that nobody told us of: sealed well, and without a member that we need."""
    body = envelope.split(b".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    claims["certificate"]["ZZBFRQ_V2"] = claims["certificate"].pop("ZZBFRQ")
    return sign(Typ.CERTIFICATE, claims, pki().seals[authority]).encode()


class SimulatedPlatform:
    """``ECertificateSource``, ``StatusSource`` and ``ChangeFeed``; ``asked`` hears each question about a holder."""

    code = SOURCE

    def __init__(
        self, population: Population, clock: VirtualClock, weather: Weather, asked: Callable[[SourceQuery], None]
    ) -> None:
        pki().forgive()
        self.registry = Registry(population, pki(), BASE_URL)
        for record in self.registry.all():
            record.as_ofd = False  # SM2 is not everywhere, and a history is the same everywhere
        self._clock, self._weather, self._asked = clock, weather, asked
        self._lists: dict[str, tuple[datetime, bytes]] = {}
        self._crls: dict[str, tuple[datetime, bytes]] = {}
        self._changes: list[FeedChange] = []
        self._dropped = 0

    # the source -----------------------------------------------------------------------------------------------------

    async def find(self, query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        self._asked(query)
        if self._weather.down(SOURCE, at) or self._weather.strikes("slow source", 0.01):
            raise _silent(SOURCE)
        given = []
        for record in self.registry.of_holder(query.holder_code, query.type_code):
            envelope = self._given(record)
            copies = 2 if self._weather.strikes("duplicate certificate", 0.01) else 1
            given += [FetchedEnvelope(envelope, SOURCE, at, record.identifier)] * copies
        return given

    def sweep_memory(self, at: datetime) -> None:
        pass

    def _given(self, record: Record) -> bytes:
        envelope = self.registry.envelope(record)
        if self._weather.strikes("bad seal", 0.01):
            return break_signature(envelope)
        if self._weather.strikes("schema drift of a certificate", 0.005):
            return drifted(envelope, record.authority.slug)
        return envelope

    # what revokes ---------------------------------------------------------------------------------------------------

    async def fetch_status_list(self, uri: str) -> bytes:
        at = self._clock.at
        if self._weather.strikes("slow status list", 0.01):
            raise _silent(LISTS)
        kept = self._lists.get(uri)
        frozen = kept is not None and self._weather.down(LISTS, at)  # published no more, and served as it was
        if kept is None or (at - kept[0] >= PUBLISHED_EVERY and not frozen):
            token = self.registry.status_list(int(uri.rsplit("/", 1)[1]), at)
            assert token is not None, uri
            kept = self._lists[uri] = (at, token.encode())
        return kept[1]

    async def fetch_crl(self, uri: str) -> bytes:
        at = self._clock.at
        if self._weather.strikes("slow list of revocations", 0.01):
            raise _silent(LISTS)
        kept = self._crls.get(uri)
        if kept is None or at - kept[0] >= CRL_EVERY:
            name = uri.rsplit("/", 1)[1].removesuffix(".crl")
            kept = self._crls[uri] = (at, pki().authority(name).crl(at))
        return kept[1]

    async def fetch_ocsp(self, uri: str, request: bytes) -> bytes:
        raise _silent(LISTS)

    # the feed -------------------------------------------------------------------------------------------------------

    def order(self, record: Record, order: Order, at: datetime, to: str | None = None) -> None:
        """An authority orders something; the feed tells it, unless it is one of those that are forgotten."""
        self.registry.order(record, order, "模拟", at, to)
        if not self._weather.strikes("change left out of the feed", 0.05):
            self._changes.append(FeedChange(record.identifier, at))

    async def pull(self, position: str | None, limit: int, at: datetime) -> FeedPage:
        if self._weather.down(FEED, at) or self._weather.strikes("slow feed", 0.02):
            raise _silent(SOURCE)
        if position is None:
            return FeedPage((), str(len(self._changes)), more=False)
        if self._weather.strikes("feed reset", 0.002):
            self._dropped = len(self._changes)
        start = int(position)
        if start < self._dropped:
            raise FeedPositionLost(partner=SOURCE)
        end = min(start + limit, len(self._changes))
        return FeedPage(tuple(self._changes[start:end]), str(end), more=end < len(self._changes))


def _silent(partner: str) -> PartnerUnavailable:
    return PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后再试", partner=partner)
