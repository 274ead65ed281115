"""Gathering OCSP answers beside lists, and verdicts that are kept until one of their grounds changes."""

import asyncio
from datetime import timedelta

import pytest

from gateway.certificates import chain_cache
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.evidence import EvidenceGatherer, FetchCache
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.references import References
from gateway.certificates.trust import TrustStore
from gateway.certificates.verifier import Verifier
from gateway.certificates.x509.ocsp import load_response
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.errors import Owner, PartnerUnavailable
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, DAY, HOUR, certificate_id, ocsp, root, single

POINT = x.crl_points(x.point([x.uri("http://x.example/ca.crl")]))
ROOT = root()
CA = ROOT.issue_ca("CA")
SEAL = CA.issue("章", x.SEAL, x.ocsp_at("http://ocsp.example/a"), POINT)
PATH = tuple(load_signing_certificate(each.certificate) for each in (SEAL, CA, ROOT))
ANSWER = ocsp(CA, single(certificate_id(SEAL, CA)))


class Status:
    def __init__(self, *, down=False):
        self.down, self.asked = down, []

    async def fetch_status_list(self, uri):
        raise AssertionError

    async def fetch_crl(self, uri):
        return x.crl(CA)

    async def fetch_ocsp(self, uri, request):
        self.asked.append((uri, request))
        if self.down:
            raise PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="…", partner="p")
        return ANSWER


def verifier():
    return Verifier(ChainVerifier(TrustStore.build([ROOT.certificate], [])), [JwsFormat()])


async def test_what_a_path_names_is_asked_once_and_comes_as_evidence():
    status = Status()
    gatherer = EvidenceGatherer(verifier(), status)
    for _ in range(3):
        found = await gatherer.gather([References.of(PATH), References.of(PATH)], AT)
        assert found.ocsp == (ANSWER,)
        assert len(found.crls) == 1
    ((uri, request),) = status.asked
    assert uri == "http://ocsp.example/a"
    assert load_response(ANSWER).answers[0].about.names(PATH[0], PATH[1])
    assert request.endswith(x.integer(SEAL.serial))


async def test_a_responder_that_is_down_leaves_the_rest_and_is_missing_in_the_basis():
    found = await EvidenceGatherer(verifier(), Status(down=True)).gather([References.of(PATH)], AT)
    assert (found.ocsp, len(found.crls)) == ((), 1)
    chains = ChainVerifier(TrustStore.build([ROOT.certificate], []))
    lists = (*found.crls, x.crl(ROOT))
    result = chains.verify(SEAL.certificate, (CA.certificate,), AT, lists, status=found.ocsp)
    assert (result.check, [(each.name, each.state.value) for each in result.basis]) == (
        None,
        [("crl", "fresh"), ("ocsp", "missing"), ("crl", "fresh")],
    )


async def test_whoever_wants_it_since_now_waits_for_no_flight_that_began_before_and_all_share_the_next():
    begun, go = [], asyncio.Event()

    async def fetch(uri):
        begun.append(uri)
        await go.wait()
        return b"%d" % len(begun)

    cache = FetchCache(fetch)
    early = [asyncio.create_task(cache.get("u", AT)) for _ in range(2)]
    await asyncio.sleep(0)
    later = AT + HOUR
    waiters = [asyncio.create_task(cache.get("u", later, later)) for _ in range(3)]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*early) == [b"1", b"1"]
    assert await asyncio.gather(*waiters) == [b"2"] * 3
    assert begun == ["u", "u"]


async def test_a_flight_that_has_ended_but_not_yet_told_so_is_not_waited_for():
    fetched = []

    async def at_once(uri):
        fetched.append(uri)
        return b"%d" % len(fetched)

    cache = FetchCache(at_once)
    early = asyncio.create_task(cache.get("u", AT))
    await asyncio.sleep(0)  # the flight is queued; whoever asks next runs between its end and its callbacks
    waiter = asyncio.create_task(cache.get("u", AT + HOUR, AT + HOUR))
    assert await waiter == b"2"
    assert await early == b"1"


