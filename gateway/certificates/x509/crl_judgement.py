"""Was this certificate revoked, by the lists at hand? RFC 5280 §6.3.3, with delta and partial lists.

A list counts when its issuer's key is proved, its scope covers the certificate and its age permits. What it says in a
way not understood makes the answer unknown, never "not revoked".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Final

from gateway.certificates.freshness import Basis, BasisState, FreshnessLimit
from gateway.certificates.x509.candidates import Path, PathFinder
from gateway.certificates.x509.crls import ALL_REASONS, REMOVE_FROM_CRL, Entry, RevocationList
from gateway.certificates.x509.extensions import DistributionPoint
from gateway.certificates.x509.names import GeneralName, GeneralNameKind, name_key, relative_to, same_name
from gateway.certificates.x509.revocation_answers import (
    CERTIFICATE_HOLD,
    RevocationAnswer,
    age_changes,
    begins,
    earliest,
    list_age,
)
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.crypto.errors import DerMalformed

Vouch = Callable[[SigningCertificate, SigningCertificate], bool]
"""(signer, anchor): whether the certificate of a list's signer has a good path to that very anchor."""


class _Outcome(Enum):
    """What a list says of a certificate."""

    NOT_LISTED = auto()
    REVOKED = auto()
    HELD = auto()
    REMOVED = auto()
    UNKNOWN = auto()
    SILENT = auto()


_BAD: Final = frozenset({_Outcome.REVOKED, _Outcome.HELD})


@dataclass(frozen=True, slots=True)
class _Said:
    """What the lists of one group say, and for which ``reasons`` they can tell. ``basis`` None: only a doubt.

    Silent is a group that is out of date, or a delta list without a complete one: it neither tells nor casts doubt.
    """

    outcome: _Outcome
    reasons: frozenset[int] = frozenset()
    basis: Basis | None = None
    changes_at: datetime | None = None


@dataclass(slots=True)
class _Group:
    """Believed lists of one issuer, one scope and one key: no key may take back what another revoked."""

    reasons: frozenset[int]
    complete: list[RevocationList] = field(default_factory=list)
    deltas: list[RevocationList] = field(default_factory=list)


