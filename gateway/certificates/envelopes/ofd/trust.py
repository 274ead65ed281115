"""Whether the people behind an intact seal may be believed: dates, key usage, and paths to a configured anchor.

What a certificate says of itself is worth nothing before its path is known, so these checks are shown always and
decide only under an anchor (`report.Basis`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.certificates.envelopes.ofd.report import Basis, Check, Outcome
from gateway.certificates.envelopes.ofd.seal import Seal
from gateway.certificates.envelopes.ofd.seal_times import SealTime
from gateway.certificates.freshness import CLOCK_SKEW
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import ChainResult, verify_chain
from gateway.certificates.x509.path_rules import SEAL_USAGES
from gateway.certificates.x509.signing_certificates import SigningCertificate

_OUTCOMES: Final = {
    Verdict.VALID: Outcome.PASSED,
    Verdict.INVALID: Outcome.FAILED,
    Verdict.INDETERMINATE: Outcome.UNKNOWN,
}
_PHRASES: Final = {
    "chain.no_anchor": "no trust anchor",
    "chain.signature": "certificate signature does not verify",
    "chain.malformed": "certificate malformed",
    "chain.algorithm_unavailable": "certificate signature algorithm not supported",
    "chain.not_yet_valid": "certificate not valid at that time",
    "chain.expired": "certificate not valid at that time",
    "chain.anchor_expired": "trust anchor not valid at that time",
    "chain.not_a_ca": "issuer is not a certificate authority",
    "chain.path_length": "path length exceeded",
    "chain.key": "certificate key not usable",
    "chain.key_usage": "key may not be used so",
    "chain.extended_key_usage": "certificate is for other purposes",
    "chain.name_constraints": "name not permitted by the issuer",
    "chain.names": "certificate names nobody",
    "chain.critical_extension": "unknown critical extension",
    "chain.policy": "certificate policy not met",
    "chain.revoked": "certificate revoked",
    "chain.suspended": "certificate suspended",
    "chain.revocation_unknown": "revocation not known",
    "chain.work_limit": "path too long or too many candidates",
}
_REVOCATION: Final = frozenset({"chain.revoked", "chain.suspended", "chain.revocation_unknown"})
_BASES: Final = {"crl": "吊销列表", "ocsp": "在线状态"}


@dataclass(frozen=True, slots=True)
class TrustContext:
    """Anchors, intermediates and revocation evidence at hand (DER), and the aware instant of the question.

    ``crls`` and ``status`` both None leave revocation out.
    """

    anchors: tuple[bytes, ...]
    intermediates: tuple[bytes, ...]
    at: datetime
    crls: tuple[bytes, ...] | None = None
    status: tuple[bytes, ...] | None = None

    @property
    def judges_revocation(self) -> bool:
        """Whether an answer about revocation is demanded."""
        return self.crls is not None or self.status is not None


def phrase(check: str | None) -> str:
    """What a chain's failed check is called in an OFD report: a stable English phrase."""
    return _PHRASES.get(check or "", "certificate path not accepted")


def judge_signer(
    context: TrustContext,
    signer: SigningCertificate,
    signed: SealTime | None,
    carried: tuple[bytes, ...],
    *,
    timed: bool,
) -> list[Check]:
    """The trust checks of one signer, judged at the claimed signing time (GB/T 38540 §7), or now when there is none.

    ``timed``: the form must tell the time, as seals must and CMS need not.
    """
    at = context.at if signed is None else signed.at
    return [
        time_check(context.at, signed, timed=timed),
        _validity("signer", "签章者证书有效期", signer, at),
        _usage("signer", "签章者密钥用途", signer),
        *_path(context, "signer", "签章者", signer, at, carried),
    ]


def judge_seal(
    context: TrustContext, seal: Seal, maker: SigningCertificate, signed: SealTime | None, carried: tuple[bytes, ...]
) -> list[Check]:
    """The trust checks of the seal itself at the signing time, and of its maker at the time of making."""
    return [
        seal_period(seal, context.at if signed is None else signed.at),
        _validity("maker", "制章者证书有效期", maker, seal.created.at),
        _usage("maker", "制章者密钥用途", maker),
        *_path(context, "maker", "制章者", maker, seal.created.at, carried),
    ]


