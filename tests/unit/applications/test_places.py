"""Where power is asked for: a county or below, said clearly when it is not."""

import pytest

from gateway.applications.errors import RegionMalformed, RegionTooWide
from gateway.applications.places import require_county
from schemas.regions import COUNTIES


@pytest.mark.parametrize("region", [*COUNTIES, "440106001", "440106001002", "441900003", "450103", "620200"])
def test_a_county_or_a_place_in_one_will_do(region: str) -> None:
    assert require_county(region) == region


@pytest.mark.parametrize("region", ["", "44010", "4401061", "x40106", "４４０１０６", "000000", "004400", "044010"])
def test_what_is_no_code_is_malformed(region: str) -> None:
    with pytest.raises(RegionMalformed):
        require_county(region)


@pytest.mark.parametrize("region", ["440000", "440100", "450100", "440000000", "440100001"])
def test_a_province_or_a_city_asks_for_the_county(region: str) -> None:
    with pytest.raises(RegionTooWide) as caught:
        require_county(region)
    assert "区县" in caught.value.remedy
