"""The registry: finds records, signs envelopes and status lists, and changes a certificate's state when told to."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from cryptography.hazmat.primitives import serialization
from jwt.api_jws import PyJWS

from mock_services.pki import Holder, ProvincialPki, generate_key
from mock_services.population import Enterprise, Population, Resident, Trouble, code_of
from mock_services.provincial_platform.certificates import EXPIRED_ON, STALE_LIST, Record, Remark, records_of
from mock_services.provincial_platform.ofd_licences import break_seal, seal_licence
from mock_services.provincial_platform.successors import reissued, transferred
from schemas.ecertificates import ECertificateMetadata, ECertificatePayload
from schemas.status_lists import CertificateStatus, StatusClaim, StatusListReference, pack_statuses
from schemas.wire import Typ

STATUS_LIST_LIFETIME = timedelta(hours=12)
STATUS_LIST_TTL = timedelta(minutes=5)
STALE_SINCE = timedelta(days=2)
STATUS_BITS: Literal[2] = 2

_JWS = PyJWS()


class Order(StrEnum):
    """What an authority can order for a certificate."""

    SUSPEND = "suspend"
    REVOKE = "revoke"
    EXPIRE = "expire"
    REINSTATE = "reinstate"
    REISSUE = "reissue"
    TRANSFER = "transfer"


class Registry:
    """All e-certificates of one province. Envelopes are signed when first asked for, and kept."""

    def __init__(self, population: Population, pki: ProvincialPki, base_url: str) -> None:
        self.population = population
        self.pki = pki
        self._base_url = base_url
        self._records = {record.identifier: record for record in records_of(population)}
        self._by_holder: dict[tuple[str, str], list[Record]] = {}
        self._by_number: dict[tuple[str, str], list[Record]] = {}
        for record in self._records.values():
            self._list(record)
        self._envelopes: dict[str, bytes] = {}
        self._issued: dict[bytes, str] = {}

    def _list(self, record: Record) -> None:
        for code in record.found_under:
            self._by_holder.setdefault((code, record.metadata.type_code), []).append(record)
        if record.trouble is not Trouble.WRONG_HOLDER:
            self._by_number.setdefault((record.metadata.number, record.metadata.type_code), []).append(record)

    def _take_off(self, record: Record) -> None:
        for code in record.found_under:
            self._by_holder[code, record.metadata.type_code].remove(record)
        if record.trouble is not Trouble.WRONG_HOLDER:
            self._by_number[record.metadata.number, record.metadata.type_code].remove(record)

    def get(self, identifier: str) -> Record | None:
        """The record with this ZZBS."""
        return self._records.get(identifier)

    def of_holder(self, holder_code: str, type_code: str, number: str | None = None) -> list[Record]:
        """Records of a kind that are found under ``holder_code``, those with ``number`` if given."""
        found = self._by_holder.get((holder_code, type_code), [])
        return [record for record in found if number is None or record.metadata.number == number]

    def numbered(self, number: str, type_code: str, holder: str) -> list[Record]:
        """Records of a kind with this ZZBH, one of whose holders is called ``holder``."""
        found = self._by_number.get((number, type_code), [])
        return [record for record in found if holder in (name for name, _ in record.metadata.holders())]

    def all(self) -> list[Record]:
        """Every record, in order."""
        return list(self._records.values())

    def envelope(self, record: Record) -> bytes:
        """The signed e-certificate: a compact JWS, or an OFD document."""
        kept = self._envelopes.get(record.identifier)
        if kept is None:
            kept = seal_licence(record, self._status_of(record), self.pki) if record.as_ofd else self._sign(record)
            self._envelopes[record.identifier] = kept
            self._issued[hashlib.sha256(kept).digest()] = record.identifier
        return kept

    def issued_as(self, data: bytes) -> Record | None:
        """The record whose current envelope is exactly ``data``."""
        identifier = self._issued.get(hashlib.sha256(data).digest())
        return self._records[identifier] if identifier else None

    def _status_of(self, record: Record) -> StatusListReference:
        uri = f"{self._base_url}/status-lists/{record.status_list}"
        return StatusListReference(idx=record.status_index, uri=uri)

    def _sign(self, record: Record) -> bytes:
        payload = ECertificatePayload(
            iss=record.authority.code,
            iat=int(record.issued_at.timestamp()),
            jti=record.identifier,
            status=StatusClaim(status_list=self._status_of(record)),
            certificate=record.metadata,
        )
        unknown = record.trouble is Trouble.UNKNOWN_ISSUER
        signer = self.pki.rogue if unknown else self.pki.seals[record.authority.slug]
        token = sign(Typ.CERTIFICATE, payload.to_wire(), signer).encode()
        return break_signature(token) if record.trouble is Trouble.BROKEN_SIGNATURE else token

    def order(self, record: Record, order: Order, reason: str, at: datetime, to: str | None = None) -> None:
        """Suspend, revoke, expire or reinstate; expiry and its end are a new envelope, the rest a new status list.

        Reissue and transfer put another record in its place; ``to`` is the code of the new owner.
        Raises ``ValueError`` for what cannot be transferred, or to nobody.
        """
        if order is Order.REISSUE:
            self._replace(record, reissued(record, _day(at)), record.found_under)
        elif order is Order.TRANSFER:
            owner = self._owner(record, to)
            self._replace(record, transferred(record, owner, len(self._records) + 1, _day(at)), (code_of(owner),))
        else:
            self._change(record, order)
        record.remarks.append(Remark(at, record.state, reason))

    def _change(self, record: Record, order: Order) -> None:
        if order is Order.EXPIRE or (order is Order.REINSTATE and record.expired):
            record.expired = order is Order.EXPIRE
            end = EXPIRED_ON if record.expired else record.regular_end_on
            record.metadata = record.metadata.model_copy(update={"valid_until_on": end})
            self._forget(record)
        if order is not Order.EXPIRE:
            record.status = {
                Order.SUSPEND: CertificateStatus.SUSPENDED,
                Order.REVOKE: CertificateStatus.INVALID,
                Order.REINSTATE: CertificateStatus.VALID,
            }[order]

    def _replace(self, record: Record, metadata: ECertificateMetadata, found_under: tuple[str, ...]) -> None:
        """``record`` is cancelled and found no more; another one with ``metadata`` is found instead."""
        others = sum(1 for each in self._records.values() if each.status_list == record.status_list)
        successor = replace(
            record,
            metadata=metadata,
            found_under=found_under,
            status_index=others,
            status=CertificateStatus.VALID,
            trouble=None,
            expired=False,
            remarks=[],
        )
        self._take_off(record)
        record.status = CertificateStatus.INVALID
        self._records[successor.identifier] = successor
        self._list(successor)

    def _owner(self, record: Record, to: str | None) -> Resident | Enterprise:
        owner = self.population.residents.get(to or "") or self.population.enterprises.get(to or "")
        if owner is None or record.kind != "property_certificate":
            raise ValueError("a property is transferred to a resident or an enterprise of the province")
        return owner

    def _forget(self, record: Record) -> None:
        kept = self._envelopes.pop(record.identifier, None)
        if kept is not None:
            self._issued.pop(hashlib.sha256(kept).digest(), None)

    def status_list(self, number: int, at: datetime, *, forged: bool = False) -> str | None:
        """The signed list as of ``at``, or None when there is none with this number; ``forged``: by a foreign key.

        The stale list was last signed days ago and has run out.
        """
        statuses = [record.status for record in self._records.values() if record.status_list == number]
        if not statuses:
            return None
        expires_at = at - STALE_SINCE if number == STALE_LIST else at + STATUS_LIST_LIFETIME
        claims = {
            "sub": f"{self._base_url}/status-lists/{number}",
            "iat": int((expires_at - STATUS_LIST_LIFETIME).timestamp()),
            "exp": int(expires_at.timestamp()),
            "ttl": int(STATUS_LIST_TTL.total_seconds()),
            "status_list": {"bits": STATUS_BITS, "lst": pack_statuses(statuses, STATUS_BITS)},
        }
        signer = self.pki.seals["status-lists"]
        if forged:
            signer = Holder(generate_key(signer.algorithm), signer.certificate, signer.chain)
        return sign(Typ.STATUS_LIST, claims, signer)


def _day(at: datetime) -> date:
    """The date in China."""
    return (at.astimezone(UTC) + timedelta(hours=8)).date()


def sign(typ: Typ, claims: Mapping[str, Any], signer: Holder) -> str:
    """A compact JWS with the signer's chain in ``x5c`` (RFC 7515 section 4.1.6: standard base64 of DER)."""
    chain = [base64.b64encode(found.public_bytes(serialization.Encoding.DER)).decode("ascii") for found in signer.chain]
    payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
    return _JWS.encode(payload, signer.key, signer.algorithm, headers={"typ": str(typ), "x5c": chain})


def break_signature(envelope: bytes) -> bytes:
    """The same envelope with one bit of its signature turned over."""
    if not envelope.startswith(b"eyJ"):
        return break_seal(envelope)
    signed, signature = envelope.rsplit(b".", 1)
    raw = bytearray(base64.urlsafe_b64decode(signature + b"=" * (-len(signature) % 4)))
    raw[len(raw) // 2] ^= 1
    return signed + b"." + base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=")
