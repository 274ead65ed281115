"""Whether a certificate that an application rests on has changed. Pure.

What could not be known changes nothing: indeterminate never becomes revoked, and never heals what was revoked.
"""

from dataclasses import replace
from datetime import datetime

from gateway.applications.model import ApplicationDocument
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from gateway.errors import Owner
from gateway.rechecks.model import NO_LONGER_HELD, CertificateState, Change, ChangeKind, NotHeld
from schemas.identifiers import ECertificateIdentifier

GONE = "来源平台已查不到申请人名下的该证照（可能已转移、注销或换发），请申请人向登记机关核实"


def judge_change(
    before: ApplicationDocument, found: Verification | NotHeld, digests: IdentifierDigests
) -> Change | None:
    """What happened since ``before``; None where nothing did, or nothing is known.

    ``found`` is the certificate that stands for it now (``standing_certificate``), verified against the source. The
    same state is told once; another certificate than before, in the same or another version, is a new version only
    when it says something else or is another identifier.
    """
    if isinstance(found, NotHeld):
        return _to_bad(before, NO_LONGER_HELD, Owner.APPLICANT, GONE, found.at, found.source)
    if not is_decided(before, found):
        return None
    failed, provenance = found.failed_check, found.provenance
    as_of = provenance.fetched_at if provenance else found.at
    source = provenance.source if provenance else before.source
    if found.verdict is Verdict.INVALID and failed is not None:
        return _to_bad(before, failed.check or failed.name, failed.owner, failed.remedy, as_of, source)
    now = replace(updated(before, found, digests), verdict=Verdict.VALID, check=None, as_of=as_of)
    if not _says_the_same(before, found, digests):
        return Change(ChangeKind.NEW_VERSION, now, None, "")
    if before.verdict is Verdict.INVALID:
        return Change(ChangeKind.REINSTATED, now, None, "")
    return None


def is_decided(before: ApplicationDocument, found: Verification) -> bool:
    """Whether ``found`` proves anything about the certificate of ``before``.

    A document that shows no identifier, and is not the very bytes, may be anything: a seal damaged on the way must not
    pass for a revocation.
    """
    known = found.identifier is not None or found.envelope_digest == before.content_digest
    return found.verdict is not Verdict.INDETERMINATE and known


def updated(before: ApplicationDocument, found: Verification, digests: IdentifierDigests) -> ApplicationDocument:
    """``before`` with everything that identifies a valid ``found``: its bytes, identifier, version, words, last day."""
    if found.verdict is not Verdict.VALID or found.identifier is None or found.claims is None:
        return before
    identifier = ECertificateIdentifier.parse(found.identifier)
    return replace(
        before,
        source=found.provenance.source if found.provenance else before.source,
        identifier_digest=digests.of(identifier),
        series_digest=digests.series(identifier),
        version=identifier.version,
        content_digest=found.envelope_digest,
        facts_digest=digests.facts(found.claims),
        expires_on=found.expires_on,
    )


def _to_bad(
    before: ApplicationDocument, check: str, owner: Owner | None, remedy: str, as_of: datetime, source: str | None
) -> Change | None:
    state = CertificateState.of(Verdict.INVALID, check)
    if state is CertificateState.of(before.verdict, before.check):
        return None
    now = replace(before, verdict=Verdict.INVALID, check=check, as_of=as_of, source=source or before.source)
    return Change(ChangeKind(state.value), now, owner, remedy)


def _says_the_same(before: ApplicationDocument, found: Verification, digests: IdentifierDigests) -> bool:
    """Some sources seal a certificate anew at each download: other bytes with the same words are the same."""
    if found.envelope_digest == before.content_digest:
        return True
    after = updated(before, found, digests)
    return after.identifier_digest == before.identifier_digest and after.facts_digest == before.facts_digest
