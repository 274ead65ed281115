"""The SM2 branch of the province's PKI: root → department CAs → seal signers (签章者) and seal makers (制章者).

`cryptography` knows no SM2 keys, so certificates and lists are written here; names and extensions are its own.
Everything is signed when first asked for: SM2 in plain Python takes some milliseconds a signature.
"""

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from mock_services.der import CONTEXT_0, CONTEXT_3, bits, integer, octets, oid, pem, sequence, tlv, true, x509_time
from mock_services.sm2 import SM2_WITH_SM3, Sm2Key

_ALGORITHM = sequence(oid(SM2_WITH_SM3))
_CRL_NUMBER, _AUTHORITY_KEY = "2.5.29.20", "2.5.29.35"


@dataclass(frozen=True)
class Period:
    """From when until when a certificate is in force."""

    since: datetime
    until: datetime


@dataclass
class Sm2Holder:
    """A key with its DER certificate."""

    key: Sm2Key
    certificate: bytes
    serial: int

    @property
    def key_digest(self) -> str:
        """SHA-256 of the subjectPublicKeyInfo, hexadecimal: how ``issuers.json`` names a CA."""
        return hashlib.sha256(self.key.public_key.spki).hexdigest()


@dataclass
class Sm2Authority:
    """A CA. ``slug`` names its CRL; ``revoked`` holds serial numbers with the time of revocation."""

    slug: str
    name: x509.Name
    holder: Sm2Holder
    revoked: dict[int, datetime] = field(default_factory=dict)

    def issue(
        self, name: x509.Name, key: Sm2Key, period: Period, crl_uri: str, *, path_length: int | None = None
    ) -> Sm2Holder:
        """A seal certificate or, with ``path_length``, a CA below this one. ``crl_uri`` is where this CA publishes."""
        return _issue(name, key, self.name, self.holder.key, period, crl_uri=crl_uri, path_length=path_length)

    def revoke(self, holder: Sm2Holder, at: datetime) -> None:
        """Put a certificate on the next CRL."""
        self.revoked[holder.serial] = at

    def crl(self, at: datetime, lifetime: timedelta = timedelta(hours=24)) -> bytes:
        """A DER CRL of ``at``."""
        entries = [sequence(integer(serial), x509_time(since)) for serial, since in self.revoked.items()]
        extensions = sequence(
            sequence(oid(_CRL_NUMBER), octets(integer(int(at.timestamp())))),
            sequence(oid(_AUTHORITY_KEY), octets(_authority_key(self.holder.key))),
        )
        return _signed(
            self.holder.key,
            integer(1),
            _ALGORITHM,
            self.name.public_bytes(),
            x509_time(at),
            x509_time(at + lifetime),
            *([sequence(*entries)] if entries else []),
            tlv(CONTEXT_0, extensions),
        )


@dataclass(frozen=True)
class Branch:
    """What the branch is made of. ``name_of`` makes a distinguished name of a name and, for authorities, a code."""

    name_of: Callable[[str, str | None], x509.Name]
    root_period: Period
    ca_period: Period
    seal_period: Period