class ListJudge:
    """Holds the lists of one question by their issuers."""

    def __init__(
        self, lists: Iterable[RevocationList], at: datetime, limit: FreshnessLimit | None, finder: PathFinder
    ) -> None:
        self._by_issuer: dict[object, list[RevocationList]] = {}
        for each in {item.digest: item for item in lists}.values():
            self._by_issuer.setdefault(name_key(each.issuer), []).append(each)
        self._at, self._limit, self._finder = at, limit, finder

    def judge(self, certificate: SigningCertificate, above: Path, vouch: Vouch) -> RevocationAnswer:
        """Whether ``certificate`` was revoked at the time asked; ``above`` runs from its issuer to the anchor.

        Every list that may speak of it is tried, so that forged ones crowd nothing out. Raises `WorkExhausted`.
        """
        groups: dict[tuple[bytes, bytes, bytes], _Group] = {}
        said: list[_Said] = []
        named = self._named(certificate)
        for found in named:
            reasons = _reasons_covered(found, certificate)
            newer = groups.get((found.issuer, found.scope_key, above[0].public_key_info))
            if not reasons or (newer is not None and self._superseded(found, newer)):
                continue
            signer = self._signer(found, above, vouch)
            if signer is None:
                continue
            if not found.usable:
                said += _doubts(found, certificate)
                continue
            group = groups.setdefault((found.issuer, found.scope_key, signer), _Group(reasons))
            (group.complete if found.base is None else group.deltas).append(found)
        said += [self._of_group(group, certificate) for group in groups.values()]
        return self._together(said, earliest(begins(found.this_update, self._at) for found in named))

    def _named(self, certificate: SigningCertificate) -> list[RevocationList]:
        """Lists that may speak of ``certificate``, the newest first."""
        found = self._by_issuer.get(name_key(certificate.issuer), ())
        return sorted(found, key=lambda each: (each.this_update, each.number or 0), reverse=True)

    def _superseded(self, found: RevocationList, newer: _Group) -> bool:
        """Whether a current list of the certificate's own issuer makes an older one of that very key moot."""
        return found.authority_key_id is not None and any(
            found.authority_key_id == each.authority_key_id
            and self._age(each).usable
            and self._rank(found) < self._rank(each)
            for each in newer.complete
        )

    def _signer(self, found: RevocationList, above: Path, vouch: Vouch) -> bytes | None:
        """The key that signed, if it may. §6.3.3 (f) and (g): the certificate's issuer, or another who stands under the
        same anchor. None when it is neither's.
        """
        parent = above[0]
        if same_name(found.issuer, parent.subject) and _may_sign(parent) and self._signed(found, parent):
            return parent.public_key_info
        wanted = found.authority_key_id
        others = [each for each in self._finder.named(found.issuer) if each.digest != parent.digest and _may_sign(each)]
        others.sort(key=lambda each: None not in (wanted, each.subject_key_id) and wanted != each.subject_key_id)
        return next(
            (each.public_key_info for each in others if self._signed(found, each) and vouch(each, above[-1])),
            None,
        )

    def _signed(self, found: RevocationList, signer: SigningCertificate) -> bool:
        return self._finder.links.signed_by(
            found.digest, found.signed, found.algorithm, found.signature, signer.public_key_info
        )

    def _of_group(self, group: _Group, certificate: SigningCertificate) -> _Said:
        """A current delta list speaks before the complete one that it is built upon (§6.3.3 (i) and (j))."""
        complete = max(group.complete, key=self._rank, default=None)
        if complete is not None and group.deltas and not self._age(complete).usable:
            complete = None
        number = -1 if complete is None else complete.number or 0
        current = [each for each in group.deltas if (each.number or 0) > number and self._age(each).usable]
        delta = max(current, key=self._rank, default=None)
        changed = _Outcome.NOT_LISTED if delta is None else _listed(delta, certificate, self._at)
        if complete is None:
            outcome = changed if changed in _BAD or changed is _Outcome.UNKNOWN else _Outcome.SILENT
        elif changed in _BAD or changed is _Outcome.UNKNOWN:
            outcome = changed
        elif delta is not None and changed is _Outcome.REMOVED and (delta.base or 0) <= number:
            outcome = _Outcome.NOT_LISTED
        else:
            outcome = _listed(complete, certificate, self._at)
        main = complete or delta or max(group.deltas, key=self._rank)
        basis = self._age(main)
        changes = earliest(
            age_changes(each.this_update, each.next_update, self._at, self._limit)
            for each in (complete, delta)
            if each is not None
        )
        return _Said(outcome if basis.usable else _Outcome.SILENT, group.reasons, basis, changes)

    def _age(self, found: RevocationList) -> Basis:
        return list_age("crl", found.this_update, found.next_update, self._at, self._limit)

    def accuses(self, certificate: SigningCertificate) -> bool:
        """Whether a list of its issuer's name holds an entry for it, believed or not."""
        return any(map(partial(_lists, certificate), self._named(certificate)))

    def _rank(self, found: RevocationList) -> tuple[bool, datetime, int]:
        return self._age(found).usable, found.this_update, found.number or 0

    def _together(self, said: list[_Said], next_list: datetime | None) -> RevocationAnswer:
        """Revoked by one is revoked; not revoked takes lists that tell of every reason between them (§6.3.3 (e))."""
        basis = tuple(each.basis for each in said if each.basis is not None)
        if not basis:
            basis = (Basis("crl", BasisState.MISSING, None, self._limit.permitted if self._limit else None),)
        outcomes = {each.outcome for each in said}
        changes = earliest([next_list, *(each.changes_at for each in said)])
        if outcomes & _BAD:
            return RevocationAnswer(True, basis, changes, held=_Outcome.REVOKED not in outcomes)
        told = frozenset().union(*(each.reasons for each in said if each.outcome is _Outcome.NOT_LISTED))
        if _Outcome.UNKNOWN in outcomes or not told >= ALL_REASONS:
            return RevocationAnswer(None, basis)
        return RevocationAnswer(False, basis, changes)


