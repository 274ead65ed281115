"""用电工程项目批准文件. Its official type code was not found: the code is configuration."""

from pydantic import Field

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kind import (
    COMMON_FIELDS,
    HELD_BY,
    CertificateKind,
    DisclosableField,
    Predicate,
    PredicateContext,
    in_force,
)
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, TYPE_CODES
from schemas.identifiers import ProjectCode


class ProjectApprovalClaims(ECertificateClaims):
    """The approval's own fields beside the common ones."""

    project_code: ProjectCode = Field(alias="KZ_XMDM")
    project_name: str = Field(alias="KZ_XMMC", min_length=1)
    approval_number: str | None = Field(default=None, alias="KZ_PFWH")
    site: str | None = Field(default=None, alias="KZ_JSDD")
    scale: str | None = Field(default=None, alias="KZ_JSGM")
    builder: str | None = Field(default=None, alias="KZ_JSDW")
    builder_code: str | None = Field(default=None, alias="KZ_JSDWDM")


def _region(claims: ECertificateClaims) -> str | None:
    """The second group of a 投资项目代码 is its region (GB/T 40058)."""
    return claims.project_code.split("-")[1] if isinstance(claims, ProjectApprovalClaims) else None


def _at_the_site(claims: ECertificateClaims, context: PredicateContext) -> bool | None:
    """建设地点 and 用电地址 are one place; unknown where the approval states no place."""
    if not isinstance(claims, ProjectApprovalClaims) or not claims.site:
        return None
    return context.is_site(claims.site, _region(claims))


KIND = CertificateKind(
    code="project_approval",
    title="用电工程项目批准文件",
    type_codes=(TYPE_CODES["project_approval"],),
    claims_model=ProjectApprovalClaims,
    holder_types=frozenset({HOLDER_IS_ENTERPRISE}),
    fields=(
        *COMMON_FIELDS,
        DisclosableField("holder", "项目单位", of_holders=True),
        DisclosableField("holder_code", "项目单位统一社会信用代码", of_holders=True),
        DisclosableField("project_code", "投资项目代码"),
        DisclosableField("project_name", "项目名称"),
        DisclosableField("approval_number", "批复文号"),
        DisclosableField("site", "建设地点"),
        DisclosableField("scale", "建设规模"),
    ),
    predicates=(
        in_force("批准文件在有效期内"),
        HELD_BY,
        Predicate("address_matches", "建设地点与用电地址一致", _at_the_site),
    ),
    region_of=_region,
)
