"""An agent's authorisation, as it is presented: what holds, what does not, and what cannot be known."""

from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.applications.agent_authority import POLICY, AgentAuthorities, named_in
from gateway.applications.reconciliation.facts import AgentAuthority
from gateway.applications.reconciliation.relations import Named
from gateway.certificates.registry import KindRegistry
from gateway.certificates.trust import TrustStore
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.errors import Owner, PartnerUnavailable
from mock_services.identity_provider.person_ca import PersonCa, Signer, sign_authorisation
from mock_services.pki import Holder, spki_digest
from schemas.agent_authorisations import AgentAuthorisation
from schemas.identity import VerifiedPerson
from tests.support import x509_writer as x
from tests.support.authorisations import (
    PERSONS_URL,
    an_authorisation,
    authorities,
    persons,
    persons_entry,
    persons_trust,
)
from tests.support.ecertificates import AT, ENTERPRISE, b64
from tests.support.licences import province

BOSS = VerifiedPerson(name="王一", resident_identity_number="110101190001010018")
CLERK = VerifiedPerson(name="李办", resident_identity_number="110101190001020013")


class Crls:
    """CRLs of the CA for persons as of ``at``; ``down`` answers nothing."""

    def __init__(self, ca: PersonCa | None = None, at: datetime = AT - timedelta(minutes=1)) -> None:
        self.ca, self.at, self.down = ca or persons(), at, False

    async def fetch_status_list(self, uri: str) -> bytes:
        raise AssertionError("an authorisation names no status list")

    async def fetch_ocsp(self, uri: str, request: bytes) -> bytes:
        raise AssertionError("an authorisation's signer names no responder")

    async def fetch_crl(self, uri: str) -> bytes:
        assert uri.startswith(f"{PERSONS_URL}/pki/crl/")
        if self.down:
            raise PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后", partner="persons")
        return self.ca.crl(uri.rsplit("/", 1)[1].removesuffix(".crl"), self.at) or b""


async def judged(token: str | None, *, of: AgentAuthorities | None = None, at: datetime = AT) -> AgentAuthority:
    found = await (of or authorities(Crls())).judge(token, at)
    assert found is not None
    return found


def signed(**changes: object) -> str:
    return an_authorisation(BOSS, CLERK, ENTERPRISE, AT, **changes)


def refused(found: AgentAuthority) -> tuple[Verdict, str | None]:
    assert found.signer is None or found.content is not None
    return found.verdict, found.check


async def test_a_good_one_says_who_signed_what() -> None:
    found = await judged(signed())
    assert (found.verdict, found.check) == (Verdict.VALID, None)
    assert found.signer == Named(BOSS.name, BOSS.resident_identity_number)
    assert found.content is not None
    assert (found.content.agent_code, found.content.enterprise_code) == (CLERK.resident_identity_number, ENTERPRISE)
    for value in (BOSS.name, BOSS.resident_identity_number, CLERK.name, CLERK.resident_identity_number):
        assert value not in repr(found)


async def test_none_is_none() -> None:
    assert await authorities(Crls()).judge(None, AT) is None


@pytest.mark.parametrize(
    ("changes", "at", "check"),
    [
        ({"exp": int(AT.timestamp()) - 3600}, AT, "jose.expired"),
        ({"nbf": int(AT.timestamp()) + 3600}, AT, "jose.not_yet_valid"),
        ({"iat": int(AT.timestamp()) + 3600}, AT, "jose.issued_in_future"),
        ({}, AT + timedelta(days=90), "jose.expired"),
    ],
)
async def test_out_of_its_time(changes: dict[str, int], at: datetime, check: str) -> None:
    found = await judged(signed(**changes), of=authorities(Crls(at=at - timedelta(minutes=1))), at=at)
    assert refused(found) == (Verdict.INVALID, check)


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 20_000, signed().rsplit(".", 1)[0] + "." + b64(bytes(64))])
async def test_what_is_no_authorisation(token: str) -> None:
    assert (await judged(token)).verdict is Verdict.INVALID


async def test_changed_after_it_was_signed() -> None:
    head, body, signature = signed().split(".")
    _, other, _ = signed(matter="用电过户").split(".")
    assert body != other
    assert refused(await judged(f"{head}.{other}.{signature}")) == (Verdict.INVALID, "signature.verify")


