"""Columns of personal data: declare ``Column("body", SealedJson)``, and the database only ever sees sealed bytes.

A repository writes ``insert(table).values(**statements.sealed(table, {...}))`` and reads
``statements.opened(table, row)``; a value that was not sealed is refused before it reaches the database. Each value is
bound to its table, column and primary key, so the key's columns must be among the values, or named:
``statements.sealed(table, {"body": …}, intake_id=…)``. A sealed column cannot be searched: look-ups go by a keyed
digest in a column of its own (``gateway.crypto.keyed_digest``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import orjson
import structlog
from sqlalchemy import LargeBinary, Row, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from adapters.storage.opened import OpenedValues
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.crypto.sealing import Sealer, StoredDataUnreadable

log = structlog.get_logger()
T = TypeVar("T")
KnownRow = Row[Any] | tuple[Any, ...]
"""A row whose columns are attributes: SQLAlchemy's, or a named tuple."""


class SealedValue(bytes):
    """Bytes that ``seal_values`` made, or the database answered."""


class SealedBytes(TypeDecorator[bytes]):
    """Bytes of a foreign document, as they came."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        if value is not None and not isinstance(value, SealedValue):
            raise TypeError("a sealed column takes what Statements.sealed answers")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> SealedValue | None:
        return None if value is None else SealedValue(value)

    def encode(self, value: Any) -> bytes:
        """The plain bytes of a value."""
        return bytes(value)

    def decode(self, plain: bytes) -> Any:
        """What ``encode`` was given."""
        return plain


class SealedJson(SealedBytes):
    """A JSON document."""

    cache_ok = True

    def encode(self, value: Any) -> bytes:
        return orjson.dumps(value)

    def decode(self, plain: bytes) -> Any:
        return orjson.loads(plain)


class SealedText(SealedBytes):
    """Text."""

    cache_ok = True

    def encode(self, value: Any) -> bytes:
        return str(value).encode()

    def decode(self, plain: bytes) -> Any:
        return plain.decode()


@dataclass(frozen=True, slots=True)
class AtRest:
    """What a process keeps personal data with: the sealer, and the keyed digests that look-ups go by.

    ``remembered`` is what was opened lately.
    """

    sealer: Sealer
    digests: KeyedDigest
    remembered: OpenedValues = field(default_factory=OpenedValues, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SealedTable:
    """What of a table is sealed, and by which columns a row is known. ``places`` are what a column's values are bound
    to before the row's key.
    """

    columns: Mapping[str, SealedBytes]
    key: tuple[str, ...]
    places: Mapping[str, str]


@cache
def sealed_table(table: Table) -> SealedTable:
    """What of ``table`` is sealed."""
    columns = {column.name: column.type for column in table.c if isinstance(column.type, SealedBytes)}
    places = {name: f"{table.name}.{name}:" for name in columns}
    return SealedTable(columns, tuple(column.name for column in table.primary_key), places)


def context_of(table: Table, column: str, row: Mapping[str, Any]) -> str:
    """What a value is bound to; ``row`` has the primary key. Texts of a database hold no NUL, so it parts them."""
    known = sealed_table(table)
    return known.places[column] + "\0".join([str(row[name]) for name in known.key])


def seal_values(sealer: Sealer, table: Table, values: Mapping[str, Any], key: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with those of sealed columns sealed; the row's key is in ``values`` or in ``key``.

    Raises ``KeyError`` where it is in neither, and what ``Sealer.seal`` raises.
    """
    known = {**key, **values} if key else values
    sealed = dict(values)
    for name, kind in sealed_table(table).columns.items():
        value = sealed.get(name)
        if value is not None:
            sealed[name] = SealedValue(sealer.seal(kind.encode(value), context_of(table, name, known)))
    return sealed


def open_row(sealer: Sealer, table: Table, row: KnownRow) -> dict[str, Any]:
    """The columns of ``row``, which has the primary key, with sealed values opened. Raises as ``Sealer.open``."""
    found: dict[str, Any] = dict(row._mapping) if isinstance(row, Row) else row._asdict()  # type: ignore[attr-defined]
    for name, kind in sealed_table(table).columns.items():
        value = found.get(name)
        if value is not None:
            found[name] = _opened(sealer, kind, value, context_of(table, name, found))
    return found


def read_remembered(at_rest: AtRest, table: Table, name: str, row: KnownRow, parse: Callable[[Any], T]) -> T:
    """What ``parse`` makes of a sealed column of ``row``, which has the primary key, or has made of the same bytes.

    Once the key has changed it is opened as ever. Raises as ``Sealer.open``, and what ``parse`` raises.
    """
    sealed, of_table = getattr(row, name), sealed_table(table)
    place = of_table.places[name] + "\0".join([str(getattr(row, each)) for each in of_table.key])
    current = at_rest.sealer.is_current(sealed)
    known: T | None = at_rest.remembered.get(place, sealed) if current else None
    if known is None:
        known = parse(_opened(at_rest.sealer, of_table.columns[name], sealed, place))
        if current:
            at_rest.remembered.keep(place, sealed, known)
    return known


def _opened(sealer: Sealer, kind: SealedBytes, value: bytes, context: str) -> Any:
    try:
        return kind.decode(sealer.open(value, context))
    except StoredDataUnreadable as error:
        log.error("at_rest.unreadable", check=error.check, key_id=error.key_id, where=context)
        raise
