"""不动产权证书, the property-right certificate of the address (用电地址物权证件)."""

from datetime import timedelta

from pydantic import Field

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.kind import (
    COMMON_FIELDS,
    HELD_BY,
    CertificateKind,
    DisclosableField,
    NamedOthers,
    Predicate,
    PredicateContext,
    among,
    in_force,
)
from gateway.certificates.policy import KindPolicy
from schemas.ecertificates import HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT, HOLDER_SEPARATOR, TYPE_CODES
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


def _owned(claims: ECertificateClaims, context: PredicateContext) -> bool | None:
    """产权人一致: the holder is among the 持证主体 and among the 权利人, by number.

    Where the certificate gives 权利人 no numbers they are the 持证主体 or cannot be told: a name alone decides nothing.
    """
    if not isinstance(claims, PropertyCertificateClaims):
        return None
    held = among(claims.holder_codes(), context)
    owned = _among_owners(claims, context)
    if False in (held, owned):
        return False
    return None if None in (held, owned) else True


def _among_owners(claims: PropertyCertificateClaims, context: PredicateContext) -> bool | None:
    if claims.owner_codes is None:
        return among(claims.holder_codes(), context) if claims.owners in (None, claims.holder) else None
    codes = claims.owner_codes.split(HOLDER_SEPARATOR)
    whole = claims.owners is not None and len(claims.owners.split(HOLDER_SEPARATOR)) == len(codes)
    return among(codes, context) if whole else None


def _at_the_site(claims: ECertificateClaims, context: PredicateContext) -> bool | None:
    """坐落 and 用电地址 are one place."""
    if not isinstance(claims, PropertyCertificateClaims):
        return None
    return context.is_site(claims.location, _region(claims))


def _named(claims: ECertificateClaims) -> tuple[str | None, ...]:
    """Where numbers of 共有人 stand."""
    if not isinstance(claims, PropertyCertificateClaims):
        return ()
    return (claims.holder_code, claims.owner_codes, claims.shared_ownership)


def _number(claims: ECertificateClaims) -> str | None:
    """不动产权证号, which stands on the paper of every 共有人."""
    return claims.property_certificate_number if isinstance(claims, PropertyCertificateClaims) else None


_FIELDS = (
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
)

_OF_EVERY_OWNER = frozenset(item.name for item in _FIELDS if not item.of_holders) | {"valid_on"}
"""Facts of the property. Of names and numbers the applicant's own alone ever leave, and ``address_matches`` is about
the application."""

KIND = CertificateKind(
    code="property_certificate",
    title="不动产权证书",
    type_codes=(TYPE_CODES["property_certificate"],),
    claims_model=PropertyCertificateClaims,
    holder_types=frozenset({HOLDER_IS_ENTERPRISE, HOLDER_IS_RESIDENT}),
    fields=_FIELDS,
    predicates=(
        in_force("产权证书在有效期内"),
        HELD_BY,
        Predicate("owner_matches", "产权人一致", _owned),
        Predicate("address_matches", "坐落与用电地址一致", _at_the_site),
    ),
    # A property changes hands on the day it is registered, without any revocation: its copy grows old fast.
    policy=KindPolicy(source=FreshnessLimit(timedelta(hours=12), timedelta(days=3))),
    region_of=_region,
    others=NamedOthers(_named, _OF_EVERY_OWNER, _number),
)
