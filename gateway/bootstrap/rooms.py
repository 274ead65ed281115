"""Services that the serving process and a command have, one each: put together without anything that serves."""

import math

from adapters import departments
from adapters.key_directory import KeyPurpose
from gateway.applications.agent_authority import AgentAuthorities
from gateway.applications.review_reading import ReviewReader
from gateway.applications.reviews import ReviewService
from gateway.bootstrap.certificates import trust_of
from gateway.bootstrap.foundation import GATEWAY_NAME, Foundation, kinds_of
from gateway.certificates.service import CertificateService
from gateway.contracts.service import ContractService
from gateway.crypto.keyed_digest import KeyedDigest
from gateway.evidence.service import EvidenceService
from gateway.licences.service import LicenceService
from gateway.oversight.routing import RoutingService
from gateway.oversight.service import OversightService
from gateway.progress.named_accesses import NamedAccessService
from gateway.reconciliation.service import ReconciliationService
from gateway.retention.policies import Periods, policies, shown_to_others
from gateway.retention.service import RetentionService


def build_oversight(foundation: Foundation) -> OversightService:
    """办理情况; the serving process and ``bandian report`` have one each."""
    settings = foundation.settings
    offices = departments.discover(settings.department_options())
    return OversightService(foundation.transactions, foundation.rules.book, offices, foundation.clock)


def build_routing(foundation: Foundation, certificates: CertificateService) -> RoutingService:
    """谁来答复; the serving process and ``bandian routing`` have one each."""
    offices = departments.discover(foundation.settings.department_options())
    return RoutingService(certificates, certificates.kinds, offices, foundation.directory)


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


def build_named_accesses(foundation: Foundation, digests: KeyedDigest) -> NamedAccessService:
    """谁看过我的信息, for whom others' certificates name."""
    shown_for = shown_to_others(_periods(foundation))
    return NamedAccessService(
        foundation.transactions, kinds_of(foundation.settings), digests, shown_for, foundation.clock
    )


def build_retention(foundation: Foundation) -> RetentionService:
    """What removes personal data when their time is over."""
    settings = foundation.settings
    table = policies(_periods(foundation), kinds_of(settings).copies_kept())
    return RetentionService(foundation.transactions, table, foundation.clock)


def _periods(foundation: Foundation) -> Periods:
    return Periods(**foundation.settings.retention.model_dump())


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
