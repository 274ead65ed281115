"""Identifiers of certificates, holders, properties, projects and regions: strict, canonical, computable.

A value is accepted only as the standard writes it: no full-width digits, no spaces, no lower case, no trailing line
break. Two written forms that people really vary (property certificate and planning permit numbers) are *normalised*
instead, and say so. An ``IdentifierError`` never contains the value it refuses: most of these are personal data.
What a standard leaves unknown is an ``IdentifierFinding`` (a warning), never a made-up rule.

Sources: GB 32100 and GB 11714 (统一社会信用代码), GB 11643 (公民身份号码), GB/T 36904 (电子证照标识), ISO 7064,
GB/T 2260 (行政区划), GB/T 37346 practice (不动产单元代码), GB/T 40058-2021 (投资项目代码).
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator


class IdentifierError(ValueError):
    """The text is not this identifier. ``identifier`` and ``reason`` are stable slugs; the text itself is left out."""

    def __init__(self, identifier: str, reason: str) -> None:
        super().__init__(f"{identifier}: {reason}")
        self.identifier = identifier
        self.reason = reason


@dataclass(frozen=True, slots=True)
class IdentifierFinding:
    """Something worth telling that does not make the identifier wrong. ``kind`` is a stable slug."""

    identifier: str
    kind: str


# 统一社会信用代码 GB 32100, with the organisation code GB 11714 inside ---------------------------------------------

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_SHAPE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def organisation_check(body: str) -> str:
    """GB 11714 check character (``0``-``9`` or ``X``) of the 8 characters ``body``."""
    total = sum(_BASE36.index(char) * weight for char, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def unified_social_credit_check(body: str) -> str:
    """GB 32100 check character of the 17 characters ``body``."""
    total = sum(USCC_ALPHABET.index(char) * weight for char, weight in zip(body, _USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[(31 - total) % 31]


def make_unified_social_credit_code(prefix: str, organisation: str) -> str:
    """A code from ``prefix`` (registrar, class, 6-digit region: 8 characters) and the 8-character organisation body."""
    body = prefix + organisation + organisation_check(organisation)
    return validate_unified_social_credit_code(body + unified_social_credit_check(body))


def validate_unified_social_credit_code(text: str) -> str:
    """``text`` itself, if it is a canonical 统一社会信用代码 with both check characters right.

    Raises ``IdentifierError`` with reason ``shape``, ``organisation-check`` or ``check``.
    """
    name = "unified-social-credit-code"
    if not _USCC_SHAPE.fullmatch(text):
        raise IdentifierError(name, "shape")
    if organisation_check(text[8:16]) != text[16]:
        raise IdentifierError(name, "organisation-check")
    if unified_social_credit_check(text[:17]) != text[17]:
        raise IdentifierError(name, "check")
    return text


UnifiedSocialCreditCode = Annotated[str, AfterValidator(validate_unified_social_credit_code)]

_ORGANISATION_CODE = re.compile(r"([0-9A-Z]{8})-?([0-9X])")


def normalise_organisation_code(text: str) -> str:
    """A 组织机构代码 (GB 11714) as its nine characters; the standard's own hyphen before the last may stand or not.

    It is characters 9 to 17 of the 统一社会信用代码 that took its place (GB 32100 §4.2).
    Raises ``IdentifierError`` with reason ``shape`` or ``check``.
    """
    match = _ORGANISATION_CODE.fullmatch(text)
    if match is None:
        raise IdentifierError("organisation-code", "shape")
    if organisation_check(match[1]) != match[2]:
        raise IdentifierError("organisation-code", "check")
    return match[1] + match[2]


# 公民身份号码 GB 11643 ---------------------------------------------------------------------------------------------

_RESIDENT_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_FIRST_BIRTH = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class ResidentIdentity:
    """What it says. ``holder``: ``citizen``, ``hk-mo-tw`` (港澳台居民居住证) or ``foreign`` (外国人永久居留证)."""

    region: str
    born_on: date
    sequence: int
    holder: str

    @property
    def is_male(self) -> bool:
        """Odd sequence numbers are given to men."""
        return self.sequence % 2 == 1


def resident_check(body: str) -> str:
    """GB 11643 (ISO 7064 MOD 11-2) check character of the 17 digits ``body``."""
    total = sum(int(digit) * weight for digit, weight in zip(body, _RESIDENT_WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def parse_resident_identity_number(text: str, *, on: date) -> ResidentIdentity:
    """Read a canonical 公民身份号码; ``on`` is today's date in China.

    Accepts 81/82/83 (港澳台居民居住证) and 9xxxxx (外国人永久居留证) as issuing regions.
    Raises ``IdentifierError`` with reason ``shape``, ``check``, ``birth-date`` (no such day, or before 1900) or
    ``born-in-future``.
    """
    name = "resident-identity-number"
    if not _RESIDENT_SHAPE.fullmatch(text):
        raise IdentifierError(name, "shape")
    if resident_check(text[:17]) != text[17]:
        raise IdentifierError(name, "check")
    try:
        born_on = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        raise IdentifierError(name, "birth-date") from None
    if born_on < _FIRST_BIRTH:
        raise IdentifierError(name, "birth-date")
    if born_on > on:
        raise IdentifierError(name, "born-in-future")
    holder = "foreign" if text[0] == "9" else "hk-mo-tw" if text[:2] in ("81", "82", "83") else "citizen"
    return ResidentIdentity(text[:6], born_on, int(text[14:17]), holder)


def make_resident_identity_number(region: str, born_on: date, sequence: int) -> str:
    """A number with its check character. ``region`` 6 digits, ``sequence`` 0..999."""
    body = f"{region}{born_on:%Y%m%d}{sequence:03d}"
    return body + resident_check(body)


_FORMER_RESIDENT_SHAPE = re.compile(r"([1-9][0-9]{5})([0-9]{6})([0-9]{3})")
_OVER_A_HUNDRED = 996
"""From here on sequence numbers of 15 digits were kept for people over a hundred, whose century was the one before."""


def upgrade_resident_identity_number(text: str) -> str:
    """The 公民身份号码 of 18 characters that took the place of ``text``, a 居民身份证编号 of 15 digits (GB 11643-1989).

    GB 11643-1999: the century 19 is put before the year, the check character at the end.
    Raises ``IdentifierError`` with reason ``shape``, ``birth-date`` (no such day) or ``century`` (sequence 996 to 999).
    """
    name = "former-resident-identity-number"
    match = _FORMER_RESIDENT_SHAPE.fullmatch(text)
    if match is None:
        raise IdentifierError(name, "shape")
    region, born, sequence = match.groups()
    if int(sequence) >= _OVER_A_HUNDRED:
        raise IdentifierError(name, "century")
    body = f"{region}19{born}{sequence}"
    try:
        date(int(body[6:10]), int(body[10:12]), int(body[12:14]))
    except ValueError:
        raise IdentifierError(name, "birth-date") from None
    return body + resident_check(body)


def former_resident_identity_number(text: str) -> str | None:
    """The 15 digits that the person with the canonical 18 characters ``text`` had before, if they can have had any."""
    former = text[:6] + text[8:17]
    try:
        return former if upgrade_resident_identity_number(former) == text else None
    except IdentifierError:
        return None


def same_resident_identity_number(one: str, other: str) -> bool:
    """Whether both are one person's: the same text, or one of them the other's former 15 digits. Never raises."""
    if one == other:
        return True
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return len(longer) == 18 and len(shorter) == 15 and former_resident_identity_number(longer) == shorter


def _resident_shape(text: str) -> str:
    parse_resident_identity_number(text, on=date.max)
    return text


ResidentIdentityNumber = Annotated[str, AfterValidator(_resident_shape)]
"""Everything but "not born in the future", which needs a date: call ``parse_resident_identity_number`` for that."""


# 电子证照标识 GB/T 36904 -------------------------------------------------------------------------------------------

ECERTIFICATE_ROOT = "1.2.156.3005.2"
_TYPE_SHAPE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}[0-9]{3}")
_ECERTIFICATE_SHAPE = re.compile(
    r"1\.2\.156\.3005\.2\.([0-9A-HJ-NPQRTUWXY]{18}[0-9]{3})\.([0-9A-Z]{6,18})\.([0-9A-Z]{1,64})\.([0-9]{3})\.([0-9A-Z])"
)


def ecertificate_check(body: str) -> str:
    """ISO 7064 MOD 37,36 check character of ``body`` (type+issuer+serial+version, without dots and root)."""
    product = 36
    for char in body:
        total = (product + _BASE36.index(char)) % 36 or 36
        product = 2 * total % 37
    return _BASE36[(37 - product) % 36]


def validate_certificate_type_code(text: str) -> str:
    """``text`` itself, if it is a 证照类型代码: the defining authority's 18-character code and a 3-digit serial."""
    if not _TYPE_SHAPE.fullmatch(text):
        raise IdentifierError("certificate-type-code", "shape")
    return text


