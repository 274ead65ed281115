"""Least disclosure: what a caller may see of a verified e-certificate is compiled, never assembled by hand.

Allowed = what the kind discloses ∩ what the agreement grants ∩ what the stage requires ∩ what was asked for.
Everything else that the certificate holds is listed as withheld, with the reason.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from gateway.certificates.kind import CertificateKind, PredicateContext
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification


class Withholding(StrEnum):
    """Why a field stays behind, in the order in which reasons are given."""

    NOT_VERIFIED = "not_verified"
    NOT_AGREED = "not_agreed"
    NOT_REQUIRED = "not_required"
    NOT_REQUESTED = "not_requested"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field that stays behind."""

    field: str
    reason: Withholding


@dataclass(frozen=True, slots=True)
class CompiledDisclosure:
    """The fields and predicates of one kind that may leave, and why each other field may not."""

    kind: CertificateKind
    fields: tuple[str, ...]
    predicates: tuple[str, ...]
    withheld: tuple[Withheld, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What leaves: ``fields`` by name (dates as ``YYYY-MM-DD``), ``predicates`` by name, and what is withheld."""

    fields: dict[str, Any] = field(repr=False)
    predicates: dict[str, bool]
    withheld: tuple[Withheld, ...]


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
    fields: list[str] = []
    withheld: list[Withheld] = []
    for item in kind.fields:
        reason = _reason(item.name, agreed, required, requested)
        if reason is None:
            fields.append(item.name)
        else:
            withheld.append(Withheld(item.name, reason))
    predicates = tuple(item.name for item in kind.predicates if _reason(item.name, agreed, required, requested) is None)
    return CompiledDisclosure(kind, tuple(fields), predicates, tuple(withheld))


def disclose(compiled: CompiledDisclosure, verification: Verification, context: PredicateContext) -> Disclosure:
    """What ``compiled`` lets out of ``verification``. Unless the verdict is valid that is nothing at all.

    Raises ``ValueError`` when the verification is of another kind.
    """
    if verification.kind != compiled.kind.code:
        raise ValueError("a disclosure compiled for one kind is not applied to another")
    claims = verification.claims
    if verification.verdict is not Verdict.VALID or claims is None:
        allowed = tuple(Withheld(name, Withholding.NOT_VERIFIED) for name in compiled.fields)
        return Disclosure({}, {}, allowed + compiled.withheld)
    values = {name: getattr(claims, name) for name in compiled.fields}
    given = {name: _wire(value) for name, value in values.items() if value is not None}
    answers: dict[str, bool] = {}
    for predicate in compiled.kind.predicates:
        if predicate.name in compiled.predicates:
            answer = predicate.holds(claims, context)
            if answer is not None:
                answers[predicate.name] = answer
    held = tuple(item for item in compiled.withheld if getattr(claims, item.field) is not None)
    return Disclosure(given, answers, held)


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


def _wire(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
