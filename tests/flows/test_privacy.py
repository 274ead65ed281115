"""Who somebody is stands where it must and nowhere else: not in logs, not in the record, nowhere readable on disk.

The database is searched as a thief has it – files with their WAL, every cell of every table – for every name, number,
code and address of the province, and for what applicants and utilities typed, in every spelling that a thief would try.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from adapters.storage.engine import create_database_engine
from adapters.storage.resealing import sealed_tables
from adapters.storage.sealed import open_row
from gateway.bootstrap.foundation import lay_foundation
from gateway.settings import load_settings
from mock_services.demo.journeys.enterprises import enterprise_by_agent
from mock_services.demo.journeys.refusals import bad_certificates, too_much
from mock_services.demo.journeys.residents import resident_by_sms
from mock_services.demo.journeys.stage import HOME, LOW_VOLTAGE_LINE
from mock_services.population import DEFAULT_SEED, Enterprise, Population, Resident, build_population
from tests.support.province import FEW, LiveProvince
from tests.support.raw_database import Needles, cells, contents

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
ADDRESS, PURPOSE = "云霄路试电九号后座（不动产权证书上没有的地址）", "给邻居不知道的地下酒窖用电"
TYPED = {ADDRESS, PURPOSE, "纺织车间，占用绿地告知承诺", *map(str, LOW_VOLTAGE_LINE.values())} - {"380", "80.0"}
"""What applicants wrote, and the utility of the line."""


def of_resident(resident: Resident) -> set[str]:
    return {resident.name, resident.id_number, resident.address, resident.phone}


def of_enterprise(enterprise: Enterprise) -> set[str]:
    people = (enterprise.representative, *enterprise.agents)
    own = {enterprise.name, enterprise.code, enterprise.address, *enterprise.former_names}
    return own.union(*map(of_resident, people))


def personal_words() -> set[str]:
    """Names, numbers, codes, addresses and telephones of everybody in the province, and of what they own."""
    province: Population = build_population(int(FEW[1]), int(FEW[3]), DEFAULT_SEED)
    words = set[str]().union(*map(of_resident, province.residents.values()))
    words = words.union(*map(of_enterprise, province.enterprises.values()))
    for owned in province.properties:
        words |= {owned.address, owned.certificate_number, owned.unit_code}
        words |= {word for registered in owned.registered for word in registered}
    for project in province.projects:
        words |= {project.name, project.site, project.code, project.approval_number}
    for persona in province.personas.values():
        words |= of_resident(persona.person) | (of_enterprise(persona.enterprise) if persona.enterprise else set())
    return words - {""}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived_in(province: LiveProvince) -> LiveProvince:
    """The province after journeys, with one application whose applicant typed an address, and one left unconfirmed."""
    for journey in (resident_by_sms, too_much, bad_certificates, enterprise_by_agent):
        await journey(province.stage())
    applicant = province.applicant("resident-ordinary")
    await applicant.verify("resident", "sms_otp")
    for confirmed in (True, False):
        view = await applicant.begin("face-verified", {**HOME, "purpose": PURPOSE, "address": ADDRESS})
        if confirmed:
            await applicant.confirm(view["intake_id"])
    return province


@contextmanager
def foundation_of(province: LiveProvince) -> Iterator[Any]:
    settings = load_settings({**province.province.environment, "BANDIAN_GENERATE_KEYS": "false"})
    with closing(lay_foundation(settings)) as foundation:
        yield foundation


def opened_columns(province: LiveProvince) -> Iterator[tuple[str, bytes]]:
    """(table.column, content) of every sealed value, opened with the gateway's own keys."""
    engine = create_database_engine(province.database_url, pool_size=1)
    try:
        with foundation_of(province) as foundation, engine.connect() as connection:
            for table in sealed_tables():
                for row in connection.execute(select(table)):
                    for name, value in open_row(foundation.transactions.at_rest.sealer, table, row).items():
                        yield f"{table.name}.{name}", str(value).encode()
    finally:
        engine.dispose()


async def test_a_stolen_database_tells_nobodys_name_number_or_address(lived_in: LiveProvince) -> None:
    words = personal_words() | TYPED
    assert len(words) > 400
    readable = Needles(words)
    seen = list(cells(lived_in.database_url))
    leaves = [content for where, content in seen if where == "record_entries.leaf"]
    assert len(leaves) > 20
    assert any(b"licence.disclosed" in leaf for leaf in leaves)
    assert {(where, form) for where, content in seen for form in readable.found_in(content)} == set()
    looked_at = list(contents(lived_in.database_url))
    assert {(name, form) for name, content in looked_at for form in readable.found_in(content)} == set()


async def test_the_same_search_finds_them_once_the_keys_are_at_hand(lived_in: LiveProvince) -> None:
    """What the thief does not see is there: were it not, the search above would prove nothing."""
    readable = Needles(personal_words() | TYPED)
    telling = {where for where, content in opened_columns(lived_in) if readable.found_in(content)}
    assert telling >= {
        "application_parties.party",
        "applications.demand",
        "certificate_copies.envelope",
        "intakes.body",
        "joint_reviews.line",
        "joint_reviews.review",
        "outbox.data",
        "verification_sessions.applicant",
    }


async def test_nobody_is_named_in_the_logs(lived_in: LiveProvince) -> None:
    logs = lived_in.gateway_logs().encode()
    assert logs.count(b'"event":"request"') > 20
    assert Needles(personal_words() | TYPED).found_in(logs) == set()
    assert b"[redacted]" not in logs, "something reached the last line of defence"