@dataclass(frozen=True, slots=True)
class ECertificateIdentifier:
    """The parts of a 电子证照标识. ``str()`` gives it back exactly as it was read."""

    type_code: str
    issuer: str
    serial: str
    version: str
    check: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split ``text``. Raises ``IdentifierError`` (``shape``); a wrong check character is only a finding."""
        match = _ECERTIFICATE_SHAPE.fullmatch(text)
        if match is None:
            raise IdentifierError("ecertificate-identifier", "shape")
        return cls(*match.groups())

    @classmethod
    def make(cls, type_code: str, issuer: str, serial: str, version: str = "001") -> Self:
        """An identifier with its check character computed."""
        check = ecertificate_check(type_code + issuer + serial + version)
        return cls.parse(f"{ECERTIFICATE_ROOT}.{type_code}.{issuer}.{serial}.{version}.{check}")

    @property
    def series(self) -> str:
        """What every version of one certificate has in common: the identifier without its version and check."""
        return ".".join((ECERTIFICATE_ROOT, self.type_code, self.issuer, self.serial))

    @property
    def expected_check(self) -> str:
        """The check character that the standard's algorithm gives."""
        return ecertificate_check(self.type_code + self.issuer + self.serial + self.version)

    def findings(self) -> tuple[IdentifierFinding, ...]:
        """``bad-check-character`` when it differs: some issuers really compute it wrongly, so it is not fatal."""
        if self.check == self.expected_check:
            return ()
        return (IdentifierFinding("ecertificate-identifier", "bad-check-character"),)

    def __str__(self) -> str:
        return ".".join((ECERTIFICATE_ROOT, self.type_code, self.issuer, self.serial, self.version, self.check))


