"""Time stamp tokens over a seal's signature: RFC 3161, GB/T 20520. What they prove, and what they leave open.

A token that is for another signature, or whose own signature is wrong, shows that something was tampered with. One that
cannot be read, or that leads to no anchor, is told and decides nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.certificates.envelopes.ofd.cms import CmsSigner, CmsValue, parse_cms
from gateway.certificates.envelopes.ofd.digests import digest, digest_method, digest_of_scheme, is_broken, states
from gateway.certificates.envelopes.ofd.report import Basis, Check, Outcome
from gateway.certificates.envelopes.ofd.schemes import seal_scheme, verify_seal_signature
from gateway.certificates.envelopes.ofd.seal_times import SealTime, seal_time
from gateway.certificates.envelopes.ofd.trust import TrustContext, phrase
from gateway.certificates.freshness import CLOCK_SKEW
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.path_rules import ANY_PURPOSE
from gateway.certificates.x509.signing_certificates import algorithm_oid
from gateway.crypto.der import Element, Tag, parse
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid

TIME_STAMPING: Final = frozenset({ANY_PURPOSE, "1.3.6.1.5.5.7.3.8"})
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: the time (aware UTC) at which a digest was shown to its authority."""

    at: datetime
    method: str
    imprint: bytes
    message: CmsValue


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a token should be over: any of ``data``. ``binding``: being over something else proves a forgery."""

    title: str
    data: tuple[bytes, ...]
    claimed_at: datetime | None = None
    binding: bool = True


def read_token(value: bytes) -> Token:
    """A TimeStampToken, or the TimeStampResp that it came in. Raises `DerMalformed`."""
    parts = parse(value).expect(Tag.SEQUENCE).children()
    if len(parts) == 2 and parts[0].tag == Tag.SEQUENCE:
        value = parts[1].raw
    message = parse_cms(value)
    if message.content is None or message.content_type != _TST_INFO or len(message.signers) != 1:
        raise DerMalformed(remedy="时间戳令牌结构不符合 RFC 3161")
    fields = parse(message.content).expect(Tag.SEQUENCE).children()
    if len(fields) < 5:
        raise DerMalformed(remedy="时间戳令牌结构不符合 RFC 3161")
    imprint = fields[2].expect(Tag.SEQUENCE).children()
    if len(imprint) != 2:
        raise DerMalformed(remedy="时间戳令牌结构不符合 RFC 3161")
    time: SealTime = seal_time(fields[4].expect(Tag.GENERALIZED_TIME))
    return Token(time.at, algorithm_oid(imprint[0]), imprint[1].octets(), message)


def token_bytes(element: Element) -> bytes:
    """The token inside the field that holds it: a BIT STRING by the standard, an OCTET STRING, or the token itself."""
    if element.tag == Tag.SEQUENCE:
        return element.raw
    return element.octets() if element.tag == Tag.OCTET_STRING else element.bits()


def judge_timestamp(element: Element, stamped: Stamped, context: TrustContext) -> Check:
    """Whether the token in ``element`` is for ``stamped``, and how far it is to be believed."""
    try:
        return judge_token(read_token(token_bytes(element)), stamped, context)
    except DerMalformed as error:
        return _told(stamped, "time stamp unreadable", error.remedy)


def judge_token(token: Token, stamped: Stamped, context: TrustContext) -> Check:
    """As `judge_timestamp`, for a token that was read."""
    when = f"时间戳时间 {token.at.isoformat()}"
    method = digest_method(token.method)
    if method is None:
        known = "digest method broken" if is_broken(token.method) else "digest method not supported"
        return _told(stamped, known, when)
    if not any(states(token.imprint, digest(each, method)) for each in stamped.data):
        reason = "time stamp is for something else"
        return _failed(stamped, reason) if stamped.binding else _told(stamped, reason, when)
    signer = token.message.signers[0]
    if signer.certificate is None:
        return _told(stamped, "time stamp signer not enclosed", when)
    try:
        _prove(token, signer)
    except AlgorithmUnavailable:
        return _told(stamped, "signature algorithm not supported", when)
    except (SignatureInvalid, KeyUnfit):
        return _failed(stamped, "time stamp signature does not verify")
    return _judge_trust(token, signer, stamped, context, when)


def _prove(token: Token, signer: CmsSigner) -> None:
    """That the enclosed certificate's key signed the token. Raises as `verify_seal_signature`."""
    content = token.message.content or b""
    if signer.certificate is None:
        raise SignatureInvalid
    method = digest_method(signer.digest_oid) or digest_of_scheme(seal_scheme(signer.oid))
    if signer.message_digest is not None and signer.message_digest != digest(content, method):
        raise SignatureInvalid
    messages = signer.attributes or (content,)
    verify_seal_signature(signer.oid, signer.certificate.public_key_info, messages, signer.signature)


def _judge_trust(token: Token, signer: CmsSigner, stamped: Stamped, context: TrustContext, when: str) -> Check:
    if signer.certificate is None or not context.anchors:
        return _told(stamped, "no trust anchor", when)
    chain = verify_chain(
        signer.certificate.encoded,
        (*token.message.certificates, *context.intermediates),
        context.anchors,
        context.at,
        crls=context.crls,
        status=context.status,
        valid_at=min(token.at, context.at),
        purposes=TIME_STAMPING,
    )
    if chain.verdict is not Verdict.VALID:
        return _told(stamped, phrase(chain.check), when)
    if token.at - context.at > CLOCK_SKEW:
        return _failed(stamped, "time stamp lies in the future", Basis.TRUST)
    if stamped.claimed_at is not None and stamped.claimed_at - token.at > CLOCK_SKEW:
        return _failed(stamped, "signed after its own time stamp", Basis.TRUST)
    return Check("timestamp", stamped.title, Outcome.PASSED, Basis.TRUST, detail=when)


def _told(stamped: Stamped, reason: str, detail: str) -> Check:
    detail = f"{detail}；仅作说明，不作为依据"
    return Check("timestamp", stamped.title, Outcome.NOT_APPLICABLE, Basis.TRUST, reason, detail)


def _failed(stamped: Stamped, reason: str, basis: Basis = Basis.INTEGRITY) -> Check:
    return Check("timestamp", stamped.title, Outcome.FAILED, basis, reason)
