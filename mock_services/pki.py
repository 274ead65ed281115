"""A public-key infrastructure to sign and to break: root → department CAs → seal certificates (电子印章证书).

Keys are generated fresh for each data directory and never leave it; the structure is always the same. The root is the
only trust anchor. Because CRL addresses hold the platform's own address, everything below the root is issued anew
when that address changes; keys, root and so the gateway's trust directory stay.

Every ``issue_…`` takes what a test needs to make a certificate wrong on purpose: validity, usage, CA flag, subject.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from mock_services.authorities import AUTHORITIES, DEPARTMENTS, SEAL_MAKER, Authority
from mock_services.pki_sm2 import Branch, Period, Sm2Authority, Sm2Holder, Sm2Pki, certificate_pem

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
ROOT_VALID_UNTIL = datetime(2050, 1, 1, tzinfo=UTC)
CA_VALID_UNTIL = datetime(2045, 1, 1, tzinfo=UTC)
SEAL_VALID_UNTIL = datetime(2040, 1, 1, tzinfo=UTC)
CRL_LIFETIME = timedelta(hours=24)


def generate_key(algorithm: str) -> PrivateKey:
    """A fresh key for ``ES256`` or ``EdDSA``."""
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def algorithm_of(key: PrivateKey) -> str:
    """The JWS algorithm of a key."""
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None


def distinguished_name(name: str, code: str | None = None) -> x509.Name:
    """C=CN, O=``name``, CN=``name`` and, for an authority, organizationIdentifier=``code``."""
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
        x509.NameAttribute(NameOID.COMMON_NAME, name),
    ]
    if code is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, code))
    return x509.Name(attributes)


def _key_usage(*, ca: bool, digital_signature: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Holder:
    """A key with its certificate and, leaf first, what goes into ``x5c`` (the root is left out)."""

    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]

    @property
    def algorithm(self) -> str:
        return algorithm_of(self.key)


@dataclass
class CertificateAuthority:
    """A CA. ``slug`` names its CRL (``{slug}.crl``); ``revoked`` holds serial numbers with the time of revocation."""

    slug: str
    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    revoked: dict[int, datetime] = field(default_factory=dict)

    @classmethod
    def root(cls, name: str = "办电模拟根证书", *, key: PrivateKey | None = None, slug: str = "root") -> Self:
        """A self-signed root (ES256 unless ``key`` says otherwise)."""
        key = key or generate_key("ES256")
        subject = distinguished_name(name)
        return cls(slug, key, _issue(subject, key, subject, key, None, until=ROOT_VALID_UNTIL, ca=True))

    def issue_ca(
        self,
        slug: str,
        name: str,
        *,
        crl_uri: str,
        key: PrivateKey | None = None,
        path_length: int = 0,
        valid_from: datetime = VALID_FROM,
        valid_until: datetime = CA_VALID_UNTIL,
    ) -> "CertificateAuthority":
        """A department CA under this one. ``crl_uri`` is where *this* CA publishes what it revoked."""
        key = key or generate_key("ES256")
        certificate = self._issue(
            distinguished_name(name), key, crl_uri, valid_from, valid_until, ca=True, path_length=path_length
        )
        return CertificateAuthority(slug, key, certificate, (certificate, *self.chain))

    def issue_seal(
        self,
        name: str,
        code: str,
        *,
        crl_uri: str,
        key: PrivateKey | None = None,
        valid_from: datetime = VALID_FROM,
        valid_until: datetime = SEAL_VALID_UNTIL,
        digital_signature: bool = True,
        ca: bool = False,
    ) -> Holder:
        """A seal certificate for authority ``name`` with ``code``; the last two make a wrong one."""
        key = key or generate_key("ES256")
        certificate = self._issue(
            distinguished_name(name, code),
            key,
            crl_uri,
            valid_from,
            valid_until,
            ca=ca,
            digital_signature=digital_signature,
        )
        return Holder(key, certificate, (certificate, *self.chain))

    def _issue(
        self,
        subject: x509.Name,
        key: PrivateKey,
        crl_uri: str,
        valid_from: datetime,
        valid_until: datetime,
        *,
        ca: bool,
        path_length: int | None = None,
        digital_signature: bool = False,
    ) -> x509.Certificate:
        return _issue(
            subject,
            key,
            self.certificate.subject,
            self.key,
            crl_uri,
            since=valid_from,
            until=valid_until,
            ca=ca,
            path_length=path_length,
            digital_signature=digital_signature,
        )

    def revoke(self, certificate: x509.Certificate, at: datetime) -> None:
        """Put a certificate on the next CRL."""
        self.revoked[certificate.serial_number] = at

    def crl(self, at: datetime, *, lifetime: timedelta = CRL_LIFETIME, key: PrivateKey | None = None) -> bytes:
        """A DER CRL of ``at``; a ``key`` that is not the CA's makes one that must not be believed."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(at)
            .next_update(at + lifetime)
            .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for serial, revoked_at in self.revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revoked_at).build()
            builder = builder.add_revoked_certificate(entry)
        signer = key or self.key
        return builder.sign(signer, _digest(signer)).public_bytes(serialization.Encoding.DER)


