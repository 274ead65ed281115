"""One unit of work. Each room sees the slice that its ``ports.py`` declares; this class has them all."""

from collections.abc import Mapping
from functools import cached_property

from adapters.storage.application_certificates import SqlApplicationCertificates
from adapters.storage.applications import SqlApplications, SqlIntakes, SqlStageEvents
from adapters.storage.approvals import SqlApprovalOutcomes, SqlJointReviews, read_outcomes, read_reviews
from adapters.storage.authorisations import SqlAuthorisations
from adapters.storage.capacities import SqlCapacities
from adapters.storage.certificates import SqlCertificateCopies, read_versions
from adapters.storage.conformance import SqlConformanceReports
from adapters.storage.contracts import SqlContracts
from adapters.storage.deadline_looks import SqlDeadlineLooks
from adapters.storage.delivery_queue import SqlDeliveryQueue
from adapters.storage.destinations import SqlDestinations
from adapters.storage.evidence import SqlApplicationTraces, SqlEvidenceShelf
from adapters.storage.idempotency import SqlIdempotency
from adapters.storage.identity import SqlSessions
from adapters.storage.licences import SqlAskedHolders, SqlCases, read_cases_for_use
from adapters.storage.named_persons import SqlNamedPersons
from adapters.storage.notice_sends import SqlNoticeSends
from adapters.storage.notices import NoticingRecords, SqlNotices
from adapters.storage.officers import SqlOfficers
from adapters.storage.outages import SqlOutages
from adapters.storage.outbox import BatchOutbox, ReadOnlyOutbox
from adapters.storage.oversight import SqlApplicationsObserved, SqlRatingsObserved
from adapters.storage.partners import SqlPartnerRepository, read_version
from adapters.storage.projects import SqlLeads, SqlProjects
from adapters.storage.ratings import SqlRatings
from adapters.storage.read_ahead import ReadAhead, Reader
from adapters.storage.rechecks import SqlFeedPositions, SqlRecheckQueue
from adapters.storage.reconciliation import SqlDayBook
from adapters.storage.record_audit import SqlAuditReader
from adapters.storage.record_trees import SqlRecordSubjects, SqlSuperLog
from adapters.storage.records import BatchRecords, ReadOnlyRecords
from adapters.storage.resealing import SqlSealedRows
from adapters.storage.restorations import SqlRestorations
from adapters.storage.retention import SqlRemoval
from adapters.storage.reviews import SqlReviews
from adapters.storage.rule_rows import SqlRuleRows
from adapters.storage.spent_tokens import SqlSpentTokens, spend_ahead
from adapters.storage.standings import SqlStandings
from adapters.storage.statements import Statements
from gateway.approvals.ports import OUTCOME, REVIEW
from gateway.certificates.ports import COPIES
from gateway.delivery.ports import Outbox
from gateway.licences.ports import CASE
from gateway.partners.ports import DIRECTORY, SPENT
from gateway.records.ports import RecordAppender

READERS: Mapping[str, Reader] = {
    SPENT: spend_ahead,
    CASE: read_cases_for_use,
    COPIES: read_versions,
    DIRECTORY: read_version,
    REVIEW: read_reviews,
    OUTCOME: read_outcomes,
}
"""What a unit of work may say beforehand that it looks at. Tokens that another process spends
right now are waited for: they are first. Reviews are held and not waited for: they are last."""
NOTHING_AHEAD = ReadAhead(READERS)


