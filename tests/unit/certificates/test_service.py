import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.certificates.errors import NoECertificate, NoSource, UnknownKind
from gateway.certificates.evidence import ENTRY_BYTES, RENEW_AFTER, EvidenceGatherer, FetchCache
from gateway.certificates.ports import FetchedEnvelope, UsePurpose
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation
from gateway.errors import Owner, PartnerUnavailable
from tests.support.ecertificates import AT, BASE_URL, ENTERPRISE, LIST_URI, Province
from tests.support.shelf import Shelf
from tests.support.storage import DIGESTS

DAY = timedelta(days=1)
PURPOSE = UsePurpose("用电报装", "intake", "核验")


def down():
    return PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="…", partner="p")


class Source:
    def __init__(self, code, *envelopes):
        self.code, self.envelopes, self.queries, self.down, self.swept_at = code, list(envelopes), [], False, None

    async def find(self, query, at):
        self.queries.append(query)
        if self.down:
            raise down()
        return [FetchedEnvelope(data, self.code, at, f"id-{number}") for number, data in enumerate(self.envelopes)]

    def sweep_memory(self, at):
        self.swept_at = at


class Status:
    def __init__(self, province):
        self.province, self.down, self.fetched, self.issued_at = province, False, [], AT - timedelta(minutes=1)

    async def fetch_status_list(self, uri):
        self.fetched.append(uri)
        if self.down:
            raise down()
        return self.province.status_list(issued_at=self.issued_at)

    async def fetch_crl(self, uri):
        self.fetched.append(uri)
        return self.province.pki.authority(uri.rsplit("/", 1)[1].removesuffix(".crl")).crl(self.issued_at)


class Room:
    def __init__(self, *envelopes, province=None):
        self.province = province or Province()
        self.source = Source("gd-province", *(envelopes or [self.province.envelope()]))
        self.status, self.shelf = Status(self.province), Shelf()
        verifier = self.province.verifier()
        self.service = CertificateService(
            kinds=KindRegistry.discover(),
            sources=SourceDirectory([SourceRegistration("440000", self.source)]),
            verifier=verifier,
            evidence=EvidenceGatherer(verifier, self.status),
            transactions=self.shelf,
            digests=DIGESTS,
        )

    async def obtain(self, kind="business_licence", *, at=AT, region="440106", **more):
        holder = HolderExpectation(ENTERPRISE)
        return await self.service.obtain(kind, holder, holder_type="001", region=region, purpose=PURPOSE, at=at, **more)


async def test_a_licence_is_fetched_verified_kept_and_the_level_named():
    room = Room()
    obtained = await room.obtain()
    (verification,) = obtained.verifications
    assert verification.verdict is Verdict.VALID, verification.failed_check
    assert (obtained.source, obtained.level, obtained.fell_through) == ("gd-province", "440000", ("440106", "440100"))
    assert (obtained.from_copy, obtained.source_down) == (False, False)
    (query,) = room.source.queries
    assert (query.type_code, query.holder_code, query.holder_type_code) == ("11100000MB0143028R001", ENTERPRISE, "001")
    assert len(room.shelf.copies) == 1
    # The list's own signer stands under another CA: its CRL is fetched too.
    assert set(room.status.fetched) == {
        LIST_URI,
        f"{BASE_URL}/pki/crl/root.crl",
        f"{BASE_URL}/pki/crl/market-supervision.crl",
        f"{BASE_URL}/pki/crl/data-administration.crl",
    }


def test_what_sources_remember_goes_with_what_is_remembered_here():
    room = Room()
    room.service.sweep_memory(AT)
    assert room.source.swept_at == AT


async def test_a_fresh_copy_spares_the_source_unless_asked_otherwise():
    room = Room()
    await room.obtain()
    again = await room.obtain(at=AT + timedelta(hours=1))
    assert again.from_copy
    assert len(room.source.queries) == 1
    await room.obtain(at=AT + timedelta(hours=1), fresh=True)
    assert len(room.source.queries) == 2


async def test_a_copy_is_judged_anew_so_that_a_revocation_takes_effect():
    room = Room()
    await room.obtain()
    room.province.statuses[1] = 1
    later = AT + RENEW_AFTER + timedelta(seconds=1)
    room.status.issued_at = later
    (verification,) = (await room.obtain(at=later)).verifications
    assert verification.failed_check.check == "status.revoked"


async def test_a_source_that_is_down_leaves_stale_but_permitted_copies_and_says_so():
    room = Room()
    await room.obtain()
    room.source.down = True
    room.status.issued_at = AT + 2 * DAY
    stale = await room.obtain(at=AT + 2 * DAY)
    assert (stale.from_copy, stale.source_down) == (True, True)
    assert stale.verifications[0].verdict is Verdict.VALID
    assert stale.verifications[0].stale
    room.status.issued_at = AT + 8 * DAY
    refused = await room.obtain(at=AT + 8 * DAY)
    assert refused.verifications[0].failed_check.check == "source.stale"
    assert refused.verifications[0].verdict is Verdict.INDETERMINATE


