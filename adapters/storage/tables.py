"""The one ``MetaData`` and the column types. A room's tables stand beside its repository in ``storage/<room>.py``."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import DateTime, LargeBinary, MetaData, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_INSTANT_TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class UtcInstant(TypeDecorator[datetime]):
    """An aware UTC datetime, on both databases: ``timestamptz``, or fixed-width text that sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime does not say when")
        return _text_of(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else read_instant(value)


@lru_cache(256)
def _text_of(instant: datetime) -> str:
    spelled = orjson.dumps(instant.astimezone(UTC), option=orjson.OPT_UTC_Z).decode()
    return spelled[1:-1] if instant.microsecond else f"{spelled[1:20]}.000000Z"


def read_instant(value: Any) -> datetime:
    """What a driver answers for a ``UtcInstant``. Raises ``ValueError`` or ``TypeError`` for anything else."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if not _INSTANT_TEXT.fullmatch(value):
        raise ValueError("no instant as this database writes them")
    return datetime.fromisoformat(value)


class JsonDocument(TypeDecorator[Any]):
    """A JSON document as UTF-8 bytes: the same on both databases, read back byte for byte."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else orjson.dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)
