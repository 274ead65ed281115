"""What a certificate says, readable for the applicant: everything, but other people's numbers only in part.

A certificate of the applicant's may name others: co-owners (共有), or a legal representative before an agent. Their
names stay, since the applicant must recognise the document; their numbers are nobody's business here.
"""

import re

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kind import CertificateKind, DisclosableField

_TOKEN = re.compile(r"[0-9A-Za-z]{6,}")
"""A code inside a field that holds codes: they stand one after the other with some mark between them."""
_RESIDENT_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
"""公民身份号码, wherever it stands."""


def readable_fields(
    kind: CertificateKind, claims: ECertificateClaims | None, own_codes: frozenset[str]
) -> dict[str, str]:
    """Every field that could ever be disclosed, by its Chinese title; codes outside ``own_codes`` are masked."""
    if claims is None:
        return {}
    values = {item: getattr(claims, item.name) for item in kind.fields}
    return {item.title: _masked(item, str(value), own_codes) for item, value in values.items() if value is not None}


def mask(code: str) -> str:
    """The first three and the last two characters; of a code too short for that, none."""
    return f"{code[:3]}{'*' * (len(code) - 5)}{code[-2:]}" if len(code) > 7 else "*" * len(code)


def _masked(item: DisclosableField, value: str, own_codes: frozenset[str]) -> str:
    holds_codes = item.personal and item.name.endswith(("_code", "_codes"))
    pattern = _TOKEN if holds_codes else _RESIDENT_NUMBER
    return pattern.sub(lambda found: found[0] if found[0].upper() in own_codes else mask(found[0]), value)
