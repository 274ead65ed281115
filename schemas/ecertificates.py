"""Electronic certificates (电子证照) on the wire: type codes, metadata names and the JWS envelope profile.

**Envelope profile** (ours, ``docs/divergences.md``: real platforms ship OFD; the JWS carries the same metadata).
Compact JWS. Header: ``alg`` ``ES256``, ``EdDSA`` or ``SM2-SM3``, ``typ`` ``ecert+jwt``, ``x5c`` = [seal certificate,
department CA] as standard base64 DER (RFC 7515 section 4.1.6), the root left out. Payload: ``ECertificatePayload``.
The seal certificate names the authority in subject O (2.5.4.10) and its code in organizationIdentifier (2.5.4.97),
has keyUsage digitalSignature and a CRL distribution point; the department CA is ``CA:TRUE, pathlen 0`` with
keyCertSign and cRLSign.

Metadata fields follow GB/T 36903 practice: the initials that issuers write (``ZZMC`` …), type-specific ones ``KZ_``.
"""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from schemas.identifiers import CertificateTypeCode, ECertificateIdentifierText, make_unified_social_credit_code
from schemas.status_lists import StatusClaim

# 证照类型代码 ------------------------------------------------------------------------------------------------------

LOCAL_TYPE_AUTHORITY = make_unified_social_credit_code("11440000", "BDGW0001")
"""Stands in for a defining authority whose type codes are not known. It belongs to nobody; deployments replace it."""

OFFICIAL_TYPE_CODES: Mapping[str, str] = MappingProxyType(
    {
        "business_licence": "11100000MB0143028R001",
        "resident_id": "11100000000013127D001",
        "property_certificate": "11100000MB03271699001",
    }
)
"""证照类型代码 by kind slug, as seen in use."""

LOCAL_TYPE_CODES: Mapping[str, str] = MappingProxyType(
    {
        "project_approval": LOCAL_TYPE_AUTHORITY + "901",
        "design_qualification": LOCAL_TYPE_AUTHORITY + "902",
        "construction_qualification": LOCAL_TYPE_AUTHORITY + "903",
    }
)
"""Kinds whose official code is unknown to us (资质 follows C0293-2024): placeholders, meant to be configured."""

TYPE_CODES: Mapping[str, str] = MappingProxyType({**OFFICIAL_TYPE_CODES, **LOCAL_TYPE_CODES})

TYPE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "business_licence": "营业执照",
        "resident_id": "居民身份证",
        "property_certificate": "不动产权证书",
        "project_approval": "用电工程项目批准文件",
        "design_qualification": "设计单位资质证书",
        "construction_qualification": "施工单位资质证书",
    }
)
"""ZZMC by kind slug."""

HOLDER_IS_ENTERPRISE = "001"
HOLDER_IS_RESIDENT = "111"
HOLDER_TYPE_NAMES: Mapping[str, str] = MappingProxyType(
    {HOLDER_IS_ENTERPRISE: "统一社会信用代码", HOLDER_IS_RESIDENT: "公民身份号码"}
)
"""CZZTDMLX by CZZTDMLXDM."""

HOLDER_SEPARATOR = "、"
"""Between several holders in CZZT and CZZTDM (and KZ_QLR, KZ_QLRZJH), in the same order."""

NO_END = date(9999, 12, 31)
"""长期: how issuers write a validity without an end. Adding a day to it overflows."""

# KZ_ 扩展字段 ------------------------------------------------------------------------------------------------------
# The property fields are seen in use; the others are ours, in the same manner.

