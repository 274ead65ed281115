"""E-licences as OFD under an SM2 PKI, and the trust store, lists and verifier that judge them beside JWS ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.envelopes.ofd.format import OfdFormat
from gateway.certificates.kind import CertificateKind
from gateway.certificates.kinds.business_licence import KIND as LICENCE
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.trust import TrustStore
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CopyProvenance, HolderExpectation, Verification
from gateway.certificates.verifier import Verifier
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from mock_services.authorities import AUTHORITIES, AUTHORITY_OF_KIND
from mock_services.pki import spki_digest
from tests.support import ofd_writer, x509_writer
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, Province
from tests.support.ofd_pki import Identity, Pki, name, serial_of
from tests.support.ofd_writer import Recipe
from tests.support.x509_writer import Entity, Revoked

SEALED_AT = AT - timedelta(days=30)
POINT = "http://crl.example/sm2-ca.crl"


def _points(uri: str) -> bytes:
    return x509_writer.crl_points(x509_writer.point([x509_writer.uri(uri)]))


@dataclass
class OfdProvince:
    """An SM2 PKI whose seals speak for the authority of one kind."""

    kind: str = "business_licence"
    signer_options: dict[str, object] = field(default_factory=dict)
    maker_options: dict[str, object] = field(default_factory=dict)
    jws: Province = field(default_factory=Province)

    def __post_init__(self) -> None:
        authority = AUTHORITY_OF_KIND[self.kind]
        own: dict[str, object] = {"code": authority.code, "extra_extension": _points(POINT)}
        made: dict[str, object] = {"extra_extension": _points(POINT)}
        self.pki = Pki(own | self.signer_options, made | self.maker_options)

    def trust(self, *, pinned: bool = True, **overrides: Any) -> TrustStore:
        """Both roots as anchors, the SM2 CA as an intermediate, and every authority entitled under both CAs."""
        ca = load_signing_certificate(self.pki.ca.certificate).key_digest()
        entries = [
            {
                "authority_code": item.code,
                "name": item.name,
                "kinds": list(item.kinds),
                "regions": list(item.regions),
                "issuing_ca": [ca, spki_digest(self.jws.pki.departments[item.department].certificate)],
            }
            | overrides
            for item in AUTHORITIES
        ]
        anchors = [self.jws.root, self.pki.root.certificate]
        return TrustStore.build(anchors, entries, [self.pki.ca.certificate])

    def verifier(self, trust: TrustStore | None = None) -> Verifier:
        return Verifier(ChainVerifier(trust or self.trust()), (JwsFormat(), OfdFormat()))

    def fields(self, *, index: int | str | None = 1, **changes: str | None) -> list[tuple[str, str]]:
        """The metadata in the order of issuers; None leaves a field out. ``index`` None: no status reference."""
        found = {key: value for key, value in (self.jws.metadata(self.kind) | changes).items() if value is not None}
        if index is not None:
            found |= {"x_ZTLB_URI": LIST_URI, "x_ZTLB_IDX": str(index)}
        return [(key, str(value)) for key, value in found.items()]

    def recipe(self, **changes: Any) -> Recipe:
        """How a good licence is written."""
        valid = (SEALED_AT - timedelta(days=90), SEALED_AT + timedelta(days=900))
        return replace(Recipe(signed_at=SEALED_AT, seal_valid=valid, custom=self.fields()), **changes)

    def licence(self, recipe: Recipe | None = None, *, index: int | str | None = 1, **changes: str | None) -> bytes:
        """The bytes of an e-licence; ``changes`` go into the metadata."""
        recipe = recipe or self.recipe()
        if changes or index != 1:
            recipe = replace(recipe, custom=self.fields(index=index, **changes))
        return ofd_writer.build(self.pki, recipe)

    def crls(self, *revoked: Identity, at: datetime = AT - timedelta(minutes=10)) -> tuple[bytes, ...]:
        """The lists of the SM2 root and CA, which name ``revoked``."""
        entries = [Revoked(serial_of(each), at - timedelta(days=1)) for each in revoked]
        root = Entity(name("测试根"), self.pki.root.key, self.pki.root.certificate, 1)
        ca = Entity(name("测试签发机构"), self.pki.ca.key, self.pki.ca.certificate, 1)
        return x509_writer.crl(root, this_update=at), x509_writer.crl(ca, *entries, this_update=at)

    def judge(
        self,
        envelope: bytes,
        *,
        at: datetime = AT,
        evidence: StatusEvidence | None = None,
        kind: CertificateKind = LICENCE,
        trust: TrustStore | None = None,
    ) -> Verification:
        """The eleven steps, for the enterprise that every test's licence belongs to."""
        provenance = CopyProvenance("gd-province", at, "440000")
        holder = HolderExpectation(ENTERPRISE, "示例有限公司")
        return self.verifier(trust).verify(envelope, kind, at, holder, evidence or self.evidence(), provenance)

    def evidence(self, *revoked: Identity, crls: Sequence[bytes] | None = None) -> StatusEvidence:
        lists = self.crls(*revoked) if crls is None else tuple(crls)
        return StatusEvidence({LIST_URI: self.jws.status_list()}, (*lists, *self.jws.crls()))


def failed(result: Verification) -> tuple[Verdict, str | None]:
    """What decided against ``result``, which must show no claims and say whose turn it is."""
    assert result.claims is None
    check = result.failed_check
    assert check is not None
    assert check.owner
    assert check.remedy
    return result.verdict, check.check
