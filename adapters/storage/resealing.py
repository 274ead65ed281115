"""What is sealed with which key, and sealing it anew: page by page, beside a serving gateway, from wherever it stopped.

Nothing remembers how far a run came: a row that already rests under today's key and algorithm is passed over, so a run
that was cut off is simply started again. An upgrade's leftovers are taken along: plain values (format 0) are sealed,
and digests that were not keyed (``sha256:…``) are keyed.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from sqlalchemy import Column, LargeBinary, Row, Select, Table, func, literal, select, tuple_, type_coerce, update
from sqlalchemy.sql.elements import ColumnElement

from adapters.storage.application_certificates import application_certificates
from adapters.storage.applications import applications, stage_events
from adapters.storage.approvals import approval_outcomes
from adapters.storage.idempotency import idempotency_keys
from adapters.storage.sealed import SealedValue, context_of, sealed_table
from adapters.storage.statements import Statements
from adapters.storage.tables import metadata
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.crypto.sealing import HEADER_BYTES, KEY_ID_BYTES, UNSEALED, StoredDataUnreadable
from gateway.transaction import Transactions

PLAIN_DIGEST: Final = "sha256:"
"""Marks a digest that the upgrade found not keyed."""
UNSEALED_KEY: Final = "unsealed"
PAGE: Final = 200

Key = tuple[Any, ...]

_KEYED_COLUMNS: Final = (
    (stage_events.c.content_digest, Use.STAGE_EVENT),
    (approval_outcomes.c.content_digest, Use.OUTCOME),
    (idempotency_keys.c.request_digest, Use.IDEMPOTENT_REQUEST),
    (application_certificates.c.identifier_digest, Use.CERTIFICATE),
    (application_certificates.c.series_digest, Use.CERTIFICATE_SERIES),
)
_KEYED_IN_DOCUMENTS: Final = (("identifier_digest", Use.CERTIFICATE), ("series_digest", Use.CERTIFICATE_SERIES))


@dataclass(frozen=True, slots=True)
class Scanned:
    """One page of a table: how many rows, which of them are to be sealed anew, and where the next page starts."""

    rows: int
    outdated: Sequence[Key]
    next_after: Key | None


class SealedRowsUnit(Protocol):
    """The slice of the unit of work."""

    @property
    def sealed_rows(self) -> "SqlSealedRows": ...


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row with a value that cannot be opened: ``check`` says why, ``key_id`` names the key that sealed it."""

    table: str
    key: Key
    check: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class Resealed:
    """What a run changed: rows by table, and digests; and what it had to leave as it was."""

    rows: Mapping[str, int]
    digests_keyed: int
    unreadable: Sequence[UnreadableRow] = ()


async def reseal_everything(transactions: Transactions[SealedRowsUnit], pause_s: float) -> Resealed:
    """Seal anew whatever does not rest under today's key and algorithm, with a pause of ``pause_s`` after each page.

    A value that cannot be opened keeps no other from it: its row is left as it is, and named.
    """
    rows: dict[str, int] = {}
    unreadable: list[UnreadableRow] = []
    for table in sealed_tables():
        changed, left = await _reseal_table(transactions, table, pause_s)
        if changed:
            rows[table.name] = changed
        unreadable += left
    return Resealed(rows, await _key_digests(transactions), unreadable)


async def _reseal_table(
    transactions: Transactions[SealedRowsUnit], table: Table, pause_s: float
) -> tuple[int, list[UnreadableRow]]:
    changed, after = 0, None
    unreadable: list[UnreadableRow] = []
    while True:
        scanned = await transactions.read(partial(_scan_in, table=table, after=after))
        if scanned.outdated:
            some, left = await transactions.write(partial(_reseal_in, table=table, keys=scanned.outdated))
            changed, unreadable = changed + some, [*unreadable, *left]
            await asyncio.sleep(pause_s)
        after = scanned.next_after
        if after is None:
            return changed, unreadable


async def _key_digests(transactions: Transactions[SealedRowsUnit]) -> int:
    keyed = 0
    while some := await transactions.write(lambda unit: unit.sealed_rows.key_digests()):
        keyed += some
    after: str | None = ""
    while after is not None:
        some, after = await transactions.write(partial(_key_documents_in, after=after))
        keyed += some
    return keyed


def sealed_tables() -> tuple[Table, ...]:
    """Every table with a sealed column."""
    return tuple(table for table in metadata.sorted_tables if sealed_table(table).columns)


def rewritten_tables() -> tuple[str, ...]:
    """Every table in which an upgrade left something plain, by name: what ``engine.sweep`` rewrites afterwards."""
    keyed = {column.table for column, _ in _KEYED_COLUMNS}
    return tuple(table.name for table in metadata.sorted_tables if table in keyed or sealed_table(table).columns)


