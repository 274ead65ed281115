"""Who issues what in the province: authorities (颁发机构) and the departments whose CAs certify their seals."""

from dataclasses import dataclass

from schemas.identifiers import make_unified_social_credit_code

STATUS_LIST_DUTY = "status_list"
"""Stands among ``kinds`` of the authority that signs status lists."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A 颁发机构: its code, its name, the kinds it may issue, its department CA. ``regions`` are code prefixes."""

    slug: str
    code: str
    name: str
    department: str
    kinds: tuple[str, ...]
    regions: tuple[str, ...] = ("44",)


@dataclass(frozen=True, slots=True)
class Department:
    """A department with a CA of its own; ``name`` is the CA's (a name attribute holds 64 bytes at most)."""

    slug: str
    name: str
    algorithm: str


DEPARTMENTS = (
    Department("market-supervision", "广东市场监管签发CA（模拟）", "ES256"),
    Department("public-security", "广东公安签发CA（模拟）", "EdDSA"),
    Department("natural-resources", "广东自然资源签发CA（模拟）", "ES256"),
    Department("construction", "广东住建与发改签发CA（模拟）", "EdDSA"),
    Department("data-administration", "广东政务数据签发CA（模拟）", "ES256"),
)


def _authority(slug: str, organisation: str, name: str, department: str, *kinds: str) -> Authority:
    code = make_unified_social_credit_code("11440000", organisation)
    return Authority(slug, code, f"{name}（模拟）", department, kinds)


AUTHORITIES = (
    _authority("market-supervision", "TDMB0001", "广东省市场监督管理局", "market-supervision", "business_licence"),
    _authority("public-security", "TDMB0002", "广东省公安厅", "public-security", "resident_id"),
    _authority("natural-resources", "TDMB0003", "广东省自然资源厅", "natural-resources", "property_certificate"),
    _authority("development-reform", "TDMB0004", "广东省发展和改革委员会", "construction", "project_approval"),
    _authority(
        "housing",
        "TDMB0005",
        "广东省住房和城乡建设厅",
        "construction",
        "design_qualification",
        "construction_qualification",
    ),
    _authority("status-lists", "TDMB0006", "广东省政务服务和数据管理局", "data-administration", STATUS_LIST_DUTY),
)
"""Their codes carry organisation bodies ``TDMB…`` that no registrar gives out: they belong to nobody."""

AUTHORITY_OF_KIND = {kind: authority for authority in AUTHORITIES for kind in authority.kinds}


SEAL_MAKER = AUTHORITIES[-1]
"""政务数据: who makes everybody's electronic seals (制章者)."""
