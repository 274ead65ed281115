"""谁看过我的信息, for somebody whom another's certificate names (共有人): who saw what is about them, and no more.

They learn: this certificate was seen by this organisation, then, for this purpose, by this clause, and these fields.
They do not learn whose application that was, nor its number, class, stage or end, nor how many there were:

- refusals and dry runs showed nobody anything, and tell of the applicant: they are left out;
- so is what answers a question about the applicant (产权人一致) or their site (坐落与用电地址一致);
- an entry's id would lead to its application, so there is none;
- each access is shown for the same time, counted from itself: it never vanishes because something else ended.

Looking leaves no trace that an applicant could see. There is nothing to ask by: only the own verified number counts.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from gateway.applications.reconciliation.finding import Side
from gateway.applications.review_views import CLAUSE, CONSISTENCY_REVIEW
from gateway.applications.reviews import LOOKED_AT
from gateway.certificates.named_persons import person_digest
from gateway.certificates.registry import KindRegistry
from gateway.clock import Clock
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.errors import Owner
from gateway.identity.model import VerifiedApplicant
from gateway.licences.service import DISCLOSED
from gateway.progress.bundles import ACTION as BUNDLES
from gateway.progress.bundles import given_whole
from gateway.progress.errors import ResidentOnly
from gateway.progress.ports import EntryNaming, NamedPersonTransaction
from gateway.progress.titles import EVIDENCE, document_title, field_titles
from gateway.transaction import Transactions
from schemas.applicant_api import NamedAccess, NamedAccesses
from schemas.identity import ApplicantKind

MOST_SHOWN: Final = 200
ACTIONS: Final = (DISCLOSED, LOOKED_AT, BUNDLES)
WHOLE: Final = "whole_certificate"
"""The one field of a certificate that was given as it is, in a bundle (证据包)."""
WHOLE_TITLE: Final = "整份证照，含姓名和证件号码"
SEEN_IN_REVIEW: Mapping[str, tuple[Side, frozenset[str]]] = {
    "property_certificate": (
        Side.PROPERTY,
        frozenset({"坐落", "持证主体", "持证主体证件号", "权利人", "权利人证件号"}),
    ),
    "business_licence": (Side.BUSINESS_LICENCE, frozenset({"法定代表人", "法定代表人证件号"})),
}
"""Of what an officer was shown of each kind: what is about others than its holder."""


def accesses_naming(found: Iterable[EntryNaming], kinds: KindRegistry, since: datetime) -> list[NamedAccess]:
    """The accesses after ``since`` (aware) to what is about the person, the newest first; at most ``MOST_SHOWN``.

    Depends on nothing of ``found`` but those accesses. Pure.
    """
    seen = {
        (naming.entry.log_id, naming.entry.sequence, naming.kind, naming.label): access
        for naming in found
        if (access := _access(naming, kinds)) is not None and access.at > since
    }
    return sorted(seen.values(), key=_newest_first)[:MOST_SHOWN]


def _access(naming: EntryNaming, kinds: KindRegistry) -> NamedAccess | None:
    """What the entry shows of the certificate that is about the person; None where that is nothing."""
    entry: dict[str, Any] = orjson.loads(naming.entry.leaf)
    kind, facts = naming.kind, entry["facts"]
    purpose, clause, fields, titles = None, None, list[str](), list[str]()
    if entry["result"] != "done":
        return None
    if entry["action"] == LOOKED_AT:
        purpose, clause = CONSISTENCY_REVIEW, CLAUSE
        fields = titles = _seen_in_review(kind, facts.get("fields") or [])
    elif given_whole(entry):
        purpose, fields, titles = EVIDENCE, [WHOLE], [WHOLE_TITLE]
    elif (facts.get("kind"), facts.get("envelope_sha256")) == (kind, naming.content_digest):
        purpose, clause = facts.get("purpose"), (facts.get("clauses") or [None])[0]
        fields = _about_others(kind, facts.get("fields") or [], kinds)
        titles = field_titles(kind, fields)
    if not fields:
        return None
    return NamedAccess(
        at=entry["at"],
        who=entry["actor"],
        document=kind,
        document_title=document_title(kind),
        certificate=naming.label,
        purpose=purpose,
        fields=fields,
        titles=titles,
        clause=clause,
    )


def _about_others(kind: str, given: Collection[str], kinds: KindRegistry) -> list[str]:
    known = kinds.by_code.get(kind)
    about = known.others.fields if known is not None and known.others is not None else frozenset()
    return sorted(about.intersection(given))


def _seen_in_review(kind: str, shown: Collection[str]) -> list[str]:
    """What is about them of ``shown``, which says each as ``document：label``."""
    side, labels = SEEN_IN_REVIEW.get(kind, (None, frozenset()))
    parted = (each.partition("：") for each in shown)
    return [label for document, _, label in parted if side is not None and document == side.value and label in labels]


def _newest_first(access: NamedAccess) -> tuple[float, str, str, str, str]:
    """Ties are broken by what is shown, so that the order tells nothing of what is not."""
    return -access.at.timestamp(), access.who, access.document, access.certificate or "", ",".join(access.fields)


class NamedAccessService:
    """Answers for the verified person alone."""

    def __init__(
        self,
        transactions: Transactions[NamedPersonTransaction],
        kinds: KindRegistry,
        digests: KeyedDigest,
        shown_for: timedelta,
        clock: Clock,
    ) -> None:
        """``shown_for`` is how long after it an access is shown: never longer than what leads to it is kept."""
        self._transactions = transactions
        self._kinds = kinds
        self._digests = digests
        self._shown_for = shown_for
        self._clock = clock

    async def of(self, person: VerifiedApplicant) -> NamedAccesses:
        """Who saw certificates that name ``person`` beside somebody else. Nothing is written.

        The same answer for whoever is named nowhere and for whose certificates nobody saw.
        Raises ``ResidentOnly``.
        """
        if person.applicant_kind is not ApplicantKind.RESIDENT:
            raise ResidentOnly(
                check="named_accesses.resident_only",
                owner=Owner.APPLICANT,
                remedy="证照上的共有人按本人的公民身份号码查找：请以居民身份核验后再看",
            )
        digest = person_digest(person.holder_code, self._digests)
        found = await self._transactions.read(lambda tx: tx.named_persons.entries_naming(digest, ACTIONS))
        since = self._clock() - self._shown_for
        return NamedAccesses(shown_days=self._shown_for.days, accesses=accesses_naming(found, self._kinds, since))
