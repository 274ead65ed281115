"""GB/T 35275 signed messages and RFC 3161 time stamps for OFD documents, in every form that writers leave."""

import base64
from collections.abc import Sequence
from datetime import datetime

from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.crypto.der import Tag, encode, encode_integer
from tests.support.ofd_pki import SIGNED_AT, Identity, Pki, digest, generalized, serial_of, sign, utc

MESSAGES = "2a811ccf5506010402"
SM2_1 = encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2a811ccf5501822d01")))
SM3 = encode(Tag.SEQUENCE, encode(6, bytes.fromhex("2a811ccf55018311")))
_DATA = encode(6, bytes.fromhex(MESSAGES + "01"))
_TST_INFO = encode(6, bytes.fromhex("2a864886f70d0109100104"))


def make_cms(pki: Pki, form: str, xml: bytes, at: datetime, *, raw: bool = False) -> bytes:
    """A SignedValue.dat of Type=Sign over Signature.xml. ``form``:

    ``content``: the digest enclosed and signed; ``base64``: the same as text; ``file``: the file itself enclosed;
    ``attributes``: detached, under signed attributes; ``unsorted``: those in another order than DER's; ``enclosed``:
    both; ``detached`` and ``detached-file``: nothing enclosed, the digest or the file signed; ``bare``: a SignedData
    without its ContentInfo; ``cosigned``: signer and maker both; ``key-id``: the signer named by key identifier;
    ``sealed`` and ``sealed-open``: as ``attributes``, with the seal in Seal.esl alone; ``signature`` and ``raw``: only
    a signature; ``anonymous``: without certificates.
    """
    if form == "signature":
        return sign(pki.signer, xml)
    if form == "raw":
        return sign(pki.signer, xml, raw=True)
    content = {"base64": base64.b64encode(digest(xml)), "file": xml}.get(form, digest(xml))
    with_attributes = form in ("attributes", "unsorted", "enclosed", "cosigned", "sealed", "sealed-open", "key-id")
    enclosed = form in ("content", "base64", "file", "enclosed", "bare", "anonymous")
    signers = [pki.signer, pki.maker] if form == "cosigned" else [pki.signer]
    infos = []
    for signer in signers:
        attributes = b""
        signed = xml if form == "detached-file" else content
        if with_attributes:
            attributes = _attributes(digest(content) if enclosed else digest(xml), at, unsorted=form == "unsorted")
            signed = encode(Tag.SET, *sorted(_split(attributes)))
        infos.append(
            signer_info(signer, signed, attributes, raw=raw, by_key=form == "key-id"),
        )
    certificates = () if form == "anonymous" else tuple(each.certificate for each in signers)
    message = signed_data(_DATA, content if enclosed else None, infos, certificates)
    return message if form == "bare" else content_info(message)


def content_info(message: bytes, kind: str = MESSAGES + "02") -> bytes:
    return encode(Tag.SEQUENCE, encode(6, bytes.fromhex(kind)), encode(Tag.CONTEXT_0, message))


def signed_data(kind: bytes, content: bytes | None, infos: Sequence[bytes], certificates: Sequence[bytes]) -> bytes:
    inside = b"" if content is None else encode(Tag.CONTEXT_0, encode(Tag.OCTET_STRING, content))
    return encode(
        Tag.SEQUENCE,
        encode_integer(1),
        encode(Tag.SET, SM3),
        encode(Tag.SEQUENCE, kind, inside),
        encode(Tag.CONTEXT_0, *certificates) if certificates else b"",
        encode(Tag.SET, *infos),
    )


def signer_info(
    signer: Identity,
    signed: bytes,
    attributes: bytes = b"",
    *,
    raw: bool = False,
    by_key: bool = False,
    unsigned: bytes = b"",
) -> bytes:
    issuer = load_signing_certificate(signer.certificate).issuer
    identifier = encode(Tag.SEQUENCE, issuer, encode_integer(serial_of(signer)))
    return encode(
        Tag.SEQUENCE,
        encode_integer(1),
        encode(0x80, digest(signer.key.public_key.spki)[:20]) if by_key else identifier,
        SM3,
        encode(Tag.CONTEXT_0, attributes) if attributes else b"",
        SM2_1,
        encode(Tag.OCTET_STRING, sign(signer, signed, raw=raw)),
        unsigned,
    )


def attribute(kind: str, *values: bytes) -> bytes:
    return encode(Tag.SEQUENCE, encode(6, bytes.fromhex(kind)), encode(Tag.SET, *values))


def _attributes(message_digest: bytes, at: datetime, *, unsorted: bool = False) -> bytes:
    found = sorted(
        (
            attribute("2a864886f70d010904", encode(Tag.OCTET_STRING, message_digest)),
            attribute("2a864886f70d010905", utc(at)),
        )
    )
    return b"".join(reversed(found) if unsorted else found)


def _split(attributes: bytes) -> list[bytes]:
    found = []
    while attributes:
        size = 2 + attributes[1]
        found.append(attributes[:size])
        attributes = attributes[size:]
    return found


def time_stamp(
    authority: Identity,
    data: bytes,
    at: datetime = SIGNED_AT,
    *,
    method: bytes = SM3,
    spoil: bool = False,
    certificates: bool = True,
    answered: bool = False,
    imprint: bytes | None = None,
) -> bytes:
    """A TimeStampToken by ``authority`` over ``data``, or over an ``imprint`` that was asked for.

    ``answered``: the whole TimeStampResp.
    """
    imprint = imprint or encode(Tag.SEQUENCE, method, encode(Tag.OCTET_STRING, digest(data)))
    info = encode(
        Tag.SEQUENCE, encode_integer(1), encode(6, b"\x2a\x03\x04"), imprint, encode_integer(7), generalized(at)
    )
    attributes = _attributes(digest(info), at)
    signed = encode(Tag.SET, *sorted(_split(attributes))) + (b"." if spoil else b"")
    enclosed = (authority.certificate,) if certificates else ()
    message = signed_data(_TST_INFO, info, [signer_info(authority, signed, attributes)], enclosed)
    token = content_info(message, "2a864886f70d010702")
    return encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, encode_integer(0)), token) if answered else token
