"""Who else a certificate names by number: natural persons (共有人, a legal representative), known by keyed digests.

They consented to nothing, and may ask who saw what the certificate says of them. A number that is written in part
(脱敏), or is no 公民身份号码, leads to nobody: a name alone decides nothing.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.kind import CertificateKind
from gateway.crypto.keyed_digest import KeyedDigest, Use
from schemas.identifiers import IdentifierError, parse_resident_identity_number, upgrade_resident_identity_number

_NUMBER = re.compile(r"(?<![0-9A-Za-z*])(?:[0-9]{17}[0-9Xx]|[0-9]{15})(?![0-9A-Za-z*])")
"""18 characters, or the 15 digits of before, with nothing before or after that could belong to it."""


@dataclass(frozen=True, slots=True)
class OthersNamed:
    """Digests of the natural persons whom a certificate names beside its holder, and what they know it by."""

    persons: tuple[str, ...]
    label: str | None = field(default=None, repr=False)


NOBODY: Final = OthersNamed(())


class NamedPersons(Protocol):
    """Whom certificates name beside their holder; a ``subject`` of the record (application, review task) has them."""

    def add(self, subject: str, kind: str, content_digest: str, others: OthersNamed) -> None:
        """``content_digest`` is of the envelope. Those who are there already stay."""
        ...


def others_named(
    kind: CertificateKind, claims: ECertificateClaims | None, holder_code: str, digests: KeyedDigest
) -> OthersNamed:
    """The natural persons whom ``claims`` name by number, without the holder in question; in the order of digests."""
    if kind.others is None or claims is None:
        return NOBODY
    texts = (text for text in kind.others.texts(claims) if text)
    found = {number for text in texts for each in _NUMBER.findall(_plain(text)) if (number := _canonical(each))}
    persons = sorted(person_digest(number, digests) for number in found - {_canonical(_plain(holder_code))})
    label = kind.others.label
    return OthersNamed(tuple(persons), label(claims) if label and persons else None)


def person_digest(number: str, digests: KeyedDigest) -> str:
    """Of the verified 公民身份号码 ``number``. Joins with no other table: it is of a use of its own."""
    return digests.of(Use.NAMED_PERSON, number)


def _canonical(text: str) -> str | None:
    """The 公民身份号码 that ``text`` is, or became (GB 11643); None where it is neither."""
    number = text.upper()
    try:
        if len(number) == 15:
            return upgrade_resident_identity_number(number)
        parse_resident_identity_number(number, on=date.max)
    except IdentifierError:
        return None
    return number


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
