"""Judging one certification path whose signatures are proved: every rule of RFC 5280 §6.1 but revocation.

Besides what §6.1 asks, a few demands of §4.2 on who may bear an extension, and how marked, are kept where breaking them
shows a forged or broken certificate; which of them are not is told in docs/divergences.md.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509 import extensions as ext
from gateway.certificates.x509.links import WorkExhausted
from gateway.certificates.x509.name_constraints import names_permitted, self_issued
from gateway.certificates.x509.names import EMPTY_NAME
from gateway.certificates.x509.policies import PoliciesExceeded, PolicyDemand, PolicyWalk
from gateway.certificates.x509.signing_certificates import SigningCertificate
from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable, KeyUnfit
from gateway.crypto.public_keys import CERTIFICATE_CURVES, load_standard_key

ANY_PURPOSE: Final = "2.5.29.37.0"
DOCUMENT_SIGNING: Final = "1.3.6.1.5.5.7.3.36"
SEAL_PURPOSES: Final = frozenset({ANY_PURPOSE, DOCUMENT_SIGNING})
"""anyExtendedKeyUsage and id-kp-documentSigning (RFC 9336): the extended usages that fit a seal."""
SEAL_USAGES: Final = frozenset({ext.DIGITAL_SIGNATURE, ext.CONTENT_COMMITMENT})
"""Either lets a key seal: Chinese CAs assert one, the other or both in signing certificates."""

_PROCESSED: Final = frozenset(
    {
        ext.KEY_USAGE,
        ext.ALTERNATIVE_NAMES,
        ext.BASIC_CONSTRAINTS,
        ext.NAME_CONSTRAINTS,
        ext.CRL_POINTS,
        ext.POLICIES,
        ext.POLICY_MAPPINGS,
        ext.POLICY_CONSTRAINTS,
        ext.EXTENDED_KEY_USAGE,
        ext.INHIBIT_ANY_POLICY,
    }
)
"""Extensions that may be critical. Key identifiers and access addresses must not be (§4.2.1.1, §4.2.1.2, §4.2.2.1)."""
_ALWAYS_CRITICAL: Final = frozenset({ext.NAME_CONSTRAINTS, ext.INHIBIT_ANY_POLICY})
"""Constraints that a verifier could pass over if they were not (§4.2.1.10, §4.2.1.14)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that a path breaks. ``check`` is its stable name (``chain.…``)."""

    verdict: Verdict
    check: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a path: ``at`` is when it must be valid, the rest what its leaf must be good for.

    ``purposes`` and ``usages`` None judge no (extended) key usage of the leaf; ``purposes`` bind the CAs as well.
    """

    at: datetime
    purposes: frozenset[str] | None = SEAL_PURPOSES
    usages: frozenset[int] | None = SEAL_USAGES
    policies: PolicyDemand = field(default_factory=PolicyDemand)


def judge_path(path: tuple[SigningCertificate, ...], demand: Demand) -> Failure | None:
    """What ``path``, from the leaf to the anchor, breaks; None when nothing. Raises `WorkExhausted`."""
    return (
        _validity(path, demand.at)
        or _extensions_fit(path)
        or _leaf(path[0], demand)
        or _purposes(path, demand.purposes)
        or _authorities(path[1:])
        or _names(path)
        or _policies(path, demand.policies)
    )


def _invalid(check: str, remedy: str) -> Failure:
    return Failure(Verdict.INVALID, f"chain.{check}", remedy)


def _validity(path: tuple[SigningCertificate, ...], at: datetime) -> Failure | None:
    """Certificates count in whole seconds, and so does the time they are judged at."""
    second = at.replace(microsecond=0)
    for certificate in path[:-1]:
        if second < certificate.not_before:
            return _invalid("not_yet_valid", "签章证书尚未生效")
        if second > certificate.not_after:
            return _invalid("expired", "签章证书已过期，请由颁发机构重新签发")
    if not path[-1].valid_at(second):
        remedy = "信任锚不在有效期内，请更新配置的根证书"
        return Failure(Verdict.INDETERMINATE, "chain.anchor_expired", remedy)
    return None


