"""Token Status Lists: is this e-certificate suspended or revoked, and how old is that knowledge?

Source: IETF Token Status List (draft-ietf-oauth-status-list) §5 to §8. The list's signer must chain to an anchor and
be the e-certificate's own authority, or an authority entitled to the duty ``status_list``. A list that cannot be had,
read or believed, or is too old, makes the answer *indeterminate*; it never makes a certificate revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import ValidationError

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.freshness import Basis, FreshnessLimit
from gateway.certificates.signing_certificates import load_signing_certificate
from gateway.certificates.trust import STATUS_LIST_DUTY
from gateway.certificates.verdicts import Verdict
from gateway.clock import date_in_china
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, JoseRefused, SignatureInvalid
from gateway.crypto.jws import JwsPolicy, check_signature, read_claims, read_jws
from schemas.status_lists import (
    CertificateStatus,
    StatusListError,
    StatusListPayload,
    StatusListReference,
    status_at,
    unpack_statuses,
)
from schemas.wire import Typ

MAX_STATUS_TOKEN_BYTES = 1 << 20
MAX_LISTS = 64
_UNREADABLE = (JoseRefused, SignatureInvalid, AlgorithmUnavailable, DerMalformed, StatusListError, ValidationError)
_POLICY = JwsPolicy(
    typ=frozenset({Typ.STATUS_LIST.value}),
    algorithms=frozenset({"ES256", "EdDSA", "ES384"}),
    max_bytes=MAX_STATUS_TOKEN_BYTES,
    required=frozenset({"sub", "iat", "status_list"}),
    x5c=True,
    expiry_judged_by_caller=True,
)


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """What was at hand about revocation: status list tokens by URI, and DER CRLs. A missing URI could not be had."""

    status_lists: Mapping[str, bytes] = field(default_factory=dict)
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """``check`` is None when the certificate is in good standing, else ``status.…`` with the verdict it leads to."""

    verdict: Verdict
    check: str | None
    remedy: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class _List:
    authority: str
    leaf: bytes
    intermediates: tuple[bytes, ...]
    uri: str
    bits: int
    packed: bytes
    issued_at: datetime
    expires_at: datetime | None


class StatusListReader:
    """Reads and believes status lists; decoded ones are kept, belief is renewed at each answer."""

    def __init__(self, chains: ChainVerifier) -> None:
        self._chains = chains
        self._kept: BoundedCache[bytes, _List] = BoundedCache(MAX_LISTS)

    def judge(
        self,
        reference: StatusListReference,
        authority: str,
        at: datetime,
        evidence: StatusEvidence,
        limit: FreshnessLimit,
        crl_limit: FreshnessLimit,
    ) -> StatusAnswer:
        """The standing of the e-certificate at ``reference``, issued by ``authority``, at the aware instant ``at``."""
        token = evidence.status_lists.get(reference.uri)
        if token is None:
            return _unknown("status.unavailable", "状态列表暂时无法取得，请稍后再试", limit.missing("status_list"))
        try:
            found = self._read(token, at)
        except _UNREADABLE:
            return _unknown("status.untrusted", "状态列表未通过核验，请联系来源平台", limit.missing("status_list"))
        basis = limit.judge("status_list", found.issued_at, at, expires_at=found.expires_at)
        trusted = self._chains.verify(found.leaf, found.intermediates, at, evidence.crls, crl_limit)
        if found.uri != reference.uri or trusted.verdict is not Verdict.VALID:
            return _unknown("status.untrusted", "状态列表未通过核验，请联系来源平台", basis)
        entitled = self._chains.trust.entitled(found.authority, STATUS_LIST_DUTY, date_in_china(at))
        if found.authority != authority and not entitled:
            return _unknown("status.untrusted", "状态列表的签发者无权签发状态列表", basis)
        if not basis.usable:
            return _unknown("status.stale", "状态列表已过时，暂不能确认证照是否有效", basis)
        try:
            return _standing(status_at(found.packed, found.bits, reference.idx), basis)
        except StatusListError:
            return _unknown("status.out_of_range", "状态列表中没有此证照的位置，请联系来源平台", basis)

    def crl_addresses(self, token: bytes, at: datetime) -> tuple[str, ...]:
        """Where the CRLs for the list's signer are to be had; empty unless an anchored key signed the list."""
        try:
            found = self._read(token, at)
        except _UNREADABLE:
            return ()
        chain = self._chains.verify(found.leaf, found.intermediates, at, None)
        if chain.verdict is not Verdict.VALID:
            return ()
        return tuple(uri for item in chain.path[:-1] for uri in item.crl_addresses())

    def _read(self, token: bytes, at: datetime) -> _List:
        kept = self._kept.get(token)
        if kept is None:
            kept = _decode(token, at)
            self._kept.put(token, kept)
        return kept


def _decode(token: bytes, at: datetime) -> _List:
    read = read_jws(token, _POLICY)
    leaf, *intermediates = read.x5c
    certificate = load_signing_certificate(leaf)
    check_signature(read, certificate.public_key_info)
    payload = StatusListPayload.model_validate(read_claims(read, at))
    packed = unpack_statuses(payload.status_list.lst)
    return _List(
        authority=certificate.authority_code or "",
        leaf=leaf,
        intermediates=tuple(intermediates),
        uri=payload.sub,
        bits=payload.status_list.bits,
        packed=packed,
        issued_at=datetime.fromtimestamp(payload.iat, UTC),
        expires_at=None if payload.exp is None else datetime.fromtimestamp(payload.exp, UTC),
    )


def _standing(status: int, basis: Basis) -> StatusAnswer:
    if status == CertificateStatus.VALID:
        return StatusAnswer(Verdict.VALID, None, "", basis)
    if status == CertificateStatus.INVALID:
        return StatusAnswer(Verdict.INVALID, "status.revoked", "证照已被颁发机构吊销或注销", basis)
    if status == CertificateStatus.SUSPENDED:
        return StatusAnswer(Verdict.INVALID, "status.suspended", "证照已被颁发机构暂停使用", basis)
    return _unknown("status.unrecognised", "状态列表给出了未知的状态，请联系来源平台", basis)


def _unknown(check: str, remedy: str, basis: Basis) -> StatusAnswer:
    return StatusAnswer(Verdict.INDETERMINATE, check, remedy, basis)
