"""Least disclosure: what a caller may see of a verified e-certificate is compiled, never assembled by hand.

Allowed = what the kind discloses ∩ what the agreement grants ∩ what the stage requires ∩ what was asked for.
Everything else that the certificate holds is listed as withheld, with the reason.
"""

import re
import unicodedata
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kind import CertificateKind, PredicateContext
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from schemas.ecertificates import HOLDER_SEPARATOR
from schemas.identifiers import (
    IdentifierError,
    former_resident_identity_number,
    upgrade_resident_identity_number,
)


class Withholding(StrEnum):
    """Why a field or predicate stays behind, in the order in which reasons are given."""

    NOT_VERIFIED = "not_verified"
    NOT_AGREED = "not_agreed"
    NOT_REQUIRED = "not_required"
    NOT_REQUESTED = "not_requested"
    OTHER_HOLDERS = "other_holders"
    UNDECIDED = "undecided"
    NOT_DISCLOSABLE = "not_disclosable"

    @property
    def says(self) -> str:
        """The reason in words for a person."""
        return _SAYS[self]


_SAYS = {
    Withholding.NOT_VERIFIED: "证照未通过核验",
    Withholding.NOT_AGREED: "数据共享协议未约定",
    Withholding.NOT_REQUIRED: "该环节办理不需要",
    Withholding.NOT_REQUESTED: "本次未索取",
    Withholding.OTHER_HOLDERS: "涉及其他持证人",
    Withholding.UNDECIDED: "现有信息不足以判断",
    Withholding.NOT_DISCLOSABLE: "不在可共享的内容之列",
}
UNNAMED = "extensions"
"""Stands for what a certificate holds under a name that is not shaped like one."""
_EXTENSION_NAME = re.compile(r"KZ_[A-Z]{1,16}")
_APART = re.compile(r"[\s、,，;；/|]+")
_SEVERAL = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff·)）]\s*[、,，;；/|]\s*[\u3400-\u9fff\U00020000-\U0003ffff]")
"""Several Chinese names in one entry: whose number stands beside them cannot be told."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field or predicate that stays behind."""

    field: str
    reason: Withholding


