"""Guangdong's region table."""

import pytest

from schemas.identifiers import IdentifierError
from schemas.regions import COUNTIES, REGION_NAMES, region_name, region_prefix


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("440106", "广东省广州市天河区"),
        ("440106012", "广东省广州市天河区"),
        ("441900", "广东省东莞市"),
        ("440000", "广东省"),
        ("440282", "广东省韶关市南雄市"),
    ],
)
def test_full_names(region: str, name: str) -> None:
    assert region_name(region) == name


def test_an_unknown_region_has_no_name() -> None:
    assert region_name("440199") is None


def test_what_is_not_a_region_is_refused() -> None:
    with pytest.raises(IdentifierError):
        region_name("4401")


def test_the_table_is_whole() -> None:
    assert sum(code.endswith("00") for code in REGION_NAMES) == 1 + 21
    assert len(COUNTIES) == 122 + 2
    assert "440000" not in COUNTIES
    assert "440100" not in COUNTIES


@pytest.mark.parametrize(
    ("region", "prefix"),
    [("", ""), ("440000", "44"), ("440100", "4401"), ("440106", "440106"), ("440106100", "440106100")],
)
def test_what_lies_below_starts_alike(region: str, prefix: str) -> None:
    assert region_prefix(region) == prefix
