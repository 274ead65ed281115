"""Builds e-certificates, status lists and CRLs on the mock PKI, each wrong in one way on request."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.envelopes.jws import JwsFormat
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.trust import TrustStore
from gateway.certificates.verifier import Verifier
from gateway.crypto.signatures import sign
from mock_services.authorities import AUTHORITIES, AUTHORITY_OF_KIND
from mock_services.pki import Holder, ProvincialPki, spki_digest
from schemas.ecertificates import TYPE_CODES, TYPE_NAMES
from schemas.identifiers import ECertificateIdentifier, make_unified_social_credit_code
from schemas.status_lists import pack_statuses

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
BASE_URL = "https://platform.example"
LIST_URI = f"{BASE_URL}/status/1"
ENTERPRISE = make_unified_social_credit_code("91440101", "TDMA0001")
_EXTENSIONS: dict[str, dict[str, str]] = {
    "business_licence": {"KZ_LX": "有限责任公司", "KZ_FDDBR": "测试甲", "KZ_ZS": "广州市示例路1号"},
    "property_certificate": {"KZ_BDCDYH": "440106011001GB00233F00010013", "KZ_ZL": "广州市示例路2号"},
}


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def seal(header: Mapping[str, Any], payload: Any, key: Any, algorithm: str | None = None) -> bytes:
    """A compact JWS over exactly this header and payload (bytes as they are, else JSON)."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(body)}".encode()
    return signing_input + b"." + b64(sign(algorithm or header["alg"], key, signing_input)).encode()


def x5c(holder: Holder) -> list[str]:
    """The holder's chain as it stands in a header."""
    return [base64.b64encode(item.public_bytes(Encoding.DER)).decode() for item in holder.chain]


@dataclass
class Province:
    """A PKI and what it signs. ``statuses`` are by index in the one status list."""

    pki: ProvincialPki = field(default_factory=lambda: ProvincialPki.build(BASE_URL))
    statuses: list[int] = field(default_factory=lambda: [0] * 16)

    def trust(self, **overrides: Any) -> TrustStore:
        """The trust store that believes this PKI."""
        entries = [
            {
                "authority_code": item.code,
                "name": item.name,
                "kinds": list(item.kinds),
                "regions": list(item.regions),
                "from": "2020-01-01",
                "to": None,
                "issuing_ca": spki_digest(self.pki.departments[item.department].certificate),
            }
            | overrides
            for item in AUTHORITIES
        ]
        return TrustStore.build([self.root], entries)

    @property
    def root(self) -> bytes:
        """The anchor in DER."""
        return self.pki.root.certificate.public_bytes(Encoding.DER)

    def verifier(self, trust: TrustStore | None = None) -> Verifier:
        """A verifier over this PKI's anchor."""
        return Verifier(ChainVerifier(trust or self.trust()), (JwsFormat(),))

    def metadata(self, kind: str = "business_licence", **changes: Any) -> dict[str, Any]:
        """照面 metadata of a good certificate, with ``changes``."""
        authority = AUTHORITY_OF_KIND[kind]
        identifier = str(ECertificateIdentifier.make(TYPE_CODES[kind], authority.code, "20260000001"))
        base = {
            "ZZMC": TYPE_NAMES[kind],
            "ZZLXDM": TYPE_CODES[kind],
            "ZZBH": "TEST0001",
            "ZZBS": identifier,
            "ZZBFJG": authority.name,
            "ZZBFJGDM": authority.code,
            "ZZBFRQ": "2024-01-02",
            "CZZT": "示例有限公司",
            "CZZTDM": ENTERPRISE,
            "CZZTDMLX": "统一社会信用代码",
            "CZZTDMLXDM": "001",
            "ZZYXQQSRQ": "2024-01-02",
            "ZZYXQJZRQ": "2034-01-01",
        }
        return {**base, **_EXTENSIONS.get(kind, {}), **changes}

    def envelope(
        self,
        kind: str = "business_licence",
        *,
        holder: Holder | None = None,
        index: int = 1,
        header: Mapping[str, Any] | None = None,
        payload: Mapping[str, Any] | None = None,
        signer: Any = None,
        **changes: Any,
    ) -> bytes:
        """A signed envelope of ``kind``. ``changes`` go into the metadata, ``header``/``payload`` over the members."""
        sealer = holder or self.pki.seals[AUTHORITY_OF_KIND[kind].slug]
        metadata = self.metadata(kind, **changes)
        head = {"alg": sealer.algorithm, "typ": "ecert+jwt", "x5c": x5c(sealer), **(header or {})}
        body = {
            "iss": metadata["ZZBFJGDM"],
            "iat": int((AT - timedelta(days=30)).timestamp()),
            "jti": metadata["ZZBS"],
            "status": {"status_list": {"idx": index, "uri": LIST_URI}},
            "certificate": metadata,
            **(payload or {}),
        }
        return seal(head, body, signer or sealer.key, sealer.algorithm)

    def status_list(
        self,
        *,
        issued_at: datetime = AT - timedelta(minutes=10),
        lifetime: timedelta = timedelta(hours=12),
        uri: str = LIST_URI,
        holder: Holder | None = None,
        **changes: Any,
    ) -> bytes:
        """The signed status list token."""
        sealer = holder or self.pki.seals["status-lists"]
        payload = {
            "sub": uri,
            "iat": int(issued_at.timestamp()),
            "exp": int((issued_at + lifetime).timestamp()),
            "status_list": {"bits": 2, "lst": pack_statuses(self.statuses)},
            **changes,
        }
        return seal({"alg": sealer.algorithm, "typ": "statuslist+jwt", "x5c": x5c(sealer)}, payload, sealer.key)

    def crls(self, at: datetime = AT - timedelta(minutes=10)) -> tuple[bytes, ...]:
        """Every CA's CRL."""
        return tuple(ca.crl(at) for ca in (self.pki.root, *self.pki.departments.values()))

    def evidence(self, change: Callable[[bytes], bytes] | None = None) -> StatusEvidence:
        """Good evidence; ``change`` spoils the status list token."""
        token = self.status_list()
        return StatusEvidence({LIST_URI: change(token) if change else token}, self.crls())
