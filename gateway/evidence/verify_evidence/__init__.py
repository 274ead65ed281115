"""``verify-evidence bundle.zip --anchors DIR``: does an evidence bundle (证据包) prove what it says?

This folder is the whole verifier. It needs Python 3.11 and ``cryptography``, nothing else: no network, no database and
no code of the gateway, so that it can be copied, read and run by somebody who trusts none of them. What each file of a
bundle is, and what each statement means, stands in ``docs/evidence.md``. Whom to believe stands in DIR:

    anchors/*.pem               roots of the certificates that seal e-certificates and their status lists
    issuers.json                which authority may issue which kind, and under which CA (as in BANDIAN_TRUST_DIR)
    kinds.json                  {"business_licence": [证照类型代码 …]}: the codes that each kind is issued under
    gateway.jwks.json           the gateway's published keys (RFC 7517), retired ones included
    partners.json               the departments' and utilities' registered keys, by partner code
    identity-provider.json      {"issuer": …, "audience": what it calls the gateway, "keys": [JWK …]}
    checkpoints.vkeys           verifier keys of the record's checkpoints, one a line (C2SP signed-note)
    witnesses.vkeys             verifier keys of the witnesses that somebody independent chose; optional
    time-stamps/*.pem           roots of authorities that stamp checkpoints (RFC 3161); optional

Exit codes: 0 everything that the bundle states is proved; 1 something is wrong, and it is named; 2 something could not
be proved; 3 the bundle or DIR cannot be read.
"""

from .anchors import Anchors
from .archive import read_archive
from .checks.manifest import MANIFEST
from .command import main
from .errors import Broken, Unreadable
from .report import Report, verify_evidence
from .texts import PROVED, STATED, UNKNOWN, WITHHELD, WRONG, Finding

__all__ = [
    "MANIFEST",
    "PROVED",
    "STATED",
    "UNKNOWN",
    "WITHHELD",
    "WRONG",
    "Anchors",
    "Broken",
    "Finding",
    "Report",
    "Unreadable",
    "main",
    "read_archive",
    "verify_evidence",
]
