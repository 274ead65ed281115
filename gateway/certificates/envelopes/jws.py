"""E-certificates as compact JWS, typ ``ecert+jwt`` (the profile of ``schemas.ecertificates``)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from gateway.certificates.envelopes.envelope import OpenedEnvelope, SealedContent, Voucher
from gateway.certificates.errors import EnvelopeRefused
from gateway.certificates.policy import KindPolicy
from gateway.clock import END_OF_TIME
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jws import JwsPolicy, ReadJws, check_signature, read_claims, read_jws
from schemas.status_lists import StatusClaim, StatusListReference
from schemas.wire import Typ

_ENVELOPE_CHECKS = frozenset({"jose.oversize", "jose.compact", "jose.base64url"})
_FIRST_BYTES = b"eyJ"
"""base64url of ``{"``: how every compact JWS begins."""


@dataclass(frozen=True, slots=True)
class JwsEnvelope:
    """A JWS that passed the strict front check."""

    read: ReadJws
    leaf: bytes
    intermediates: tuple[bytes, ...]

    @property
    def algorithm(self) -> str:
        """``alg`` of the header."""
        return self.read.algorithm

    @property
    def sealed_at(self) -> datetime | None:
        """Not told by a signature: ``iat`` is when the token was made, and its seal must be good now."""
        return None

    @property
    def vouchers(self) -> tuple[Voucher, ...]:
        """Nobody but the leaf vouches for a JWS."""
        return ()

    def content(self, public_key_info: bytes, at: datetime) -> SealedContent:
        """As `OpenedEnvelope.content`."""
        try:
            check_signature(self.read, public_key_info)
            claims = read_claims(self.read, at)
        except JoseRefused as refused:
            raise EnvelopeRefused(step="chain", check=refused.check, remedy=refused.remedy) from None
        metadata = claims["certificate"]
        if not isinstance(metadata, dict):
            raise EnvelopeRefused(step="claims", check="claims.content", remedy="证照内容不符合约定的结构")
        return SealedContent(
            metadata,
            claims["iss"],
            claims["jti"],
            _status(claims.get("status")),
            stands_until=_stands_until(claims),
            prove=partial(check_signature, self.read, public_key_info),
        )


class JwsFormat:
    """The JWS form."""

    form = "jws"

    def recognises(self, data: bytes) -> bool:
        """As `EnvelopeFormat.recognises`."""
        return data.startswith(_FIRST_BYTES)

    def open(self, data: bytes, policy: KindPolicy) -> OpenedEnvelope:
        """As `EnvelopeFormat.open`."""
        try:
            read = read_jws(data, _policy(policy))
        except JoseRefused as refused:
            raise EnvelopeRefused(step=_step(refused.check), check=refused.check, remedy=refused.remedy) from None
        leaf, *intermediates = read.x5c
        return JwsEnvelope(read, leaf, tuple(intermediates))


def _policy(policy: KindPolicy) -> JwsPolicy:
    return JwsPolicy(
        typ=frozenset({Typ.CERTIFICATE.value}),
        algorithms=policy.algorithms,
        max_bytes=policy.max_envelope_bytes,
        required=frozenset({"iss", "iat", "jti", "certificate"}),
        x5c=True,
    )


def _stands_until(claims: dict[str, Any]) -> datetime:
    """A token whose times hold goes on holding until its ``exp``, without leeway so as to be early."""
    expires = claims.get("exp")
    return END_OF_TIME if expires is None else datetime.fromtimestamp(expires, UTC)


def _step(check: str) -> str:
    if check == "jose.algorithm":
        return "algorithm"
    return "envelope" if check in _ENVELOPE_CHECKS else "header"


def _status(claim: object) -> StatusListReference | None:
    if claim is None:
        return None
    try:
        return StatusClaim.model_validate(claim).status_list
    except ValidationError:
        raise EnvelopeRefused(step="status", check="status.reference", remedy="证照中的状态列表位置无法识别") from None
