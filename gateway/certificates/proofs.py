"""What a verdict rested on, kept for whoever asks later: status lists, CRLs and OCSP answers as they were then.

Such evidence is signed by others and speaks of many certificates, so that it is kept once, by its SHA-256. With the
envelope it lets anybody judge again, as of then, without asking the gateway.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

from gateway.certificates.verification import Verification


@lru_cache(maxsize=64)
def _sha256(body: bytes) -> str:
    """A status list may be a megabyte, and is the same for many answers."""
    return hashlib.sha256(body).hexdigest()


class EvidenceRole(StrEnum):
    """What a kept document is. The first two tell of somebody."""

    ENVELOPE = "envelope"
    ASSERTION = "assertion"
    STATUS_LIST = "status_list"
    CRL = "crl"
    OCSP = "ocsp"


PERSONAL_ROLES = frozenset({EvidenceRole.ENVELOPE, EvidenceRole.ASSERTION})


class ProofCause(StrEnum):
    """Why a certificate was judged."""

    SUBMITTED = "submitted"
    LICENCE = "licence"
    RECHECK = "recheck"


@dataclass(frozen=True, slots=True)
class EvidenceDocument:
    """One document, byte for byte."""

    role: EvidenceRole
    body: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal: its name on the shelf."""
        return _sha256(self.body)


@dataclass(frozen=True, slots=True)
class Proof:
    """A verdict about one envelope at one instant, and by digest what it rested on; status lists by their address."""

    kind: str
    envelope_digest: str
    form: str | None
    judged_at: datetime
    verdict: str
    check: str | None
    status_lists: Mapping[str, str] = field(default_factory=dict)
    crls: Sequence[str] = ()
    ocsp: Sequence[str] = ()

    @classmethod
    def of(cls, verification: Verification) -> "Proof":
        """What ``verification`` came to."""
        failed, evidence = verification.failed_check, verification.evidence
        documents = list(documents_behind(verification))
        lists = [each.digest for each in documents if each.role is EvidenceRole.STATUS_LIST]
        uris = sorted(evidence.status_lists) if evidence else []
        return cls(
            verification.kind,
            verification.envelope_digest,
            verification.form,
            verification.at,
            verification.verdict.value,
            (failed.check or failed.name) if failed else None,
            dict(zip(uris, lists, strict=True)),
            tuple(each.digest for each in documents if each.role is EvidenceRole.CRL),
            tuple(each.digest for each in documents if each.role is EvidenceRole.OCSP),
        )

    @property
    def documents(self) -> tuple[str, ...]:
        """The digests of all that it rested on, the envelope aside."""
        return tuple(dict.fromkeys((*self.status_lists.values(), *self.crls, *self.ocsp)))

    def to_json(self) -> dict[str, Any]:
        """For storage; ``from_json`` reads it."""
        return {
            "kind": self.kind,
            "envelope_digest": self.envelope_digest,
            "form": self.form,
            "judged_at": self.judged_at.isoformat(),
            "verdict": self.verdict,
            "check": self.check,
            "status_lists": dict(self.status_lists),
            "crls": list(self.crls),
            "ocsp": list(self.ocsp),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Proof":
        """What ``to_json`` wrote."""
        return cls(**{**stored, "judged_at": datetime.fromisoformat(stored["judged_at"])})


@dataclass(frozen=True, slots=True)
class ProofOfApplication:
    """A proof as it is kept with an application."""

    cause: ProofCause
    proof: Proof


def documents_behind(verification: Verification) -> Iterator[EvidenceDocument]:
    """The status lists (in the order of their addresses), CRLs and OCSP answers that were at hand for a verdict."""
    evidence = verification.evidence
    if evidence is None:
        return
    for uri in sorted(evidence.status_lists):
        yield EvidenceDocument(EvidenceRole.STATUS_LIST, evidence.status_lists[uri])
    for crl in evidence.crls:
        yield EvidenceDocument(EvidenceRole.CRL, crl)
    for answer in evidence.ocsp:
        yield EvidenceDocument(EvidenceRole.OCSP, answer)


class EvidenceShelf(Protocol):
    """Where evidence is kept, on the unit of work."""

    def keep(self, documents: Sequence[EvidenceDocument], at: datetime) -> None:
        """Keep ``documents``, each once, as of ``at``; those that no application comes to rest on go in a month."""
        ...

    def attach(self, application_id: str, documents: Sequence[EvidenceDocument], at: datetime) -> None:
        """Keep ``documents`` for as long as the application's own personal data."""
        ...

    def add(
        self, application_id: str, cause: ProofCause, proof: Proof, documents: Sequence[EvidenceDocument], at: datetime
    ) -> bool:
        """Keep ``proof`` with ``documents`` that it rested on (those at hand); False where it was there already."""
        ...

    def attach_copy(self, application_id: str, kind: str, holder_digest: str, digest: str, at: datetime) -> None:
        """Keep the envelope of that digest, of which a copy of the holder's is at hand; nothing where none is."""
        ...
