"""居民身份证. Its number is the holder's 公民身份号码, so nearly every field is personal."""

from pydantic import Field

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kind import HELD_BY, CertificateKind, DisclosableField, in_force
from schemas.ecertificates import HOLDER_IS_RESIDENT, TYPE_CODES


class ResidentIdClaims(ECertificateClaims):
    """The card's own fields beside the common ones."""

    sex: str | None = Field(default=None, alias="KZ_XB")
    ethnicity: str | None = Field(default=None, alias="KZ_MZ")
    born_on: str | None = Field(default=None, alias="KZ_CSRQ")
    residence: str | None = Field(default=None, alias="KZ_ZZ")


KIND = CertificateKind(
    code="resident_id",
    title="居民身份证",
    type_codes=(TYPE_CODES["resident_id"],),
    claims_model=ResidentIdClaims,
    holder_types=frozenset({HOLDER_IS_RESIDENT}),
    fields=(
        DisclosableField("name", "证照名称"),
        DisclosableField("number", "证照编号", personal=True),
        DisclosableField("identifier", "证照标识", personal=True),
        DisclosableField("issuing_authority", "签发机关"),
        DisclosableField("issuing_authority_code", "签发机关代码"),
        DisclosableField("issued_on", "颁发日期"),
        DisclosableField("valid_from_on", "有效期起始日期"),
        DisclosableField("valid_until_on", "有效期截止日期"),
        DisclosableField("holder", "姓名", personal=True, of_holders=True),
        DisclosableField("holder_code", "公民身份号码", personal=True, of_holders=True),
        DisclosableField("sex", "性别", personal=True),
        DisclosableField("ethnicity", "民族", personal=True),
        DisclosableField("born_on", "出生日期", personal=True),
        DisclosableField("residence", "住址", personal=True),
    ),
    predicates=(in_force("身份证件在有效期内"), HELD_BY),
)
