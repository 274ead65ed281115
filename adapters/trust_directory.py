"""Reads the trust directory: ``anchors/*.pem``, ``issuers.json``; optional ``intermediates/*.pem``, ``anchors.json``.

``intermediates`` hold CA certificates that documents do not carry; they help to find a path and are never believed by
themselves. ``anchors.json`` names the certificate policies that an anchor's paths must be good for, by its file:
``{"root.pem": {"policies": ["1.2.3.4"]}}``.
"""

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.certificates.trust import TrustStore
from gateway.certificates.x509.anchors import TrustAnchor
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.errors import GatewayError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class TrustDirectoryError(ValueError):
    """The directory cannot be used; the text is one sentence that says how to mend it."""


class _AnchorTerms(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    policies: Annotated[frozenset[Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$")]], Field(min_length=1)]


def read_trust_directory(directory: Path) -> TrustStore:
    """The trust store in ``directory``. Raises ``TrustDirectoryError``; an empty one is refused, not believed empty."""
    terms = _terms(directory)
    anchors = [
        TrustAnchor(certificate, terms[path.name].policies if path.name in terms else None)
        for path in sorted((directory / "anchors").glob("*.pem"))
        for certificate in _certificates(path)
    ]
    if not anchors:
        raise TrustDirectoryError("The trust directory has no anchors/*.pem; put the provincial root there.")
    intermediates = [
        certificate
        for path in sorted((directory / "intermediates").glob("*.pem"))
        for certificate in _certificates(path)
    ]
    try:
        issuers = json.loads((directory / "issuers.json").read_text("utf-8"))
        if not isinstance(issuers, list):
            raise TypeError
        return TrustStore.build(anchors, issuers, intermediates)
    except (OSError, ValueError, TypeError, ValidationError, GatewayError):
        message = "issuers.json is missing or malformed; list each authority with its kinds, regions and dates."
        raise TrustDirectoryError(message) from None


def _certificates(path: Path) -> list[bytes]:
    """The certificates of a PEM file in DER. Their names may be malformed: the gateway's own reader takes them."""
    try:
        found = [base64.b64decode(b"".join(block.split()), validate=True) for block in _PEM.findall(path.read_bytes())]
        for certificate in found:
            load_signing_certificate(certificate)
    except (OSError, binascii.Error, GatewayError):
        found = []
    if not found:
        name = f"{path.parent.name}/{path.name}"
        raise TrustDirectoryError(f"{name} holds no readable PEM certificate; replace it.")
    return found


def _terms(directory: Path) -> dict[str, _AnchorTerms]:
    path = directory / "anchors.json"
    if not path.exists():
        return {}
    try:
        terms = TypeAdapter(dict[str, _AnchorTerms]).validate_json(path.read_bytes())
    except (OSError, ValueError):
        message = 'anchors.json is malformed; write {"root.pem": {"policies": ["1.2.3.4"]}}.'
        raise TrustDirectoryError(message) from None
    missing = [name for name in terms if not (directory / "anchors" / name).is_file()]
    if missing:
        raise TrustDirectoryError("anchors.json names a file that is not in anchors/; correct the name.")
    return terms
