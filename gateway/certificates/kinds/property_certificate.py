"""不动产权证书, the property-right certificate of the address (用电地址物权证件)."""

from datetime import timedelta

from pydantic import Field

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.kind import COMMON_FIELDS, CertificateKind, DisclosableField
from gateway.certificates.policy import KindPolicy
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT, TYPE_CODES
from schemas.identifiers import PropertyCertificateNumber, PropertyUnitCode


class PropertyCertificateClaims(ECertificateClaims):
    """The certificate's own fields beside the common ones. 坐落 and 不动产单元号 are what it is asked for."""

    property_certificate_number: PropertyCertificateNumber | None = Field(default=None, alias="KZ_BDCQZH")
    property_unit_code: PropertyUnitCode = Field(alias="KZ_BDCDYH")
    location: str = Field(alias="KZ_ZL", min_length=1)
    owners: str | None = Field(default=None, alias="KZ_QLR")
    owner_codes: str | None = Field(default=None, alias="KZ_QLRZJH")
    shared_ownership: str | None = Field(default=None, alias="KZ_GYQK")
    right_type: str | None = Field(default=None, alias="KZ_QLLX")
    land_use: str | None = Field(default=None, alias="KZ_YT")
    area: str | None = Field(default=None, alias="KZ_MJ")


def _region(claims: ECertificateClaims) -> str | None:
    """The first six digits of a 不动产单元代码 are its county."""
    return claims.property_unit_code[:6] if isinstance(claims, PropertyCertificateClaims) else None


KIND = CertificateKind(
    code="property_certificate",
    title="不动产权证书",
    type_codes=(TYPE_CODES["property_certificate"],),
    claims_model=PropertyCertificateClaims,
    holder_types=frozenset({HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT}),
    fields=(
        *COMMON_FIELDS,
        DisclosableField("holder", "持证主体", personal=True, of_holders=True),
        DisclosableField("holder_code", "持证主体代码", personal=True, of_holders=True),
        DisclosableField("property_certificate_number", "不动产权证号"),
        DisclosableField("property_unit_code", "不动产单元号"),
        DisclosableField("location", "坐落", personal=True),
        DisclosableField("owners", "权利人", personal=True, of_holders=True),
        DisclosableField("owner_codes", "权利人证件号", personal=True, of_holders=True),
        DisclosableField("shared_ownership", "共有情况"),
        DisclosableField("right_type", "权利类型"),
        DisclosableField("land_use", "用途"),
        DisclosableField("area", "面积"),
    ),
    policy=KindPolicy(source=FreshnessLimit(timedelta(hours=12), timedelta(days=3))),
    region_of=_region,
)
