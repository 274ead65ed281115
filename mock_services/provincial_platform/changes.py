"""The change feed: an append-only, numbered list of what was ordered for which certificate, and cursors into it.

A cursor names the list it belongs to, so that one from before a reset – or from before old entries were dropped – is
too old, instead of skipping what its holder never saw.
"""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from mock_services.provincial_platform.certificates import Record
from mock_services.provincial_platform.registry import Order
from schemas.share_interface import CertChange, CertChangeKind, CertChangeList

WORD_OF_ORDER = {
    Order.SUSPEND: CertChangeKind.SUSPENDED,
    Order.REVOKE: CertChangeKind.REVOKED,
    Order.EXPIRE: CertChangeKind.EXPIRED,
    Order.REINSTATE: CertChangeKind.REINSTATED,
    Order.TRANSFER: CertChangeKind.TRANSFERRED,
    Order.REISSUE: CertChangeKind.REISSUED,
}
_CURSOR = re.compile(r"([0-9a-f]{16})-([0-9]{1,12})")


class CursorTooOld(Exception):
    """What lies beyond the cursor is not kept any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, with its number from 1."""

    number: int
    change: CertChange


class ChangeFeed:
    """The list. Entries are dropped from its beginning only."""

    def __init__(self) -> None:
        self._list = secrets.token_hex(8)
        self._entries: list[Entry] = []
        self._last = 0
        self._dropped = 0

    def append(self, record: Record, order: Order, at: datetime) -> None:
        """``order`` was carried out on ``record``."""
        self._last += 1
        change = CertChange(
            cert_identifier=record.identifier,
            cert_type_code=record.metadata.type_code,
            change=WORD_OF_ORDER[order],
            at=at,
        )
        self._entries.append(Entry(self._last, change))

    def drop(self) -> None:
        """Keep nothing of what is there: every cursor before the end is too old."""
        self._dropped = self._last
        self._entries.clear()

    def entries(self) -> list[Entry]:
        """All that are kept, oldest first."""
        return list(self._entries)

    def page(self, cursor: str | None, limit: int, types: Collection[str] | None) -> CertChangeList:
        """At most ``limit`` changes beyond ``cursor`` of these 证照类型代码. Raises ``CursorTooOld``."""
        after = self._last if cursor is None else self._position(cursor)
        beyond = [entry for entry in self._entries if entry.number > after]
        wanted = [entry for entry in beyond if types is None or entry.change.cert_type_code in types]
        given, more = wanted[:limit], len(wanted) > limit
        reached = given[-1].number if more else self._last
        return CertChangeList(
            changes=[entry.change for entry in given], next_cursor=f"{self._list}-{reached}", more=more
        )

    def _position(self, cursor: str) -> int:
        match = _CURSOR.fullmatch(cursor)
        if match is None or match[1] != self._list or not self._dropped <= int(match[2]) <= self._last:
            raise CursorTooOld
        return int(match[2])