EXTENSION_FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "business_licence": {
            "KZ_LX": "类型",
            "KZ_FDDBR": "法定代表人",
            "KZ_FDDBRZJH": "法定代表人证件号",
            "KZ_ZS": "住所",
            "KZ_ZCZB": "注册资本",
            "KZ_CLRQ": "成立日期",
            "KZ_JYFW": "经营范围",
            "KZ_CYM": "曾用名",
        },
        "resident_id": {
            "KZ_XB": "性别",
            "KZ_MZ": "民族",
            "KZ_CSRQ": "出生日期",
            "KZ_ZZ": "住址",
        },
        "property_certificate": {
            "KZ_BDCQZH": "不动产权证号",
            "KZ_BDCDYH": "不动产单元号",
            "KZ_ZL": "坐落",
            "KZ_QLR": "权利人",
            "KZ_QLRZJH": "权利人证件号",
            "KZ_GYQK": "共有情况",
            "KZ_QLLX": "权利类型",
            "KZ_YT": "用途",
            "KZ_MJ": "面积",
        },
        "project_approval": {
            "KZ_XMDM": "投资项目代码",
            "KZ_XMMC": "项目名称",
            "KZ_PFWH": "批复文号",
            "KZ_JSDD": "建设地点",
            "KZ_JSGM": "建设规模",
            "KZ_JSDW": "建设单位",
            "KZ_JSDWDM": "建设单位统一社会信用代码",
        },
        "design_qualification": {"KZ_ZZLB": "资质类别", "KZ_ZZDJ": "资质等级", "KZ_ZZFW": "承接业务范围"},
        "construction_qualification": {"KZ_ZZLB": "资质类别", "KZ_ZZDJ": "资质等级", "KZ_ZZFW": "承接业务范围"},
    }
)
"""Type-specific field names by kind slug, with what they hold. All values are strings, dates ``YYYY-MM-DD``."""

# Envelope ----------------------------------------------------------------------------------------------------------

ECERTIFICATE_MEDIA_TYPE = "application/ecert+jwt"
OFD_MEDIA_TYPE = "application/ofd"
"""In use, though not registered with IANA."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date_text(value: Any) -> Any:
    if isinstance(value, date) or (isinstance(value, str) and _DATE.fullmatch(value)):
        return value
    raise ValueError("a date is written YYYY-MM-DD")


ChinaDate = Annotated[date, BeforeValidator(_date_text), PlainSerializer(date.isoformat, return_type=str)]
"""A calendar date in China, ``YYYY-MM-DD`` on the wire and nothing else."""


class ECertificateMetadata(BaseModel):
    """照面 metadata (GB/T 36903). Known names are typed; ``KZ_`` fields are kept as strings in ``extensions``.

    A holder may be several persons: CZZT and CZZTDM then list them with ``HOLDER_SEPARATOR`` in the same order.
    """

    model_config = ConfigDict(
        extra="allow", frozen=True, validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True
    )

    name: str = Field(alias="ZZMC", min_length=1)
    type_code: CertificateTypeCode = Field(alias="ZZLXDM")
    number: str = Field(alias="ZZBH", min_length=1)
    identifier: ECertificateIdentifierText = Field(alias="ZZBS")
    issuing_authority: str = Field(alias="ZZBFJG", min_length=1)
    issuing_authority_code: str = Field(alias="ZZBFJGDM", min_length=1)
    issued_on: ChinaDate = Field(alias="ZZBFRQ")
    holder: str = Field(alias="CZZT", min_length=1)
    holder_code: str = Field(alias="CZZTDM", min_length=1)
    holder_code_type: str = Field(alias="CZZTDMLX", min_length=1)
    holder_code_type_code: str = Field(alias="CZZTDMLXDM", min_length=1)
    valid_from_on: ChinaDate = Field(alias="ZZYXQQSRQ")
    valid_until_on: ChinaDate | None = Field(default=None, alias="ZZYXQJZRQ")

    @model_validator(mode="after")
    def _extensions_are_named(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not (name.startswith("KZ_") and isinstance(value, str)):
                raise ValueError("a field beyond the common metadata is a KZ_ string")
        return self

    @property
    def extensions(self) -> dict[str, str]:
        """The ``KZ_`` fields."""
        return dict(self.model_extra or {})

    def holders(self) -> tuple[tuple[str, str], ...]:
        """(name, code) of each holder. Raises ``ValueError`` when the two lists differ in length."""
        names, codes = self.holder.split(HOLDER_SEPARATOR), self.holder_code.split(HOLDER_SEPARATOR)
        return tuple(zip(names, codes, strict=True))


class ECertificatePayload(BaseModel):
    """Claims of the envelope. ``iss`` is the issuing authority's code, ``iat`` seconds since 1970, ``jti`` the ZZBS."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    iss: str
    iat: Annotated[int, Field(strict=True)]
    jti: ECertificateIdentifierText
    status: StatusClaim
    certificate: ECertificateMetadata

    def to_wire(self) -> dict[str, Any]:
        """As it is signed: wire names, dates as text, an absent end of validity left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
