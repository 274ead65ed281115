"""What is kept with an answer, in the unit that records it: what the verdict rested on, and who else is named."""

from datetime import datetime

from gateway.certificates.named_persons import others_named
from gateway.certificates.proofs import Proof, ProofCause, documents_behind
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.licences.answers import Leaving
from gateway.licences.judgement import Allowed
from gateway.licences.obtaining import Found
from gateway.licences.ports import LicencesTransaction


def tells_of_others(leaving: Leaving) -> bool:
    """Whether something leaves that may be about somebody else than the holder."""
    others = leaving.compiled.disclosure.kind.others
    return others is not None and not others.fields.isdisjoint(leaving.disclosure.given)


def keep_others(tx: LicencesTransaction, allowed: Allowed, leaving: Leaving, digests: KeyedDigest) -> None:
    """Whom else the certificate names as it is now: a newer version than the confirmed one may name others."""
    verification, kind = leaving.found.verification, leaving.compiled.disclosure.kind
    others = others_named(kind, verification.claims, allowed.holder_code, digests)
    if others.persons:
        application_id = allowed.application.application_id
        tx.named_persons.add(application_id, kind.code, verification.envelope_digest, others)


def keep_evidence(tx: LicencesTransaction, application_id: str, found: Found, holder_digest: str, at: datetime) -> None:
    """What the verdict rested on, where there was an envelope to judge."""
    verification = found.verification
    digest = verification.envelope_digest
    if digest and tx.evidence.add(
        application_id, ProofCause.LICENCE, Proof.of(verification), list(documents_behind(verification)), at
    ):
        tx.evidence.attach_copy(application_id, verification.kind, holder_digest, digest, at)
