"""Least disclosure: what a caller may see of a verified e-certificate is compiled, never assembled by hand.

Allowed = what the kind discloses ∩ what the agreement grants ∩ what the stage requires ∩ what was asked for.
Everything else that the certificate holds is listed as withheld, with the reason.
"""

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


class Withholding(StrEnum):
    """Why a field stays behind, in the order in which reasons are given."""

    NOT_VERIFIED = "not_verified"
    NOT_AGREED = "not_agreed"
    NOT_REQUIRED = "not_required"
    NOT_REQUESTED = "not_requested"
    OTHER_HOLDERS = "other_holders"


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
    """What leaves: ``fields`` by name (dates as ``YYYY-MM-DD``), ``predicates`` by name, and what is withheld.

    A field of which only the holder's own entry leaves stands in both, withheld as ``other_holders``.
    """

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

    Of several holders only ``context.holder_code`` is told of: the others did not consent.
    Raises ``ValueError`` when the verification is of another kind.
    """
    if verification.kind != compiled.kind.code:
        raise ValueError("a disclosure compiled for one kind is not applied to another")
    claims = verification.claims
    if verification.verdict is not Verdict.VALID or claims is None:
        allowed = tuple(Withheld(name, Withholding.NOT_VERIFIED) for name in compiled.fields)
        return Disclosure({}, {}, allowed + compiled.withheld)
    given, others = _values(compiled, claims, context)
    answers: dict[str, bool] = {}
    for predicate in compiled.kind.predicates:
        if predicate.name in compiled.predicates:
            answer = predicate.holds(claims, context)
            if answer is not None:
                answers[predicate.name] = answer
    held = tuple(item for item in compiled.withheld if getattr(claims, item.field) is not None)
    return Disclosure(given, answers, others + held)


def _values(
    compiled: CompiledDisclosure, claims: ECertificateClaims, context: PredicateContext
) -> tuple[dict[str, Any], tuple[Withheld, ...]]:
    """The values of the fields that may leave, and the fields from which other holders were taken out."""
    of_holders = {item.name for item in compiled.kind.fields if item.of_holders}
    own = _own_entries(claims, context.holder_code)
    given: dict[str, Any] = {}
    others: list[Withheld] = []
    for name in compiled.fields:
        value = getattr(claims, name)
        if value is None:
            continue
        if name in of_holders:
            listed = value.split(HOLDER_SEPARATOR)
            kept = [entry for entry in listed if entry in own]
            if len(kept) < len(listed):
                others.append(Withheld(name, Withholding.OTHER_HOLDERS))
            if not kept:
                continue
            value = kept[0]
        given[name] = _wire(value)
    return given, tuple(others)


def _own_entries(claims: ECertificateClaims, holder_code: str | None) -> set[str]:
    """The code and name that the certificate gives the holder in question."""
    return {entry for name, code in claims.holders() if code == holder_code for entry in (name, code)}


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
