"""Reads the trust directory: ``anchors/*.pem`` and ``issuers.json``."""

import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from gateway.certificates.trust import TrustStore
from gateway.errors import GatewayError


class TrustDirectoryError(ValueError):
    """The directory cannot be used; the text is one sentence that says how to mend it."""


def read_trust_directory(directory: Path) -> TrustStore:
    """The trust store in ``directory``. Raises ``TrustDirectoryError``; an empty one is refused, not believed empty."""
    anchors: list[bytes] = []
    for path in sorted((directory / "anchors").glob("*.pem")):
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            raise TrustDirectoryError(f"anchors/{path.name} holds no readable PEM certificate; replace it.") from None
        anchors += [certificate.public_bytes(Encoding.DER) for certificate in found]
    if not anchors:
        raise TrustDirectoryError("The trust directory has no anchors/*.pem; put the provincial root there.")
    try:
        issuers = json.loads((directory / "issuers.json").read_text("utf-8"))
        if not isinstance(issuers, list):
            raise TypeError
        return TrustStore.build(anchors, issuers)
    except (OSError, ValueError, TypeError, ValidationError, GatewayError):
        message = "issuers.json is missing or malformed; list each authority with its kinds, regions and dates."
        raise TrustDirectoryError(message) from None
