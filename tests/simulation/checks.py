"""What is checked after each step, now and then, and in the end: the database against the simulator's books."""

from gateway.applications.model import GridConnectionApplication
from gateway.certificates.verdicts import Verdict
from gateway.delivery.ports import DeliveryState
from tests.simulation.model import Known, documents_at
from tests.simulation.province import Province
from tests.simulation.world import Violated

PAGE = 1000


class Checks:
    """Looks into the database after each step in which something was written."""

    def __init__(self, province: Province) -> None:
        self.province = province
        self._seen_writes = 0

    def after_step(self) -> int:
        """Read on in the outbox, and hold it against the books; answers how many events are new."""
        model, database = self.province.model, self.province.database
        new = 0
        if database.writes != self._seen_writes:
            self._seen_writes = database.writes
            new = self._read_on()
        for outcome_id in model.fresh:
            if outcome_id not in model.outcomes:
                raise Violated("lost", f"{outcome_id} was acknowledged, and is not queued")
        for destination, subject, sequence in model.gaps:
            self._given_up(destination, subject, sequence)
        for record_id, action in model.records:
            self._recorded(record_id, action)
        model.fresh, model.gaps, model.records = [], [], []
        return new

    def _read_on(self) -> int:
        model, database, new = self.province.model, self.province.database, 0
        counters = database.rows(
            "SELECT destination, last FROM outbox_counters WHERE subject = '' ORDER BY destination"
        )
        for destination, last in counters:
            while model.positions[str(destination)] < int(str(last)):
                after = model.positions[str(destination)]
                events = database.look(lambda tx, to=str(destination), a=after: tx.deliveries.feed(to, a, PAGE))
                if not events:
                    raise Violated("lost", f"the outbox of {destination} ends at {after}, and counts {last}")
                for event in events:
                    model.committed(event, self.province.now)
                    new += 1
        return new

    def _given_up(self, destination: str, subject: str, sequence: int) -> None:
        """An event was overtaken: only a dead letter may be."""
        event_id = self.province.model.by_sequence[destination, subject, sequence]
        view = self.province.database.look(lambda tx: tx.deliveries.find(event_id))
        if view is None or view.state is not DeliveryState.DEAD:
            raise Violated("order", f"{event_id}, {sequence} of {subject}, was overtaken while {view and view.state}")

    def _recorded(self, record_id: str, action: str) -> None:
        log_id, _, sequence = record_id.rpartition("-")
        found = self.province.database.rows(
            "SELECT action FROM record_entries WHERE log_id = :log AND sequence = :sequence",
            log=log_id,
            sequence=int(sequence),
        )
        if found != [(action,)]:
            raise Violated("record", f"the entry of an acknowledged {action} is {found}")

    def record(self) -> None:
        """The whole record, by the gateway's own audit, and the times in it."""
        report = self.province.database.audit()
        if report.broken:
            raise Violated("record", f"the audit says: {report.broken[0].reason}")
        backwards = self.province.database.rows(
            "SELECT count(*) FROM record_seals a JOIN record_seals b ON b.log_id = a.log_id AND b.number = a.number + 1"
            " WHERE b.sealed_at < a.sealed_at"
        )
        if backwards != [(0,)]:
            raise Violated("clock", f"seals run backwards: {backwards}")

    def at_the_end(self) -> None:
        """Nothing fails any more, and everything had its time: nothing may be missing."""
        model, database = self.province.model, self.province.database
        backlog = database.look(lambda tx: tx.deliveries.backlog())
        if backlog.pending or backlog.dead:
            raise Violated("lost", f"undelivered in the end: {backlog.pending} {backlog.dead}")
        for queued in model.queued.values():
            if queued.event_id not in model.receivers[queued.destination].events:
                raise Violated("lost", f"{queued.type} {queued.event_id} of {queued.subject} never arrived")
        for outcome_id in sorted(model.acknowledged):
            queued = model.queued[model.outcomes[outcome_id]]
            if outcome_id not in model.receivers[queued.destination].effects:
                raise Violated("lost", f"{outcome_id} was acknowledged, and {queued.destination} does not have it")
        for code, receiver in sorted(model.receivers.items()):
            if receiver.skipped:
                raise Violated("order", f"{code} still misses {sorted(receiver.skipped)[:3]}")
        for known in model.applications.values():
            self._application(known)
        self.record()

    def _application(self, known: Known) -> None:
        database, application_id = self.province.database, known.application_id
        application, authorisation = database.look(
            lambda tx: (tx.applications.find(application_id), tx.authorisations.of_application(application_id))
        )
        if application is None or authorisation is None:
            raise Violated("lost", f"{application_id} is gone")
        if (authorisation.withdrawn_at is None) is not (known.withdrawn_at is None):
            raise Violated(
                "disclosure", f"{application_id}: the authorisation was withdrawn at {authorisation.withdrawn_at}"
            )
        if known.unsure:
            return
        if (application.lifecycle.closed_at is not None) is not known.closed:
            raise Violated("lifecycle", f"{application_id} ends as {application.lifecycle.status}")
        if not known.closed and known.stands(self.province.now):
            self._certificates(known, application)

    def _certificates(self, known: Known, application: GridConnectionApplication) -> None:
        """Of what an open application rests on nothing is good that an authority took back long ago."""
        model = self.province.model
        for document in application.documents:
            kinds = documents_at(known.customer_class, "acceptance", resident=known.resident)
            revoked = model.revoked.get((known.holder, document.document))
            if document.verdict is None or revoked is None or document.document not in kinds:
                continue
            told = model.changes.get((known.application_id, document.document))
            if document.verdict is not Verdict.INVALID or told != Verdict.INVALID.value:
                what = f"{document.document} of {known.application_id}, revoked at {revoked},"
                raise Violated("revocation", f"{what} is {document.verdict}, and its utility was told {told}")