def _issue(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    crl_uri: str | None,
    *,
    since: datetime = VALID_FROM,
    until: datetime,
    ca: bool,
    path_length: int | None = None,
    digital_signature: bool = False,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
        .add_extension(_key_usage(ca=ca, digital_signature=digital_signature), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if crl_uri is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_uri)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(issuer_key, _digest(issuer_key))


_SM2_BRANCH = Branch(
    distinguished_name,
    root_period=Period(VALID_FROM, ROOT_VALID_UNTIL),
    ca_period=Period(VALID_FROM, CA_VALID_UNTIL),
    seal_period=Period(VALID_FROM, SEAL_VALID_UNTIL),
)


@dataclass
class ProvincialPki:
    """The whole tree. ``rogue`` copies the market supervision's seal under a root that nobody trusts."""

    root: CertificateAuthority
    departments: dict[str, CertificateAuthority]
    seals: dict[str, Holder]
    """Seal by authority slug; ``status-lists`` signs status lists."""
    rogue: Holder
    sm2: Sm2Pki

    @classmethod
    def build(cls, base_url: str, directory: Path | None = None) -> Self:
        """The tree for a platform at ``base_url``, with keys and root from ``directory`` (made there when missing).

        Without a directory everything is fresh and lives in memory. Raises ``ValueError`` on a damaged directory.
        """
        keys = _Keys(directory)
        root = _root(keys)
        crl = f"{base_url}/pki/crl/{{}}.crl".format
        departments = {
            department.slug: root.issue_ca(
                department.slug,
                department.name,
                crl_uri=crl("root"),
                key=keys.get(f"ca-{department.slug}", department.algorithm),
            )
            for department in DEPARTMENTS
        }
        algorithms = {department.slug: department.algorithm for department in DEPARTMENTS}
        seals = {
            authority.slug: departments[authority.department].issue_seal(
                authority.name,
                authority.code,
                crl_uri=crl(authority.department),
                key=keys.get(f"seal-{authority.slug}", algorithms[authority.department]),
            )
            for authority in AUTHORITIES
        }
        sm2 = Sm2Pki(base_url, _SM2_BRANCH, directory)
        return cls(root, departments, seals, rogue_seal(AUTHORITIES[0], crl_uri=crl("unknown")), sm2)

    def authority(self, slug: str) -> CertificateAuthority | Sm2Authority:
        """The CA whose CRL is called ``slug``. Raises ``KeyError``."""
        for authority in AUTHORITIES:
            if slug == f"sm2-{authority.department}":
                return self.sm2_department(authority)
        if slug.startswith("sm2-"):
            return self.sm2.published(slug)
        return self.root if slug == self.root.slug else self.departments[slug]

    def sm2_department(self, authority: Authority) -> Sm2Authority:
        """The SM2 CA of the department that ``authority`` belongs to."""
        department = next(found for found in DEPARTMENTS if found.slug == authority.department)
        return self.sm2.department(department.slug, department.name.replace("签发CA", "国密CA"))

    def sm2_sealers(self, authority: Authority) -> tuple[Sm2Holder, Sm2Holder]:
        """(签章者, 制章者) of the authority's OFD seal."""
        department = self.sm2_department(authority)
        signer = self.sm2.sealer("signer", authority.name, authority.code, department)
        return signer, self.sm2.sealer("maker", SEAL_MAKER.name, SEAL_MAKER.code, self.sm2_department(SEAL_MAKER))

    def anchors(self) -> bytes:
        """Both roots of the province, as PEM."""
        return self.root.certificate.public_bytes(serialization.Encoding.PEM) + certificate_pem(
            self.sm2.root.holder.certificate
        )

    def revoke_seal(self, slug: str, at: datetime) -> None:
        """Revoke the certificate of a seal: of authority ``slug``, ``sm2-{slug}`` that signs its OFD, ``sm2-maker``.

        Raises ``KeyError`` for another.
        """
        if slug == "sm2-maker":
            self.sm2_department(SEAL_MAKER).revoke(self.sm2_sealers(SEAL_MAKER)[1], at)
        elif slug.startswith("sm2-"):
            authority = {f"sm2-{found.slug}": found for found in AUTHORITIES}[slug]
            self.sm2_department(authority).revoke(self.sm2_sealers(authority)[0], at)
        else:
            self.issuer_of(slug).revoke(self.seals[slug].certificate, at)

    def forgive(self) -> None:
        """Nobody is revoked any more."""
        for authority in (self.root, *self.departments.values()):
            authority.revoked.clear()
        self.sm2.forgive()

    def issuer_of(self, seal: str) -> CertificateAuthority:
        """The department CA that issued the seal of authority ``seal``. Raises ``KeyError``."""
        return self.departments[{found.slug: found.department for found in AUTHORITIES}[seal]]

    def write_trust(self, directory: Path, *, authorities: Sequence[Authority] = AUTHORITIES) -> None:
        """Write what the gateway is to trust: both roots in ``anchors``, the SM2 CAs, which OFD documents do not carry,
        in ``intermediates``, and ``issuers.json``, each file replaced whole.
        """
        anchors, intermediates = directory / "anchors", directory / "intermediates"
        for folder in (anchors, intermediates):
            folder.mkdir(parents=True, exist_ok=True)
        _replace(anchors / "root.pem", self.root.certificate.public_bytes(serialization.Encoding.PEM))
        _replace(anchors / "sm2-root.pem", certificate_pem(self.sm2.root.holder.certificate))
        for department in {authority.department: authority for authority in AUTHORITIES}.values():
            found = self.sm2_department(department)
            _replace(intermediates / f"{found.slug}.pem", certificate_pem(found.holder.certificate))
        issuers = [
            {
                "authority_code": authority.code,
                "name": authority.name,
                "kinds": list(authority.kinds),
                "regions": list(authority.regions),
                "from": "2020-01-01",
                "to": None,
                "issuing_ca": [
                    spki_digest(self.departments[authority.department].certificate),
                    self.sm2_department(authority).holder.key_digest,
                ],
            }
            for authority in authorities
        ]
        _replace(directory / "issuers.json", json.dumps(issuers, ensure_ascii=False, indent=2).encode())


def spki_digest(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate's subjectPublicKeyInfo, hexadecimal: how ``issuers.json`` names the CA of a seal."""
    public_key = certificate.public_key()
    info = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).hexdigest()


def rogue_seal(authority: Authority, *, crl_uri: str) -> Holder:
    """A seal that says it is ``authority`` and is right in every way but one: its root is no anchor."""
    root = CertificateAuthority.root("不受信任的根证书", slug="rogue")
    department = root.issue_ca("rogue-department", "不受信任的签发CA", crl_uri=crl_uri)
    return department.issue_seal(authority.name, authority.code, crl_uri=crl_uri)


def _root(keys: "_Keys") -> CertificateAuthority:
    path = keys.directory / "root.pem" if keys.directory else None
    key = keys.get("root", "ES256")
    if path is not None and path.exists():
        return CertificateAuthority("root", key, x509.load_pem_x509_certificate(path.read_bytes()))
    root = CertificateAuthority.root(key=key)
    if path is not None:
        _replace(path, root.certificate.public_bytes(serialization.Encoding.PEM))
    return root


class _Keys:
    """Keys by name, kept in a directory when there is one."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get(self, name: str, algorithm: str) -> PrivateKey:
        if self.directory is None:
            return generate_key(algorithm)
        path = self.directory / f"{name}.key"
        if path.exists():
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
            if not isinstance(key, PrivateKey) or algorithm_of(key) != algorithm:
                raise ValueError(f"{path.name} does not hold an {algorithm} key")
            return key
        fresh = generate_key(algorithm)
        pem = fresh.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _replace(path, pem, mode=0o600)
        return fresh


def _replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    beside.replace(path)
