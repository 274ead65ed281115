"""The services of the serving process; those that a command has too are built one by one."""

import math
from dataclasses import dataclass

from adapters import departments
from adapters.http_client import HttpClient
from adapters.identity_provider import NoIdentityProvider, OpenIdProvider
from adapters.key_directory import KeyPurpose
from adapters.live_keys import LiveTokenKeys
from adapters.officer_provider import NoOfficerProvider, OfficerOpenIdProvider
from adapters.openid import OpenIdClientSettings
from gateway.applications.agent_authority import AgentAuthorities
from gateway.applications.intake import IntakeService
from gateway.applications.own_application import OwnApplicationService
from gateway.applications.purge_receipts import PurgeReceiptService
from gateway.applications.review_reading import ReviewReader
from gateway.applications.reviews import ReviewService
from gateway.applications.stage_events import StageEventService
from gateway.approvals.commitments import CommitmentService
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import SingleWindow
from gateway.authorisations.service import AuthorisationService
from gateway.bootstrap.certificates import build_authorities, build_certificates, trust_of
from gateway.bootstrap.conformance import build_conformance
from gateway.bootstrap.foundation import GATEWAY_NAME, Foundation, checkpoint_keys, kinds_of
from gateway.bootstrap.notice_channels import notice_ways
from gateway.capacity.service import CapacityService
from gateway.certificates.service import CertificateService
from gateway.contracts.service import ContractService
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.delivery.service import DeliveryService
from gateway.evidence.router import EVIDENCE
from gateway.evidence.service import EvidenceService
from gateway.housekeeping import Housekeeping
from gateway.http.callers import Doorkeeper
from gateway.http.idempotency import Idempotency
from gateway.http.limits import RateLimits
from gateway.http.services import Services
from gateway.identity.service import IdentityService
from gateway.licences.service import LicenceService
from gateway.licences.site import SiteService
from gateway.notices.service import NoticeService
from gateway.officers.service import OfficerService
from gateway.oversight.routing import RoutingService
from gateway.oversight.service import OversightService
from gateway.partners.router import PublishedKeys
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
from gateway.reconciliation.service import ReconciliationService
from gateway.records.service import PublishedVerifierKeys, RecordProofs
from gateway.retention.policies import Periods, policies
from gateway.retention.service import RetentionService
from gateway.rule_rows.service import RuleRowService


@dataclass(frozen=True)
class Hub:
    """Everything that the serving process publishes, and what runs beside it."""

    foundation: Foundation
    services: Services
    certificates: CertificateService
    housekeeping: Housekeeping


def build_hub(foundation: Foundation, http: HttpClient) -> Hub:
    """The services of the serving process. Raises ``SettingsError``, ``KeyDirectoryError``,
    ``TrustDirectoryError``, ``DepartmentSettingsError``.
    """
    settings, clock, make_id = foundation.settings, foundation.clock, foundation.make_id
    transactions, directory, keys = foundation.transactions, foundation.directory, foundation.keys
    rules = foundation.rules
    certificates = build_certificates(foundation, http)
    provider = build_identity_provider(foundation, http)
    digests = KeyedDigest(keys.lookup_secret)
    token_keys = LiveTokenKeys(keys)
    tokens = TokenService(
        transactions,
        directory,
        token_keys,
        issuer=settings.issuer_url,
        token_uri=f"{settings.base_url}/oauth/token",
        new_id=lambda: make_id("tok"),
    )
    shared = None if settings.on_sqlite else transactions
    gate = AccessGate(directory, token_keys, settings.issuer_url, shared)
    limits = RateLimits(settings.partner_rate_limit, {EVIDENCE: settings.evidence_rate_limit})
    authorities = build_authorities(foundation, http)
    intakes = IntakeService(
        transactions, certificates, authorities, directory, rules.book, clock, make_id, GATEWAY_NAME
    )
    offices = departments.discover(settings.department_options())
    names = GatewayNames(settings.issuer_url, settings.base_url)
    reconciliation = build_reconciliation(foundation)
    projects = ProjectIntake(transactions, directory, settings.issuer_url, make_id, digests, clock)
    progress = ProgressService(transactions, rules.book, clock, settings.purge_working_days)
    sources = [SourceFacts(each.code, each.region, each.changes) for each in settings.sources]
    services = Services(
        Doorkeeper(gate, clock, settings.base_url, limits.admit),
        Idempotency(transactions, clock, digests),
        limits,
        PublishedKeys(keys.published),
        foundation.partners,
        build_conformance(foundation),
        tokens,
        IdentityService(transactions, provider, digests, clock),
        OfficerService(transactions, build_officer_provider(foundation, http), digests, clock),
        intakes,
        build_reviews(foundation, certificates, authorities),
        StageEventService(transactions, rules.book, clock, digests),
        OwnApplicationService(transactions, clock, make_id, GATEWAY_NAME),
        AuthorisationService(transactions, clock, make_id),
        PurgeReceiptService(
            transactions, directory, rules.book, clock, settings.issuer_url, settings.purge_working_days
        ),
        build_contracts(foundation),
        RatingService(
            transactions,
            rules.book,
            RatingRules(settings.rating_days, settings.rating_answer_working_days),
            clock,
            make_id,
            digests,
        ),
        build_licences(foundation, certificates),
        SiteService(transactions, clock),
        SingleWindow(transactions, directory, offices, rules.book, names, make_id, rules, digests),
        CommitmentService(transactions, offices, rules.book, names, make_id, digests),
        OutcomeIntake(transactions, directory, offices, settings.issuer_url, make_id, digests),
        projects,
        LeadService(transactions),
        DeliveryService(transactions, settings.issuer_url),
        reconciliation,
        NoticeService(transactions, clock, notice_ways(settings)),
        progress,
        CaseFiles(transactions, progress, clock),
        SourceWatch(transactions, sources, certificates.kinds, clock),
        build_oversight(foundation),
        build_routing(foundation, certificates),
        rules,
        RuleRowService(transactions, rules, clock, make_id),
        CapacityService(transactions, clock),
        build_evidence(foundation),
        RecordProofs(transactions, wait_s=math.ceil(settings.checkpoint_every_s)),
        PublishedVerifierKeys(checkpoint_keys(foundation).published),
        offices,
        directory,
        build_pages(foundation),
    )
    housekeeping = Housekeeping(intakes, build_retention(foundation), reconciliation, projects)
    return Hub(foundation, services, certificates, housekeeping)