def _ecertificate_identifier(text: str) -> str:
    return str(ECertificateIdentifier.parse(text))


ECertificateIdentifierText = Annotated[str, AfterValidator(_ecertificate_identifier)]
CertificateTypeCode = Annotated[str, AfterValidator(validate_certificate_type_code)]


# 不动产 ------------------------------------------------------------------------------------------------------------

_PROPERTY_UNIT = re.compile(r"[0-9]{12}[GJZ][A-FSXHGWY][0-9]{5}[FLQW][0-9]{8}")
_PROPERTY_CERTIFICATE = re.compile(r"[\u4e00-\u9fff]\([0-9]{4}\)[\u4e00-\u9fff]*不动产权第[0-9]{6,8}号")
_PLANNING_PERMIT = re.compile(r"(?:建字第)?([0-9A-Z][0-9A-Z-]{7,30}[0-9A-Z])号?")


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def validate_property_unit_code(text: str) -> str:
    """``text`` itself, if it is a 28-character 不动产单元代码. It has no check digit. Raises ``IdentifierError``."""
    if not _PROPERTY_UNIT.fullmatch(text):
        raise IdentifierError("property-unit-code", "shape")
    return text


def normalise_property_certificate_number(text: str) -> str:
    """The 不动产权证号 with half-width brackets and digits and no spaces. Raises ``IdentifierError``."""
    folded = _folded(text)
    if not _PROPERTY_CERTIFICATE.fullmatch(folded):
        raise IdentifierError("property-certificate-number", "shape")
    return folded


PropertyUnitCode = Annotated[str, AfterValidator(validate_property_unit_code)]
PropertyCertificateNumber = Annotated[str, AfterValidator(normalise_property_certificate_number)]


# 项目与规划许可 ----------------------------------------------------------------------------------------------------

_PROJECT_CODE = re.compile(r"([0-9]{4})-[0-9]{6}-[0-9]{2}-[0-9]{2}-[0-9]{6}")


def validate_project_code(text: str) -> str:
    """``text`` itself, if it has the shape of a 投资项目代码: ``2020-440100-44-03-012345`` (year) or ``2403-…`` (yyMM).

    The check algorithm is not published: shape only. Raises ``IdentifierError``.
    """
    match = _PROJECT_CODE.fullmatch(text)
    if match is None:
        raise IdentifierError("project-code", "shape")
    head = match[1]
    if not (2000 <= int(head) <= 2099 or 1 <= int(head[2:]) <= 12):
        raise IdentifierError("project-code", "date")
    return text


def normalise_planning_permit_number(text: str) -> str:
    """``建字第…号`` around the digits (old form) or ``440100 2024GG0123456`` (new form); deliberately loose.

    Raises ``IdentifierError``.
    """
    match = _PLANNING_PERMIT.fullmatch(_folded(text))
    if match is None or not any(char.isdigit() for char in match[1]):
        raise IdentifierError("planning-permit-number", "shape")
    return f"建字第{match[1]}号"


ProjectCode = Annotated[str, AfterValidator(validate_project_code)]


# 行政区划 GB/T 2260 ------------------------------------------------------------------------------------------------

_REGION = re.compile(r"[1-9][0-9]{5}(?:[0-9]{3}){0,2}")
_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12]")


def validate_region(text: str) -> str:
    """``text`` itself, if it has 6 digits (county and above), 9 (town) or 12 (village). Raises ``IdentifierError``."""
    if not _REGION.fullmatch(text):
        raise IdentifierError("region", "shape")
    return text


def region_levels(region: str) -> tuple[str, ...]:
    """From the region upwards to its province, 6 digits each: ``440106`` → ``440106``, ``440100``, ``440000``."""
    county = validate_region(region)[:6]
    return tuple(dict.fromkeys((county, county[:4] + "00", county[:2] + "0000")))


def region_findings(region: str, known: Collection[str] = ()) -> tuple[IdentifierFinding, ...]:
    """``unknown-region`` when the province is not in GB/T 2260, or ``known`` is given and lacks the 6-digit region."""
    unknown = not _PROVINCE.match(region) or (bool(known) and region[:6] not in known)
    return (IdentifierFinding("region", "unknown-region"),) if unknown else ()