async def test_what_the_source_no_longer_has_does_not_come_back_when_it_is_down():
    room = Room()
    await room.obtain()
    envelopes, room.source.envelopes = room.source.envelopes, []
    with pytest.raises(NoECertificate):
        await room.obtain(at=AT + 2 * DAY)
    assert not room.shelf.copies
    room.source.down = True
    with pytest.raises(PartnerUnavailable):
        await room.obtain(at=AT + 2 * DAY)
    room.source.down, room.source.envelopes = False, envelopes
    assert (await room.obtain(at=AT + 2 * DAY)).verifications


async def test_what_the_source_replaced_does_not_come_back_either():
    province = Province()
    room = Room(province=province)
    await room.obtain()
    room.source.envelopes = [province.envelope(ZZYXQJZRQ="2026-11-01")]
    room.status.issued_at = AT + 2 * DAY
    (spent,) = (await room.obtain(at=AT + 2 * DAY)).verifications
    assert spent.failed_check.check == "validity.expired"
    room.source.down = True
    with pytest.raises(PartnerUnavailable):
        await room.obtain(at=AT + 2 * DAY)


async def test_the_copies_of_another_kind_or_holder_stay():
    room = Room()
    await room.obtain()
    copy = next(iter(room.shelf.copies.values()))
    room.shelf.put(replace(copy, holder_code="914403001922038216"))
    room.source.envelopes = []
    with pytest.raises(NoECertificate):
        await room.obtain("property_certificate")
    with pytest.raises(NoECertificate):
        await room.obtain(at=AT + 2 * DAY)
    assert [each.holder_code for each in room.shelf.copies.values()] == ["914403001922038216"]


async def test_a_verification_says_which_level_answered_and_which_had_no_source():
    (verification,) = (await Room().obtain()).verifications
    assert (verification.provenance.level, verification.provenance.fell_through) == ("440000", ("440106", "440100"))


async def test_without_a_copy_the_outage_is_the_answer():
    room = Room()
    room.source.down = True
    with pytest.raises(PartnerUnavailable):
        await room.obtain()


async def test_a_status_source_that_is_down_is_indeterminate_and_the_copy_is_kept():
    room = Room()
    room.status.down = True
    (verification,) = (await room.obtain()).verifications
    assert (verification.verdict, verification.failed_check.check) == (Verdict.INDETERMINATE, "status.unavailable")
    assert len(room.shelf.copies) == 1


async def test_several_properties_are_each_verified_and_a_bad_one_is_not_kept():
    province = Province()
    good = province.envelope("property_certificate")
    bad = province.envelope("property_certificate", KZ_ZL="")
    room = Room(good, bad, province=province)
    obtained = await room.obtain("property_certificate")
    assert [item.verdict for item in obtained.verifications] == [Verdict.VALID, Verdict.INVALID]
    assert len(room.shelf.copies) == 1


async def test_nobody_makes_the_gateway_fetch_an_address_of_his_own():
    province = Province()
    room = Room(province.envelope(holder=province.pki.rogue), province=province)
    (verification,) = (await room.obtain()).verifications
    assert verification.verdict is Verdict.INDETERMINATE
    assert room.status.fetched == []


async def test_nothing_found_no_source_and_no_such_kind_are_told_apart():
    room = Room()
    room.source.envelopes = []
    with pytest.raises(NoECertificate):
        await room.obtain()
    with pytest.raises(NoSource):
        await room.obtain(region="320106")
    with pytest.raises(UnknownKind):
        await room.obtain("driving_licence")


def test_sources_answer_at_the_lowest_registered_level_and_kind():
    city, province, licences = Source("city"), Source("province"), Source("licences")
    directory = SourceDirectory(
        [
            SourceRegistration("440100", city),
            SourceRegistration("440000", province),
            SourceRegistration("440106", licences, frozenset({"business_licence"})),
        ]
    )
    assert directory.route("440106", "business_licence").source is licences
    route = directory.route("440106003", "resident_id")
    assert (route.source, route.level, route.fell_through) == (city, "440100", ("440106",))
    assert directory.route("440300", "resident_id").source is province
    with pytest.raises(ValueError, match="440100"):
        SourceDirectory([SourceRegistration("440100", city), SourceRegistration("440100", province)])


async def test_one_fetch_serves_all_who_wait_and_the_cache_stays_bounded():
    fetched = []
    gate = asyncio.Event()

    async def fetch(uri):
        fetched.append(uri)
        await gate.wait()
        return uri.encode()

    cache = FetchCache(fetch, size=2 * (ENTRY_BYTES + 1))
    waiting = [asyncio.create_task(cache.get("a", AT)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*waiting) == [b"a"] * 5
    assert fetched == ["a"]
    for uri in ("b", "c", "a"):
        await cache.get(uri, AT)
    assert fetched == ["a", "b", "c", "a"]


async def test_an_address_that_is_down_leaves_the_older_bytes_and_is_not_hammered():
    answers = [b"one", down(), b"two"]
    fetched = []

    async def fetch(uri):
        fetched.append(uri)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cache = FetchCache(fetch)
    assert await cache.get("a", AT) == b"one"
    late = AT + RENEW_AFTER
    assert await cache.get("a", late) == b"one"
    assert await cache.get("a", late + timedelta(seconds=1)) == b"one"
    assert len(fetched) == 2
    assert await cache.get("a", late + timedelta(seconds=20)) == b"two"
