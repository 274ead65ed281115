"""Where power is asked for: a county (区县) or below, since utilities, sources and departments are found by it."""

from gateway.applications.dated_rows import require_region_code
from gateway.applications.errors import RegionMalformed, RegionTooWide
from gateway.errors import Owner
from schemas.identifiers import IdentifierError, validate_region

CITIES_WITHOUT_COUNTIES = frozenset({"441900", "442000", "460400", "620200"})
"""东莞、中山、儋州、嘉峪关: nothing of six digits lies below them, so the city's own code is the most local one."""


def require_county(region: str) -> str:
    """``region`` when it names a county, or a town or village in one (GB/T 2260). A code that is not known passes.

    Raises ``RegionMalformed`` for what is no region code, ``RegionTooWide`` for a province or a city.
    """
    require_region_code(region)
    try:
        validate_region(region)
    except IdentifierError:
        raise RegionMalformed(
            check="region.unknown",
            owner=Owner.APPLICANT,
            remedy="没有这样的行政区划代码，请填写用电地址所在区县的6位代码",
        ) from None
    if region[2:6] == "0000" or (region[4:6] == "00" and region[:6] not in CITIES_WITHOUT_COUNTIES):
        raise RegionTooWide(
            check="region.county",
            owner=Owner.APPLICANT,
            remedy="请填写用电地址所在区县的代码（如 440106 天河区），省、市代码不足以确定供电企业和登记机构",
        )
    return region