class SqlSealedRows:
    """The sealed columns of all tables, on the unit of work."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._sealer = statements.at_rest.sealer

    def usage(self) -> Mapping[str, int]:
        """How many values each key sealed, by key id; ``unsealed`` are those that an upgrade left. Reads everything."""
        found: Counter[str] = Counter()
        for table in sealed_tables():
            for name in sealed_table(table).columns:
                start = _start_of(table.c[name], 2 + KEY_ID_BYTES).label("start")
                counted = select(start, func.count().label("values")).where(table.c[name].is_not(None)).group_by(start)
                for row in self._statements.execute(counted):
                    found[UNSEALED_KEY if row.start[:1] == UNSEALED else row.start[2:].hex()] += row.values
        return found

    def scan(self, table: Table, after: Key | None) -> Scanned:
        """The page of ``table`` beyond the row ``after``."""
        names = sealed_table(table).columns
        starts = [_start_of(table.c[name], HEADER_BYTES + 1).label(name) for name in names]
        keys = _key_of(table)
        query = select(*keys, *starts).order_by(*keys).limit(PAGE)
        if after is not None:
            query = query.where(tuple_(*keys) > tuple_(*(literal(value) for value in after)))
        rows = self._statements.execute(query).all()
        outdated = [
            _values_of(row, table)
            for row in rows
            if any(not self._sealer.is_current(row._mapping[name]) for name in names if row._mapping[name] is not None)
        ]
        return Scanned(len(rows), outdated, _values_of(rows[-1], table) if len(rows) == PAGE else None)

    def reseal(self, table: Table, keys: Sequence[Key]) -> tuple[int, Sequence[UnreadableRow]]:
        """Seal the rows of ``keys`` anew, where they still have to be; answers how many were, and which cannot be."""
        changed = 0
        unreadable: list[UnreadableRow] = []
        for key in keys:
            own = _is(table, key)
            row = self._statements.execute(_raw(table).where(own).with_for_update()).one_or_none()
            anew, error = ({}, None) if row is None else self._anew(table, row)
            if error is not None:
                unreadable.append(UnreadableRow(table.name, key, error.check, error.key_id))
            if anew:
                changed += self._statements.execute(update(table).where(own).values(**anew)).rowcount
        return changed, unreadable

    def _anew(self, table: Table, row: Row[Any]) -> tuple[dict[str, SealedValue], StoredDataUnreadable | None]:
        """What is to be written, and what is wrong with a value that cannot be: the row's others are sealed anew."""
        stored, anew, unreadable = row._mapping, {}, None
        for name in sealed_table(table).columns:
            if stored[name] is not None and not self._sealer.is_current(bytes(stored[name])):
                try:
                    resealed = self._sealer.resealed(bytes(stored[name]), context_of(table, name, dict(stored)))
                except StoredDataUnreadable as error:
                    unreadable = error
                else:
                    anew[name] = SealedValue(resealed)
        return anew, unreadable

    def key_digests(self) -> int:
        """Key a page of the digests that an upgrade found plain, of each column; answers how many, 0 at the end."""
        digests = self._statements.at_rest.digests
        return sum(self._key_column(column, use, digests) for column, use in _KEYED_COLUMNS)

    def _key_column(self, column: Column[str], use: Use, digests: KeyedDigest) -> int:
        table = column.table
        assert isinstance(table, Table)
        plain = select(*_key_of(table), column.label("plain")).where(column.startswith(PLAIN_DIGEST)).limit(PAGE)
        rows = self._statements.execute(plain).all()
        for row in rows:
            digest = digests.of(use, row.plain.removeprefix(PLAIN_DIGEST))
            own = _is(table, _values_of(row, table))
            self._statements.execute(update(table).where(own).values({column.name: digest}))
        return len(rows)

    def key_documents(self, after: str) -> tuple[int, str | None]:
        """The same for the digests in a page of applications beyond ``after``: how many changed, and the next page."""
        own_id = applications.c.application_id
        page = select(own_id, applications.c.documents).where(own_id > after).order_by(own_id).limit(PAGE)
        rows = self._statements.execute(page.with_for_update()).all()
        changed = 0
        for row in rows:
            documents = [_keyed_document(document, self._statements.at_rest.digests) for document in row.documents]
            if documents != row.documents:
                values = update(applications).where(own_id == row.application_id).values(documents=documents)
                changed += self._statements.execute(values).rowcount
        return changed, rows[-1].application_id if len(rows) == PAGE else None


def _scan_in(unit: SealedRowsUnit, table: Table, after: Key | None) -> Scanned:
    return unit.sealed_rows.scan(table, after)


def _reseal_in(unit: SealedRowsUnit, table: Table, keys: Sequence[Key]) -> tuple[int, Sequence[UnreadableRow]]:
    return unit.sealed_rows.reseal(table, keys)


def _key_documents_in(unit: SealedRowsUnit, after: str) -> tuple[int, str | None]:
    return unit.sealed_rows.key_documents(after)


def _keyed_document(document: Mapping[str, Any], digests: KeyedDigest) -> dict[str, Any]:
    keyed = dict(document)
    for name, use in _KEYED_IN_DOCUMENTS:
        plain = keyed.get(name)
        if plain and plain.startswith(PLAIN_DIGEST):
            keyed[name] = digests.of(use, plain.removeprefix(PLAIN_DIGEST))
    return keyed


def _key_of(table: Table) -> list[Column[Any]]:
    return [table.c[name] for name in sealed_table(table).key]


def _values_of(row: Row[Any], table: Table) -> Key:
    return tuple(row._mapping[name] for name in sealed_table(table).key)


def _is(table: Table, key: Key) -> ColumnElement[bool]:
    return tuple_(*_key_of(table)) == tuple_(*(literal(value) for value in key))


def _raw(table: Table) -> Select[Any]:
    sealed = [type_coerce(table.c[name], LargeBinary).label(name) for name in sealed_table(table).columns]
    return select(*_key_of(table), *sealed)


def _start_of(column: Column[Any], length: int) -> ColumnElement[bytes]:
    return func.substr(type_coerce(column, LargeBinary), 1, length, type_=LargeBinary)
