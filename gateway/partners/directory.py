"""Everything about who may call, at hand in memory.

A change made by this process is seen at its next question; a change by another process within ``max_age`` seconds,
because each change advances a version in the database. When the version cannot be read, nothing is answered.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from gateway.crypto.jwk import VerificationKey, parse_jwk
from gateway.partners.model import Endpoint, KeyUse, Partner, PartnerKey, SharingAgreement
from gateway.partners.ports import PartnerRepository, PartnersTransaction
from gateway.transaction import Transactions


class _Owned(Protocol):
    @property
    def partner_code(self) -> str: ...


OwnedT = TypeVar("OwnedT", bound=_Owned)


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A registered key, parsed once."""

    registered: PartnerKey
    verification: VerificationKey


@dataclass(frozen=True, slots=True)
class DirectorySnapshot:
    """All partners as of one version. The mappings are keyed by partner code."""

    version: int
    partners: Mapping[str, Partner] = field(default_factory=dict)
    keys: Mapping[str, Sequence[HeldKey]] = field(default_factory=dict)
    agreements: Mapping[str, Sequence[SharingAgreement]] = field(default_factory=dict)
    endpoints: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)

    def active_partner(self, code: str) -> Partner | None:
        """The partner, unless unknown or suspended."""
        partner = self.partners.get(code)
        return partner if partner is not None and partner.active else None

    def verification_keys(self, code: str, use: KeyUse, at: datetime) -> tuple[VerificationKey, ...]:
        """Keys of an active partner with which a signature for ``use`` may be checked at ``at``; none is a refusal."""
        if self.active_partner(code) is None:
            return ()
        return tuple(held.verification for held in self.keys.get(code, ()) if held.registered.usable(use, at))

    def endpoint(self, code: str, channel: str) -> Endpoint | None:
        """The endpoint of an active partner for ``channel``."""
        if self.active_partner(code) is None:
            return None
        return next((endpoint for endpoint in self.endpoints.get(code, ()) if endpoint.channel == channel), None)


class Directory(Protocol):
    """Who the partners are, as of now; for rooms and adapters that only look. ``PartnerDirectory`` is one."""

    async def snapshot(self) -> DirectorySnapshot: ...


class SeesPartners(Protocol):
    """A unit of work, as far as the directory is read in it."""

    @property
    def partners(self) -> PartnerRepository: ...


class PartnerDirectory:
    """Answers the current snapshot. ``ticks`` is a monotonic count of seconds, ``max_age`` the staleness allowed."""

    def __init__(
        self,
        transactions: Transactions[PartnersTransaction],
        *,
        max_age: float = 0.5,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transactions = transactions
        self._max_age = max_age
        self._ticks = ticks
        self._snapshot: DirectorySnapshot | None = None
        self._confirmed_at = float("-inf")
        self._changes = 0
        self._loading = asyncio.Lock()

    async def snapshot(self) -> DirectorySnapshot:
        """The directory, no older than ``max_age`` seconds and never older than this process's own last change."""
        current = self.at_hand()
        if current is not None:
            return current
        async with self._loading:
            while (current := self.at_hand()) is None:
                current, settled = await self._reload()
                if settled:
                    break
            return current

    def as_of(self, unit: SeesPartners, known: DirectorySnapshot) -> DirectorySnapshot:
        """The directory as the unit of work sees it: ``known`` itself while its version still stands (one row read)."""
        version = unit.partners.version()
        return known if known.version == version else _load(unit, version)

    def changed(self) -> None:
        """Called after this process committed a change: what is at hand is no longer answered."""
        self._changes += 1
        self._confirmed_at = float("-inf")

    def at_hand(self) -> DirectorySnapshot | None:
        """What ``snapshot`` would answer, where it need not be read for that."""
        return self._snapshot if self._ticks() - self._confirmed_at <= self._max_age else None

    async def _reload(self) -> tuple[DirectorySnapshot, bool]:
        """The snapshot as read now, and whether no change of ours was committed while it was read."""
        asked_at, changes, known = self._ticks(), self._changes, self._snapshot

        def load(transaction: PartnersTransaction) -> DirectorySnapshot:
            version = transaction.partners.version()
            return known if known is not None and known.version == version else _load(transaction, version)

        loaded = self._snapshot = await self._transactions.read(load)
        settled = changes == self._changes
        if settled:
            self._confirmed_at = asked_at
        return loaded, settled


def _load(transaction: SeesPartners, version: int) -> DirectorySnapshot:
    repository = transaction.partners
    held = [HeldKey(key, parse_jwk(dict(key.jwk) | {"kid": key.kid})) for key in repository.partner_keys()]
    keys: defaultdict[str, list[HeldKey]] = defaultdict(list)
    for key in held:
        keys[key.registered.partner_code].append(key)
    return DirectorySnapshot(
        version=version,
        partners={partner.code: partner for partner in repository.partners()},
        keys=dict(keys),
        agreements=_by_partner(repository.agreements()),
        endpoints=_by_partner(repository.endpoints()),
    )


def _by_partner(items: Iterable[OwnedT]) -> dict[str, list[OwnedT]]:
    grouped: defaultdict[str, list[OwnedT]] = defaultdict(list)
    for item in items:
        grouped[item.partner_code].append(item)
    return dict(grouped)
