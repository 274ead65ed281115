"""设计单位资质证明材料. Follows C0293-2024; its official type code was not found: the code is configuration."""

from datetime import timedelta

from pydantic import Field

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.kind import COMMON_FIELDS, HELD_BY, CertificateKind, DisclosableField, in_force
from gateway.certificates.policy import KindPolicy
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, TYPE_CODES


class DesignQualificationClaims(ECertificateClaims):
    """The qualification's own fields beside the common ones."""

    category: str = Field(alias="KZ_ZZLB", min_length=1)
    grade: str = Field(alias="KZ_ZZDJ", min_length=1)
    scope: str | None = Field(default=None, alias="KZ_ZZFW")


KIND = CertificateKind(
    code="design_qualification",
    title="设计单位资质证书",
    type_codes=(TYPE_CODES["design_qualification"],),
    claims_model=DesignQualificationClaims,
    holder_types=frozenset({HOLDER_IS_ENTERPRISE}),
    fields=(
        *COMMON_FIELDS,
        DisclosableField("holder", "企业名称", of_holders=True),
        DisclosableField("holder_code", "统一社会信用代码", of_holders=True),
        DisclosableField("category", "资质类别"),
        DisclosableField("grade", "资质等级"),
        DisclosableField("scope", "承接业务范围"),
    ),
    predicates=(in_force("资质在有效期内"), HELD_BY),
    # Grades are lowered and suspended for offences at any time: a week-old copy says too little of a builder.
    policy=KindPolicy(source=FreshnessLimit(timedelta(days=1), timedelta(days=3))),
)
