"""Rows of one group of applications in every table that grows with them, as the gateway's repositories write them."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any, Final

from sqlalchemy import Table

from adapters.storage.application_certificates import application_certificates
from adapters.storage.applications import application_parties, applications, stage_events
from adapters.storage.authorisations import authorisations
from adapters.storage.certificates import certificate_copies
from adapters.storage.deadline_looks import deadline_looks
from adapters.storage.deliveries import delivery_attempts, outbox, outbox_counters
from adapters.storage.evidence import LOOSE_FOR, application_evidence, application_proofs, evidence_documents
from adapters.storage.named_persons import named_persons
from adapters.storage.notices import notices
from adapters.storage.ratings import service_ratings
from adapters.storage.reviews import review_tasks
from adapters.storage.sealed import seal_values
from gateway.applications.lifecycle import LifecycleStatus, to_json
from gateway.crypto.keyed_digest import Use
from gateway.records.entries import Fact, RecordEntry
from schemas.events import EventType
from tests.bench.growth.province import (
    APART,
    DISABLED,
    FULL,
    NOW,
    TOGETHER,
    WORKS,
    Group,
    holder_code,
    name,
    utility_of,
)
from tests.support.approvals import A_PARTY
from tests.support.storage import AT_REST

KINDS: Final = ("business_licence", "property_certificate")
SOURCE: Final = "gd-platform"
ENVELOPE_BYTES, RECEIPT_BYTES = 1600, 600
WAITS_FOR: Final = {WORKS: timedelta(days=1), DISABLED: timedelta(days=30), FULL: timedelta(days=10)}
"""How long ago the oldest event was that still waits for a utility."""
PARTIES_FOR, WITHDRAWN_FOR, BODIES_FOR = timedelta(days=180), timedelta(days=30), timedelta(days=90)
_NOISE: Final = Random(6).randbytes(1 << 20)
_ACTIONS: Final = (
    *("application.submitted", "stage.started", "licence.disclosed", "licence.disclosed", "delivery.settled"),
    *("stage.completed", "licence.disclosed", "stage.started", "delivery.settled", "stage.completed"),
)
Lifecycle = Mapping[str, Any]
"""As ``to_json`` writes it."""
Written = dict[Table, list[dict[str, Any]]]


def entry_of(group: Group, application_id: str, step: int) -> RecordEntry:
    """The ``step``-th entry about an application."""
    facts: dict[str, Fact] = {"step": step, "utility": DISABLED}
    if _ACTIONS[step] == "licence.disclosed":
        facts |= {
            "kind": KINDS[0],
            "purpose": "grid_connection",
            "fields": ["name", "unified_social_credit_code", "valid_until"],
            "clauses": ["第（六）条"],
            "envelope_sha256": _digest(application_id),
            "verdict": "valid",
        }
    return RecordEntry(_ACTIONS[step], group.received_at + APART * step, "csg-guangzhou", application_id, facts=facts)


class Rows:
    """Makes them, and numbers events as the outbox does."""

    def __init__(self, copies: int = 1) -> None:
        self._copies = copies
        self.positions: Counter[str] = Counter()
        self._random = Random(7)

    def of(self, group: Group, told: int, log_id: str) -> Written:
        """All rows of the group but its record entries and its events, of which there are ``told`` an application."""
        made: Written = defaultdict(list)
        lifecycle, status_list = group.lifecycle, self._status_list(group)
        stored, closed_at = to_json(lifecycle), lifecycle.closed_at
        withdrawn = lifecycle.status is LifecycleStatus.WITHDRAWN
        named = closed_at is None or NOW - closed_at < (WITHDRAWN_FOR if withdrawn else PARTIES_FOR)
        made[evidence_documents].append(self._sealed(evidence_documents, status_list))
        for each, application_id in enumerate(group.names):
            number = group.number * TOGETHER + each
            own = {"application_id": application_id}
            digest = AT_REST.digests.of(Use.HOLDER, holder_code(number))
            record_id = f"{log_id}-{number + 1}"
            self._application(made, group, own, digest, number, stored, named=named)
            self._certificates(made, group, own, digest, number, str(status_list["digest"]), named=named)
            counter = {"destination": utility_of(number), "subject": application_id, "last": told}
            made[outbox_counters].append(counter)
            if named:
                made[application_parties].append(
                    self._sealed(application_parties, {**own, "party": {**A_PARTY.__dict__}})
                )
                if not number % 3:
                    made[named_persons].append(self._named(application_id, number))
            for heard_of, step in enumerate(lifecycle.steps):
                heard = {"event_id": f"ev-{heard_of}", "content_digest": digest, "record_id": record_id}
                made[stage_events].append({**own, **heard, "heard_at": step.heard_at})
                key = f"{record_id}:{heard_of}"
                notice = {
                    "notice_key": key,
                    "kind": "stage_started",
                    "at": step.heard_at,
                    "facts": {"stage": str(step.stage)},
                }
                made[notices].append({**own, **notice})
            if closed_at is None:
                made[deadline_looks].append({**own, "look_at": NOW + timedelta(days=1 + number % 9), "looked_by": "r"})
            elif not number % 4 and not withdrawn:
                made[service_ratings].append(self._rating(own, number, closed_at, record_id))
            if not number % 50:
                made[review_tasks].append(self._review(own, digest, group, record_id))
        return made

    def _application(
        self,
        made: Written,
        group: Group,
        own: Mapping[str, str],
        digest: str,
        number: int,
        lifecycle: Mapping[str, Any],
        *,
        named: bool,
    ) -> None:
        kind = group.lifecycle.customer_class
        said = {"region": group.region, "voltage_v": 380, "capacity_kw": 80.0, "source_count": 1, "area": "urban"}
        documents = [
            {
                "document": each,
                "title": each,
                "verdict": "valid",
                "source": SOURCE,
                "version": "001",
                "as_of": group.received_at.isoformat(),
                "identifier_digest": digest,
                "content_digest": digest,
                "series_digest": digest,
                "expires_on": "2030-01-01",
                "facts_digest": digest,
                "check": None,
            }
            for each in KINDS
        ]
        columns = {
            **own,
            "utility": utility_of(number),
            "region": group.region,
            "customer_class": kind.value,
            "intake": "one_certificate",
            "applicant_kind": "enterprise",
            "holder_digest": digest,
            "received_at": group.received_at,
            "status": group.lifecycle.status.value,
            "closed_at": group.lifecycle.closed_at,
            "demand": {**said, "purpose": "生产", "small_and_micro": None},
            "derivation": {"customer_class": kind.value, "clause": "附件2", "reason": "低压"},
            "documents": documents,
            "lifecycle": lifecycle,
            "forgotten": None if named else 2,
        }
        made[applications].append(self._sealed(applications, columns))
        made[authorisations].append(
            {
                **own,
                "authorisation_id": name("aut", group.received_at, number),
                "utility": utility_of(number),
                "kinds": list(KINDS),
                "purposes": ["grid_connection"],
                "holder_digest": digest,
                "statement_digest": digest,
                "granted_at": group.received_at,
                "until": group.received_at + timedelta(days=365),
            }
        )

    def _certificates(
        self, made: Written, group: Group, own: Mapping[str, str], digest: str, number: int, listed: str, *, named: bool
    ) -> None:
        closed = group.lifecycle.closed_at is not None
        envelope = self._noise(ENVELOPE_BYTES)
        fetched_at = NOW - timedelta(minutes=number % (20 * 1440))
        for kind in KINDS:
            of_document = {"kind": kind, "holder_digest": digest, "source": SOURCE, "verdict": "valid"}
            digests = dict.fromkeys(("identifier_digest", "series_digest", "content_digest"), digest)
            swept = {
                "as_of": group.received_at,
                "expires_on": date(2030, 1, 1),
                "swept_at": None if closed else NOW - timedelta(hours=number % 160),
                "last_day": None if closed else date(2030, 1, 1),
            }
            made[application_certificates].append({**own, **of_document, **digests, **swept})
            proof = {
                "kind": kind,
                "envelope_digest": digest,
                "status_lists": {"https://s/1": listed},
                "verdict": "valid",
            }
            at = {"cause": "submitted", "judged_at": group.received_at}
            made[application_proofs].append({**own, **at, "proof_digest": _digest(kind + digest), "proof": proof})
        at_hand = {"kind": KINDS[number % 2], "holder_digest": digest, "digest": _digest(own["application_id"])}
        copy = {"identifier": holder_code(number), "envelope": envelope, "source": SOURCE, "level": "440000"}
        row = {**at_hand, **copy, "fetched_at": fetched_at}
        made[certificate_copies].append(self._sealed(certificate_copies, row))
        made[application_evidence].append({**own, "digest": listed})
        if named:
            document = {"digest": at_hand["digest"], "role": "envelope", "body": envelope, **_kept(group)}
            made[evidence_documents].append(self._sealed(evidence_documents, document))
            made[application_evidence].append({**own, "digest": at_hand["digest"]})

    def event(self, made: Written, group: Group, sequence: int, at: datetime) -> None:
        """The ``sequence``-th event of each application of the group: the next ones of their utilities."""
        for each, subject in enumerate(group.names):
            number = group.number * TOGETHER + each
            destination = utility_of(number)
            self.positions[destination] += self._copies
            waits = NOW - at < WAITS_FOR[destination]
            erased = not waits and NOW - at > BODIES_FOR
            event = {
                "event_id": name("evt", at, number * 4 + sequence),
                "destination": destination,
                "position": self.positions[destination],
                "subject": subject,
                "sequence": sequence,
                "channel": "webhook",
                "type": EventType.APPLICATION_SUBMITTED.value,
                "at": at,
                "tried_for_s": 0.0,
                "data": {} if erased else {"application_id": subject, "said": "x" * 700},
                "state": "pending" if waits else "delivered",
                "attempts": 0 if waits else 1,
                "scheduled_at": at,
                "next_attempt_at": at if waits else None,
                "settled_at": None if waits else at,
                "erased_at": NOW if erased else None,
                "body_form": None if waits else 2,
                "body_sha256": _digest(subject),
            }
            made[outbox].append(self._sealed(outbox, event))
            if not waits:
                tried = {"attempt": 1, "started_at": at, "finished_at": at, "state": "delivered", "status": 200}
                ended = {"reason": "accepted", "outcome": "receipted", "receipt": self._noise(RECEIPT_BYTES // 2).hex()}
                attempt = {"event_id": event["event_id"], **tried, **ended}
                made[delivery_attempts].append(self._sealed(delivery_attempts, attempt))

    def _status_list(self, group: Group) -> dict[str, Any]:
        body = self._noise(900)
        kept = {"role": "status_list", "body": body, **_kept(group)}
        return {"digest": sha256(body + str(group.number).encode()).hexdigest(), **kept}

    def _named(self, subject: str, number: int) -> dict[str, Any]:
        person = _digest(f"person {number}")
        row = {"subject": subject, "content_digest": _digest(subject), "person_digest": person, "label": "粤房地证"}
        return self._sealed(named_persons, {**row, "kind": KINDS[1]})

    def _rating(self, own: Mapping[str, str], number: int, at: datetime, record_id: str) -> dict[str, Any]:
        waits = not number % 400
        answer = {"answer_by": at + timedelta(days=20) if waits else None, "answered_at": at if waits else None}
        row = {**own, "utility": utility_of(number), "region": "440106", "level": "satisfied", "tags": [], **answer}
        return self._sealed(service_ratings, {**row, "rated_at": at, "record_id": record_id, "text": None})

    def _review(self, own: Mapping[str, str], digest: str, group: Group, record_id: str) -> dict[str, Any]:
        at = group.received_at
        settled = {"state": "accepted", "settled_at": at, "officer": "o", "settled_by": "o", "reason": None}
        forgotten = 2 if NOW - at > WITHDRAWN_FOR else None
        row = {
            "task_id": "rev" + own["application_id"],
            "intake_id": "int" + own["application_id"],
            "holder_digest": digest,
            "region": group.region,
            "customer_class": "lv_ordinary",
            "findings": [],
            "opened_at": at,
            "expires_at": at,
            "record_id": record_id,
            "forgotten": forgotten,
            **own,
            **settled,
        }
        return self._sealed(review_tasks, row)

    def _noise(self, length: int) -> bytes:
        """Bytes that nothing compresses."""
        first = self._random.randrange(len(_NOISE) - length)
        return _NOISE[first : first + length]

    def _sealed(self, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        return seal_values(AT_REST.sealer, table, values, {})


def _kept(group: Group) -> dict[str, Any]:
    """When evidence of the group was met, and that somebody looked whether anything rests on it."""
    long_ago = NOW - group.received_at > LOOSE_FOR
    return {"kept_at": group.received_at, "rested_on_at": NOW if long_ago else None}


def _digest(said: str) -> str:
    return sha256(said.encode()).hexdigest()
