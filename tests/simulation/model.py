"""The simulator's own books, and the invariants that it holds the gateway to.

Nothing here asks the gateway what is right: stages, documents and fields are written down a second time, from the
regulation. What was committed is read from the outbox in the order of positions; what a utility has, from the utility.

1. *lost*: an outcome that a department was told is accepted is queued for its utility, and in the end is there.
2. *twice*: no event and no outcome has a second effect at a receiver.
3. *order*: events of a receiver and application arrive in the order of their sequence, and positions and sequences
   have no gap; only what was given up as a dead letter may come later.
4. *lifecycle*: a stage event is taken if, and only if, the class's stages allow it; and the steps kept are those taken.
5. *clock*: counted times, times of hearing, seals and entries never run backwards.
6. *disclosure*: nothing leaves, and no source is asked, but for who is authorised at that instant, at that stage, of
   that application, and no field beyond what the stage needs; no event tells who the applicant is.
7. *record*: every acknowledged act has its entry, and the whole record audits.
8. *revocation*: nothing revoked for longer than status lists may be old is called valid.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from schemas.events import EventType
from schemas.partner_api import VerifiedLicence
from tests.simulation.world import Violated

TWO, THREE = ("sign_up", "construction"), ("acceptance", "supply_plan", "metering")
SIX = ("acceptance", "supply_plan", "design_review", "interim_inspection", "completion_inspection", "metering")
STAGES = {"residential": TWO, "lv_zero": TWO, "lv_ordinary": THREE, "hv_single": SIX, "hv_dual": SIX}
CITATION = {"name", "number", "issuing_authority", "issuing_authority_code", "issued_on"}
ANSWERS = {"valid_on", "held_by"}
HOLDER = {"holder", "holder_code"}
QUALIFICATION = CITATION | ANSWERS | HOLDER | {"valid_until_on", "category", "grade", "scope"}
NEEDED: Mapping[str, set[str]] = {
    "business_licence": CITATION | ANSWERS | HOLDER | {"valid_until_on"},
    "resident_id": {"name"} | ANSWERS | HOLDER,
    "property_certificate": CITATION
    | ANSWERS
    | {
        "property_certificate_number",
        "property_unit_code",
        "location",
        "right_type",
        "owner_matches",
        "address_matches",
    },
    "project_approval": CITATION
    | ANSWERS
    | {"valid_until_on", "project_code", "project_name", "approval_number", "site", "address_matches"},
    "design_qualification": QUALIFICATION,
    "construction_qualification": QUALIFICATION,
}
STATUS_AT_MOST = timedelta(hours=25)
"""Status lists older than a day are not used; an hour for publishing."""


def documents_at(customer_class: str, stage: str, *, resident: bool) -> set[str]:
    """What 第（六）条 lets a utility fetch."""
    high = customer_class.startswith("hv")
    if stage in ("sign_up", "acceptance"):
        own = {"resident_id" if resident else "business_licence", "property_certificate"}
        return own | {"project_approval"} if high else own
    if high and stage == "design_review":
        return {"design_qualification"}
    return {"construction_qualification"} if high and stage == "interim_inspection" else set()


@dataclass
class Intent:
    """What the present step may make of an application: its holder confirmed, for this utility."""

    holder: str
    utilities: tuple[str, ...]
    until: datetime | None


@dataclass
class Known:
    """An application as the simulator knows it. ``unsure``: an answer was lost, and the stages may have moved on."""

    application_id: str
    utility: str
    holder: str
    resident: bool
    customer_class: str
    granted_at: datetime
    until: datetime
    withdrawn_at: datetime | None = None
    at_stage: int = 0
    status: str = "pending"
    closed: bool = False
    steps: int = 0
    unsure: bool = False

    @property
    def stage(self) -> str | None:
        """Where it is; None once it is closed."""
        return None if self.closed else STAGES[self.customer_class][self.at_stage]

    @property
    def kinds(self) -> set[str]:
        """What the authorisation covers."""
        stages = STAGES[self.customer_class]
        return set().union(*(documents_at(self.customer_class, stage, resident=self.resident) for stage in stages))

    def stands(self, at: datetime) -> bool:
        """Whether the authorisation does."""
        return self.withdrawn_at is None and self.granted_at <= at < self.until


@dataclass
class Queued:
    """An event that the gateway committed, by the outbox."""

    event_id: str
    destination: str
    type: str
    subject: str
    sequence: int
    position: int
    outcome_id: str | None


@dataclass
class Receiver:
    """What a receiver has: events by id, and the last sequence of each application. ``skipped`` were never seen yet."""

    events: dict[str, str] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    skipped: set[tuple[str, int]] = field(default_factory=set)
    effects: dict[str, str] = field(default_factory=dict)


class Model:
    """All books. Times are those of the virtual clock."""

    def __init__(self) -> None:
        self.applications: dict[str, Known] = {}
        self.of_holder: dict[str, list[Known]] = defaultdict(list)
        self.queued: dict[str, Queued] = {}
        self.by_sequence: dict[tuple[str, str, int], str] = {}
        self.positions: dict[str, int] = defaultdict(int)
        self.sequences: dict[tuple[str, str], int] = defaultdict(int)
        self.outcomes: dict[str, str] = {}
        """Outcome id → the event that takes it to its utility."""
        self.acknowledged: dict[str, datetime] = {}
        self.fresh: list[str] = []
        """Outcomes acknowledged in the present step."""
        self.pushed: set[str] = set()
        """Every outcome that a department really signed and sent."""
        self.receivers: dict[str, Receiver] = defaultdict(Receiver)
        self.gaps: list[tuple[str, str, int]] = []
        self.records: list[tuple[str, str]] = []
        """(record id, action) of what was acknowledged since the last look."""
        self.secrets: dict[str, tuple[str, ...]] = {}
        """What no event may tell, by holder."""
        self.revoked: dict[tuple[str, str], datetime] = {}
        """(holder, kind) → since when none of the holder's certificates of the kind is good."""
        self.ordered: set[tuple[str, str]] = set()
        """(holder, kind) of which an authority ever ordered anything."""
        self.changes: dict[tuple[str, str], str] = {}
        """(application, kind) → the verdict that its utility was told last."""
        self.intent: Intent | None = None
        self.withdrawing: str | None = None
        self.asking: set[str] = set()
        """Holders whose certificates the present step may ask a source for."""
        self.shown: dict[tuple[str, str, str], datetime] = {}
        """(application, stage, which end of it) → the time that its applicant was shown."""
        self.disclosures = 0
        self.noticed: Violated | None = None
        """What was noticed inside of a call of the gateway's, which may take it for a fault of its neighbour's."""

    # what was committed ---------------------------------------------------------------------------------------------

    def committed(self, event: Any, at: datetime) -> None:
        """The next event of a destination, in the order of the outbox."""
        destination, subject = event.destination, event.subject
        expected = self.positions[destination] + 1, self.sequences[destination, subject] + 1
        if (event.position, event.sequence) != expected:
            raise Violated("order", f"{event.event_id} is {event.position}/{event.sequence} and not {expected}")
        self.positions[destination], self.sequences[destination, subject] = expected
        outcome_id = event.data.get("outcome_id") if event.type == EventType.PERMIT_OUTCOME else None
        if event.event_id in self.queued or outcome_id in self.outcomes:
            raise Violated("twice", f"{event.type} of {subject} was queued twice: {outcome_id or event.event_id}")
        self.queued[event.event_id] = Queued(
            event.event_id, destination, event.type, subject, event.sequence, event.position, outcome_id
        )
        self.by_sequence[destination, subject, event.sequence] = event.event_id
        if outcome_id is not None:
            if outcome_id not in self.pushed:
                raise Violated("twice", f"{outcome_id} was made up: no department pushed it")
            self.outcomes[outcome_id] = event.event_id
        if event.type == EventType.APPLICATION_SUBMITTED:
            self._submitted(event.data, destination, at)
        elif event.type in (EventType.APPLICATION_WITHDRAWN, EventType.AUTHORISATION_WITHDRAWN):
            self._withdrawn(event, at)
        known = self.applications.get(subject)
        if known is None:
            raise Violated("disclosure", f"{event.event_id} is about {subject}, which nobody applied for")
        if event.type in set(EventType) and known.utility != destination:
            raise Violated("disclosure", f"{event.event_id} of {subject} goes to {destination}")

        if event.type == EventType.CERTIFICATE_CHANGED:
            self._changed(known, event.data)

    def _changed(self, known: Known, data: Mapping[str, Any]) -> None:
        kind = data["kind"]
        if (known.holder, kind) not in self.ordered:
            raise Violated("revocation", f"{kind} of {known.application_id}: {data['change']}, which nobody ordered")
        self.changes[known.application_id, kind] = data["verdict"]

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Keep the first violation that is raised in the body."""
        try:
            yield
        except Violated as violated:
            self.noticed = self.noticed or violated
            raise

    def begin(self) -> None:
        """Another step: nobody has asked for anything yet."""
        self.intent, self.withdrawing, self.asking = None, None, set()

    def acknowledges(self, outcome_id: str, at: datetime) -> None:
        """A department was told that its outcome is accepted."""
        self.acknowledged.setdefault(outcome_id, at)
        self.fresh.append(outcome_id)

    def _submitted(self, data: Mapping[str, Any], utility: str, at: datetime) -> None:
        application_id, intent = data["application_id"], self.intent
        if intent is None or utility not in intent.utilities:
            raise Violated("disclosure", f"{application_id} goes to {utility}, and nobody confirmed that")
        self.intent = None
        until = datetime.fromisoformat(data["authorised_until"])
        if intent.until is not None and until != intent.until:
            raise Violated("disclosure", f"{application_id} is authorised until {until}, not {intent.until}")
        known = Known(
            application_id,
            utility,
            intent.holder,
            data["intake"] != "one_certificate",
            data["customer_class"],
            at,
            until,
        )
        if tuple(data["stages"]) != STAGES[known.customer_class]:
            raise Violated("lifecycle", f"{application_id} has the stages {data['stages']}")
        self.applications[application_id] = known
        self.of_holder[intent.holder].append(known)

    def _withdrawn(self, event: Any, at: datetime) -> None:
        known = self.applications.get(event.subject)
        if known is None or self.withdrawing != event.subject:
            raise Violated("lifecycle", f"{event.subject} was withdrawn, and its applicant did not ask for it")
        if event.type == EventType.APPLICATION_WITHDRAWN:
            if known.closed:
                raise Violated("lifecycle", f"{event.subject} was withdrawn after its end")
            known.closed, known.steps = True, known.steps + 1
        known.withdrawn_at = known.withdrawn_at or at

    # what a receiver gets -------------------------------------------------------------------------------------------

    def received(self, event: Any, body: bytes) -> bool:
        """A receiver takes an event; False where it had it before, and does nothing more."""
        queued = self.queued.get(event.event_id)
        if queued is None or queued.destination != event.destination:
            raise Violated("order", f"{event.event_id} was sent before it was committed, or to somebody else")
        receiver, content = self.receivers[event.destination], sha256(body).hexdigest()
        if event.event_id in receiver.events:
            if receiver.events[event.event_id] != content:
                raise Violated("twice", f"{event.event_id} came again with another body")
            return False
        receiver.events[event.event_id] = content
        self._in_order(receiver, event)
        self._tells_nobody(event, body)
        if queued.outcome_id is not None:
            if queued.outcome_id in receiver.effects:
                raise Violated("twice", f"{queued.outcome_id} reached {event.destination} in two events")
            receiver.effects[queued.outcome_id] = event.event_id
        return True

    def _in_order(self, receiver: Receiver, event: Any) -> None:
        last = receiver.last.get(event.subject, 0)
        if event.sequence <= last:
            if (event.subject, event.sequence) not in receiver.skipped:
                raise Violated("order", f"{event.event_id} is {event.sequence} after {last} of {event.subject}")
            receiver.skipped.discard((event.subject, event.sequence))
            return
        for missing in range(last + 1, event.sequence):
            receiver.skipped.add((event.subject, missing))
            self.gaps.append((event.destination, event.subject, missing))
        receiver.last[event.subject] = event.sequence

    def _tells_nobody(self, event: Any, body: bytes) -> None:
        known = self.applications.get(event.subject)
        if known is None:
            return
        text = body.decode()
        if any(secret in text for secret in self.secrets.get(known.holder, ())):
            raise Violated("disclosure", f"{event.type} of {event.subject} tells who the applicant is")

    # stages ---------------------------------------------------------------------------------------------------------

    def legal(self, known: Known, stage: str, action: str, reason: str | None) -> bool:
        """Whether the event may be taken."""
        if known.closed or stage != known.stage or (action == "paused" and not reason):
            return False
        return (
            known.status
            in {"started": ("pending",), "paused": ("under_way",), "completed": ("under_way",), "resumed": ("paused",)}[
                action
            ]
        )

    def moved(self, known: Known, action: str) -> None:
        """The gateway took a legal event."""
        known.steps += 1
        known.status = {"started": "under_way", "resumed": "under_way", "paused": "paused", "completed": "pending"}[
            action
        ]
        if action == "completed":
            known.at_stage += 1
            known.closed = known.at_stage == len(STAGES[known.customer_class])

    def shows(self, application_id: str, stage: str, which: str, at: datetime | None) -> None:
        """An applicant is shown when a stage began or ended; once shown, it stays."""
        before = self.shown.get((application_id, stage, which))
        if before is not None and at != before:
            raise Violated("clock", f"{stage} of {application_id} was shown as {which} at {before}, and now at {at}")
        if at is not None:
            self.shown[application_id, stage, which] = at

    # disclosure -----------------------------------------------------------------------------------------------------

    def may_have(self, known: Known | None, utility: str, kind: str, at: datetime) -> bool:
        """Whether ``utility`` is allowed the certificate of this kind now."""
        if known is None or known.utility != utility or known.closed or not known.stands(at):
            return False
        return known.stage is not None and kind in documents_at(
            known.customer_class, known.stage, resident=known.resident
        )

    def disclosed(self, licence: VerifiedLicence, known: Known | None, utility: str, at: datetime) -> None:
        """A utility got a signed answer."""
        self.disclosures += 1
        what = f"{licence.kind} of {licence.application_id} to {utility}"
        entitled = licence.aud == utility and self.may_have(known, utility, licence.kind, at)
        if not entitled and (known is None or not known.unsure):
            raise Violated("disclosure", f"{what}, without being entitled to it")
        given = set(licence.fields) | set(licence.predicates)
        if licence.verdict != "valid" and given:
            raise Violated("disclosure", f"{what}: {sorted(given)} of a certificate that is {licence.verdict}")
        if not given <= NEEDED[licence.kind]:
            raise Violated("disclosure", f"{what}: {sorted(given - NEEDED[licence.kind])} beyond the need")
        since = self.revoked.get((known.holder, licence.kind)) if known else None
        if licence.verdict == "valid" and since is not None and at - since > STATUS_AT_MOST:
            raise Violated("revocation", f"{what} is called valid, and was revoked at {since}")

    def asked(self, holder: str, kind: str, at: datetime) -> None:
        """A source was asked for a holder's certificates."""
        if holder in self.asking:
            return
        if not any(each.stands(at) and kind in each.kinds for each in self.of_holder.get(holder, ())):
            raise Violated("disclosure", f"a source was asked for the {kind} of a holder who did not authorise it")