class SqlUnitOfWork:
    """Repositories over the statements of one unit; ``records`` and ``outbox`` belong to the batch it is part of."""

    def __init__(
        self,
        statements: Statements,
        records: BatchRecords | ReadOnlyRecords,
        outbox: BatchOutbox | ReadOnlyOutbox,
        ahead: ReadAhead | None = None,
    ) -> None:
        self._ahead = ahead or NOTHING_AHEAD
        self._statements = statements
        self._records = records
        self._outbox = outbox

    @cached_property
    def records(self) -> RecordAppender:
        return NoticingRecords(self._records, self.notices)

    @property
    def outbox(self) -> Outbox:
        return self._outbox

    @cached_property
    def deliveries(self) -> SqlDeliveryQueue:
        return SqlDeliveryQueue(self._statements)

    @cached_property
    def day_book(self) -> SqlDayBook:
        return SqlDayBook(self._statements)

    @cached_property
    def destinations(self) -> SqlDestinations:
        return SqlDestinations(self._statements)

    @cached_property
    def record_reader(self) -> SqlAuditReader:
        return SqlAuditReader(self._statements)

    @cached_property
    def restorations(self) -> SqlRestorations:
        return SqlRestorations(self._statements)

    @cached_property
    def super_log(self) -> SqlSuperLog:
        return SqlSuperLog(self._statements)

    @cached_property
    def record_subjects(self) -> SqlRecordSubjects:
        return SqlRecordSubjects(self._statements)

    @cached_property
    def partners(self) -> SqlPartnerRepository:
        return SqlPartnerRepository(self._statements, self._ahead)

    @cached_property
    def conformance(self) -> SqlConformanceReports:
        return SqlConformanceReports(self._statements)

    @cached_property
    def spent_tokens(self) -> SqlSpentTokens:
        return SqlSpentTokens(self._statements, self._ahead)

    @cached_property
    def idempotency(self) -> SqlIdempotency:
        return SqlIdempotency(self._statements)

    @cached_property
    def joint_reviews(self) -> SqlJointReviews:
        return SqlJointReviews(self._statements, self._ahead)

    @cached_property
    def standings(self) -> SqlStandings:
        return SqlStandings(self._statements, self.joint_reviews)

    @cached_property
    def approval_outcomes(self) -> SqlApprovalOutcomes:
        return SqlApprovalOutcomes(self._statements, self._ahead)

    @cached_property
    def projects(self) -> SqlProjects:
        return SqlProjects(self._statements)

    @cached_property
    def leads(self) -> SqlLeads:
        return SqlLeads(self._statements)

    @cached_property
    def applications(self) -> SqlApplications:
        return SqlApplications(self._statements)

    @cached_property
    def intakes(self) -> SqlIntakes:
        return SqlIntakes(self._statements)

    @cached_property
    def reviews(self) -> SqlReviews:
        return SqlReviews(self._statements)

    @cached_property
    def stage_events(self) -> SqlStageEvents:
        return SqlStageEvents(self._statements)

    @cached_property
    def contracts(self) -> SqlContracts:
        return SqlContracts(self._statements)

    @cached_property
    def ratings(self) -> SqlRatings:
        return SqlRatings(self._statements)

    @cached_property
    def authorisations(self) -> SqlAuthorisations:
        return SqlAuthorisations(self._statements)

    @cached_property
    def cases(self) -> SqlCases:
        return SqlCases(self._statements, self.applications, self.authorisations, self._ahead)

    @cached_property
    def asked_holders(self) -> SqlAskedHolders:
        return SqlAskedHolders(self._statements)

    @cached_property
    def application_certificates(self) -> SqlApplicationCertificates:
        return SqlApplicationCertificates(self._statements)

    @cached_property
    def recheck_queue(self) -> SqlRecheckQueue:
        return SqlRecheckQueue(self._statements)

    @cached_property
    def feed_positions(self) -> SqlFeedPositions:
        return SqlFeedPositions(self._statements)

    @cached_property
    def sessions(self) -> SqlSessions:
        return SqlSessions(self._statements)

    @cached_property
    def notices(self) -> SqlNotices:
        return SqlNotices(self._statements, self.notice_sends)

    @cached_property
    def deadline_looks(self) -> SqlDeadlineLooks:
        return SqlDeadlineLooks(self._statements)

    @cached_property
    def notice_sends(self) -> SqlNoticeSends:
        return SqlNoticeSends(self._statements)

    @cached_property
    def named_persons(self) -> SqlNamedPersons:
        return SqlNamedPersons(self._statements)

    @cached_property
    def officers(self) -> SqlOfficers:
        return SqlOfficers(self._statements)

    @cached_property
    def removal(self) -> SqlRemoval:
        return SqlRemoval(self._statements)

    @cached_property
    def sealed_rows(self) -> SqlSealedRows:
        return SqlSealedRows(self._statements)

    @cached_property
    def evidence(self) -> SqlEvidenceShelf:
        return SqlEvidenceShelf(self._statements)

    @cached_property
    def traces(self) -> SqlApplicationTraces:
        return SqlApplicationTraces(self._statements, self.deliveries)

    @cached_property
    def capacities(self) -> SqlCapacities:
        return SqlCapacities(self._statements)

    @cached_property
    def outages(self) -> SqlOutages:
        return SqlOutages(self._statements)

    @cached_property
    def rule_rows(self) -> SqlRuleRows:
        return SqlRuleRows(self._statements)

    @cached_property
    def observed(self) -> SqlApplicationsObserved:
        return SqlApplicationsObserved(self._statements)

    @cached_property
    def ratings_observed(self) -> SqlRatingsObserved:
        return SqlRatingsObserved(self._statements)

    @cached_property
    def certificate_copies(self) -> SqlCertificateCopies:
        return SqlCertificateCopies(self._statements, self._ahead)
