"""What a file in ``kinds/`` exports as ``KIND``: one kind of e-certificate (证照类型), whole."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.policy import KindPolicy
from schemas.ecertificates import EXTENSION_FIELDS

_NEVER = {
    "type_code": "证照类型代码",
    "holder_code_type": "持证主体代码类型",
    "holder_code_type_code": "持证主体代码类型代码",
}
"""Titles of what no kind discloses."""
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


class PredicateContext(Protocol):
    """What a predicate is asked against: one application, as of a day. None is "that cannot be decided"."""

    @property
    def on(self) -> date:
        """The date in China."""
        ...

    def is_holder(self, code: str) -> bool | None:
        """Whether ``code`` is that of the holder in question, by the standards of codes and never by likeness."""
        ...

    def is_site(self, text: str, region: str | None) -> bool | None:
        """Whether ``text``, in a document about the GB/T 2260 ``region``, is where power is asked for (用电地址)."""
        ...


@dataclass(frozen=True, slots=True)
class Predicate:
    """A yes-or-no answer that spares a value ("执照在有效期内"). ``holds`` answers None when it cannot be decided."""

    name: str
    title: str
    holds: Callable[[ECertificateClaims, PredicateContext], bool | None]


@dataclass(frozen=True, slots=True)
class NamedOthers:
    """Natural persons whom a kind names beside the holder in question, and what of it is about them.

    ``texts`` reads where numbers of persons may stand, the holder's own too. ``fields`` names the fields and predicates
    that are about each of them: what is said of the holder alone, or of an application, is not. ``label`` reads what
    they all know the certificate by, for somebody who is named in several.
    """

    texts: Callable[[ECertificateClaims], Iterable[str | None]]
    fields: frozenset[str]
    label: Callable[[ECertificateClaims], str | None] | None = None


def among(codes: Iterable[str], context: PredicateContext) -> bool | None:
    """Whether the holder is one of ``codes``: no only where each of them is plainly somebody else's."""
    answers = [context.is_holder(code) for code in codes]
    if True in answers:
        return True
    return None if None in answers or not answers else False


def in_force(title: str) -> Predicate:
    """The predicate ``valid_on`` in the words of a kind: the certificate is within its validity today."""
    return Predicate("valid_on", title, lambda claims, context: claims.in_force(context.on))


HELD_BY = Predicate("held_by", "持证主体一致", lambda claims, context: among(claims.holder_codes(), context))
COMMON_PREDICATES = (in_force("证照在有效期内"), HELD_BY)

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
    region out of the claims, when the kind has one; ``others`` says whom else it names. Raises ``ValueError`` when
    the table contradicts the claims model.
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
    others: NamedOthers | None = None

    def __post_init__(self) -> None:
        names = [item.name for item in self.fields] + [item.name for item in self.predicates]
        unknown = {item.name for item in self.fields} - self.claims_model.model_fields.keys()
        if not _SLUG.fullmatch(self.code) or not self.type_codes or not self.holder_types:
            raise ValueError(f"kind {self.code!r}: code, type codes and holder types must be given")
        if unknown or len(set(names)) != len(names):
            raise ValueError(f"kind {self.code!r}: disclosure names a field twice or one the claims lack")
        if self.others is not None and not self.others.fields <= set(names):
            raise ValueError(f"kind {self.code!r}: others are told of a field that it does not disclose")

    @property
    def disclosable(self) -> frozenset[str]:
        """The names of fields and predicates that an agreement or a rule may speak of."""
        return frozenset(self._titles())

    @property
    def never_disclosed(self) -> tuple[str, ...]:
        """What the claims model reads and no agreement can let out, in the order of the model."""
        listed = {item.name for item in self.fields}
        return tuple(name for name in self.claims_model.model_fields if name not in listed)

    def title_of(self, name: str) -> str:
        """What a person calls the field or predicate ``name``, or what never leaves; else the name itself."""
        read = self.claims_model.model_fields.get(name)
        alias = name if read is None or read.alias is None else read.alias
        return self._titles().get(name) or _NEVER.get(name) or EXTENSION_FIELDS.get(self.code, {}).get(alias, name)

    def _titles(self) -> dict[str, str]:
        return {item.name: item.title for item in self.fields} | {item.name: item.title for item in self.predicates}

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
