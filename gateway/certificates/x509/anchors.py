"""Trust anchors: CA certificates that an operator chose to believe, each with the policies it demands."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A CA certificate in DER, believed by choice. ``policies`` None demands none.

    Otherwise every path to it must be good for one of these certificate policies (dotted object identifiers): RFC 5280
    §6.1.1 (c) and (e).
    """

    certificate: bytes
    policies: frozenset[str] | None = None


def as_anchor(item: "bytes | TrustAnchor") -> TrustAnchor:
    """An anchor given as bare DER demands no policy. Raises `TypeError` for anything else."""
    if isinstance(item, TrustAnchor):
        return item
    if not isinstance(item, bytes | bytearray | memoryview):
        raise TypeError("an anchor is a certificate in DER, as bytes, or a TrustAnchor")
    return TrustAnchor(bytes(item))


def anchors_digest(anchors: Iterable[bytes | TrustAnchor]) -> bytes:
    """One digest over a set of anchors, part of the key under which a chain's verdict may be kept."""
    found = sorted(_digest(as_anchor(item)) for item in anchors)
    return hashlib.sha256(b"".join(found)).digest()


def _digest(anchor: TrustAnchor) -> bytes:
    demanded = b"" if anchor.policies is None else repr(sorted(anchor.policies)).encode()
    return hashlib.sha256(hashlib.sha256(anchor.certificate).digest() + demanded).digest()
