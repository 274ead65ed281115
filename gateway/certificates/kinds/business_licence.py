"""营业执照. Type code as issued by the State Administration for Market Regulation."""

from pydantic import Field

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kind import (
    COMMON_FIELDS,
    HELD_BY,
    CertificateKind,
    DisclosableField,
    NamedOthers,
    in_force,
)
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, TYPE_CODES


class BusinessLicenceClaims(ECertificateClaims):
    """The licence's own fields beside the common ones."""

    enterprise_type: str | None = Field(default=None, alias="KZ_LX")
    legal_representative: str | None = Field(default=None, alias="KZ_FDDBR")
    legal_representative_code: str | None = Field(default=None, alias="KZ_FDDBRZJH")
    registered_address: str | None = Field(default=None, alias="KZ_ZS")
    registered_capital: str | None = Field(default=None, alias="KZ_ZCZB")
    established_on: str | None = Field(default=None, alias="KZ_CLRQ")
    business_scope: str | None = Field(default=None, alias="KZ_JYFW")
    former_names: str | None = Field(default=None, alias="KZ_CYM")


def _named(claims: ECertificateClaims) -> tuple[str | None, ...]:
    return (claims.legal_representative_code,) if isinstance(claims, BusinessLicenceClaims) else ()


KIND = CertificateKind(
    code="business_licence",
    title="营业执照",
    type_codes=(TYPE_CODES["business_licence"],),
    claims_model=BusinessLicenceClaims,
    holder_types=frozenset({HOLDER_IS_ENTERPRISE}),
    fields=(
        *COMMON_FIELDS,
        DisclosableField("holder", "企业名称", of_holders=True),
        DisclosableField("holder_code", "统一社会信用代码", of_holders=True),
        DisclosableField("enterprise_type", "类型"),
        DisclosableField("legal_representative", "法定代表人", personal=True),
        DisclosableField("legal_representative_code", "法定代表人证件号", personal=True),
        DisclosableField("registered_address", "住所"),
        DisclosableField("registered_capital", "注册资本"),
        DisclosableField("established_on", "成立日期"),
        DisclosableField("business_scope", "经营范围"),
    ),
    predicates=(in_force("执照在有效期内"), HELD_BY),
    others=NamedOthers(_named, frozenset({"legal_representative", "legal_representative_code"})),
)
