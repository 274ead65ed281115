"""Answers that stand: the same request, answered from memory before, is answered again without being judged anew.

An answer stands for as long as each thing that it was judged by is the very same object in memory and no instant has
come at which a rule could find otherwise; what lies in the database is compared by the unit of work that records the
answer, as for every answer from memory. Whatever does not stand is judged from the beginning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.certificates.fetching import Keeping, Refetchable
from gateway.certificates.service import CertificateService, CopiesAtHand
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import HolderExpectation
from gateway.clock import start_of_day_in_china
from gateway.licences.answers import AnswerForm, Leaving
from gateway.licences.judgement import Allowed
from gateway.licences.obtaining import changed_since
from gateway.licences.ports import CASE
from gateway.partners.directory import DirectorySnapshot
from gateway.partners.ports import DIRECTORY
from gateway.records.entries import Fact, SpelledFacts
from gateway.transaction import Look
from schemas.partner_api import VerifiedLicenceRequest

Asked = tuple[str, str, str, tuple[str, ...] | None]
"""Who asks for what: partner, kind, purpose and fields. The application is the one it is remembered with."""


def asked_by(partner_code: str, request: VerifiedLicenceRequest) -> Asked | None:
    """What an answer is found again by; None for what is not answered again: somebody else's certificate."""
    if request.holder_code is not None:
        return None
    return partner_code, request.kind, request.purpose, None if request.fields is None else tuple(request.fields)


def looks_of(application_id: str, copies: CopiesAtHand | Refetchable | Keeping | None) -> tuple[Look, ...]:
    """What a recording unit is going to look at: case, directory, and the ``copies`` that it rests on or keeps."""
    looks = (Look(CASE, (application_id,)), Look(DIRECTORY))
    return looks if copies is None else (*looks, copies.look)


@dataclass(slots=True, eq=False)
class StandingAnswer:
    """What was answered, and by what: ``begins`` ≤ an instant < ``until``.

    One that rests on what was fetched for it holds once the very same was fetched again.
    """

    snapshot: DirectorySnapshot
    rests_on: CopiesAtHand | Refetchable
    holder: HolderExpectation
    since: datetime | None
    begins: datetime
    until: datetime
    form: AnswerForm
    facts: SpelledFacts
    looks: tuple[Look, ...]
    """What the unit of work looks at that records it again."""
    _sure: tuple[int, datetime, datetime] | None = field(default=None, init=False, repr=False)
    """What ``CertificateService.changes`` was when its copies were last asked for, when that was, and before when that
    is enough: what shows it lies in many places, which are as many ways to the memory."""

    @classmethod
    def of(
        cls,
        application_id: str,
        allowed: Allowed,
        leaving: Leaving,
        snapshot: DirectorySnapshot,
        now: datetime,
        form: AnswerForm,
        facts: Mapping[str, Fact],
    ) -> "StandingAnswer | None":
        """What was answered at ``now``, where it stands; ``facts`` are all those of its entry."""
        found = leaving.found
        verification, rests_on = found.verification, found.rests_on or found.refetchable
        if verification.verdict is not Verdict.VALID or rests_on is None:
            return None
        ends = verification.stands_until if isinstance(rests_on, CopiesAtHand) else rests_on.until
        if ends is None:
            return None
        next_day = start_of_day_in_china(allowed.question.on + timedelta(days=1))
        return cls(
            snapshot,
            rests_on,
            HolderExpectation(allowed.party.code, allowed.party.name),
            changed_since(allowed),
            now,
            min(ends, allowed.authorisation.until, next_day),
            form,
            SpelledFacts(facts),
            looks_of(application_id, rests_on),
        )

    def holds(self, snapshot: DirectorySnapshot, certificates: CertificateService, at: datetime) -> bool:
        """Whether the same would be answered at ``at``, as far as this process knows and the source has yet to say."""
        if self.snapshot is not snapshot or not self.begins <= at < self.until:
            return False
        if isinstance(self.rests_on, Refetchable):
            return True
        sure = self._sure
        if sure is not None and sure[0] == certificates.changes and sure[1] <= at < sure[2]:
            return True
        until = certificates.still_until(self.rests_on, self.holder, at=at, since=self.since)
        self._sure = None if until is None else (certificates.changes, at, until)
        return until is not None
