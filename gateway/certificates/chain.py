"""X.509 path verification for private PKIs, with bounded work. RFC 5280 §6 as far as e-certificate seals need it.

`cryptography.x509.verification` does no revocation and cannot take CA policies apart, and SM2 links must be walked
one by one, so the walk is ours: names and signatures find a path, then each rule judges it. Departures are listed in
docs/divergences.md.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from gateway.certificates.crls import RevocationAnswer, RevocationList, judge_revocation, load_crl
from gateway.certificates.freshness import Basis, FreshnessLimit
from gateway.certificates.links import signed_by
from gateway.certificates.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.certificates.verdicts import Verdict
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed

MAX_PATH = 6
MAX_LINKS = 32
"""Signatures tried for one leaf before the search is given up: forests of same-named CAs cost no more than this."""
MAX_PATHS_JUDGED = 8
MAX_INTERMEDIATES = 12
_SEAL_USAGES = {"2.5.29.37.0", "1.3.6.1.5.5.7.3.36"}
"""anyExtendedKeyUsage and id-kp-documentSigning (RFC 9336): the extended usages that fit a seal."""
_PROCESSED = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.SubjectAlternativeName,
    x509.CRLDistributionPoints,
)


@dataclass(frozen=True, slots=True)
class ChainResult:
    """The verdict on one leaf. ``check`` names what failed (``chain.…``), None when valid.

    ``path`` runs from the leaf to the anchor. ``valid_until`` is when the answer must be found anew at the latest.
    """

    verdict: Verdict
    check: str | None = None
    remedy: str = ""
    path: tuple[SigningCertificate, ...] = ()
    valid_until: datetime | None = None
    basis: tuple[Basis, ...] = ()


class _Exhausted(Exception):
    """The search went past its stated limit."""


def verify_chain(
    leaf: bytes,
    intermediates: Sequence[bytes],
    anchors: Iterable[bytes],
    at: datetime,
    *,
    crls: Iterable[bytes] | None = None,
    crl_limit: FreshnessLimit | None = None,
) -> ChainResult:
    """Whether DER ``leaf`` may sign (digitalSignature) at the aware instant ``at`` under one of the DER ``anchors``.

    ``crls`` None leaves revocation out (for callers that judge it elsewhere); any sequence, even an empty one, demands
    an answer for every certificate below the anchor. ``crl_limit`` permits stale lists up to an age; without it
    ``nextUpdate`` is the end. Never raises for what the certificates say: malformed input is *invalid*.
    """
    try:
        first = load_signing_certificate(leaf)
        given = [load_signing_certificate(item) for item in intermediates]
    except DerMalformed as error:
        return ChainResult(Verdict.INVALID, "chain.malformed", error.remedy)
    if len(given) > MAX_INTERMEDIATES:
        return ChainResult(Verdict.INVALID, "chain.work_limit", "证书链携带的证书过多")
    roots = [load_signing_certificate(item) for item in anchors]
    lists = None if crls is None else tuple(_readable(crls))
    return _Search(given, roots, at, lists, crl_limit).run(first)


def anchors_digest(anchors: Iterable[bytes]) -> bytes:
    """One digest over a set of anchors, part of the key under which a chain's verdict may be kept."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(item).digest() for item in anchors))).digest()


def _readable(crls: Iterable[bytes]) -> Iterator[RevocationList]:
    for encoded in crls:
        try:
            yield load_crl(encoded)
        except DerMalformed:
            continue


