"""X.509 path verification for private PKIs, with bounded work. RFC 5280 §6, policies by RFC 9618, OCSP by RFC 6960.

`cryptography.x509.verification` does no revocation, knows no policies and refuses the names that real certificates
carry, and SM2 links must be walked one by one, so the walk is ours: `candidates` finds paths whose signatures hold,
`path_rules` judges each, `clearance` asks for revocation. Departures are listed in docs/divergences.md.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.certificates.freshness import Basis, FreshnessLimit
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.anchors import TrustAnchor, anchors_digest, as_anchor
from gateway.certificates.x509.candidates import MAX_PATH, MAX_STEPS, Path, PathFinder
from gateway.certificates.x509.clearance import Clearance
from gateway.certificates.x509.links import MAX_LINKS, Links, WorkExhausted
from gateway.certificates.x509.path_rules import SEAL_PURPOSES, SEAL_USAGES, Demand, Failure, judge_path
from gateway.certificates.x509.policies import PolicyDemand
from gateway.certificates.x509.revocation_answers import RevocationAnswer, earliest
from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.clock import END_OF_TIME
from gateway.crypto.errors import DerMalformed

__all__ = [
    "MAX_INTERMEDIATES",
    "MAX_INTERMEDIATE_BYTES",
    "MAX_LINKS",
    "MAX_PATH",
    "MAX_PATHS_JUDGED",
    "MAX_STEPS",
    "SEAL_PURPOSES",
    "SEAL_USAGES",
    "ChainResult",
    "TrustAnchor",
    "anchors_digest",
    "verify_chain",
]

MAX_PATHS_JUDGED: Final = 8
"""Complete paths from one leaf that are judged before the search is given up."""
MAX_INTERMEDIATES: Final = 1024
"""Certificates that may be at hand for one path: what a document carries and what the trust directory holds."""
MAX_INTERMEDIATE_BYTES: Final = 2 << 20
"""And their size together: reading them costs in proportion."""


@dataclass(frozen=True, slots=True)
class ChainResult:
    """The verdict on one leaf. ``check`` names what failed (``chain.…``), None when valid.

    ``path`` runs from the leaf to the anchor. ``valid_until`` is when the answer must be found anew at the latest;
    None of a valid one: nothing that it rests on changes with time.
    ``basis`` is every source of revocation asked, those that were silent among them.
    """

    verdict: Verdict
    check: str | None = None
    remedy: str = ""
    path: tuple[SigningCertificate, ...] = ()
    valid_until: datetime | None = None
    basis: tuple[Basis, ...] = ()

    @property
    def stands_until(self) -> datetime | None:
        """Before when a valid answer is sure to be found again; None of any other."""
        return (self.valid_until or END_OF_TIME) if self.verdict is Verdict.VALID else None


def verify_chain(
    leaf: bytes,
    intermediates: Iterable[bytes],
    anchors: Iterable[bytes | TrustAnchor],
    at: datetime,
    *,
    crls: Iterable[bytes] | None = None,
    status: Iterable[bytes] | None = None,
    crl_limit: FreshnessLimit | None = None,
    valid_at: datetime | None = None,
    purposes: frozenset[str] | None = SEAL_PURPOSES,
    usages: frozenset[int] | None = SEAL_USAGES,
    policies: Iterable[str] | None = None,
) -> ChainResult:
    """Whether DER ``leaf`` may sign at the aware instant ``at`` under one of the ``anchors``. Never raises for content.

    ``intermediates`` are DER certificates in any order, unrelated ones among them; none is trusted by itself.
    ``anchors`` are CA certificates in DER, or `TrustAnchor` where one demands policies. PEM is not read: a leaf in PEM
    is ``chain.malformed``. Any bytes-like object and any iterable of them will do, empty ones too.

    What is wrong with the call itself is raised: ``DerMalformed`` for an anchor that is no certificate, `ValueError`
    for an instant without a zone, `TypeError` for what is neither bytes nor an iterable of them.

    ``crls`` (DER lists) and ``status`` (DER OCSP responses) both None leave revocation out, for callers that judge it
    elsewhere; any sequence, even an empty one, demands an answer for every certificate below the anchor, and either
    source suffices. A certificate that is proved revoked on one of its paths is so on all of them. ``crl_limit``
    permits stale lists and responses up to an age; without it ``nextUpdate`` is the end.

    ``valid_at`` (not after ``at``) is when validity periods are judged, for a seal made earlier (GB/T 38540 §7);
    revocation is judged at ``at`` always. ``purposes`` are the extended key usages of which leaf and CAs must have one
    if they name any, ``usages`` the key usage bits (RFC 5280 §4.2.1.3) of which the leaf must; None judges none.
    ``policies`` are certificate policies (dotted) of which the path must be good for one.

    Answers *invalid* when something is proved wrong, *indeterminate* when it could not be known: no anchor of that
    name, an algorithm not spoken here, no believable answer about revocation, an anchor out of date. The work is
    bounded by `MAX_LINKS` signatures, `MAX_STEPS` candidates and `MAX_PATHS_JUDGED` paths of `MAX_PATH` certificates;
    past that the answer is *invalid*, `chain.work_limit`.

    >>> verify_chain(b"", [], [], datetime.fromisoformat("2026-11-23T04:00:00Z")).check
    'chain.malformed'
    """
    leaf, intermediates = _octets(leaf), _all_octets(intermediates)
    crls, status = (None if given is None else _all_octets(given) for given in (crls, status))
    if isinstance(anchors, _BYTES | TrustAnchor):
        raise TypeError("anchors come as an iterable, even a single one")
    for instant in (at, at if valid_at is None else valid_at):
        if not isinstance(instant, datetime):
            raise TypeError("the instant is a datetime")
        if instant.utcoffset() is None:
            raise ValueError("the instant needs a zone")
    if isinstance(policies, str) or isinstance(purposes, str):
        raise TypeError("policies and purposes come as an iterable, even a single one")
    try:
        first = load_signing_certificate(leaf)
    except DerMalformed as error:
        remedy = "证书须为 DER 编码，不是 PEM" if leaf.startswith(b"-----BEGIN") else error.remedy
        return ChainResult(Verdict.INVALID, "chain.malformed", remedy)
    if len(intermediates) > MAX_INTERMEDIATES or sum(map(len, intermediates)) > MAX_INTERMEDIATE_BYTES:
        return ChainResult(Verdict.INVALID, "chain.work_limit", "证书链携带的证书过多")
    demands = {}
    roots = []
    for anchor in map(as_anchor, anchors):
        roots.append(load_signing_certificate(bytes(anchor.certificate)))
        demands[roots[-1].digest] = PolicyDemand.one_of(policies, anchor.policies)
    given, malformed = _readable(intermediates)
    moment = at if valid_at is None else valid_at
    finder = PathFinder(roots, given, moment, Links())
    clearance = None if crls is None and status is None else Clearance(crls, status, at, crl_limit, finder)
    search = _Search(finder, clearance, Demand(moment, purposes, usages), demands, lasting=valid_at is None)
    result = search.run(first)
    if malformed is not None and result.check in ("chain.no_anchor", "chain.signature"):
        return ChainResult(Verdict.INVALID, "chain.malformed", malformed)
    return result


_EXHAUSTED: Final = ChainResult(Verdict.INVALID, "chain.work_limit", "证书链过于复杂，超过核验工作量上限")


_BYTES: Final = bytes | bytearray | memoryview


def _octets(item: object) -> bytes:
    if not isinstance(item, _BYTES):
        raise TypeError("certificates, lists and responses are bytes in DER")
    return bytes(item)


def _all_octets(items: Iterable[bytes]) -> list[bytes]:
    if isinstance(items, _BYTES):
        raise TypeError("certificates, lists and responses come as an iterable, even a single one")
    return [_octets(item) for item in items]


def _readable(encoded: Iterable[bytes]) -> tuple[list[SigningCertificate], str | None]:
    """The certificates that can be read, and what is wrong with the last that cannot: it may be no part of a path."""
    found, malformed = [], None
    for item in encoded:
        try:
            found.append(load_signing_certificate(item))
        except DerMalformed as error:
            malformed = error.remedy
    return found, malformed


class _Search:
    """Judges each complete path and answers with the first valid one, else with what says most about the leaf."""

    def __init__(
        self,
        finder: PathFinder,
        clearance: Clearance | None,
        demand: Demand,
        policies: dict[bytes, PolicyDemand],
        *,
        lasting: bool,
    ) -> None:
        self._finder, self._clearance, self._demand, self._policies = finder, clearance, demand, policies
        self._lasting = lasting

    def run(self, leaf: SigningCertificate) -> ChainResult:
        """The first valid path; else what is unknown, else what is wrong. A leaf proved revoked ends the search."""
        failures: list[ChainResult] = []
        paths = self._finder.paths(leaf)
        try:
            for path in paths:
                if len(failures) >= MAX_PATHS_JUDGED:
                    raise WorkExhausted
                result, final = self._judge(path)
                if result.verdict is Verdict.VALID:
                    return self._contradicted(result, failures, paths) or result
                if final:
                    return result
                failures.append(result)
        except WorkExhausted:
            if not failures:
                return _EXHAUSTED
        unknown = [result for result in failures if result.verdict is Verdict.INDETERMINATE]
        return (unknown or failures or [self._no_path()])[0]

    def _contradicted(
        self, valid: ChainResult, failures: list[ChainResult], further: Iterator[Path]
    ) -> ChainResult | None:
        """Why a valid path is not good after all: another one proves a certificate of it revoked, or may do so.

        Signers of lists and responders are believed path by path, so which path is found first must not decide. The
        others are walked only when some evidence, believed or not, calls a certificate of the valid path revoked.
        """
        accused = frozenset() if self._clearance is None else self._clearance.accused(valid.path)
        if self._clearance is None or not accused:
            return None
        try:
            paths = itertools.chain((each.path for each in failures), further)
            for number, path in enumerate(paths, 1):
                if number >= MAX_PATHS_JUDGED:
                    return _EXHAUSTED
                if self._broken(path) is None and (answer := self._clearance.convicted(path, accused)):
                    return self._refused(_not_clear(answer), path, answer.basis)
        except WorkExhausted:
            return _EXHAUSTED
        return None

    def _broken(self, path: Path) -> Failure | None:
        return judge_path(path, replace(self._demand, policies=self._policies[path[-1].digest]))

    def _judge(self, path: Path) -> tuple[ChainResult, bool]:
        """The result for one path, and whether no other path can change it."""
        failure = self._broken(path)
        if failure is not None:
            return self._refused(failure, path), False
        answers = [] if self._clearance is None else self._clearance.answers(path)
        basis = tuple(each for answer in answers for each in answer.basis)
        if answers and answers[-1].revoked is not False:
            final = len(answers) == 1 and answers[0].revoked is True
            return self._refused(_not_clear(answers[-1]), path, basis), final
        ends = [certificate.not_after for certificate in path] if self._lasting else []
        rests_until = None if self._clearance is None else self._clearance.rests_until
        until = earliest([*ends, rests_until, *(answer.changes_at for answer in answers)])
        return ChainResult(Verdict.VALID, None, "", path, until, basis), True

    @staticmethod
    def _refused(failure: Failure, path: Path, basis: tuple[Basis, ...] = ()) -> ChainResult:
        return ChainResult(failure.verdict, failure.check, failure.remedy, path, None, basis)

    def _no_path(self) -> ChainResult:
        if self._finder.links.algorithm_missing:
            return ChainResult(Verdict.INDETERMINATE, "chain.algorithm_unavailable", "请安装支持该签名算法的密码库")
        if self._finder.links.signature_failed:
            return ChainResult(Verdict.INVALID, "chain.signature", "证书链上的签名与其签发者的密钥不符")
        return ChainResult(Verdict.INDETERMINATE, "chain.no_anchor", "请确认签发机构的根证书已配置为信任锚")


def _not_clear(answer: RevocationAnswer) -> Failure:
    if answer.revoked and answer.held:
        return Failure(Verdict.INVALID, "chain.suspended", "签章证书已被暂停使用，请联系颁发机构")
    if answer.revoked:
        return Failure(Verdict.INVALID, "chain.revoked", "签章证书已被吊销，请由颁发机构重新签发")
    remedy = "未能取得有效的证书吊销列表或在线状态，请稍后再试"
    return Failure(Verdict.INDETERMINATE, "chain.revocation_unknown", remedy)
