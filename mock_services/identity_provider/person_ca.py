"""A test CA for persons (电子认证服务机构), and the authorisations (经办授权) that people sign with its certificates.

Root → issuing CA → personal signing certificate. Root and CA keys stay in the data directory, so that a gateway that
trusts the root goes on trusting it; personal keys are made when first needed and live in memory. ``trust/`` holds what
a gateway is to add to its own trust directory.
"""

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from jwt.api_jws import PyJWS

from mock_services.pki import SEAL_VALID_UNTIL, VALID_FROM, CertificateAuthority, generate_key, spki_digest
from schemas.agent_authorisations import MATTER, PERSON_NUMBER_PREFIX, PERSONAL_SIGNATURE_DUTY, AgentAuthorisation
from schemas.identifiers import make_unified_social_credit_code
from schemas.identity import VerifiedPerson
from schemas.wire import Typ

ROOT, ISSUING = "persons-root", "persons"
"""Slugs: the CRL of each CA is at ``/pki/crl/{slug}.crl``."""
OPERATOR_CODE = make_unified_social_credit_code("91440000", "TDMC0001")
"""Of the CA's operator. Its organisation body is one that no registrar gives out: it belongs to nobody."""
OPERATOR_NAME = "广东电子认证服务机构（模拟）"
_DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_JWS = PyJWS()


@dataclass(frozen=True)
class Signer:
    """A person's key, and the chain that goes into ``x5c``, leaf first."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]


@dataclass
class PersonCa:
    """The CA and whom it certified, by identity number."""

    root: CertificateAuthority
    issuing: CertificateAuthority
    base_url: str
    people: dict[str, Signer] = field(default_factory=dict)

    @classmethod
    def build(cls, base_url: str, directory: Path | None = None) -> Self:
        """The CA of a provider at ``base_url``, with keys and root from ``directory`` (made there when missing)."""
        root = _root(directory)
        issuing = root.issue_ca(
            ISSUING,
            "个人电子签名签发CA（模拟）",
            crl_uri=f"{base_url}/pki/crl/{ROOT}.crl",
            key=_key(directory, ISSUING),
        )
        return cls(root, issuing, base_url)

    def signer(self, person: VerifiedPerson) -> Signer:
        """The person's signing certificate, made when first asked for."""
        number = person.resident_identity_number
        if number not in self.people:
            key = ec.generate_private_key(ec.SECP256R1())
            leaf = self._certify(person, key)
            self.people[number] = Signer(key, (leaf, *self.issuing.chain))
        return self.people[number]

    def authorise(
        self,
        signer: VerifiedPerson,
        agent: VerifiedPerson,
        enterprise_code: str,
        at: datetime,
        *,
        matter: str = MATTER,
        lasts: timedelta = timedelta(days=90),
    ) -> str:
        """An authorisation that ``signer`` signed a day before ``at``: a compact JWS."""
        since = at - timedelta(days=1)
        content = AgentAuthorisation(
            jti=secrets.token_urlsafe(16),
            iat=int(since.timestamp()),
            nbf=int(since.timestamp()),
            exp=int((since + lasts).timestamp()),
            enterprise_code=enterprise_code,
            agent_name=agent.name,
            agent_code=agent.resident_identity_number,
            matter=matter,
        )
        return sign_authorisation(content, self.signer(signer))

    def revoke(self, identity_number: str, at: datetime) -> None:
        """Revoke the person's certificate. Raises ``KeyError`` for one who has none."""
        self.issuing.revoke(self.people[identity_number].chain[0], at)

    def crl(self, slug: str, at: datetime) -> bytes | None:
        """The DER CRL called ``slug`` as of ``at``; None where there is none of this name."""
        found = {ROOT: self.root, ISSUING: self.issuing}.get(slug)
        return found.crl(at) if found else None

    def write_trust(self, directory: Path) -> None:
        """``anchors/persons-root.pem`` and ``issuers.json``: who may certify persons."""
        anchors = directory / "anchors"
        anchors.mkdir(parents=True, exist_ok=True)
        pem = self.root.certificate.public_bytes(serialization.Encoding.PEM)
        (anchors / f"{ROOT}.pem").write_bytes(pem)
        entry = {
            "authority_code": OPERATOR_CODE,
            "name": OPERATOR_NAME,
            "kinds": [PERSONAL_SIGNATURE_DUTY],
            "regions": ["44"],
            "from": "2020-01-01",
            "to": None,
            "issuing_ca": spki_digest(self.issuing.certificate),
        }
        (directory / "issuers.json").write_text(json.dumps([entry], ensure_ascii=False, indent=2), "utf-8")

    def _certify(self, person: VerifiedPerson, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        number = PERSON_NUMBER_PREFIX + person.resident_identity_number
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, number),
                x509.NameAttribute(NameOID.COMMON_NAME, person.name),
            ]
        )
        uri = x509.UniformResourceIdentifier(f"{self.base_url}/pki/crl/{ISSUING}.crl")
        usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
        issuer_key = self.issuing.key
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.issuing.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(VALID_FROM)
            .not_valid_after(SEAL_VALID_UNTIL)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([_DOCUMENT_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .add_extension(
                x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, None)]), critical=False
            )
            .sign(issuer_key, hashes.SHA256())
        )


def sign_authorisation(content: AgentAuthorisation, signer: Signer) -> str:
    """``content`` as a compact JWS with the signer's chain in ``x5c``."""
    chain = [base64.b64encode(found.public_bytes(serialization.Encoding.DER)).decode() for found in signer.chain]
    payload = json.dumps(content.to_wire(), ensure_ascii=False, separators=(",", ":")).encode()
    return _JWS.encode(payload, signer.key, "ES256", headers={"typ": str(Typ.AGENT_AUTHORISATION), "x5c": chain})


def _root(directory: Path | None) -> CertificateAuthority:
    name, key = "个人电子签名模拟根证书", _key(directory, ROOT)
    path = directory / f"{ROOT}.pem" if directory else None
    if path is not None and path.exists():
        return CertificateAuthority(ROOT, key, x509.load_pem_x509_certificate(path.read_bytes()))
    root = CertificateAuthority.root(name, key=key, slug=ROOT)
    if path is not None:
        path.write_bytes(root.certificate.public_bytes(serialization.Encoding.PEM))
    return root


def _key(directory: Path | None, name: str) -> ec.EllipticCurvePrivateKey:
    fresh = generate_key("ES256")
    assert isinstance(fresh, ec.EllipticCurvePrivateKey)
    if directory is None:
        return fresh
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{name}.key"
    if path.exists():
        kept = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(kept, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path.name} does not hold an ES256 key")
        return kept
    pem = fresh.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    return fresh