def time_check(at: datetime, signed: SealTime | None, *, timed: bool) -> Check:
    """Whether the claimed signing time is one, and not after ``at``. ``timed`` as in `judge_signer`."""
    title = "签章时间"
    if signed is None:
        outcome = Outcome.UNKNOWN if timed else Outcome.NOT_APPLICABLE
        return _trust("time", title, outcome, "signing time unknown", "未载明可识别的签章时间，按核验时间判断")
    if signed.at - at > CLOCK_SKEW:
        return _trust("time", title, Outcome.FAILED, "signed in the future")
    return _trust("time", title, Outcome.PASSED, detail="" if signed.zoned else "签章时间未注明时区，按北京时间判断")


def _validity(who: str, title: str, certificate: SigningCertificate, at: datetime) -> Check:
    if certificate.valid_at(at.replace(microsecond=0)):
        return _trust(f"validity.{who}", title, Outcome.PASSED)
    return _trust(f"validity.{who}", title, Outcome.FAILED, f"{who} certificate not valid at that time")


def _usage(who: str, title: str, certificate: SigningCertificate) -> Check:
    usage = certificate.key_usage()
    if usage is None or usage.bits & SEAL_USAGES:
        return _trust(f"usage.{who}", title, Outcome.PASSED)
    return _trust(f"usage.{who}", title, Outcome.FAILED, f"{who} key may not sign")


def seal_period(seal: Seal, at: datetime) -> Check:
    """Whether the seal was valid when it was used."""
    title = "印章有效期"
    if seal.valid_from.at <= at <= seal.valid_until.at:
        zoned = seal.valid_from.zoned and seal.valid_until.zoned
        return _trust("validity.seal", title, Outcome.PASSED, detail="" if zoned else "未注明时区，按北京时间判断")
    return _trust("validity.seal", title, Outcome.FAILED, "seal not valid at signing time")


def _path(
    context: TrustContext, who: str, title: str, leaf: SigningCertificate, at: datetime, carried: tuple[bytes, ...]
) -> list[Check]:
    """One check for the path and, where revocation is judged, one for that."""
    code, path_title = f"path.{who}", f"{title}证书链"
    if not context.anchors:
        return [_trust(code, path_title, Outcome.UNKNOWN, phrase("chain.no_anchor"))]
    result = verify_chain(
        leaf.encoded,
        (*carried, *context.intermediates),
        context.anchors,
        context.at,
        crls=context.crls,
        status=context.status,
        valid_at=min(at, context.at),
    )
    about_revocation = result.check in _REVOCATION
    if result.verdict is not Verdict.VALID and not about_revocation:
        return [_trust(code, path_title, _OUTCOMES[result.verdict], phrase(result.check), result.remedy)]
    checks = [_trust(code, path_title, Outcome.PASSED)]
    if context.judges_revocation:
        reason = phrase(result.check) if about_revocation else ""
        told = _told(result)
        checks.append(_trust(f"revocation.{who}", f"{title}吊销状态", _OUTCOMES[result.verdict], reason, told))
    return checks


def _told(result: ChainResult) -> str:
    """What the answer about revocation rests on, source by source."""
    parts = []
    for basis in result.basis:
        age = f"截至 {basis.as_of.isoformat()}" if basis.as_of else "未取得"
        parts.append(f"{_BASES.get(basis.name, basis.name)}{age}")
    return "，".join(dict.fromkeys(parts))


def _trust(code: str, title: str, outcome: Outcome, reason: str = "", detail: str = "") -> Check:
    return Check(code, title, outcome, basis=Basis.TRUST, reason=reason, detail=detail)


def as_bytes(items: Iterable[bytes] | None) -> tuple[bytes, ...] | None:
    """Evidence as it is kept: None stays None, which leaves it out."""
    return None if items is None else tuple(bytes(item) for item in items)