class Sm2Pki:
    """The branch under one root. Keys and root stay in ``directory`` when there is one."""

    def __init__(self, base_url: str, branch: Branch, directory: Path | None) -> None:
        self._crl = f"{base_url}/pki/crl/{{}}.crl".format
        self._branch = branch
        self._directory = directory
        self._authorities: dict[str, Sm2Authority] = {}
        self._holders: dict[str, Sm2Holder] = {}

    @property
    def root(self) -> Sm2Authority:
        """The second trust anchor of the province."""
        kept = self._authorities.get("sm2-root")
        return kept or self._make_root()

    def department(self, slug: str, name: str) -> Sm2Authority:
        """The department's SM2 CA, ``sm2-{slug}``."""
        slug = f"sm2-{slug}"
        if slug not in self._authorities:
            subject = self._branch.name_of(name, None)
            key = self._key(f"ca-{slug}")
            holder = self.root.issue(subject, key, self._branch.ca_period, self._crl("sm2-root"), path_length=0)
            self._authorities[slug] = Sm2Authority(slug, subject, holder)
        return self._authorities[slug]

    def sealer(self, role: str, name: str, code: str, authority: Sm2Authority) -> Sm2Holder:
        """Who seals (``signer``) or makes seals (``maker``) for the authority called ``name`` with ``code``."""
        slot = f"{role}-{code}"
        if slot not in self._holders:
            subject = self._branch.name_of(name, code)
            key = self._key(slot)
            self._holders[slot] = authority.issue(subject, key, self._branch.seal_period, self._crl(authority.slug))
        return self._holders[slot]

    def published(self, slug: str) -> Sm2Authority:
        """The CA whose CRL is called ``slug``. Raises ``KeyError`` for one that has certified nobody."""
        return self.root if slug == "sm2-root" else self._authorities[slug]

    def forgive(self) -> None:
        """Nobody is revoked any more."""
        for authority in self._authorities.values():
            authority.revoked.clear()

    def _make_root(self) -> Sm2Authority:
        name = self._branch.name_of("办电模拟国密根证书", None)
        key = self._key("sm2-root")
        path = self._directory / "sm2-root.pem" if self._directory else None
        if path is not None and path.exists():
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            lines = path.read_text("ascii").splitlines()[1:-1]
            holder = Sm2Holder(key, base64.b64decode("".join(lines)), certificate.serial_number)
        else:
            holder = _issue(name, key, name, key, self._branch.root_period, crl_uri=None, path_length=1)
            if path is not None:
                path.write_bytes(certificate_pem(holder.certificate))
        self._authorities["sm2-root"] = Sm2Authority("sm2-root", name, holder)
        return self._authorities["sm2-root"]

    def _key(self, name: str) -> Sm2Key:
        if self._directory is None:
            return Sm2Key.generate()
        path = self._directory / f"{name}.sm2"
        if path.exists():
            return Sm2Key.from_pem(path.read_bytes())
        key = Sm2Key.generate()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.to_pem())
        return key


def certificate_pem(certificate: bytes) -> bytes:
    """A DER certificate as PEM."""
    return pem("CERTIFICATE", certificate)


def _issue(
    name: x509.Name,
    key: Sm2Key,
    issuer: x509.Name,
    issuer_key: Sm2Key,
    period: Period,
    *,
    crl_uri: str | None,
    path_length: int | None,
) -> Sm2Holder:
    ca = path_length is not None
    usage = x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca, path_length), True),
        (usage, True),
        (x509.SubjectKeyIdentifier(_key_id(key)), False),
    ]
    if crl_uri is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_uri)], None, None, None)
        extensions.append((x509.CRLDistributionPoints([point]), False))
    written = [
        sequence(oid(each.oid.dotted_string), *([true()] if critical else []), octets(each.public_bytes()))
        for each, critical in extensions
    ]
    written.append(sequence(oid(_AUTHORITY_KEY), octets(_authority_key(issuer_key))))
    serial = x509.random_serial_number()
    certificate = _signed(
        issuer_key,
        tlv(CONTEXT_0, integer(2)),
        integer(serial),
        _ALGORITHM,
        issuer.public_bytes(),
        sequence(x509_time(period.since), x509_time(period.until)),
        name.public_bytes(),
        key.public_key.spki,
        tlv(CONTEXT_3, sequence(*written)),
    )
    return Sm2Holder(key, certificate, serial)


def _signed(key: Sm2Key, *parts: bytes) -> bytes:
    body = sequence(*parts)
    return sequence(body, _ALGORITHM, bits(key.sign(body)))


def _key_id(key: Sm2Key) -> bytes:
    return hashlib.sha1(key.public_key.spki, usedforsecurity=False).digest()


def _authority_key(key: Sm2Key) -> bytes:
    return sequence(tlv(0x80, _key_id(key)))
