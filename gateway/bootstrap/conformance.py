"""接入符合性测试; the serving process and ``bandian conformance`` have one each."""

from adapters.conformance import GatewaySide, HttpReaches
from adapters.key_directory import KeyPurpose
from gateway.bootstrap.foundation import Foundation
from gateway.bootstrap.webhook_secrets import secrets_in
from gateway.conformance.service import ConformanceService


def build_conformance(foundation: Foundation) -> ConformanceService:
    """The suite, signing as deliveries do and waiting as long as they do."""
    settings, keys = foundation.settings, foundation.keys
    side = GatewaySide(
        settings.issuer_url,
        settings.base_url,
        keys.signer(KeyPurpose.WEBHOOK),
        keys.signer(KeyPurpose.ANSWER),
        secrets_in(settings.secrets_dir),
        settings.insecure_endpoint_hosts,
        settings.delivery_timeout,
    )
    reaches = HttpReaches(side, foundation.clock)
    return ConformanceService(
        foundation.transactions,
        foundation.directory,
        reaches,
        foundation.clock,
        foundation.make_id,
        limit_s=settings.delivery_timeout_s,
    )
