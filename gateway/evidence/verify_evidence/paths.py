"""Certification paths to anchors (RFC 5280 §6)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from .certificates import Certificate
from .errors import NotProved, Refused
from .revocation import crl_says, ocsp_says
from .work import once

_CERT_SIGN, _DIGITAL_SIGNATURE, _NON_REPUDIATION = 5, 0, 1
_KNOWN_CRITICAL: Final = frozenset({"2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.32", "2.5.29.17", "2.5.29.31"})
SEALING: Final = frozenset({"1.3.6.1.5.5.7.3.36", "2.5.29.37.0"})
"""Document signing (RFC 9336) and any purpose."""
TIME_STAMPING: Final = frozenset({"1.3.6.1.5.5.7.3.8"})


class Paths:
    """Paths to anchors (RFC 5280 §6, without policies), with revocation as of then. Bounded work."""

    def __init__(
        self,
        anchors: Sequence[Certificate],
        others: Sequence[bytes],
        crls: Iterable[bytes],
        ocsp: Iterable[bytes],
        *,
        purposes: frozenset[str] = SEALING,
    ) -> None:
        self._purposes = purposes
        self._anchors = list(anchors)
        self._others = _by_subject(others)
        self._crls, self._ocsp = list(crls), list(ocsp)
        self._left = 400

    def require(
        self,
        leaf: Certificate,
        carried: Sequence[bytes],
        at: datetime,
        sealed_at: datetime | None = None,
        *,
        revocation: bool = True,
    ) -> list[Certificate]:
        """A path from ``leaf`` to an anchor that was good at ``at``; its dates count at ``sealed_at`` where it is told.

        ``revocation`` – asked too. Raises ``Refused``, ``NotProved``.
        """
        pool = _by_subject(carried)
        for subject, certificates in self._others.items():
            pool.setdefault(subject, []).extend(certificates)
        doubts: list[str] = []
        flaws: list[str] = []
        for path in self._walk([leaf], pool):
            try:
                self._judge(path, at if sealed_at is None else min(sealed_at, at))
                if revocation:
                    self._require_standing(path, at)
            except NotProved as doubt:
                doubts.append(str(doubt))
            except Refused as flaw:
                flaws.append(str(flaw))
            else:
                return path
        if doubts or not flaws:
            raise NotProved(doubts[0] if doubts else "no path leads to an anchor in DIR")
        raise Refused(flaws[0])

    def _walk(
        self, path: list[Certificate], pool: Mapping[bytes, Sequence[Certificate]]
    ) -> Iterator[list[Certificate]]:
        last = path[-1]
        for anchor in self._anchors:
            if anchor.subject.raw == last.issuer and self._signed_by(last, anchor):
                yield path if anchor.der == last.der and len(path) > 1 else [*path, anchor]
        if len(path) >= 8:
            return
        for candidate in pool.get(last.issuer, ()):
            if all(candidate.der != each.der for each in path) and self._signed_by(last, candidate):
                yield from self._walk([*path, candidate], pool)

    def _signed_by(self, one: Certificate, issuer: Certificate) -> bool:
        self._left -= 1
        if self._left < 0:
            raise NotProved("more certificates than are looked at")
        try:
            one.signed.verify(issuer.spki)
        except (Refused, NotProved):
            return False
        return True

    def _judge(self, path: Sequence[Certificate], at: datetime) -> None:
        leaf, anchor = path[0], path[-1]
        usage, purposes = leaf.usage(), leaf.purposes()
        if usage is not None and not usage & {_DIGITAL_SIGNATURE, _NON_REPUDIATION}:
            raise Refused("the seal's certificate may not sign")
        if purposes is not None and not purposes & self._purposes:
            raise Refused("the seal's certificate is for another purpose")
        for below, each in enumerate(path):
            if not each.not_before <= at <= each.not_after:
                if each is anchor:
                    raise NotProved("the anchor was not in force then")
                raise Refused("a certificate of the path was not in force then")
            unknown = [oid for oid, (critical, _) in each.extensions.items() if critical and oid not in _KNOWN_CRITICAL]
            if unknown:
                raise NotProved(f"a critical extension that is not judged here: {unknown[0]}")
            if "2.5.29.30" in each.extensions:
                raise NotProved("name constraints are not judged here")
            cas_below = sum(ca.subject.raw != ca.issuer for ca in path[1:below])
            if below and not _certifies(each, cas_below, self._purposes):
                raise Refused("a certificate of the path is no CA for it")

    def _require_standing(self, path: Sequence[Certificate], at: datetime) -> None:
        for one, issuer in pairwise(path):
            self._require_unrevoked(one, issuer, path[1:], at)

    def _require_unrevoked(
        self, one: Certificate, issuer: Certificate, cas: Sequence[Certificate], at: datetime
    ) -> None:
        known = False
        for crl in self._crls:
            answer = crl_says(crl, one, issuer, at)
            if answer is False:
                raise Refused("a certificate of the path was revoked")
            known |= answer is True
        for response in self._ocsp:
            answer = ocsp_says(response, one, issuer, at)
            if answer is False:
                raise Refused("a certificate of the path was revoked")
            known |= answer is True
        if not known:
            raise NotProved("no list or answer in the bundle says that a certificate of the path was not revoked then")


def _by_subject(certificates: Iterable[bytes]) -> dict[bytes, list[Certificate]]:
    found: dict[bytes, list[Certificate]] = {}
    for each in certificates:
        if (certificate := _readable(each)) is not None:
            found.setdefault(certificate.subject.raw, []).append(certificate)
    return found


def _readable(der: bytes) -> Certificate | None:
    try:
        return once(("certificate", der), lambda: Certificate.read(der))
    except Refused:
        return None


def _certifies(certificate: Certificate, cas_below: int, wanted: frozenset[str]) -> bool:
    length, purposes = certificate.path_length(), certificate.purposes()
    if purposes is not None and not purposes & {*wanted, "2.5.29.37.0"}:
        return False
    return length != -1 and (length is None or cas_below <= length) and certificate.may_sign(_CERT_SIGN)
