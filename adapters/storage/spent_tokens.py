"""Table and repository of tokens that were used up: client assertions, identity assertions, DPoP proofs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Column, Connection, Index, Table, Text, bindparam, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.plain import Plain, instant
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.partners.ports import SPENT
from gateway.transaction import Look

spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("use", Text, primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("token_id", Text, primary_key=True),
    Column("until", UtcInstant, nullable=False),
    Index("ix_spent_tokens_until", "until"),
)

CLEARED_AT_ONCE = 32
CLEARED_EVERY = 256
"""Tokens that are spent ahead before those that lapsed are cleared up: the statement costs as much as spending them."""
_SINCE_CLEARED = "spent_tokens.since_cleared"
"""Where a connection's ``info`` counts them."""
_KEYED = [spent_tokens.c.use, spent_tokens.c.issuer, spent_tokens.c.token_id]
_LAPSED = spent_tokens.c.until < bindparam("at", type_=UtcInstant)
# Several processes clear up at once: none waits for rows that another is about to delete.
_CLEAR = delete(spent_tokens).where(
    tuple_(*_KEYED).in_(select(*_KEYED).where(_LAPSED).limit(CLEARED_AT_ONCE).with_for_update(skip_locked=True))
)
_NEW = insert_or(spent_tokens)  # compiles to the same ON CONFLICT on SQLite
_SPEND = _NEW.on_conflict_do_update(
    index_elements=_KEYED, set_={"until": _NEW.excluded.until}, where=_LAPSED
).returning(spent_tokens.c.token_id)
_CLEAR_SOME = Plain(
    "DELETE FROM spent_tokens WHERE rowid IN (SELECT rowid FROM spent_tokens WHERE until < ? LIMIT ?)",
    "DELETE FROM spent_tokens WHERE ctid = ANY (ARRAY"
    " (SELECT ctid FROM spent_tokens WHERE until < ? LIMIT ? FOR UPDATE SKIP LOCKED))",
)
_TAKEN = (
    " ON CONFLICT (use, issuer, token_id) DO UPDATE SET until = excluded.until WHERE spent_tokens.until < ?"
    " RETURNING use, issuer, token_id"
)
_INTO = "INSERT INTO spent_tokens (use, issuer, token_id, until)"
_OF_JSON = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(4))
_SPEND_MANY = Plain(
    f"{_INTO} SELECT {_OF_JSON} FROM json_each(?) WHERE 1{_TAKEN}",  # noqa: S608
    f"{_INTO} SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::timestamptz[]){_TAKEN}",  # noqa: S608
)
"""``WHERE 1`` keeps SQLite from reading ``ON CONFLICT`` as the condition of a join."""
Key = tuple[str, str, str, datetime, datetime]
"""As ``SpentTokens.spend`` takes it: use, issuer, token id, at, until."""
_meant = itemgetter(0, 1, 2)


def spend_ahead(connection: Connection, wanted: Sequence[Key]) -> Mapping[Key, bool]:
    """``adapters.storage.read_ahead.Reader`` of ``SPENT``: spends them, and answers which were not spent before.

    In the order of what they mean, so that no two processes wait for one another. The first of two that mean the same
    token is the one that spent it.
    """
    first: dict[tuple[str, ...], Key] = {}
    for key in sorted(wanted):
        first.setdefault(_meant(key), key)
    return {
        **dict.fromkeys(wanted, False),
        **{first[meant]: True for meant in _spent(connection, list(first.values()))},
    }


def _spent(connection: Connection, keys: Sequence[Key]) -> set[tuple[str, ...]]:
    lapsed = instant(connection, min(at for *_, at, _ in keys))
    since = connection.info.get(_SINCE_CLEARED, CLEARED_EVERY) + len(keys)
    if since >= CLEARED_EVERY:
        _CLEAR_SOME.changed(connection, (lapsed, CLEARED_AT_ONCE + 2 * since))
        since = 0
    connection.info[_SINCE_CLEARED] = since
    rows = [(use, issuer, token_id, instant(connection, until)) for use, issuer, token_id, _, until in keys]
    return set(_SPEND_MANY.rows_for(connection, rows, lapsed))


class SqlSpentTokens:
    """``gateway.partners.ports.SpentTokens``."""

    def __init__(self, statements: Statements, ahead: ReadAhead) -> None:
        self._statements, self._ahead = statements, ahead

    def spend(self, use: str, issuer: str, token_id: str, at: datetime, until: datetime) -> bool:
        foreseen: bool | None = self._ahead.get(Look(SPENT, (use, issuer, token_id, at, until)))
        if foreseen is not None:
            return foreseen
        self._statements.execute(_CLEAR, {"at": at})
        return self._statements.execute(_SPEND, _named((use, issuer, token_id, at, until))).first() is not None


def _named(key: Key) -> dict[str, object]:
    return dict(zip(("use", "issuer", "token_id", "at", "until"), key, strict=True))
