"""Token Status Lists: is this e-certificate suspended or revoked, and how old is that knowledge?

Source: IETF Token Status List (draft-ietf-oauth-status-list) §5 to §8. The list's signer must chain to an anchor and
be the e-certificate's own authority, or an authority entitled to the duty ``status_list``, under the CA that is pinned
for it. A list that cannot be had, read or believed, is too old or older than one seen before, makes the answer
*indeterminate*; it never makes a certificate revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.freshness import Basis, FreshnessLimit, earliest
from gateway.certificates.trust import STATUS_LIST_DUTY, Entitlement
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import ChainResult
from gateway.certificates.x509.chain_basis import chain_basis, of_status_list
from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
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
MAX_URIS = 4096
"""List addresses whose newest list is remembered."""
_UNREADABLE = (JoseRefused, SignatureInvalid, AlgorithmUnavailable, DerMalformed, StatusListError, ValidationError)
_POLICY = JwsPolicy(
    typ=frozenset({Typ.STATUS_LIST.value}),
    algorithms=frozenset({"ES256", "EdDSA", "ES384", "SM2-SM3"}),
    max_bytes=MAX_STATUS_TOKEN_BYTES,
    required=frozenset({"sub", "iat", "status_list"}),
    x5c=True,
    expiry_judged_by_caller=True,
)


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """What was at hand about revocation: status list tokens by URI, CRLs and OCSP responses in DER.

    What is missing could not be had. ``down`` are the addresses that did not answer when they were last asked, which
    what is at hand of them does not show.
    """

    status_lists: Mapping[str, bytes] = field(default_factory=dict)
    crls: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    down: frozenset[str] = frozenset()

    def about(self, status_list: str | None) -> "StatusEvidence":
        """What is left of it for an envelope that names ``status_list``: no other list says anything of it."""
        own = {uri: token for uri, token in self.status_lists.items() if uri == status_list}
        return replace(self, status_lists=own)


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """``check`` is None when the certificate is in good standing, else ``status.…`` with the verdict it leads to.

    ``signer`` is the entitlement of the list's signer, None where none was found, and ``signer_basis`` what their
    chain was judged by. ``stands_until`` (exclusive) is how long the same list is judged the same on one China date;
    None where it has to be judged anew each time.
    """

    verdict: Verdict
    check: str | None
    remedy: str
    basis: Basis
    signer: Entitlement | None = None
    signer_basis: tuple[Basis, ...] = ()
    stands_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """Whose e-certificate of which kind stands in the list: that authority may sign its own list."""

    authority: str
    kind: str


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
    """Reads and believes status lists; decoded ones are kept, belief is renewed at each answer.

    The newest ``iat`` believed of each address is remembered, so that an older list cannot be passed off for it.
    """

    def __init__(self, chains: ChainVerifier) -> None:
        self._chains = chains
        self._kept: BoundedCache[bytes, _List] = BoundedCache(MAX_LISTS)
        self._newest: BoundedCache[str, datetime] = BoundedCache(MAX_URIS)

    def judge(
        self,
        reference: StatusListReference,
        issued: Issued,
        at: datetime,
        evidence: StatusEvidence,
        limit: FreshnessLimit,
        crl_limit: FreshnessLimit,
    ) -> StatusAnswer:
        """The standing of the e-certificate at ``reference`` at the aware instant ``at``."""
        token, uri = evidence.status_lists.get(reference.uri), reference.uri
        down = uri in evidence.down
        missing = limit.missing("status_list", uri, down=down)
        if token is None:
            return _unknown("status.unavailable", "状态列表暂时无法取得，请稍后再试", missing)
        try:
            found = self._read(token, at)
        except _UNREADABLE:
            return _unknown("status.untrusted", "状态列表未通过核验，请联系来源平台", missing)
        basis = limit.judge("status_list", found.issued_at, at, expires_at=found.expires_at, source=uri, down=down)
        trusted = self._chains.verify(
            found.leaf, found.intermediates, at, evidence.crls, crl_limit, status=evidence.ocsp
        )
        answer = self._believed(found, trusted, reference, issued, at, basis)
        ends = earliest(limit.stands_until(basis, expires_at=found.expires_at), trusted.stands_until)
        return replace(answer, signer_basis=of_status_list(chain_basis(trusted, at, evidence.down)), stands_until=ends)

    def _believed(
        self,
        found: _List,
        trusted: ChainResult,
        reference: StatusListReference,
        issued: Issued,
        at: datetime,
        basis: Basis,
    ) -> StatusAnswer:
        if found.uri != reference.uri or trusted.verdict is not Verdict.VALID:
            return _unknown("status.untrusted", "状态列表未通过核验，请联系来源平台", basis)
        signer = self._signer(found.authority, trusted.path[1].key_digest(), issued, at)
        if not signer.given:
            return _unknown("status.untrusted", "状态列表的签发者无权签发状态列表", basis)
        if not basis.usable:
            return _unknown("status.stale", "状态列表已过时，暂不能确认证照是否有效", basis)
        if not self._no_older(found):
            return _unknown("status.rolled_back", "状态列表早于此前已取得的一份，请联系来源平台", basis)
        try:
            return replace(_standing(status_at(found.packed, found.bits, reference.idx), basis), signer=signer)
        except StatusListError:
            return _unknown("status.out_of_range", "状态列表中没有此证照的位置，请联系来源平台", basis)

    def _signer(self, authority: str, issuing_ca: str, issued: Issued, at: datetime) -> Entitlement:
        trust, on = self._chains.trust, date_in_china(at)
        if authority == issued.authority:
            own = trust.entitlement(authority, issued.kind, on, issuing_ca)
            if own.given:
                return own
        return trust.entitlement(authority, STATUS_LIST_DUTY, on, issuing_ca)

    def _no_older(self, found: _List) -> bool:
        newest = self._newest.get(found.uri)
        if newest is not None and found.issued_at < newest:
            return False
        self._newest.put(found.uri, found.issued_at)
        return True

    def signer_path(self, token: bytes, at: datetime) -> tuple[SigningCertificate, ...]:
        """The path of the list's signer, whose certificates say where to ask for their revocation.

        Empty unless an anchored key signed the list.
        """
        try:
            found = self._read(token, at)
        except _UNREADABLE:
            return ()
        chain = self._chains.verify(found.leaf, found.intermediates, at, None)
        return chain.path if chain.verdict is Verdict.VALID else ()

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