@pytest.fixture
def work(monkeypatch):
    """How often a chain was really judged."""
    done = []
    verify = chain_cache.verify_chain
    monkeypatch.setattr(chain_cache, "verify_chain", lambda *a, **k: (done.append(1), verify(*a, **k))[1])
    return done


def test_a_verdict_is_kept_under_everything_that_it_rests_on(work):
    chains = ChainVerifier(TrustStore.build([ROOT.certificate], []))
    lists = (x.crl(ROOT), x.crl(CA, next_update=AT + 2 * HOUR))
    variants = [
        {"crls": None},
        {"crls": lists},
        {"crls": lists, "status": ()},
        {"crls": lists, "status": (ANSWER,)},
        {"crls": lists, "limit": FreshnessLimit(2 * HOUR, DAY)},
        {"crls": lists, "valid_at": AT - HOUR},
        {"crls": lists, "valid_at": AT - 2 * HOUR},
    ]
    for expected, terms in enumerate(variants, start=1):
        for _ in range(3):
            assert chains.verify(SEAL.certificate, (CA.certificate,), AT, **terms).check is None
        assert len(work) == expected
    for _ in range(2):
        # Neither dates nor revocation depend on the time now: kept for good.
        assert (
            chains.verify(SEAL.certificate, (CA.certificate,), AT + DAY, None, valid_at=AT - HOUR).valid_until is None
        )
    assert len(work) == len(variants) + 1
    work.clear()
    later = AT + 2 * HOUR + timedelta(seconds=1)
    assert chains.verify(SEAL.certificate, (CA.certificate,), later, lists).check == "chain.revocation_unknown"
    assert chains.verify(SEAL.certificate, (CA.certificate,), AT - DAY, None).check is None
    assert len(work) == 2


def test_a_verdict_is_not_kept_past_the_moment_at_which_a_ground_ends_or_begins(work):
    chains = ChainVerifier(TrustStore.build([ROOT.certificate], []))
    given = (CA.certificate,)
    until_now = (x.crl(ROOT), x.crl(CA, next_update=AT))
    for terms in ({}, {"valid_at": AT - HOUR}):
        assert chains.verify(SEAL.certificate, given, AT, until_now, **terms).check is None
        later = chains.verify(SEAL.certificate, given, AT + timedelta(seconds=1), until_now, **terms)
        assert later.check == "chain.revocation_unknown"
    coming = (x.crl(ROOT), x.crl(CA), x.crl(CA, x.Revoked(SEAL.serial), this_update=AT + HOUR, next_update=AT + DAY))
    assert chains.verify(SEAL.certificate, given, AT, coming).check is None
    assert chains.verify(SEAL.certificate, given, AT + HOUR, coming).check == "chain.revoked"


def test_a_verdict_lasts_no_longer_than_those_who_vouched_for_its_evidence():
    soon = AT + 2 * HOUR
    responder = CA.issue("应答者", x.SEAL, x.purposes("1.3.6.1.5.5.7.3.9"), x.NO_CHECK, not_after=soon)
    answer = ocsp(responder, single(certificate_id(SEAL, CA)), certificates=[responder])
    upper = ocsp(ROOT, single(certificate_id(CA, ROOT)))
    chains = ChainVerifier(TrustStore.build([ROOT.certificate], []))
    given = (CA.certificate,)
    result = chains.verify(SEAL.certificate, given, AT, None, status=(answer, upper))
    assert (result.check, result.valid_until) == (None, soon)
    signer = x.make("CA", x.usage(6), issuer=ROOT, not_after=soon)
    result = chains.verify(SEAL.certificate, (*given, signer.certificate), AT, (x.crl(ROOT), x.crl(signer)))
    assert (result.check, result.valid_until) == (None, soon)


def test_intermediates_of_the_trust_store_are_part_of_its_digest():
    bare, with_ca = TrustStore.build([ROOT.certificate], []), TrustStore.build([ROOT.certificate], [], [CA.certificate])
    assert bare.digest != with_ca.digest
    assert ChainVerifier(with_ca).verify(SEAL.certificate, (), AT, None).check is None
    assert ChainVerifier(bare).verify(SEAL.certificate, (), AT, None).check == "chain.no_anchor"
