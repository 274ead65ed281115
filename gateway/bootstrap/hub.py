"""The services of the serving process."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapters import departments
from adapters.http_client import HttpClient
from adapters.live_keys import LiveTokenKeys
from gateway.applications.intake import IntakeService
from gateway.applications.own_application import OwnApplicationService
from gateway.applications.purge_receipts import PurgeReceiptService
from gateway.applications.router import INTAKES
from gateway.applications.stage_events import StageEventService
from gateway.approvals.commitments import CommitmentService
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import SingleWindow
from gateway.authorisations.service import AuthorisationService
from gateway.bootstrap.certificates import build_authorities, build_certificates
from gateway.bootstrap.conformance import build_conformance
from gateway.bootstrap.foundation import GATEWAY_NAME, Foundation, checkpoint_keys
from gateway.bootstrap.notice_channels import notice_ways
from gateway.bootstrap.providers import build_identity_provider, build_officer_provider
from gateway.bootstrap.rooms import (
    build_contracts,
    build_evidence,
    build_licences,
    build_named_accesses,
    build_oversight,
    build_reconciliation,
    build_retention,
    build_reviews,
    build_routing,
)
from gateway.capacity.service import CapacityService
from gateway.certificates.service import CertificateService
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.delivery.service import DeliveryService
from gateway.evidence.router import EVIDENCE
from gateway.housekeeping import Housekeeping
from gateway.http.callers import Doorkeeper
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.services import Services
from gateway.identity.service import IdentityService
from gateway.licences.site import SiteService
from gateway.notices.service import NoticeService
from gateway.officers.service import OfficerService
from gateway.outages.service import OutageService
from gateway.partners.router import TOKENS, PublishedKeys
from gateway.partners.tokens import AccessGate, TokenService
from gateway.portal.assets import Assets
from gateway.portal.rendering import Pages, Site
from gateway.progress.case_files import CaseFiles
from gateway.progress.service import ProgressService
from gateway.projects.intake import ProjectIntake
from gateway.projects.service import LeadService
from gateway.ratings.model import RatingRules
from gateway.ratings.service import RatingService
from gateway.rechecks.source_health import SourceFacts, SourceWatch
from gateway.records.service import PublishedVerifierKeys, RecordProofs
from gateway.rule_rows.service import RuleRowService


@dataclass(frozen=True)
class Hub:
    """Everything that the serving process publishes, and what runs beside it."""

    foundation: Foundation
    services: Services
    certificates: CertificateService
    housekeeping: Housekeeping
    sweep_rooms: Callable[[datetime], None]
    """As ``Foundation.sweep_memory`` takes it."""


def build_hub(foundation: Foundation, http: HttpClient) -> Hub:
    """The services of the serving process. Raises ``SettingsError``, ``KeyDirectoryError``,
    ``TrustDirectoryError``, ``DepartmentSettingsError``.
    """
    settings, clock, make_id = foundation.settings, foundation.clock, foundation.make_id
    transactions, rules = foundation.transactions, foundation.rules
    certificates = build_certificates(foundation, http)
    authorities = build_authorities(foundation, http)
    digests = KeyedDigest(foundation.keys.lookup_secret)
    intakes = IntakeService(
        transactions, certificates, authorities, foundation.directory, rules.book, clock, make_id, GATEWAY_NAME
    )
    reconciliation = build_reconciliation(foundation)
    projects = ProjectIntake(transactions, foundation.directory, settings.issuer_url, make_id, digests, clock)
    sources = [SourceFacts(each.code, each.region, each.changes) for each in settings.sources]
    licences = build_licences(foundation, certificates)
    services = Services(
        *_door(foundation, digests),
        *_of_applicants(foundation, http, digests),
        *_of_reviews(foundation, digests),
        intakes,
        build_reviews(foundation, certificates, authorities),
        StageEventService(transactions, rules.book, clock, digests),
        licences,
        SiteService(transactions, clock),
        projects,
        LeadService(transactions),
        DeliveryService(transactions, settings.issuer_url),
        reconciliation,
        OfficerService(transactions, build_officer_provider(foundation, http), digests, clock),
        SourceWatch(transactions, sources, certificates.kinds, clock),
        build_conformance(foundation),
        build_oversight(foundation),
        build_routing(foundation, certificates),
        rules,
        RuleRowService(transactions, rules, clock, make_id),
        CapacityService(transactions, clock),
        OutageService(transactions, clock),
        build_evidence(foundation),
        RecordProofs(transactions, wait_s=math.ceil(settings.checkpoint_every_s)),
        PublishedVerifierKeys(checkpoint_keys(foundation).published),
        build_pages(foundation),
    )
    retention = build_retention(foundation)
    housekeeping = Housekeeping(intakes, retention, reconciliation, projects)
    return Hub(foundation, services, certificates, housekeeping, licences.sweep_memory)


def _door(foundation: Foundation, digests: KeyedDigest) -> tuple[object, ...]:
    """Who is calling, how often, and with which keys."""
    settings, clock, transactions = foundation.settings, foundation.clock, foundation.transactions
    directory, keys, token_keys = foundation.directory, foundation.keys, LiveTokenKeys(foundation.keys)
    gate = AccessGate(directory, token_keys, settings.issuer_url, None if settings.on_sqlite else transactions)
    set_for = {TOKENS: settings.token_rate_limit, EVIDENCE: settings.evidence_rate_limit}
    if settings.intake_rate_limit is not None:
        set_for[INTAKES] = settings.intake_rate_limit
    limits = RateLimits(settings.partner_rate_limit, set_for)
    tokens = TokenService(
        transactions,
        directory,
        token_keys,
        issuer=settings.issuer_url,
        token_uri=f"{settings.base_url}/oauth/token",
        new_id=lambda: foundation.make_id("tok"),
    )
    door = Doorkeeper(gate, clock, settings.base_url, limits.admit)
    known = (PublishedKeys(keys.published), foundation.partners, directory)
    return door, Idempotency(transactions, clock, digests), limits, tokens, *known


def _of_applicants(foundation: Foundation, http: HttpClient, digests: KeyedDigest) -> tuple[object, ...]:
    """What an applicant does beside applying, and reads."""
    settings, clock, make_id = foundation.settings, foundation.clock, foundation.make_id
    transactions, rules = foundation.transactions, foundation.rules.book
    progress = ProgressService(transactions, rules, clock, settings.purge_working_days)
    rating = RatingRules(settings.rating_days, settings.rating_answer_working_days)
    purging = (settings.issuer_url, settings.purge_working_days)
    return (
        IdentityService(transactions, build_identity_provider(foundation, http), digests, clock),
        OwnApplicationService(transactions, clock, make_id, GATEWAY_NAME),
        AuthorisationService(transactions, clock, make_id),
        PurgeReceiptService(transactions, foundation.directory, rules, clock, *purging),
        build_contracts(foundation),
        RatingService(transactions, rules, rating, clock, make_id, digests),
        NoticeService(transactions, clock, notice_ways(settings)),
        progress,
        CaseFiles(transactions, progress, clock),
        build_named_accesses(foundation, digests),
    )


def _of_reviews(foundation: Foundation, digests: KeyedDigest) -> tuple[object, ...]:
    """并联审批. Raises ``DepartmentSettingsError``."""
    settings, make_id, transactions = foundation.settings, foundation.make_id, foundation.transactions
    directory, rules = foundation.directory, foundation.rules
    offices = departments.discover(settings.department_options())
    names = GatewayNames(settings.issuer_url, settings.base_url)
    return (
        SingleWindow(transactions, directory, offices, rules.book, names, make_id, rules, digests),
        CommitmentService(transactions, offices, rules.book, names, make_id, digests),
        OutcomeIntake(transactions, directory, offices, settings.issuer_url, make_id, digests),
        offices,
    )


def build_pages(foundation: Foundation) -> Pages:
    """门户; the serving process and what prints have one each."""
    base_url = foundation.settings.base_url
    return Pages(Site(GATEWAY_NAME, base_url.startswith("https:"), base_url), Assets(), foundation.clock)
