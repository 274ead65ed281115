"""Whether a column is among values that are told with the statement: one parameter, however many they are.

SQLAlchemy writes a list out value by value, so that each length is another statement.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Boolean, ColumnElement, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[Sequence[str]]):
    """An array, or JSON where the database knows none."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        told = list(value or ())
        return told if dialect.name == "postgresql" else orjson.dumps(told).decode()


class OneOf(ColumnElement[bool]):
    """``column`` is one of the texts told as ``name``."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[str], name: str) -> None:
        self.column, self.told = column, bindparam(name, type_=_Texts())


@compiles(OneOf)
def _in_json(element: OneOf, compiler: Any, **told: Any) -> str:
    column, values = compiler.process(element.column, **told), compiler.process(element.told, **told)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - what SQLAlchemy wrote


@compiles(OneOf, "postgresql")
def _in_array(element: OneOf, compiler: Any, **told: Any) -> str:
    return f"{compiler.process(element.column, **told)} = ANY ({compiler.process(element.told, **told)})"
