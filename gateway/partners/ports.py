"""What the partners room asks of the unit of work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.partners.model import Endpoint, Partner, PartnerKey, SharingAgreement
from gateway.records.ports import RecordAppender

DIRECTORY = "partner_directory"
"""``Look.what`` of the directory's version; it has no key."""

SPENT = "spent"
"""``Look.what`` of a token that may be used once; the key is what ``SpentTokens.spend`` takes."""


class PartnerRepository(Protocol):
    """Partners and what belongs to them. Lists are ordered by their codes and names; ``None`` asks for all."""

    def version(self) -> int:
        """The directory's version; 0 before anything was registered."""
        ...

    def advance_version(self) -> int:
        """Add one to the version. Done first in a change, it makes changes by several processes take turns."""
        ...

    def add_partner(self, partner: Partner) -> None: ...
    def replace_partner(self, partner: Partner) -> None: ...
    def find_partner(self, code: str) -> Partner | None: ...
    def partners(self) -> Sequence[Partner]: ...

    def add_key(self, key: PartnerKey) -> None: ...
    def replace_key(self, key: PartnerKey) -> None: ...
    def find_key(self, partner_code: str, kid: str) -> PartnerKey | None: ...
    def key_registered(self, thumbprint: str) -> bool:
        """Whether any partner has or ever had this key."""
        ...

    def partner_keys(self, partner_code: str | None = None) -> Sequence[PartnerKey]: ...

    def add_agreement(self, agreement: SharingAgreement) -> None: ...
    def replace_agreement(self, agreement: SharingAgreement) -> None: ...
    def find_agreement(self, agreement_id: str) -> SharingAgreement | None: ...
    def agreements(self, partner_code: str | None = None) -> Sequence[SharingAgreement]: ...

    def put_endpoint(self, endpoint: Endpoint) -> None:
        """Set the partner's endpoint of that channel."""
        ...

    def remove_endpoint(self, partner_code: str, channel: str) -> None: ...

    def endpoints(self, partner_code: str | None = None) -> Sequence[Endpoint]: ...


class SpentTokens(Protocol):
    """Tokens that may be used once, by what they mean (issuer and ``jti``), never by their bytes.

    Where a unit of work foresaw it (``SPENT``), it was spent before the unit began and stays spent if that fails.
    """

    def spend(self, use: str, issuer: str, token_id: str, at: datetime, until: datetime) -> bool:
        """False if it was spent before. It is remembered until ``until``; what lapsed before ``at`` is forgotten."""
        ...


class PartnersTransaction(Protocol):
    """The room's slice of the unit of work."""

    @property
    def partners(self) -> PartnerRepository: ...
    @property
    def spent_tokens(self) -> SpentTokens: ...
    @property
    def records(self) -> RecordAppender: ...
