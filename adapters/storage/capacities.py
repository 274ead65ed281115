"""Table and repository of grid capacity: the latest version of each area. Nothing in it is about a person."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Table, Text, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata
from gateway.capacity.model import AreaCapacity

grid_capacities = Table(
    "grid_capacities",
    metadata,
    Column("utility", Text, primary_key=True),
    Column("area_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("region", Text, nullable=False),
    Column("area_name", Text, nullable=False),
    Column("area_kind", Text, nullable=False),
    Column("voltage_v", BigInteger, nullable=False),
    Column("available_kva", BigInteger, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("content_digest", Text, nullable=False),
    Column("heard_at", UtcInstant, nullable=False),
    Column("record_id", Text, nullable=False),
    Index("ix_grid_capacities_region", "region"),
    Index("ix_grid_capacities_withdrawn_heard_at", "withdrawn", "heard_at"),
)


class SqlCapacities:
    """``gateway.capacity.ports.Capacities``."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def find(self, utility: str, area_id: str) -> AreaCapacity | None:
        own = grid_capacities.c
        wanted = select(grid_capacities).where(own.utility == utility, own.area_id == area_id)
        row = self._statements.execute(wanted).one_or_none()
        return None if row is None else AreaCapacity(**row._mapping)

    def put(self, capacity: AreaCapacity) -> bool:
        added = insert_or(grid_capacities).values(**asdict(capacity))
        columns = [column.name for column in grid_capacities.c if not column.primary_key]
        newer = {name: added.excluded[name] for name in columns}
        # In one statement, so that of two versions at once the newer stays whichever comes last.
        written = added.on_conflict_do_update(
            index_elements=[grid_capacities.c.utility, grid_capacities.c.area_id],
            set_=newer,
            where=grid_capacities.c.version < added.excluded.version,
        ).returning(grid_capacities.c.version)
        return self._statements.execute(written).one_or_none() is not None

    def published(self, region: str, limit: int) -> Sequence[AreaCapacity]:
        own = grid_capacities.c
        wanted = select(grid_capacities).where(own.withdrawn.is_(False))
        if region:
            wanted = wanted.where(own.region.startswith(region, autoescape=True))
        ordered = wanted.order_by(own.region, own.voltage_v, own.area_name, own.utility, own.area_id).limit(limit)
        return [AreaCapacity(**row._mapping) for row in self._statements.execute(ordered)]