class _Search:
    """Walks issuers by name, counts every signature tried, judges each complete path, keeps the first failure."""

    def __init__(
        self,
        given: list[SigningCertificate],
        roots: list[SigningCertificate],
        at: datetime,
        crls: tuple[RevocationList, ...] | None,
        crl_limit: FreshnessLimit | None,
    ) -> None:
        self._given, self._roots, self._at, self._crls, self._limit = given, roots, at, crls, crl_limit
        self._links: dict[tuple[bytes, bytes], bool] = {}
        self._signature_failed = False
        self._algorithm_missing = False

    def run(self, leaf: SigningCertificate) -> ChainResult:
        """The first valid path, else the first complete path's failure, else why there was none."""
        failure: ChainResult | None = None
        try:
            for judged, path in enumerate(self._paths((leaf,))):
                result = self._judge(path)
                if result.verdict is Verdict.VALID:
                    return result
                failure = failure or result
                if judged + 1 >= MAX_PATHS_JUDGED:
                    raise _Exhausted
        except _Exhausted:
            return failure or ChainResult(Verdict.INVALID, "chain.work_limit", "证书链过于复杂，超过核验工作量上限")
        return failure or self._no_path()

    def _no_path(self) -> ChainResult:
        if self._algorithm_missing:
            return ChainResult(Verdict.INDETERMINATE, "chain.algorithm_unavailable", "请安装支持该签名算法的密码库")
        if self._signature_failed:
            return ChainResult(Verdict.INVALID, "chain.signature", "证书链上的签名与其签发者的密钥不符")
        return ChainResult(Verdict.INDETERMINATE, "chain.no_anchor", "请确认签发机构的根证书已配置为信任锚")

    def _paths(self, path: tuple[SigningCertificate, ...]) -> Iterator[tuple[SigningCertificate, ...]]:
        child = path[-1]
        for root in self._roots:
            if root.subject == child.issuer and self._linked(child, root):
                yield (*path, root)
        if len(path) + 1 >= MAX_PATH:
            return
        known = {certificate.digest for certificate in path}
        for parent in self._given:
            if parent.subject == child.issuer and parent.digest not in known and self._linked(child, parent):
                yield from self._paths((*path, parent))

    def _linked(self, child: SigningCertificate, parent: SigningCertificate) -> bool:
        key = (child.digest, parent.digest)
        if key not in self._links:
            if len(self._links) >= MAX_LINKS:
                raise _Exhausted
            self._links[key] = self._signed(child, parent)
            self._signature_failed = self._signature_failed or not self._links[key]
        return self._links[key]

    def _signed(self, child: SigningCertificate, parent: SigningCertificate) -> bool:
        try:
            return signed_by(child.parsed.tbs_certificate_bytes, child.signature, child.signature_oid, parent)
        except AlgorithmUnavailable:
            self._algorithm_missing = True
            return False

    def _judge(self, path: tuple[SigningCertificate, ...]) -> ChainResult:
        failed = self._validity(path) or _constraints(path)
        if failed is not None:
            return replace(failed, path=path)
        ends = [certificate.not_after for certificate in path]
        answers: list[RevocationAnswer] = []
        for child, parent in itertools.pairwise(path):
            if self._crls is None:
                break
            answers.append(judge_revocation(child, parent, self._crls, self._at, self._limit))
            if answers[-1].revoked is not False:
                return replace(_not_clear(answers[-1]), path=path, basis=tuple(answer.basis for answer in answers))
        ends += [answer.changes_at for answer in answers if answer.changes_at is not None]
        return ChainResult(Verdict.VALID, None, "", path, min(ends), tuple(answer.basis for answer in answers))

    def _validity(self, path: tuple[SigningCertificate, ...]) -> ChainResult | None:
        for certificate in path[:-1]:
            if self._at < certificate.not_before:
                return ChainResult(Verdict.INVALID, "chain.not_yet_valid", "签章证书尚未生效")
            if self._at > certificate.not_after:
                return ChainResult(Verdict.INVALID, "chain.expired", "签章证书已过期，请由颁发机构重新签发")
        if not path[-1].not_before <= self._at <= path[-1].not_after:
            return ChainResult(Verdict.INDETERMINATE, "chain.anchor_expired", "信任锚不在有效期内，请更新配置的根证书")
        return None


def _constraints(path: tuple[SigningCertificate, ...]) -> ChainResult | None:
    """basicConstraints, pathLen, key usages and critical extensions along ``path`` (RFC 5280 §6.1.3 to §6.1.5)."""
    if any(_unprocessed(certificate) for certificate in path):
        return ChainResult(Verdict.INVALID, "chain.critical_extension", "证书含有未能处理的关键扩展")
    usage = path[0].key_usage()
    if usage is not None and not usage.digital_signature:
        return ChainResult(Verdict.INVALID, "chain.key_usage", "签章证书的密钥用途不含数字签名")
    if not all(_purposes_fit(certificate) for certificate in path):
        return ChainResult(Verdict.INVALID, "chain.extended_key_usage", "证书的扩展密钥用途不含文件签章")
    below = 0
    for authority in path[1:]:
        constraints, usage = authority.basic_constraints(), authority.key_usage()
        if constraints is None or not constraints.ca:
            return ChainResult(Verdict.INVALID, "chain.not_a_ca", "证书链上的签发者不是 CA")
        if usage is not None and not usage.key_cert_sign:
            return ChainResult(Verdict.INVALID, "chain.key_usage", "CA 证书的密钥用途不含签发证书")
        if constraints.path_length is not None and below > constraints.path_length:
            return ChainResult(Verdict.INVALID, "chain.path_length", "证书链超过 CA 允许的长度")
        if authority.subject != authority.issuer:
            below += 1
    return None


def _not_clear(answer: RevocationAnswer) -> ChainResult:
    if answer.revoked:
        return ChainResult(Verdict.INVALID, "chain.revoked", "签章证书已被吊销，请由颁发机构重新签发")
    return ChainResult(Verdict.INDETERMINATE, "chain.revocation_unknown", "未能取得有效的证书吊销列表，请稍后再试")


def _unprocessed(certificate: SigningCertificate) -> bool:
    """Whether a rule stands in it that is not applied here. Name constraints count even where not marked critical."""
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.NameConstraints):
            return True
        if extension.critical and not isinstance(value, _PROCESSED):
            return True
    return False


def _purposes_fit(certificate: SigningCertificate) -> bool:
    """No purposes named, or one that fits a seal: a key for TLS seals nothing, critical or not (RFC 5280 §4.2.1.12)."""
    purposes = certificate.purposes()
    return purposes is None or not purposes.isdisjoint(_SEAL_USAGES)