def _may_sign(certificate: SigningCertificate) -> bool:
    usage = certificate.key_usage()
    return usage is None or usage.crl_sign


def _listed(found: RevocationList, certificate: SigningCertificate, at: datetime) -> _Outcome:
    """The worst that the entries for ``certificate`` say. One dated after ``at`` tells nothing certain yet."""
    try:
        entries = found.entries.find(certificate.serial_der)
    except DerMalformed:
        return _Outcome.UNKNOWN
    outcomes = {_meaning(entry, found, at) for entry in entries} or {_Outcome.NOT_LISTED}
    return next(each for each in _WORST_FIRST if each in outcomes)


def _meaning(entry: Entry, found: RevocationList, at: datetime) -> _Outcome:
    if entry.revoked_at > at:
        return _Outcome.UNKNOWN
    if entry.reason == REMOVE_FROM_CRL:
        return _Outcome.UNKNOWN if found.base is None else _Outcome.REMOVED
    return _Outcome.HELD if entry.reason == CERTIFICATE_HOLD else _Outcome.REVOKED


_WORST_FIRST: Final = (
    _Outcome.REVOKED,
    _Outcome.HELD,
    _Outcome.UNKNOWN,
    _Outcome.REMOVED,
    _Outcome.NOT_LISTED,
)


def _doubts(found: RevocationList, certificate: SigningCertificate) -> list[_Said]:
    """A believed list that may not be used still casts doubt on what it lists (X.509 §7.3)."""
    return [_Said(_Outcome.UNKNOWN)] if _lists(certificate, found) else []


def _lists(certificate: SigningCertificate, found: RevocationList) -> bool:
    try:
        return bool(found.entries.find(certificate.serial_der))
    except DerMalformed:
        return True


def _reasons_covered(found: RevocationList, certificate: SigningCertificate) -> frozenset[int]:
    """The reasons that ``found`` can tell for ``certificate``; none when it is out of scope (§6.3.3 (b) and (d))."""
    scope = found.scope
    if scope.attributes or (scope.users and certificate.is_ca) or (scope.authorities and not certificate.is_ca):
        return frozenset()
    own_name = (GeneralName(GeneralNameKind.DIRECTORY, certificate.issuer),)
    covered: frozenset[int] = frozenset()
    for point in (*certificate.crl_points(), DistributionPoint(full_name=own_name)):
        # A point with an issuer of its own asks for an indirect list, and those are not used.
        if point.crl_issuer is None and _point_fits(point, found, certificate):
            covered |= ALL_REASONS if point.reasons is None else point.reasons & ALL_REASONS
    return covered if scope.reasons is None else covered & scope.reasons


def _point_fits(point: DistributionPoint, found: RevocationList, certificate: SigningCertificate) -> bool:
    """A list for one distribution point speaks only for certificates that name that point (§6.3.3 (b) (2) (i))."""
    if found.scope.point is None:
        return True
    try:
        return not _keys(found.scope.point, found.issuer).isdisjoint(_keys(point, certificate.issuer))
    except DerMalformed:
        return False


def _keys(point: DistributionPoint, base: bytes) -> frozenset[object]:
    """What equal distribution point names have in common; a relative name is completed from ``base``."""
    names = point.full_name or ()
    if point.relative is not None:
        names = (GeneralName(GeneralNameKind.DIRECTORY, relative_to(base, point.relative)),)
    return frozenset(
        name_key(name.value) if name.kind is GeneralNameKind.DIRECTORY else (name.kind, name.value) for name in names
    )
