"""Whether the people behind an intact seal may be believed: dates, key usage, and paths to a configured anchor.

What a certificate says of itself is worth nothing before its path is known, so these checks are shown always and
decide only under an anchor (`report.Basis`).
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.certificates.envelopes.ofd.report import Basis, Check, Outcome
from gateway.certificates.envelopes.ofd.seal import Seal
from gateway.certificates.seal_chain import walk_path
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509_tlv import DIGITAL_SIGNATURE, NON_REPUDIATION, TlvCertificate

_OUTCOMES = {Verdict.VALID: Outcome.PASSED, Verdict.INVALID: Outcome.FAILED, Verdict.INDETERMINATE: Outcome.UNKNOWN}


@dataclass(frozen=True, slots=True)
class TrustContext:
    """Anchors and intermediates at hand, and the aware instant at which the question is asked."""

    anchors: tuple[TlvCertificate, ...]
    intermediates: tuple[TlvCertificate, ...]
    at: datetime


def judge_trust(
    context: TrustContext,
    signer: TlvCertificate,
    signed_at: datetime | None,
    seal: Seal | None,
    maker: TlvCertificate | None,
) -> list[Check]:
    """The trust checks of one signature, judged at the claimed signing time (GB/T 38540 §7)."""
    checks = [_time_check(context, signed_at), _validity("signer", "签章者证书有效期", signer, signed_at)]
    checks.append(_usage("signer", "签章者密钥用途", signer))
    if seal is not None and maker is not None:
        checks.append(_seal_period(seal, signed_at))
        checks.append(_validity("maker", "制章者证书有效期", maker, seal.created_at))
        checks.append(_usage("maker", "制章者密钥用途", maker))
    checks.append(_path(context, "signer", "签章者证书链", signer, signed_at or context.at))
    if seal is not None and maker is not None:
        checks.append(_path(context, "maker", "制章者证书链", maker, seal.created_at))
    return checks


def _time_check(context: TrustContext, signed_at: datetime | None) -> Check:
    title = "签章时间"
    if signed_at is None:
        return _trust("time", title, Outcome.UNKNOWN, "signing time unknown")
    if signed_at > context.at:
        return _trust("time", title, Outcome.FAILED, "signed in the future")
    return _trust("time", title, Outcome.PASSED)


def _validity(who: str, title: str, certificate: TlvCertificate, at: datetime | None) -> Check:
    if at is None:
        return _trust(f"validity.{who}", title, Outcome.UNKNOWN, "signing time unknown")
    if certificate.valid_at(at):
        return _trust(f"validity.{who}", title, Outcome.PASSED)
    return _trust(f"validity.{who}", title, Outcome.FAILED, f"{who} certificate not valid at that time")


def _usage(who: str, title: str, certificate: TlvCertificate) -> Check:
    if certificate.unknown_critical:
        return _trust(f"usage.{who}", title, Outcome.UNKNOWN, "unknown critical extension")
    usage = certificate.key_usage
    if usage is None or usage & {DIGITAL_SIGNATURE, NON_REPUDIATION}:
        return _trust(f"usage.{who}", title, Outcome.PASSED)
    return _trust(f"usage.{who}", title, Outcome.FAILED, f"{who} key may not sign")


def _seal_period(seal: Seal, signed_at: datetime | None) -> Check:
    title = "印章有效期"
    if signed_at is None:
        return _trust("validity.seal", title, Outcome.UNKNOWN, "signing time unknown")
    if seal.valid_from <= signed_at <= seal.valid_until:
        return _trust("validity.seal", title, Outcome.PASSED)
    return _trust("validity.seal", title, Outcome.FAILED, "seal not valid at signing time")


def _path(context: TrustContext, who: str, title: str, leaf: TlvCertificate, at: datetime) -> Check:
    result = walk_path(leaf, context.anchors, at, context.intermediates)
    return _trust(f"path.{who}", title, _OUTCOMES[result.verdict], result.reason)


def _trust(code: str, title: str, outcome: Outcome, reason: str = "") -> Check:
    return Check(code, title, outcome, basis=Basis.TRUST, reason=reason)
