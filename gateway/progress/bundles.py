"""What the record says of bundles (证据包): who had everything, as it is."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.evidence.service import APPLICANT, BUNDLED

ACTION: Final = BUNDLED


def given_whole(entry: Mapping[str, Any]) -> bool:
    """Whether ``entry`` says that somebody else than the applicant had a bundle with personal data in it."""
    return entry["action"] == ACTION and entry["actor"] != APPLICANT and entry["facts"].get("redacted") is False
