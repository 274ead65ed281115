"""Whom the gateway believes: trust anchors, and which authority may issue which kind, where and since when.

Data comes parsed (``adapters.trust_directory`` reads the files). Nothing configured means nothing is believed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.certificates.chain import anchors_digest
from gateway.certificates.signing_certificates import load_signing_certificate

STATUS_LIST_DUTY = "status_list"
"""Stands among an authority's kinds when it may sign status lists for others."""
_REGION_PREFIX = re.compile(r"[0-9]{2}(?:[0-9]{2}){0,2}")


class Issuer(BaseModel):
    """One entitlement of a 颁发机构. ``regions`` are GB/T 2260 prefixes (``44``, ``4401``); dates are inclusive."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    authority_code: str = Field(min_length=1, max_length=32)
    name: str
    kinds: frozenset[str] = Field(min_length=1)
    regions: tuple[Annotated[str, Field(pattern=_REGION_PREFIX.pattern + "$")], ...] = Field(min_length=1)
    valid_from: date | None = Field(default=None, alias="from")
    valid_to: date | None = Field(default=None, alias="to")

    def covers(self, kind: str, on: date, region: str | None) -> bool:
        """Whether it may issue ``kind`` on the China date ``on`` for ``region`` (None: no region to compare)."""
        in_time = (self.valid_from or date.min) <= on <= (self.valid_to or date.max)
        in_place = region is None or any(region.startswith(prefix) for prefix in self.regions)
        return kind in self.kinds and in_time and in_place


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The configured anchors (DER) and entitlements."""

    anchors: tuple[bytes, ...]
    issuers: tuple[Issuer, ...]
    digest: bytes

    @classmethod
    def build(cls, anchors: Sequence[bytes], issuers: Sequence[Mapping[str, Any]]) -> "TrustStore":
        """From DER anchors and the parsed ``issuers.json``.

        Raises ``DerMalformed`` for an unreadable anchor and pydantic's ``ValidationError`` for a bad entry: a start
        with either is refused.
        """
        unique = tuple(dict.fromkeys(anchors))
        for anchor in unique:
            load_signing_certificate(anchor)
        return cls(unique, tuple(TypeAdapter(list[Issuer]).validate_python(list(issuers))), anchors_digest(unique))

    def known(self, authority_code: str) -> bool:
        """Whether any entitlement names the authority."""
        return any(issuer.authority_code == authority_code for issuer in self.issuers)

    def entitled(self, authority_code: str, kind: str, on: date, region: str | None = None) -> bool:
        """Whether the authority may issue ``kind`` (or do the duty of that name) on ``on``."""
        return any(
            issuer.authority_code == authority_code and issuer.covers(kind, on, region) for issuer in self.issuers
        )