@dataclass(frozen=True, slots=True)
class CompiledDisclosure:
    """The fields and predicates of one kind that may leave, and why each other one may not."""

    kind: CertificateKind
    fields: tuple[str, ...]
    predicates: tuple[str, ...]
    withheld: tuple[Withheld, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What leaves: ``fields`` by name (dates as ``YYYY-MM-DD``), ``predicates`` by name, and what is withheld.

    A field of which only the holder's own entry leaves stands in both, withheld as ``other_holders``.
    """

    fields: dict[str, Any] = field(repr=False)
    predicates: dict[str, bool]
    withheld: tuple[Withheld, ...]

    @property
    def given(self) -> list[str]:
        """The names of what leaves, sorted."""
        return sorted([*self.fields, *self.predicates])


def compile_disclosure(
    kind: CertificateKind,
    agreed: AbstractSet[str],
    required: AbstractSet[str] | None = None,
    requested: AbstractSet[str] | None = None,
) -> CompiledDisclosure:
    """The disclosure of ``kind`` under an agreement's ``agreed`` names of fields and predicates.

    ``required`` and ``requested`` narrow further; None narrows nothing. An empty ``agreed`` discloses nothing, and a
    name that the kind does not disclose grants nothing.
    """
    withheld: list[Withheld] = []

    def allowed(names: Iterator[str]) -> tuple[str, ...]:
        reasons = {name: _reason(name, agreed, required, requested) for name in names}
        withheld.extend(Withheld(name, reason) for name, reason in reasons.items() if reason is not None)
        return tuple(name for name, reason in reasons.items() if reason is None)

    fields = allowed(item.name for item in kind.fields)
    predicates = allowed(item.name for item in kind.predicates)
    return CompiledDisclosure(kind, fields, predicates, tuple(withheld))


def disclose(compiled: CompiledDisclosure, verification: Verification, context: PredicateContext) -> Disclosure:
    """What ``compiled`` lets out of ``verification``. Unless the verdict is valid that is nothing at all.

    Of several holders only the one in question is told of: the others did not consent. A value that has another's name
    or number in it stays behind whole, whatever its field is called.
    Raises ``ValueError`` when the verification is of another kind.
    """
    if verification.kind != compiled.kind.code:
        raise ValueError("a disclosure compiled for one kind is not applied to another")
    claims = verification.claims
    if verification.verdict is not Verdict.VALID or claims is None:
        allowed = tuple(Withheld(name, Withholding.NOT_VERIFIED) for name in (*compiled.fields, *compiled.predicates))
        return Disclosure({}, {}, allowed + compiled.withheld)
    given, others = _values(compiled, claims, context)
    answers, undecided = _answers(compiled, claims, context)
    questions = {item.name for item in compiled.kind.predicates}
    held = tuple(
        item for item in compiled.withheld if item.field in questions or getattr(claims, item.field) is not None
    )
    return Disclosure(given, answers, others + undecided + held + _never(compiled.kind, claims))


def _answers(
    compiled: CompiledDisclosure, claims: ECertificateClaims, context: PredicateContext
) -> tuple[dict[str, bool], tuple[Withheld, ...]]:
    """The predicates that may leave, and those among them that could not be decided."""
    allowed = [item for item in compiled.kind.predicates if item.name in compiled.predicates]
    found = {item.name: item.holds(claims, context) for item in allowed}
    undecided = tuple(Withheld(name, Withholding.UNDECIDED) for name, answer in found.items() if answer is None)
    return {name: answer for name, answer in found.items() if answer is not None}, undecided


def _values(
    compiled: CompiledDisclosure, claims: ECertificateClaims, context: PredicateContext
) -> tuple[dict[str, Any], tuple[Withheld, ...]]:
    """The values of the fields that may leave, and the fields from which other holders were taken out."""
    holders = _Holders.of(compiled.kind, claims, context)
    given: dict[str, Any] = {}
    others: list[Withheld] = []
    for name in compiled.fields:
        value = getattr(claims, name)
        if value is None:
            continue
        if name in holders.listed:
            kept, partly = holders.own_entry(name)
        else:
            told = _wire(value)
            partly = holders.names_others(str(told))
            kept = None if partly else told
        if partly:
            others.append(Withheld(name, Withholding.OTHER_HOLDERS))
        if kept is not None:
            given[name] = kept
    return given, tuple(others)


@dataclass(frozen=True, slots=True)
class _Holders:
    """Who stands in the fields that list holders: the one in question (``own``), and everybody else.

    ``others`` are what to look for in other texts, folded: whole entries, and what stands apart within one.
    """

    listed: dict[str, list[str]]
    own: frozenset[str]
    others: frozenset[str]

    @classmethod
    def of(cls, kind: CertificateKind, claims: ECertificateClaims, context: PredicateContext) -> "_Holders":
        values = {item.name: getattr(claims, item.name) for item in kind.fields if item.of_holders}
        listed = {name: value.split(HOLDER_SEPARATOR) for name, value in values.items() if value is not None}
        pairs = _pairs(claims)
        everybody = {entry for entries in listed.values() for entry in entries}
        everybody.update(claims.holder_names(), claims.holder_codes())
        own = {entry for name, code in pairs if context.is_holder(code) is True for entry in (name, code)}
        own = {entry for entry in own if not _SEVERAL.search(entry)}
        own |= {entry for entry in everybody - own if context.is_holder(entry) is True}
        parts = {part for entry in everybody - own for part in (entry, *_APART.split(entry))}
        sought = {_folded(form) for part in parts for form in (part, *_other_number(part))}
        return cls(listed, frozenset(own), frozenset(sought - set(map(_folded, own)) - {""}))

    def own_entry(self, name: str) -> tuple[str | None, bool]:
        """The own entry in the field ``name``, if it is there, and whether others stand in it too."""
        entries = self.listed[name]
        kept = [entry for entry in entries if entry and entry in self.own]
        return (kept[0] if kept else None), len(kept) < len(entries)

    def names_others(self, text: str) -> bool:
        """Whether somebody else's name or number stands in ``text``, and not merely inside the own one."""
        if not self.others:
            return False
        folded = _folded(text)
        own = [span for entry in map(_folded, self.own) for span in _spans(entry, folded)]
        return any(
            not any(start <= first and last <= end for start, end in own)
            for entry in self.others
            for first, last in _spans(entry, folded)
        )


def _other_number(code: str) -> tuple[str, ...]:
    """The number that a resident had before (15 digits) or has since (18), if ``code`` is one (GB 11643)."""
    former = former_resident_identity_number(code)
    if former is not None:
        return (former,)
    try:
        return (upgrade_resident_identity_number(code),)
    except IdentifierError:
        return ()


def _spans(part: str, text: str) -> Iterator[tuple[int, int]]:
    """Where ``part`` stands in ``text``, overlaps included."""
    at = text.find(part) if part else -1
    while at >= 0:
        yield at, at + len(part)
        at = text.find(part, at + 1)


def _pairs(claims: ECertificateClaims) -> tuple[tuple[str, str], ...]:
    """(name, code) of each holder; none where the lists do not pair up, so that nobody is taken for another."""
    try:
        return claims.holders()
    except ValueError:
        return ()


def _never(kind: CertificateKind, claims: ECertificateClaims) -> tuple[Withheld, ...]:
    """What the certificate holds beyond all that its kind may ever disclose."""
    names = [name for name in kind.never_disclosed if getattr(claims, name) is not None]
    names += [name if _EXTENSION_NAME.fullmatch(name) else UNNAMED for name in claims.extensions]
    return tuple(Withheld(name, Withholding.NOT_DISCLOSABLE) for name in dict.fromkeys(names))


def _reason(
    name: str,
    agreed: AbstractSet[str],
    required: AbstractSet[str] | None,
    requested: AbstractSet[str] | None,
) -> Withholding | None:
    if name not in agreed:
        return Withholding.NOT_AGREED
    if required is not None and name not in required:
        return Withholding.NOT_REQUIRED
    if requested is not None and name not in requested:
        return Withholding.NOT_REQUESTED
    return None


def _folded(text: str) -> str:
    """As codes and names are compared when somebody might hide in a longer text.

    Width, spaces, case and characters that are not seen count for nothing.
    """
    seen = "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
    return "".join(seen.split()).upper()


def _wire(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
