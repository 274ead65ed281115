"""The only composition root: builds each service once, from settings."""

from gateway.bootstrap.certificates import build_authorities, build_certificates, build_examiner, trust_of
from gateway.bootstrap.clients import clients
from gateway.bootstrap.conformance import build_conformance
from gateway.bootstrap.foundation import (
    Foundation,
    checkpoint_keys,
    kinds_of,
    lay_foundation,
    open_key_provider,
    open_live_data_keys,
)
from gateway.bootstrap.hub import (
    Hub,
    build_evidence,
    build_hub,
    build_identity_provider,
    build_licences,
    build_oversight,
    build_pages,
    build_reconciliation,
    build_retention,
    build_reviews,
    build_routing,
)
from gateway.bootstrap.loops import (
    Relaying,
    build_anchoring,
    build_notices,
    build_rechecks,
    build_relay,
    loops_beside_serving,
)
from gateway.bootstrap.webhook_secrets import secrets_in

__all__ = [
    "Foundation",
    "Hub",
    "Relaying",
    "build_anchoring",
    "build_authorities",
    "build_certificates",
    "build_conformance",
    "build_evidence",
    "build_examiner",
    "build_hub",
    "build_identity_provider",
    "build_licences",
    "build_notices",
    "build_oversight",
    "build_pages",
    "build_rechecks",
    "build_reconciliation",
    "build_relay",
    "build_retention",
    "build_reviews",
    "build_routing",
    "checkpoint_keys",
    "clients",
    "kinds_of",
    "lay_foundation",
    "loops_beside_serving",
    "open_key_provider",
    "open_live_data_keys",
    "secrets_in",
    "trust_of",
]
