"""A statement that is composed once says and answers what SQLAlchemy says and answers, on both databases."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from adapters.storage.constant import Constant
from adapters.storage.engine import create_database_engine
from adapters.storage.one_of import OneOf
from adapters.storage.sealed import SealedJson, SealedValue
from adapters.storage.tables import JsonDocument, UtcInstant

things = Table(
    "things",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("at", UtcInstant, nullable=False),
    Column("document", JsonDocument),
    Column("sealed", SealedJson),
    Column("day", Date),
    Column("yes", Boolean, nullable=False),
    Column("share", Float),
    Column("many", Integer),
)
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "key": f"k{number}",
        "at": NOON + timedelta(microseconds=number),
        "document": {"名": [number, None, "é"]} if number % 2 else None,
        "sealed": SealedValue(bytes([number])) if number % 3 else None,
        "day": date(2026, 3, 1 + number) if number % 2 else None,
        "yes": bool(number % 2),
        "share": number / 3 if number else None,
        "many": number or None,
    }
    for number in range(6)
]
ADD = Constant(insert(things))
ALL = select(things).order_by(things.c.key)
OWN = select(things).where(things.c.key == bindparam("own"))


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_database_engine(database_url, pool_size=1)
    with engine.connect() as connection, connection.begin():
        things.metadata.create_all(connection)
        for row in ROWS:
            ADD.changed(connection, row)
        yield connection
    engine.dispose()


def test_rows_are_those_that_sqlalchemy_answers(connection: Connection) -> None:
    expected = [dict(row._mapping) for row in connection.execute(ALL)]
    constant = Constant(ALL)
    for _ in range(8):  # psycopg prepares what is said again and again
        assert [row._asdict() for row in constant.rows(connection, {})] == expected == ROWS
    assert all(type(row.sealed) in (SealedValue, type(None)) for row in constant.rows(connection, {}))


def test_values_go_through_the_types_of_columns(connection: Connection) -> None:
    for name in ("key", "at", "day", "yes", "share", "many"):
        wanted = select(things.c.key).where(things.c[name] == bindparam("value")).order_by(things.c.key)
        constant = Constant(wanted)
        for row in ROWS:
            if row[name] is not None:
                expected = [found.key for found in connection.execute(wanted, {"value": row[name]})]
                assert [found.key for found in constant.rows(connection, {"value": row[name]})] == expected
                assert row["key"] in expected


def test_what_stands_in_the_statement_stays(connection: Connection) -> None:
    wanted = (
        select(things.c.key).where(things.c.many > 2, things.c.yes.is_(True)).limit(bindparam("most", type_=Integer))
    )
    assert [row.key for row in Constant(wanted.order_by(things.c.key)).rows(connection, {"most": 1})] == ["k3"]


def test_it_tells_how_many_rows_it_changed(connection: Connection) -> None:
    own = things.c.key == bindparam("own")
    change = Constant(update(things).where(own).values({"many": bindparam("new")}))
    assert [change.changed(connection, {"own": key, "new": 9}) for key in ("k1", "none")] == [1, 0]
    assert [row.many for row in Constant(OWN).rows(connection, {"own": "k1"})] == [9]
    gone = Constant(delete(things).where(own))
    assert [gone.changed(connection, {"own": "k1"}) for _ in range(2)] == [1, 0]


def test_rows_can_be_held(connection: Connection) -> None:
    assert len(Constant(OWN.with_for_update()).rows(connection, {"own": "k2"})) == 1


@pytest.mark.parametrize("wanted", [[], ["k0"], ["k1", "k4", "none"], [f"k{number}" for number in range(300)]])
def test_one_of_many(connection: Connection, wanted: list[str]) -> None:
    constant = Constant(select(things.c.key).where(OneOf(things.c.key, "wanted")).order_by(things.c.key))
    found = [row.key for row in constant.rows(connection, {"wanted": wanted})]
    assert found == [row["key"] for row in ROWS if row["key"] in wanted]


def test_what_a_driver_raises_is_raised_as_sqlalchemy_does(connection: Connection) -> None:
    for constant, values, raised in (
        (ADD, ROWS[0], IntegrityError),
        (Constant(select(Table("nothing", MetaData(), Column("a", Text)))), {}, DBAPIError),
    ):
        point = connection.begin_nested()
        with pytest.raises(raised) as caught:
            constant.rows(connection, values) if constant is not ADD else constant.changed(connection, values)
        point.rollback()
        assert isinstance(caught.value, IntegrityError | ProgrammingError | DBAPIError)
    with pytest.raises(KeyError):
        Constant(OWN).rows(connection, {})
    with pytest.raises(ValueError, match="naive"):
        Constant(select(things).where(things.c.at == bindparam("at_"))).rows(
            connection,
            {"at_": datetime(2026, 3, 2)},  # noqa: DTZ001 - that is what is refused
        )
