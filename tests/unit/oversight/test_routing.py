"""Who would answer for a region: county → city → province, and the levels fallen through are said."""

from dataclasses import dataclass, replace

import pytest

from adapters.departments import discover
from gateway.caller import Role
from gateway.certificates.sources import SourceDirectory, SourceRegistration
from gateway.commands.routing import as_lines
from gateway.oversight.routing import routing
from gateway.partners.directory import DirectorySnapshot
from gateway.partners.model import Partner, PartnerStatus
from schemas.identifiers import IdentifierError
from schemas.routing import Answerer, RegionRouting
from tests.support.storage import NOON

KINDS = {"business_licence": "营业执照", "property_certificate": "不动产权证书", "resident_id": "居民身份证"}


@dataclass
class Source:
    code: str

    async def find(self, query: object, at: object) -> list[object]:
        raise AssertionError("nobody is asked")

    def sweep_memory(self, at: object) -> None:
        pass


SOURCES = SourceDirectory(
    [
        SourceRegistration("440000", Source("gd-platform"), frozenset({"business_licence", "property_certificate"})),
        SourceRegistration("440100", Source("gz-platform"), frozenset({"property_certificate"})),
        SourceRegistration("440106", Source("tianhe"), None),
    ]
)


def partner(code: str, *regions: str, role: Role = Role.DEPARTMENT) -> Partner:
    return Partner(code, code.upper(), role, regions, PartnerStatus.ACTIVE, 0, NOON)


PARTNERS = {
    each.code: each
    for each in (
        partner("planning-440100", "440100"),
        partner("planning-440000", "440000"),
        replace(partner("road-440103", "440103"), status=PartnerStatus.SUSPENDED),
        partner("road-440000", "440000"),
        partner("csg-guangzhou", "440100", role=Role.UTILITY),
    )
}


def found(region: str) -> RegionRouting:
    return routing(
        region, KINDS, lambda kind, at: SOURCES.route(at, kind), discover({}), DirectorySnapshot(1, PARTNERS)
    )


def told(some: list[Answerer]) -> dict[str, tuple[str | None, str | None, list[str]]]:
    return {each.what: (each.answers, each.level, each.fell_through) for each in some}


def test_who_would_answer_for_440103() -> None:
    answer = found("440103")
    assert answer.levels == ["440103", "440100", "440000"]
    assert told(answer.sources) == {
        "business_licence": ("gd-platform", "440000", ["440103", "440100"]),
        "property_certificate": ("gz-platform", "440100", ["440103"]),
        "resident_id": (None, None, ["440103", "440100", "440000"]),
    }
    departments = told(answer.departments)
    assert departments["planning"] == ("planning-440100", "440100", ["440103"])
    assert departments["road"] == ("road-440000", "440000", ["440103", "440100"]), "a suspended one answers nothing"
    assert departments["greenery"] == (None, None, ["440103", "440100", "440000"])
    assert answer.utilities == ["csg-guangzhou"]
    assert "  不动产权证书\tgz-platform\t440100\t440103 未登记" in as_lines(answer)


def test_the_most_local_answers_and_a_town_goes_by_its_county() -> None:
    assert told(found("440106").sources)["resident_id"] == ("tianhe", "440106", [])
    assert told(found("440106001").sources)["resident_id"] == ("tianhe", "440106", [])


def test_what_is_no_region_is_refused() -> None:
    with pytest.raises(IdentifierError):
        found("44")
