"""What is said of a certificate that was obtained: the claims of the signed answer, and the facts of its entry."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from gateway.certificates.disclosure import Disclosure, Withheld, Withholding
from gateway.certificates.freshness import Basis
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain_basis import DATED_NOW
from gateway.licences.compiled import Compiled
from gateway.licences.judgement import Allowed
from gateway.licences.obtaining import Found
from gateway.records.entries import Fact
from schemas.identifiers import ECertificateIdentifier
from schemas.partner_api import FailedCheck, SourceBasis, VerifiedLicenceRequest
from schemas.wire import format_instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
CERTIFICATE = "certificate"
"""The basis that is the copy itself."""
ABOUT_HOLDER = frozenset({"held_by", "owner_matches"})
"""Predicates that answer a question about the holder."""


@dataclass(frozen=True)
class Leaving:
    """What was found, under which agreements and rule, and what of it leaves."""

    found: Found
    compiled: Compiled
    disclosure: Disclosure


@dataclass(frozen=True)
class Outcome:
    """A request that was judged to its end and recorded: all that an answer or an explanation is made from.

    ``facts`` are what ``facts_of`` said of it.
    """

    at: datetime
    leaving: Leaving
    record_id: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """An answer's claims in JSON, written out but for what differs when the same is answered again.

    Built member by member: a model made out of what is already judged costs more than the signature.
    """

    template: bytes
    """With places for what ``filled_in`` puts there."""
    dated: tuple[int | None, ...]
    """Of each basis that has an age: when what it rests on was had, in µs; None where that is the answer's instant.

    First comes the answer's own ``as_of``, where a source was asked for it: it is asked for the next one, too.
    """

    @classmethod
    def of(cls, request: VerifiedLicenceRequest, title: str, leaving: Leaving, *, iss: str, aud: str) -> "AnswerForm":
        """The form of the answer to ``request`` with what is ``leaving``."""
        found, disclosure = leaving.found, leaving.disclosure
        verification = found.verification
        provenance, failed = verification.provenance, failed_check_view(found)
        content = {
            "application_id": request.application_id,
            "kind": request.kind,
            "title": title,
            "purpose": request.purpose,
            "verdict": verification.verdict.value,
            "failed_check": failed.model_dump() if failed else None,
            "fields": disclosure.fields,
            "predicates": disclosure.predicates,
            "withheld": [{"field": each.field, "reason": each.reason.value} for each in disclosure.withheld],
            "findings": findings_view(leaving),
            "source": provenance.source if provenance else None,
        }
        how = {"from_copy": found.from_copy, "source_down": found.source_down}
        asked_now = not found.from_copy and provenance is not None and provenance.fetched_at == verification.at
        as_of = _literal(format_instant(provenance.fetched_at) if provenance else None)
        dated_now = DATED_NOW | {CERTIFICATE} if asked_now else DATED_NOW
        bases = [
            _BasisForm.of(basis, claims, verification.at, dated_now)
            for basis, claims in zip(verification.basis, _basis_claims(found, verification.at), strict=True)
        ]
        names = _literal({"iss": iss, "aud": aud})[:-1]
        written = _literal(content)[1:-1] + b',"as_of":' + (b'"%b",' if asked_now else as_of + b",")
        written += _literal(how)[1:-1] + b',"basis":[' + b",".join([each.template for each in bases])
        template = names + b',"iat":%d,"jti":"%b",' + written + b'],"record_id":"%b"}'
        return cls(template, (*((None,) if asked_now else ()), *(each.as_of for each in bases if each.ages)))

    def filled_in(self, at: datetime, jti: str, record_id: str) -> bytes:
        """The claims as answered at ``at``; both names are identifiers of our own."""
        seconds = at.timestamp()
        instant, now = format_instant(at).encode(), round(seconds * 1_000_000)  # exact to the microsecond until 2106
        ages = [instant if as_of is None else max(now - as_of, 0) // 1_000_000 for as_of in self.dated]
        return self.template % (int(seconds), jti.encode(), *ages, record_id.encode())


@dataclass(frozen=True, slots=True)
class _BasisForm:
    """One basis, but for its age, if it has one; ``as_of`` as in ``AnswerForm.dated``."""

    template: bytes
    as_of: int | None = None
    ages: bool = True

    @classmethod
    def of(cls, basis: Basis, claims: dict[str, Any], at: datetime, dated_now: AbstractSet[str]) -> "_BasisForm":
        """The form of ``claims`` about ``basis`` as judged at ``at``; ``dated_now`` bear the instant of the answer."""
        if basis.as_of is None:
            return cls(_literal(claims), ages=False)
        told = {name: claims[name] for name in ("name", "source")}
        rest = {name: claim for name, claim in claims.items() if name not in (*told, "as_of", "age_seconds")}
        before, after = _literal(told)[:-1] + b',"as_of":"', b"," + _literal(rest)[1:]
        if basis.name in dated_now and basis.as_of == at:
            return cls(before + b'%b","age_seconds":0' + after)
        return cls(before + _literal(claims["as_of"])[1:] + b',"age_seconds":%d' + after, _microseconds(basis.as_of))


def _literal(claims: Any) -> bytes:
    """In JSON, and as a template says it: whatever looks like a place to fill is none."""
    return orjson.dumps(claims).replace(b"%", b"%%")


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def failed_check_view(found: Found) -> FailedCheck | None:
    """Why the verdict is not *valid*, if it is not."""
    failed = found.verification.failed_check
    if failed is None:
        return None
    return FailedCheck(check=failed.check or failed.name, owner=failed.owner or "", remedy=failed.remedy)


def findings_view(leaving: Leaving) -> list[str]:
    """The findings, those about the holder only where something about the holder may leave.

    That there are others (共有人) is told by no field, and yet is what the certificate says.
    """
    verification, allowed = leaving.found.verification, leaving.compiled.disclosure
    about_holder = {each.name for each in allowed.kind.fields if each.of_holders} | ABOUT_HOLDER
    may = verification.verdict is Verdict.VALID and not about_holder.isdisjoint((*allowed.fields, *allowed.predicates))
    return [each for each in verification.findings if may or not each.startswith("holder.")]


def basis_view(found: Found, at: datetime) -> list[SourceBasis]:
    """Everything the answer rests on, with its age at ``at``; the certificate with the level that answered."""
    return [SourceBasis.model_validate(claims) for claims in _basis_claims(found, at)]


def _basis_claims(found: Found, at: datetime) -> list[dict[str, Any]]:
    return [
        _basis_claim(basis, at, found.level, found.fell_through)
        if basis.name == CERTIFICATE
        else _basis_claim(basis, at)
        for basis in found.verification.basis
    ]


def source_basis(basis: Basis, at: datetime) -> SourceBasis:
    """One basis on the wire."""
    return SourceBasis.model_validate(_basis_claim(basis, at))


def _basis_claim(
    basis: Basis, at: datetime, level: str | None = None, fell_through: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "name": basis.name,
        "source": basis.source,
        "as_of": None if basis.as_of is None else format_instant(basis.as_of),
        "age_seconds": _seconds(basis.age(at)),
        "limit_seconds": _seconds(basis.limit),
        "state": basis.state.value,
        "source_down": basis.down,
        "level": level,
        "fell_through": list(fell_through),
    }


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


def facts_of(allowed: Allowed, leaving: Leaving, digests: IdentifierDigests) -> dict[str, Fact]:
    """The facts of an entry: digests, codes and names of fields, and no value of any."""
    compiled, disclosure, verification = leaving.compiled, leaving.disclosure, leaving.found.verification
    failed, provenance = verification.failed_check, verification.provenance
    identifier = ECertificateIdentifier.parse(verification.identifier) if verification.identifier else None
    return {
        "stage": allowed.stage.value,
        "verdict": verification.verdict.value,
        "failed_check": failed.check if failed else None,
        "fields": disclosure.given,
        "withheld": withheld_facts(disclosure.withheld),
        "agreements": list(compiled.decision.agreement_ids),
        "clauses": compiled.clauses,
        "authorisation": allowed.authorisation.authorisation_id,
        "envelope_sha256": verification.envelope_digest,
        "identifier_digest": digests.of(identifier) if identifier else None,
        "source": provenance.source if provenance else None,
        "as_of": format_instant(provenance.fetched_at) if provenance else None,
        "source_down": leaving.found.source_down,
    }


def withheld_facts(withheld: Sequence[Withheld]) -> list[str]:
    """One text for each reason: ``not_required:area,land_use``."""
    by_reason: dict[Withholding, list[str]] = {}
    for each in withheld:
        by_reason.setdefault(each.reason, []).append(each.field)
    return [f"{reason}:{','.join(names)}" for reason, names in by_reason.items()]
