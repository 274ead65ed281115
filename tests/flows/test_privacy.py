"""Who somebody is stands where it must and nowhere else: not in logs, not in the record, not in what is sent out."""

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect, text

from adapters.storage.engine import create_database_engine
from mock_services.demo.journeys import bad_certificates, resident_by_sms, too_much
from mock_services.population import DEFAULT_SEED, build_population
from tests.support.province import FEW, LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")
PERSONAL_TABLES = {"application_parties", "intakes", "verification_sessions", "certificate_copies"}
"""Where personal data may rest; every other table is searched."""


def personal_words() -> set[bytes]:
    """Names, numbers and codes of every persona of the province."""
    words = set()
    for persona in build_population(int(FEW[1]), int(FEW[3]), DEFAULT_SEED).personas.values():
        words |= {persona.person.name, persona.person.id_number}
        if persona.enterprise is not None:
            words |= {persona.enterprise.name, persona.enterprise.code}
    return {word.encode() for word in words}


def cells(database_url: str) -> Iterator[tuple[str, bytes]]:
    """(table.column, content) of every cell outside the personal tables."""
    engine = create_database_engine(database_url, pool_size=1)
    try:
        with engine.connect() as connection:
            for table in sorted(set(inspect(connection).get_table_names()) - PERSONAL_TABLES):
                result = connection.execute(text(f'SELECT * FROM "{table}"'))
                for row in result:
                    for column, value in zip(result.keys(), row, strict=True):
                        content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                        yield f"{table}.{column}", content
    finally:
        engine.dispose()


async def test_nobody_is_named_outside_the_personal_tables(province: LiveProvince) -> None:
    for journey in (resident_by_sms, too_much, bad_certificates):
        await journey(province.stage())
    words = personal_words()
    assert len(words) > 40
    seen = list(cells(province.database_url))
    leaves = [content for where, content in seen if where == "record_entries.leaf"]
    assert len(leaves) > 20
    assert any(b"licence.disclosed" in leaf for leaf in leaves)
    named = sorted({where for where, content in seen if any(word in content for word in words)})
    assert named == []


async def test_nobody_is_named_in_the_logs(province: LiveProvince) -> None:
    logs = province.gateway_logs().encode()
    assert logs.count(b'"event":"request"') > 20
    assert not [word.decode() for word in personal_words() if word in logs]
    assert b"[redacted]" not in logs, "something reached the last line of defence"