def build_oversight(foundation: Foundation) -> OversightService:
    """办理情况; the serving process and ``bandian report`` have one each."""
    settings = foundation.settings
    offices = departments.discover(settings.department_options())
    return OversightService(foundation.transactions, foundation.rules.book, offices, foundation.clock)


def build_routing(foundation: Foundation, certificates: CertificateService) -> RoutingService:
    """谁来答复; the serving process and ``bandian routing`` have one each."""
    offices = departments.discover(foundation.settings.department_options())
    return RoutingService(certificates, certificates.kinds, offices, foundation.directory)


def build_pages(foundation: Foundation) -> Pages:
    """门户; the serving process and what prints have one each."""
    base_url = foundation.settings.base_url
    return Pages(Site(GATEWAY_NAME, base_url.startswith("https:"), base_url), Assets(), foundation.clock)


def build_reconciliation(foundation: Foundation) -> ReconciliationService:
    """对账; the serving process and ``bandian reconcile`` have one each."""
    return ReconciliationService(
        foundation.transactions,
        foundation.clock,
        foundation.make_id,
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.settings.issuer_url,
    )


def build_licences(foundation: Foundation, certificates: CertificateService) -> LicenceService:
    """核验; the serving process and ``bandian explain`` have one each."""
    return LicenceService(
        foundation.transactions,
        certificates,
        foundation.directory,
        foundation.clock,
        foundation.make_id,
        KeyedDigest(foundation.keys.lookup_secret),
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.settings.issuer_url,
    )


def build_contracts(foundation: Foundation) -> ContractService:
    """供用电合同."""
    return ContractService(
        foundation.transactions,
        foundation.clock,
        foundation.make_id,
        KeyedDigest(foundation.keys.lookup_secret),
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.settings.issuer_url,
    )


def build_evidence(foundation: Foundation) -> EvidenceService:
    """证据包; the serving process and ``bandian evidence`` have one each. Raises ``TrustDirectoryError``."""
    settings = foundation.settings
    return EvidenceService(
        foundation.transactions,
        foundation.keys.signer(KeyPurpose.ANSWER),
        foundation.clock,
        foundation.make_id,
        KeyedDigest(foundation.keys.lookup_secret),
        issuer=settings.issuer_url,
        gateway_name=GATEWAY_NAME,
        intermediates=trust_of(settings).intermediates,
        wait_s=math.ceil(settings.checkpoint_every_s),
    )


def build_retention(foundation: Foundation) -> RetentionService:
    """What removes personal data when their time is over."""
    settings = foundation.settings
    table = policies(Periods(**settings.retention.model_dump()), kinds_of(settings).copies_kept())
    return RetentionService(foundation.transactions, table, foundation.clock)


def build_reviews(
    foundation: Foundation, certificates: CertificateService, authorities: AgentAuthorities
) -> ReviewService:
    """The officers' side of an intake; the serving process and a command have one each."""
    reader = ReviewReader(certificates, authorities)
    return ReviewService(
        foundation.transactions,
        reader,
        foundation.directory,
        foundation.rules.book,
        foundation.clock,
        foundation.make_id,
        GATEWAY_NAME,
        KeyedDigest(foundation.keys.lookup_secret),
    )


def build_identity_provider(foundation: Foundation, http: HttpClient) -> OpenIdProvider | NoIdentityProvider:
    """The configured one, or one that answers that there is none."""
    settings = foundation.settings
    if settings.identity_provider is None:
        return NoIdentityProvider()
    return OpenIdProvider(
        issuer=settings.identity_provider.issuer,
        client_id=settings.identity_provider.client_id,
        redirect_uri=f"{settings.base_url}/v1/identity/callback",
        client_key=foundation.keys.signer(KeyPurpose.CLIENT),
        http=http,
        make_id=foundation.make_id,
    )


def build_officer_provider(foundation: Foundation, http: HttpClient) -> OfficerOpenIdProvider | NoOfficerProvider:
    """The configured one, or one that answers that there is none."""
    told = foundation.settings.officer_provider
    if told is None:
        return NoOfficerProvider()
    return OfficerOpenIdProvider(
        OpenIdClientSettings(told.issuer, told.client_id, f"{foundation.settings.base_url}/console/callback"),
        told.roles_claim,
        client_key=foundation.keys.signer(KeyPurpose.CLIENT),
        http=http,
        make_id=foundation.make_id,
    )
