"""SignedValue.dat, whichever of its forms it has: who signed which bytes, with which seal."""

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from gateway.certificates.envelopes.ofd.cms import CmsSigner, CmsValue, is_cms, parse_cms
from gateway.certificates.envelopes.ofd.digests import digest, digest_method, digest_of_scheme
from gateway.certificates.envelopes.ofd.schemes import seal_scheme
from gateway.certificates.envelopes.ofd.seal import Seal, SealedValue, parse_sealed_value
from gateway.certificates.envelopes.ofd.seal_times import SealTime
from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.crypto.der import Element, parse_integer_pair
from gateway.crypto.errors import DerMalformed

_RAW_SIGNATURE_BYTES = 64


class BareSignature(Exception):
    """Only a signature, without the certificate that would tell whose. A signal in this package."""


@dataclass(frozen=True, slots=True)
class Signer:
    """One who signed. ``messages`` are the forms in which the same content may have been signed, tried in turn.

    ``stated`` are what the signed bytes say is the digest of Signature.xml, by ``method``: each must be. ``signed`` is
    the signer's own claim, None where there is none. ``timestamp`` is a token over the signature.
    """

    certificate: SigningCertificate
    oid: str
    messages: tuple[bytes, ...]
    signature: bytes
    method: hashes.HashAlgorithm
    stated: tuple[bytes, ...]
    signed: SealTime | None
    timestamp: Element | None


@dataclass(frozen=True, slots=True)
class SignedValue:
    """What a SignedValue.dat yields. ``form`` is V1 … V5 or ``GB/T 35275``; ``carried`` are certificates beside, DER.

    ``inner_timestamp`` is a token that stands where V1 has the time.
    """

    form: str
    signers: tuple[Signer, ...]
    seal: Seal | None = None
    carried: tuple[bytes, ...] = ()
    inner_timestamp: bytes | None = None


def read_signed_value(data: bytes, signature_xml: bytes, kind: str) -> SignedValue:
    """Read the SignedValue.dat that belongs to ``signature_xml``. Raises `DerMalformed`, `BareSignature`.

    ``kind`` is the Type in Signatures.xml: a seal is never a bare signature. Else the structure tells what it is.
    """
    if kind == "Sign" and _is_bare(data):
        raise BareSignature
    if is_cms(data):
        message = parse_cms(data)
        signers = tuple(_cms_signer(message, each, signature_xml) for each in message.signers)
        return SignedValue("GB/T 35275", signers, carried=message.certificates)
    value = parse_sealed_value(data)
    return SignedValue(value.form, (_seal_signer(value),), value.seal, inner_timestamp=value.inner_timestamp)


def _is_bare(data: bytes) -> bool:
    if len(data) == _RAW_SIGNATURE_BYTES:
        return True
    try:
        parse_integer_pair(data)
    except DerMalformed:
        return False
    return True


def _seal_signer(value: SealedValue) -> Signer:
    return Signer(
        certificate=load_signing_certificate(value.certificate),
        oid=value.oid,
        messages=(value.tbs,),
        signature=value.signature,
        method=digest_of_scheme(seal_scheme(value.oid)),
        stated=(value.data_hash,),
        signed=value.signed,
        timestamp=value.timestamp,
    )


def _cms_signer(message: CmsValue, signer: CmsSigner, signature_xml: bytes) -> Signer:
    """Writers enclose the digest of Signature.xml, the file itself, or nothing; attributes repeat or digest that."""
    if signer.certificate is None:
        raise DerMalformed(remedy="签名数据中没有签名者的证书")
    method = digest_method(signer.digest_oid) or digest_of_scheme(seal_scheme(signer.oid))
    actual = digest(signature_xml, method)
    content = message.content
    stated = []
    if content is not None:
        stated.append(actual if content == signature_xml else content)
    said = signer.message_digest
    if said is not None and (content is None or said != digest(content, method)):
        stated.append(said)
    if content is None and not signer.attributes:
        # Detached and without attributes: whatever verifies was signed over the file or its digest.
        stated.append(actual)
    plain = (actual, signature_xml) if content is None else (content,)
    return Signer(
        certificate=signer.certificate,
        oid=signer.oid,
        messages=signer.attributes or plain,
        signature=signer.signature,
        method=method,
        stated=tuple(stated),
        signed=signer.signed,
        timestamp=signer.timestamp,
    )
