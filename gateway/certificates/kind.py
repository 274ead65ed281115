"""What a file in ``kinds/`` exports as ``KIND``: one kind of e-certificate (证照类型), whole."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.policy import KindPolicy

_SLUG = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class DisclosableField:
    """A field that may ever leave: an attribute of the claims model, its Chinese title, and whether it is personal.

    ``of_holders``: it lists the names or codes of all holders (共有人), and each is told of no other than themselves.
    """

    name: str
    title: str
    personal: bool = False
    of_holders: bool = False


@dataclass(frozen=True, slots=True)
class PredicateContext:
    """What a predicate is asked against: the date in China, and the holder in question when there is one."""

    on: date
    holder_code: str | None = None


@dataclass(frozen=True, slots=True)
class Predicate:
    """A yes-or-no answer that spares a value ("执照在有效期内"). ``holds`` answers None when it cannot be asked."""

    name: str
    title: str
    holds: Callable[[ECertificateClaims, PredicateContext], bool | None]


def _valid_on(claims: ECertificateClaims, context: PredicateContext) -> bool:
    return claims.in_force(context.on)


def _held_by(claims: ECertificateClaims, context: PredicateContext) -> bool | None:
    if context.holder_code is None:
        return None
    return context.holder_code in claims.holder_codes()


COMMON_PREDICATES = (
    Predicate("valid_on", "证照在有效期内", _valid_on),
    Predicate("held_by", "持证主体一致", _held_by),
)

COMMON_FIELDS = (
    DisclosableField("name", "证照名称"),
    DisclosableField("number", "证照编号"),
    DisclosableField("identifier", "证照标识"),
    DisclosableField("issuing_authority", "颁发机构"),
    DisclosableField("issuing_authority_code", "颁发机构代码"),
    DisclosableField("issued_on", "颁发日期"),
    DisclosableField("valid_from_on", "有效期起始日期"),
    DisclosableField("valid_until_on", "有效期截止日期"),
)
"""What every kind holds and no person is named by. A kind whose number is personal lists its own instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKind:
    """One 证照类型. ``type_codes`` are the 证照类型代码 under which it is issued, the first being the one asked for.

    ``holder_types`` are CZZTDMLXDM codes (001 统一社会信用代码, 111 公民身份号码). ``region_of`` reads the GB/T 2260
    region out of the claims, when the kind has one. Raises ``ValueError`` when the table contradicts the claims model.
    """

    code: str
    title: str
    type_codes: tuple[str, ...]
    claims_model: type[ECertificateClaims]
    holder_types: frozenset[str]
    fields: tuple[DisclosableField, ...]
    predicates: tuple[Predicate, ...] = COMMON_PREDICATES
    policy: KindPolicy = field(default_factory=KindPolicy)
    region_of: Callable[[ECertificateClaims], str | None] | None = None

    def __post_init__(self) -> None:
        names = [item.name for item in self.fields] + [item.name for item in self.predicates]
        unknown = {item.name for item in self.fields} - self.claims_model.model_fields.keys()
        if not _SLUG.fullmatch(self.code) or not self.type_codes or not self.holder_types:
            raise ValueError(f"kind {self.code!r}: code, type codes and holder types must be given")
        if unknown or len(set(names)) != len(names):
            raise ValueError(f"kind {self.code!r}: disclosure names a field twice or one the claims lack")

    def lies_in(self, claims: ECertificateClaims | None, region: str) -> bool:
        """Whether it counts for ``region`` (GB/T 2260): a certificate of a place does where it lies in that county.

        What has no place, or shows none, counts everywhere.
        """
        if self.region_of is None or claims is None:
            return True
        place = self.region_of(claims)
        return place is None or place[:6] == region[:6]

    def with_type_codes(self, type_codes: tuple[str, ...]) -> "CertificateKind":
        """The same kind under other 证照类型代码, as a province configures them."""
        return replace(self, type_codes=type_codes)

    def in_policy(self, policy: KindPolicy) -> "CertificateKind":
        """The same kind under another policy."""
        return replace(self, policy=policy)
