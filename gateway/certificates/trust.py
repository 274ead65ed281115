"""Whom the gateway believes: trust anchors, and which authority may issue which kind, where and since when.

Data comes parsed (``adapters.trust_directory`` reads the files). Nothing configured means nothing is believed.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from gateway.certificates.x509.anchors import TrustAnchor, anchors_digest, as_anchor
from gateway.certificates.x509.signing_certificates import load_signing_certificate

STATUS_LIST_DUTY = "status_list"
"""Stands among an authority's kinds when it may sign status lists for others."""
_REGION_PREFIX = re.compile(r"[0-9]{2}(?:[0-9]{2}){0,2}")
_KeyDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Entitlement(StrEnum):
    """What the entries say of an authority whose seal a CA certified. Only the last two let it speak."""

    NONE = "none"
    OTHER_CA = "other_ca"
    ANY_CA = "any_ca"
    PINNED_CA = "pinned_ca"

    @property
    def given(self) -> bool:
        """Whether the authority may speak."""
        return self in (Entitlement.ANY_CA, Entitlement.PINNED_CA)


class Issuer(BaseModel):
    """One entitlement of a 颁发机构. ``regions`` are GB/T 2260 prefixes (``44``, ``4401``); dates are inclusive.

    ``issuing_ca`` pins the CA that may certify its seals, by the SHA-256 of its subjectPublicKeyInfo in hexadecimal
    (several while one takes over from another). Without it any CA under an anchor may, and verifications say so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    authority_code: str = Field(min_length=1, max_length=32)
    name: str
    kinds: frozenset[str] = Field(min_length=1)
    regions: tuple[Annotated[str, Field(pattern=_REGION_PREFIX.pattern + "$")], ...] = Field(min_length=1)
    valid_from: date | None = Field(default=None, alias="from")
    valid_to: date | None = Field(default=None, alias="to")
    issuing_ca: Annotated[frozenset[_KeyDigest], Field(min_length=1), BeforeValidator(_listed)] | None = None

    def covers(self, kind: str, on: date, region: str | None) -> bool:
        """Whether it may issue ``kind`` on the China date ``on`` for ``region`` (None: no region to compare)."""
        in_time = (self.valid_from or date.min) <= on <= (self.valid_to or date.max)
        in_place = region is None or any(region.startswith(prefix) for prefix in self.regions)
        return kind in self.kinds and in_time and in_place


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The configured anchors and entitlements. ``intermediates`` (DER) only help to find paths: none is believed.

    ``digest`` is over everything that a path may rest on.
    """

    anchors: tuple[TrustAnchor, ...]
    issuers: tuple[Issuer, ...]
    digest: bytes
    intermediates: tuple[bytes, ...] = ()

    @classmethod
    def build(
        cls,
        anchors: Sequence[bytes | TrustAnchor],
        issuers: Sequence[Mapping[str, Any]],
        intermediates: Sequence[bytes] = (),
    ) -> "TrustStore":
        """From anchors, the parsed ``issuers.json``, and CA certificates that documents do not carry.

        Raises ``DerMalformed`` for an unreadable certificate and pydantic's ``ValidationError`` for a bad entry: a
        start with either is refused.
        """
        unique, others = tuple(dict.fromkeys(map(as_anchor, anchors))), tuple(dict.fromkeys(intermediates))
        for encoded in (*(anchor.certificate for anchor in unique), *others):
            load_signing_certificate(encoded)
        entries = tuple(TypeAdapter(list[Issuer]).validate_python(list(issuers)))
        digest = hashlib.sha256(anchors_digest(unique) + anchors_digest(others)).digest()
        return cls(unique, entries, digest, others)

    def known(self, authority_code: str) -> bool:
        """Whether any entitlement names the authority."""
        return any(issuer.authority_code == authority_code for issuer in self.issuers)

    def pins(self, duty: str, on: date, issuing_ca: str) -> bool:
        """Whether an entry in force gives ``duty`` to the CA with this ``key_digest``; one without a pin does not."""
        return any(
            issuer.covers(duty, on, None) and issuing_ca in (issuer.issuing_ca or frozenset())
            for issuer in self.issuers
        )

    def entitlement(
        self, authority_code: str, kind: str, on: date, issuing_ca: str, region: str | None = None
    ) -> Entitlement:
        """Whether the authority may issue ``kind`` (or do the duty of that name) on ``on``.

        ``issuing_ca`` is the ``key_digest`` of the CA that certified its seal. Where one entry pins the CA, no other
        entry for the same thing lifts the pin.
        """
        covering = [
            issuer
            for issuer in self.issuers
            if issuer.authority_code == authority_code and issuer.covers(kind, on, region)
        ]
        if not covering:
            return Entitlement.NONE
        pins = [issuer.issuing_ca for issuer in covering if issuer.issuing_ca is not None]
        if not pins:
            return Entitlement.ANY_CA
        return Entitlement.PINNED_CA if any(issuing_ca in pin for pin in pins) else Entitlement.OTHER_CA
