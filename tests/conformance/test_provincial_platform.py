"""The gateway's side of the share interface against the mock platform's: every persona comes out as it should."""

from datetime import timedelta

import httpx
import pytest

from adapters.http_client import HttpLimits
from adapters.httpx_client import HttpxClient
from adapters.provincial_platform import ProvincialPlatform
from adapters.status_source import HttpStatusSource
from adapters.trust_directory import read_trust_directory
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.envelopes.ofd.format import OfdFormat
from gateway.certificates.errors import NoECertificate
from gateway.certificates.evidence import EvidenceGatherer
from gateway.certificates.ports import UsePurpose
from gateway.certificates.registry import KindRegistry
from gateway.certificates.service import CertificateService
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.certificates.verification import HolderExpectation
from gateway.certificates.verifier import Verifier
from mock_services.personas import ENTERPRISES
from mock_services.pki import ProvincialPki
from mock_services.provincial_platform.app import PlatformOptions, create_app
from mock_services.provincial_platform.share import Access
from tests.support.ecertificates import AT, BASE_URL
from tests.support.shelf import Shelf
from tests.support.storage import DIGESTS


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    pki = ProvincialPki.build(BASE_URL)
    trust = tmp_path_factory.mktemp("trust")
    pki.write_trust(trust)
    options = PlatformOptions(BASE_URL, Access("gateway", "secret"), pki, residents=40, enterprises=30, seed=1)
    return create_app(options, clock=lambda: AT), options.population().personas, read_trust_directory(trust)


@pytest.fixture
async def service(platform):
    app, _, trust = platform
    http = HttpxClient(HttpLimits(), transport=httpx.ASGITransport(app))
    verifier = Verifier(ChainVerifier(trust), (JwsFormat(), OfdFormat()))
    source = ProvincialPlatform(
        code="gd-province",
        base_url=BASE_URL,
        access_id="gateway",
        access_secret="secret",
        system_name="政企协同办电",
        http=http,
    )
    yield CertificateService(
        kinds=KindRegistry.discover(),
        sources=SourceDirectory([SourceRegistration("440000", source)]),
        verifier=verifier,
        evidence=EvidenceGatherer(verifier, HttpStatusSource(http, [BASE_URL])),
        transactions=Shelf(),
        digests=DIGESTS,
    )
    await http.aclose()


async def obtain(service, persona, kind):
    return await service.obtain(
        kind,
        HolderExpectation(persona.holder_code),
        holder_type="001" if persona.enterprise else "111",
        region="440100",
        purpose=UsePurpose("用电报装", "intake", "核验"),
        at=AT + timedelta(seconds=1),
    )


def outcome_of(verification):
    return verification.failed_check.check if verification.failed_check else "valid"


@pytest.mark.parametrize(
    ("trouble", "check"),
    [
        ("expired", "validity.expired"),
        ("revoked", "status.revoked"),
        ("suspended", "status.suspended"),
        ("wrong_holder", "holder.mismatch"),
        ("broken_signature", "envelope.signature"),
        ("unknown_issuer", "chain.no_anchor"),
        ("stale_status", "status.stale"),
        ("page_changed", "ofd.references"),
        ("uncovered", "ofd.metadata.uncovered"),
        ("seal_expired", "seal.not_in_force"),
    ],
)
async def test_each_troubled_persona_is_caught_by_the_right_check(platform, service, trouble, check):
    found = [(item.slug, kind) for item in ENTERPRISES for kind, what in item.troubles.items() if what == trouble]
    assert found
    for slug, kind in found:
        (verification,) = (await obtain(service, platform[1][slug], kind)).verifications
        assert outcome_of(verification) == check


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("resident-ordinary", "resident_id"),
        ("resident-ordinary", "property_certificate"),
        ("resident-two-owners", "property_certificate"),
        ("enterprise-small", "business_licence"),
        ("enterprise-small", "property_certificate"),
        ("enterprise-dual-source", "project_approval"),
    ],
)
async def test_good_personas_pass_every_step(platform, service, slug, kind):
    for verification in (await obtain(service, platform[1][slug], kind)).verifications:
        assert outcome_of(verification) == "valid"


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("resident-two-owners", "resident_id"),
        ("resident-two-owners", "property_certificate"),
        ("enterprise-agent", "business_licence"),
    ],
)
async def test_licences_on_ofd_pass_every_step(platform, service, slug, kind):
    (verification,) = (await obtain(service, platform[1][slug], kind)).verifications
    assert (verification.form, outcome_of(verification)) == ("ofd", "valid")
    assert verification.findings in ((), ("holder.several",))


async def test_nobody_is_found_where_nothing_is_registered(platform, service):
    with pytest.raises(NoECertificate):
        await obtain(service, platform[1]["resident-no-property"], "property_certificate")