def _extensions_fit(path: tuple[SigningCertificate, ...]) -> Failure | None:
    for certificate in path:
        for extension in certificate.extensions.values():
            if extension.critical and extension.oid not in _PROCESSED:
                return _invalid("critical_extension", "证书含有未能处理的关键扩展")
            if not extension.critical and extension.oid in _ALWAYS_CRITICAL:
                return _invalid("critical_extension", "证书的约束类扩展未标为关键")
        if certificate.path.name_constraints is not None and not certificate.is_ca:
            return _invalid("name_constraints", "名称约束只能出现在 CA 证书中")
    return None


def _leaf(leaf: SigningCertificate, demand: Demand) -> Failure | None:
    usage = leaf.key_usage()
    if usage is not None and demand.usages is not None and usage.bits.isdisjoint(demand.usages):
        return _invalid("key_usage", "签章证书的密钥用途不含数字签名")
    names = leaf.extensions.get(ext.ALTERNATIVE_NAMES)
    unfit = _key(leaf)
    if unfit is not None:
        return unfit
    if leaf.subject == EMPTY_NAME and (names is None or not names.critical):
        return _invalid("names", "证书没有主体名称，也没有标为关键的备用名称")
    return None


def _key(leaf: SigningCertificate) -> Failure | None:
    """A key under which nothing could be verified: the CAs' own have verified something already."""
    if sm2.point_of(leaf.public_key_info) is not None:
        return None
    try:
        key, _ = load_standard_key(leaf.public_key_info)
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CERTIFICATE_CURVES:
            raise AlgorithmUnavailable(remedy="公钥所在曲线不在共享平台支持的范围内")
    except KeyUnfit as error:
        return _invalid("key", error.remedy)
    except AlgorithmUnavailable as error:
        return Failure(Verdict.INDETERMINATE, "chain.algorithm_unavailable", error.remedy)
    return None


def _purposes(path: tuple[SigningCertificate, ...], wanted: frozenset[str] | None) -> Failure | None:
    """No purposes named, or one that fits: a key for TLS seals nothing, critical or not (§4.2.1.12)."""
    for certificate in path:
        named = certificate.purposes()
        if wanted is not None and named is not None and named.isdisjoint(wanted):
            return _invalid("extended_key_usage", "证书的扩展密钥用途不含文件签章")
    return None


def _authorities(authorities: tuple[SigningCertificate, ...]) -> Failure | None:
    """Basic constraints, path lengths and key usage of the CAs, lowest first (§6.1.4 (k) to (n))."""
    below = 0
    for authority in authorities:
        constraints, usage = authority.basic_constraints(), authority.key_usage()
        if constraints is None or not constraints.ca:
            return _invalid("not_a_ca", "证书链上的签发者不是 CA")
        if usage is not None and not usage.key_cert_sign:
            return _invalid("key_usage", "CA 证书的密钥用途不含签发证书")
        if constraints.path_length is not None and below > constraints.path_length:
            return _invalid("path_length", "证书链超过 CA 允许的长度")
        if not self_issued(authority):
            below += 1
    return None


def _names(path: tuple[SigningCertificate, ...]) -> Failure | None:
    return None if names_permitted(path) else _invalid("name_constraints", "证书的名称不在上级 CA 允许的范围内")


def _policies(path: tuple[SigningCertificate, ...], demand: PolicyDemand) -> Failure | None:
    walk = PolicyWalk(demand, len(path) - 1)
    walk.constrain(path[-1].path)
    try:
        for position in range(len(path) - 2, -1, -1):
            stated, issued = path[position].path, self_issued(path[position])
            if not walk.enter(stated, self_issued=issued, last=position == 0):
                return _invalid("policy", "证书链不满足所要求的证书策略")
            if position > 0 and not walk.leave(stated, self_issued=issued):
                return _invalid("policy", "证书的策略映射不符合标准")
    except PoliciesExceeded:
        raise WorkExhausted from None
    if not walk.accepted(path[0].path):
        return _invalid("policy", "证书链不满足所要求的证书策略")
    return None
