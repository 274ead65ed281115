"""What the certificates room needs from outside: sources, status addresses, and its own shelf of copies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class UsePurpose:
    """用证事由: for which matter, and why. Sources log it, and some refuse to answer without it."""

    matter_name: str
    event_code: str
    cause: str


class SourceQuery(NamedTuple):
    """One question to a source: every e-certificate of a type that a holder has."""

    type_code: str
    holder_code: str
    holder_type_code: str
    region: str
    purpose: UsePurpose

    def __repr__(self) -> str:
        """Without the holder."""
        return f"SourceQuery(type_code={self.type_code!r}, region={self.region!r})"


class FetchedEnvelope(NamedTuple):
    """One envelope as a source gave it. ``identifier`` is the 电子证照标识 that the source named it by.

    ``digest`` is its SHA-256 in hex, where the source knows it already.
    """

    envelope: bytes
    source: str
    fetched_at: datetime
    identifier: str
    digest: str = ""

    def __repr__(self) -> str:
        """Without what is the holder's."""
        return f"FetchedEnvelope(source={self.source!r}, fetched_at={self.fetched_at!r})"


class ECertificateSource(Protocol):
    """A registry of e-certificates (电子证照库)."""

    @property
    def code(self) -> str:
        """Its partner code."""
        ...

    async def find(self, query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        """What the holder has; empty when the source knows of none. ``at`` is now, aware UTC.

        Raises ``PartnerUnavailable`` when no answer could be had, ``Denied`` when the source refuses the question.
        """
        ...

    def sweep_memory(self, at: datetime) -> None:
        """Forget what is remembered of answers, where its time is over."""
        ...


class StatusSource(Protocol):
    """Fetches status lists, CRLs and OCSP responses from addresses that sealed documents name."""

    async def fetch_status_list(self, uri: str) -> bytes:
        """The token at ``uri``, as it came. Raises ``PartnerUnavailable``, also for an address not permitted."""
        ...

    async def fetch_crl(self, uri: str) -> bytes:
        """The DER list at ``uri``, as it came. Raises ``PartnerUnavailable``, also for an address not permitted."""
        ...

    async def fetch_ocsp(self, uri: str, request: bytes) -> bytes:
        """What the responder at ``uri`` answers to the DER ``request``, as it came.

        Raises ``PartnerUnavailable``, also for an address not permitted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCopy:
    """An envelope kept at hand, with where and when it was had. ``level`` is the region whose source answered."""

    kind: str
    holder_code: str = field(repr=False)
    identifier: str = field(repr=False)
    envelope: bytes = field(repr=False)
    source: str
    level: str
    fetched_at: datetime
    digest: str


class CopyVersion(NamedTuple):
    """Which envelope a copy is, and when it was fetched."""

    digest: str
    fetched_at: datetime


COPIES = "certificate_copies"
"""``Look.what`` of a holder's copies; the key is their kind and the holder's keyed digest."""


MOST_COUNTED = 10_000
"""Copies beyond so many are not counted for whoever only looks how a source does."""


@dataclass(frozen=True)
class HeldCopies:
    """How many copies of one kind are at hand from one source, and between when they were fetched.

    A ``count`` of ``MOST_COUNTED`` is that many or more.
    """

    source: str
    kind: str
    count: int
    oldest_at: datetime
    newest_at: datetime

    @property
    def or_more(self) -> bool:
        """Whether there may be more than ``count``."""
        return self.count >= MOST_COUNTED


class CertificateCopies(Protocol):
    """The shelf of copies, on the unit of work."""

    def put(self, copy: CertificateCopy) -> None:
        """Keep ``copy``; the same digest of the same holder and kind fetched again only moves ``fetched_at`` on."""
        ...

    def replace(self, kind: str, holder_code: str, copies: Sequence[CertificateCopy], step: timedelta) -> None:
        """``copies``, all of one fetch, take the place of all that was had of the holder's ``kind``.

        Where they are the same as were had, only when and where they were fetched is new; and nothing is written where
        those were fetched less than ``step`` before.
        """
        ...

    def latest(self, kind: str, holder_code: str) -> Sequence[CertificateCopy]:
        """The copies of a holder's ``kind`` that the newest fetch gave: all those with the greatest ``fetched_at``."""
        ...

    def versions(self, kind: str, holder_digest: str) -> tuple[CopyVersion, ...]:
        """Which copies ``latest`` answers for the holder of that keyed digest, in the order of their digests."""
        ...

    def stand(self, kind: str, holder_digest: str, versions: tuple[CopyVersion, ...]) -> bool:
        """Whether ``versions`` are what is answered by that name."""
        ...

    def forget(self, holder_code: str, kind: str | None = None) -> int:
        """Remove the holder's copies, of ``kind`` or of all; answers how many."""
        ...


class CertificatesUnit(Protocol):
    """The room's slice of the unit of work."""

    @property
    def certificate_copies(self) -> CertificateCopies:
        """The shelf."""
        ...
