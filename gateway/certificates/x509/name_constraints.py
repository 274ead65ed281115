"""Name constraints: may this certificate bear these names? RFC 5280 §4.2.1.10 and §6.1.3 (b) and (c).

A name of a form that a CA constrained, and that cannot be judged here, is refused: so says the standard, and so is
safe. Work is counted, because names times constraints may be millions.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from gateway.certificates.x509.extensions import NameConstraints
from gateway.certificates.x509.links import WorkExhausted
from gateway.certificates.x509.names import EMPTY_NAME, GeneralName, GeneralNameKind, mailboxes, same_name, within
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.crypto.errors import DerMalformed

MAX_COMPARISONS: Final = 1 << 15
"""Comparisons of a name with a constraint along one path."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_URI_TEXT: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""The characters of RFC 3986. Others readers drop (line ends) or take for a slash (``\\``), and see another host."""
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SMTP_UTF8_MAILBOX: Final = bytes.fromhex("06082b06010505070809")
"""The type of otherName that holds a mailbox (RFC 9598): mail constraints bind it, and nothing here reads it."""


class Unjudgeable(Exception):
    """A name or constraint is of a form, or so written, that the two cannot be compared."""


def names_permitted(path: Sequence[SigningCertificate]) -> bool:
    """Whether every certificate of ``path`` (leaf first) bears names that all CAs above it permit.

    Self-issued certificates other than the leaf are not judged (§6.1.3 (b)). Raises `WorkExhausted`.
    """
    comparisons = 0
    for position, certificate in enumerate(path):
        binding = [above.path.name_constraints for above in path[position + 1 :]]
        rules = [constraints for constraints in binding if constraints is not None]
        if not rules or (position > 0 and self_issued(certificate)):
            continue
        try:
            names = tuple(_names(certificate))
        except DerMalformed:
            return False
        comparisons += sum(len(names) * (len(rule.permitted) + len(rule.excluded)) for rule in rules)
        if comparisons > MAX_COMPARISONS:
            raise WorkExhausted
        if not all(_permits(rule, names) for rule in rules):
            return False
    return True


def self_issued(certificate: SigningCertificate) -> bool:
    """Whether subject and issuer are the same name (§3.2)."""
    return same_name(certificate.subject, certificate.issuer)


def _names(certificate: SigningCertificate) -> Iterator[GeneralName]:
    if certificate.subject != EMPTY_NAME:
        yield GeneralName(GeneralNameKind.DIRECTORY, certificate.subject)
        yield from mailboxes(certificate.subject)
    yield from certificate.path.alternative_names


def _permits(rule: NameConstraints, names: Iterable[GeneralName]) -> bool:
    try:
        return all(_permitted(rule, name) and not _excluded(rule, name) for name in names)
    except (Unjudgeable, DerMalformed):
        return False


def _permitted(rule: NameConstraints, name: GeneralName) -> bool:
    bases = _bases(rule.permitted, name)
    return not bases or any(_matches(name, base, loosely=False) for base in bases)


def _excluded(rule: NameConstraints, name: GeneralName) -> bool:
    return any(_matches(name, base, loosely=True) for base in _bases(rule.excluded, name))


def _bases(subtrees: tuple[GeneralName, ...], name: GeneralName) -> list[GeneralName]:
    found = [base for base in subtrees if base.kind is name.kind]
    if name.kind is GeneralNameKind.OTHER and _SMTP_UTF8_MAILBOX in name.value:
        found += [base for base in subtrees if base.kind is GeneralNameKind.RFC822]
    return found


def _matches(name: GeneralName, base: GeneralName, *, loosely: bool) -> bool:
    """Whether ``name`` lies in the subtree ``base``; ``loosely``: or may stand for one that does (a wildcard)."""
    if name.kind is GeneralNameKind.DIRECTORY:
        return within(name.value, base.value)
    if name.kind is GeneralNameKind.IP:
        return _address_within(name.value, base.value)
    judge = _TEXTS.get(name.kind)
    value, limit = name.text(), base.text()
    if judge is None or value is None or limit is None:
        raise Unjudgeable
    return judge(value, limit, loosely)


def _dns(value: str, limit: str, loosely: bool) -> bool:
    value, limit = value.lower(), limit.lower()
    wildcard = value.startswith("*.")
    host = _host(value.removeprefix("*."))
    if limit == "":
        return True
    if _below(host, _host(limit)):
        return True
    return wildcard and loosely and limit.endswith(f".{host}")


def _mailbox(value: str, limit: str, loosely: bool) -> bool:
    local, at, domain = value.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        raise Unjudgeable
    host = _host(domain.lower())
    wanted, at, limit_host = limit.rpartition("@")
    if not at:
        return _host_or_domain(host, limit.lower())
    if not _LOCAL_PART.fullmatch(wanted):
        raise Unjudgeable
    same = local.lower() == wanted.lower() if loosely else local == wanted
    return same and host == _host(limit_host.lower())


def _uri(value: str, limit: str, _loosely: bool) -> bool:
    if not _URI_TEXT.fullmatch(value):
        raise Unjudgeable
    try:
        parts = urlsplit(value)
        host = _host((parts.hostname or "").lower())
    except ValueError:
        raise Unjudgeable from None
    if not parts.scheme or host.rpartition(".")[2].isdigit():
        raise Unjudgeable
    return _host_or_domain(host, limit.lower())


def _host_or_domain(host: str, limit: str) -> bool:
    """``example.com`` is that host alone, ``.example.com`` every host below it (§4.2.1.10)."""
    if limit.startswith("."):
        return host.endswith(f".{_host(limit[1:])}")
    return host == _host(limit)


def _host(text: str) -> str:
    if len(text) > 253 or not _HOST.fullmatch(text):
        raise Unjudgeable
    return text


def _below(host: str, base: str) -> bool:
    return host == base or host.endswith(f".{base}")


def _address_within(value: bytes, limit: bytes) -> bool:
    if len(value) not in (4, 16) or len(limit) not in (8, 32):
        raise Unjudgeable
    if len(limit) != 2 * len(value):
        return False
    half = len(value)
    mask = int.from_bytes(limit[half:])
    if bin(mask).count("1") != _leading_ones(mask, 8 * half):
        raise Unjudgeable
    return int.from_bytes(value) & mask == int.from_bytes(limit[:half]) & mask


def _leading_ones(mask: int, width: int) -> int:
    return width - (mask ^ ((1 << width) - 1)).bit_length()


_TEXTS: Final[dict[GeneralNameKind, Callable[[str, str, bool], bool]]] = {
    GeneralNameKind.DNS: _dns,
    GeneralNameKind.RFC822: _mailbox,
    GeneralNameKind.URI: _uri,
}
