"""The CA for persons: what it makes is what the gateway's reader takes, and it stays the same over a restart."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.applications.agent_authority import POLICY
from gateway.crypto.jws import check_signature, read_claims, read_jws
from mock_services.identity_provider.assertions import assertion_of
from mock_services.identity_provider.desk import Grant
from mock_services.identity_provider.oauth import AuthorizationRequest
from mock_services.identity_provider.people import PopulationPeople
from mock_services.identity_provider.person_ca import ISSUING, ROOT, PersonCa
from mock_services.population import build_population
from schemas.agent_authorisations import AgentAuthorisation
from schemas.identity import VerificationMethod
from tests.support.mock_process import running_mock

AT = datetime(2026, 11, 23, 4, tzinfo=UTC)
PEOPLE = PopulationPeople(build_population(40, 20))
CA = PersonCa.build("https://identity.example")
SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def authorisation_of(slug: str) -> str | None:
    """What the provider's assertion carries for a persona that shows an enterprise's licence."""
    subject = PEOPLE.find(slug)
    assert subject is not None
    asked = AuthorizationRequest("bandian", "https://x", "s", "n", "c", (VerificationMethod.E_LICENCE,))
    grant = Grant("code", asked, subject, VerificationMethod.E_LICENCE, AT, "token")
    assertion = assertion_of(grant, issuer="https://identity.example", jti="j", at=AT, persons=CA)
    assert assertion.enterprise is not None
    return assertion.enterprise.agent_authorisation


@pytest.mark.parametrize(
    ("slug", "signer"),
    [("enterprise-agent", "representative"), ("enterprise-agent-self-signed", "agent")],
)
def test_an_agent_brings_what_somebody_signed(slug: str, signer: str) -> None:
    token = authorisation_of(slug)
    assert token is not None
    read = read_jws(token, POLICY)
    leaf = x509.load_der_x509_certificate(read.x5c[0])
    check_signature(read, leaf.public_key().public_bytes(*SPKI))
    content = AgentAuthorisation.model_validate(read_claims(read, AT))
    persona = PEOPLE.population.personas[slug]
    assert persona.enterprise is not None
    assert content.enterprise_code == persona.enterprise.code
    assert content.agent_code == persona.person.id_number
    expected = persona.enterprise.representative if signer == "representative" else persona.person
    assert expected.id_number in leaf.subject.rfc4514_string()


@pytest.mark.parametrize("slug", ["enterprise-small", "enterprise-agent-unauthorised"])
def test_who_brings_none(slug: str) -> None:
    assert authorisation_of(slug) is None


def test_the_root_and_the_pinned_ca_stay_the_same(tmp_path: Path) -> None:
    for run in ("first", "second"):
        ca = PersonCa.build("https://identity.example", tmp_path / "keys")
        ca.write_trust(tmp_path / run)
    for name in (f"anchors/{ROOT}.pem", "issuers.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert (tmp_path / "keys" / f"{ROOT}.key").stat().st_mode & 0o077 == 0


def test_what_is_revoked_stands_on_its_list() -> None:
    ca = PersonCa.build("https://identity.example")
    subject = PEOPLE.find("enterprise-agent")
    assert subject is not None
    serial = ca.signer(subject.person).chain[0].serial_number
    ca.revoke(subject.person.resident_identity_number, AT)
    found = x509.load_der_x509_crl(ca.crl(ISSUING, AT) or b"")
    assert found.get_revoked_certificate_by_serial_number(serial) is not None
    assert ca.crl(ROOT, AT)
    assert ca.crl("nothing", AT) is None


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    directory = tmp_path_factory.mktemp("identity")
    arguments = [f"--data-dir={directory}", "--residents=40", "--enterprises=20"]
    with running_mock("mock_services.identity_provider", *arguments) as (url, _):
        yield url, directory


def test_the_provider_publishes_its_lists_and_what_to_trust(provider: tuple[str, Path]) -> None:
    url, directory = provider
    for slug in (ROOT, ISSUING):
        answer = httpx.get(f"{url}/pki/crl/{slug}.crl")
        assert x509.load_der_x509_crl(answer.content).next_update_utc is not None
    assert httpx.get(f"{url}/pki/crl/nothing.crl").status_code == 404
    (entry,) = json.loads((directory / "trust" / "issuers.json").read_text("utf-8"))
    assert entry["kinds"] == ["personal_signature"]
    assert len(entry["issuing_ca"]) == 64