async def test_unknown_claims_are_not_taken_for_an_authorisation() -> None:
    content = AgentAuthorisation.model_construct(jti="1", iat=1, nbf=1, exp=2**33, all_powers=True)
    token = sign_authorisation(content, persons().signer(BOSS))
    assert refused(await judged(token)) == (Verdict.INVALID, "authorisation.content")


async def test_a_ca_that_nobody_configured_is_not_known() -> None:
    elsewhere = authorities(Crls(), province().trust())
    assert refused(await judged(signed(), of=elsewhere)) == (Verdict.INDETERMINATE, "chain.no_anchor")
    namesake = PersonCa.build(PERSONS_URL)
    token = namesake.authorise(BOSS, CLERK, ENTERPRISE, AT)
    assert refused(await judged(token)) == (Verdict.INVALID, "chain.signature")


async def test_a_ca_that_is_not_pinned_for_persons_certifies_nobody() -> None:
    for entry in (
        {"kinds": ["business_licence"]},
        {"issuing_ca": None},
        {"issuing_ca": "0" * 64},
        {"to": "2020-01-01"},
    ):
        trust = persons_trust(**entry)
        found = await judged(signed(), of=authorities(Crls(), trust))
        assert refused(found) == (Verdict.INVALID, "signer.not_entitled")


async def test_the_ca_of_an_authoritys_seals_certifies_no_person() -> None:
    seal = province().pki.seals["market-supervision"]
    token = sign_authorisation(
        AgentAuthorisation.model_validate(
            {
                "jti": "1",
                "iat": 1,
                "nbf": 1,
                "exp": 2**33,
                "enterprise_code": ENTERPRISE,
                "agent_name": "李办",
                "agent_code": CLERK.resident_identity_number,
                "matter": "用电报装",
            }
        ),
        Signer(seal.key, seal.chain),
    )
    root = province().pki.root.certificate.public_bytes(Encoding.DER)
    found = await judged(token, of=authorities(Crls(), TrustStore.build([root], [persons_entry()])))
    assert refused(found) == (Verdict.INVALID, "signer.not_entitled")


async def test_a_person_seals_no_certificate() -> None:
    """The other way round: with both roots trusted, a person's key makes no business licence."""
    signer = persons().signer(BOSS)
    root = persons().root.certificate.public_bytes(Encoding.DER)
    trust = TrustStore.build([*province().trust().anchors, root], [persons_entry()])
    envelope = province().envelope(holder=Holder(signer.key, signer.chain[0], signer.chain))
    verification = (
        province()
        .verifier(trust)
        .verify(envelope, KindRegistry.discover().get("business_licence"), AT, None, province().evidence())
    )
    assert verification.verdict is not Verdict.VALID


async def test_a_revoked_signer_signs_nothing() -> None:
    ca = PersonCa.build(PERSONS_URL)
    trust = TrustStore.build(
        [ca.root.certificate.public_bytes(Encoding.DER)],
        [persons_entry(issuing_ca=spki_digest(ca.issuing.certificate))],
    )
    token = ca.authorise(BOSS, CLERK, ENTERPRISE, AT)
    assert (await judged(token, of=authorities(Crls(ca), trust))).verdict is Verdict.VALID
    ca.revoke(BOSS.resident_identity_number, AT - timedelta(hours=1))
    assert refused(await judged(token, of=authorities(Crls(ca), trust))) == (Verdict.INVALID, "chain.revoked")


async def test_revocation_that_cannot_be_known_is_neither_yes_nor_no() -> None:
    source = Crls()
    source.down = True
    found = await judged(signed(), of=authorities(source))
    assert found.verdict is Verdict.INDETERMINATE
    assert found.signer is not None
    old = await judged(signed(), of=authorities(Crls(at=AT - timedelta(days=30))))
    assert old.verdict is Verdict.INDETERMINATE


def test_hmac_and_none_are_not_spoken() -> None:
    assert POLICY.algorithms == {"ES256", "EdDSA", "SM2-SM3"}


def test_a_number_that_is_not_said_to_be_an_identity_cards_names_nobody() -> None:
    """A certificate of an enterprise or a device has a serialNumber too."""
    number = BOSS.resident_identity_number
    for stated, named in ((f"IDCCN-{number}", Named(BOSS.name, number)), (number, None), (f"PASCN-{number}", None)):
        subject = x.seq(x.rdn("2.5.4.5", stated), x.rdn("2.5.4.3", BOSS.name))
        assert named_in(load_signing_certificate(x.root().issue(subject).certificate)) == named
