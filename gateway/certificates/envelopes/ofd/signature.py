"""Judging one signature of an OFD document: numbered steps, each a named check. Never raises on content."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import hashes

from gateway.certificates.envelopes.ofd import trust
from gateway.certificates.envelopes.ofd.archive import Archive, DamagedEntry, digest
from gateway.certificates.envelopes.ofd.cms import is_cms, parse_cms
from gateway.certificates.envelopes.ofd.manifest import Description, Reference
from gateway.certificates.envelopes.ofd.report import (
    Check,
    OfdSignatureReport,
    Outcome,
    ReferenceReport,
    SealFacts,
    SignerFacts,
)
from gateway.certificates.envelopes.ofd.seal import MAX_SIGNED_VALUE_BYTES, Seal, parse_sealed_value
from gateway.certificates.x509_tlv import TlvCertificate, parse_certificate
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid
from gateway.crypto.signatures import SCHEME_BY_OID, Encoding, Scheme, verify_signature

SM3: Final = hashes.SM3()
_SHA256: Final = hashes.SHA256()
_DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    "SM3": SM3,
    "1.2.156.10197.1.401": SM3,
    "1.2.156.10197.1.401.1": SM3,
    "SHA256": _SHA256,
    "SHA-256": _SHA256,
    "2.16.840.1.101.3.4.2.1": _SHA256,
}
_BROKEN_DIGESTS: Final = frozenset(
    {"MD5", "SHA1", "SHA-1", "1.2.840.113549.2.5", "1.3.14.3.2.26", "1.2.156.10197.1.410"}
)
"""Collisions can be made for these (GB/T 33190 even defaults to MD5): such a reference protects nothing."""
_SCHEMES: Final = SCHEME_BY_OID | {"1.2.156.10197.1.301": Scheme.SM2_SM3, "1.2.156.10197.1.301.1": Scheme.SM2_SM3}
"""Seal makers also write the SM2 curve's or SM2-1's identifier where SM2-with-SM3 is meant."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a SignedValue.dat yields, whichever of its forms it had."""

    form: str
    tbs: bytes
    hashes_of_signature_xml: tuple[bytes, ...]
    signed_at: datetime | None
    certificate: TlvCertificate
    oid: str
    signature: bytes
    seal: Seal | None
    maker: TlvCertificate | None
    timestamped: bool = False


def judge_signature(
    archive: Archive,
    description: Description,
    context: trust.TrustContext,
    *,
    listed: bool,
    changed_later: frozenset[str],
) -> OfdSignatureReport:
    """Verify one described signature.

    ``changed_later`` are lists of signatures that a later intact signature may have changed. The steps:

    1. every referenced file has the signed digest, by a digest method that still protects
    2. SignedValue.dat is read (V1, V4/V5 seal, or GB/T 35275)
    3. the signed data contains the digest of Signature.xml
    4. the signer's signature over the original signed bytes
    5. the seal maker's signature; Seal.esl is the very seal that was used; the signer is listed in the seal
    6. trust: signer and seal valid at signing time, key usage, certificate paths to an anchor
    """
    # 1
    references = tuple(_reference(archive, description, item, changed_later) for item in description.references)
    checks = [_references_check(references)]
    # 2
    signed, problem = _read_value(archive, description)
    checks.append(problem)
    if signed is None:
        return _report(description, references, None, checks, listed=listed)
    # 3
    checks.append(_content_check(description, signed))
    # 4
    value_file = (description.value_path or description.path,)
    checks.append(_signer_check(description, signed, value_file))
    # 5
    if signed.seal is not None and signed.maker is not None:
        seal = signed.seal
        checks.append(
            _signature_check(
                "maker",
                "制章者签名",
                seal.maker_oid,
                signed.maker.spki,
                seal.maker_tbs,
                seal.maker_signature,
                value_file,
            )
        )
        checks.append(_seal_file_check(archive, description, seal))
        checks.append(_listed_check(seal, signed.certificate, value_file))
    if signed.timestamped:
        checks.append(Check("timestamp", "时间戳", Outcome.NOT_APPLICABLE, detail="附有时间戳，未核验，不作为依据"))
    # 6
    checks.extend(trust.judge_trust(context, signed.certificate, signed.signed_at, signed.seal, signed.maker))
    return _report(description, references, signed, checks, listed=listed)


def _reference(
    archive: Archive, description: Description, reference: Reference, changed_later: frozenset[str]
) -> ReferenceReport:
    path = reference.path
    algorithm = _DIGESTS.get(description.check_method.upper())
    if reference.ambiguous:
        return ReferenceReport(path, Outcome.FAILED, "path names two files")
    if path not in archive:
        return ReferenceReport(path, Outcome.FAILED, "file missing")
    if description.check_method.upper() in _BROKEN_DIGESTS:
        return ReferenceReport(path, Outcome.FAILED, "digest method broken")
    if algorithm is None:
        return ReferenceReport(path, Outcome.UNKNOWN, "digest method not supported")
    try:
        actual = archive.digest(path, algorithm)
    except DamagedEntry:
        return ReferenceReport(path, Outcome.FAILED, "file damaged")
    if reference.digest is not None and hmac.compare_digest(actual, reference.digest):
        return ReferenceReport(path, Outcome.PASSED)
    if path in changed_later:
        return ReferenceReport(path, Outcome.NOT_APPLICABLE, "changed by a later signature")
    return ReferenceReport(path, Outcome.FAILED, "digest mismatch")


def _references_check(references: tuple[ReferenceReport, ...]) -> Check:
    title = "文件摘要"
    if not references:
        return Check("references", title, Outcome.FAILED, reason="nothing is referenced", detail="没有保护任何文件")
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        found = [reference for reference in references if reference.outcome is outcome]
        if found:
            files = tuple(reference.path for reference in found)
            return Check("references", title, outcome, reason=found[0].reason, files=files)
    return Check("references", title, Outcome.PASSED, detail=f"{len(references)} 个文件摘要一致")


def _read_value(archive: Archive, description: Description) -> tuple[Signed | None, Check]:
    title = "签名值结构"
    path = description.value_path
    if path is None or path not in archive:
        # Either may be the one that was changed: the value that is gone, or the file that says where it lies.
        files = (description.path,) if path is None else (path, description.path)
        return None, Check("value", title, Outcome.FAILED, reason="signed value missing", files=files)
    try:
        if archive.size(path) > MAX_SIGNED_VALUE_BYTES:
            raise DerMalformed(remedy="签名值文件超过大小上限")
        signed = _parse_value(archive.read(path), description)
    except DamagedEntry:
        return None, Check("value", title, Outcome.FAILED, reason="file damaged", files=(path,))
    except DerMalformed as error:
        return None, Check(
            "value", title, Outcome.FAILED, reason="signed value malformed", detail=error.remedy, files=(path,)
        )
    return signed, Check("value", title, Outcome.PASSED, detail=signed.form)


def _parse_value(data: bytes, description: Description) -> Signed:
    if is_cms(data):
        cms = parse_cms(data)
        # Writers enclose the digest of Signature.xml, or the file itself; signed attributes repeat or digest that.
        claims = []
        if cms.content is not None:
            claims.append(digest(cms.content, SM3) if cms.content == description.content else cms.content)
        if cms.message_digest is not None and (cms.content is None or cms.message_digest != digest(cms.content, SM3)):
            claims.append(cms.message_digest)
        return Signed(
            form="GB/T 35275",
            tbs=cms.tbs,
            hashes_of_signature_xml=tuple(claims),
            signed_at=cms.signed_at,
            certificate=parse_certificate(cms.certificate),
            oid=cms.oid,
            signature=cms.signature,
            seal=None,
            maker=None,
        )
    value = parse_sealed_value(data)
    return Signed(
        form=value.form,
        tbs=value.tbs,
        hashes_of_signature_xml=(value.data_hash,),
        signed_at=value.signed_at,
        certificate=parse_certificate(value.certificate),
        oid=value.oid,
        signature=value.signature,
        seal=value.seal,
        maker=parse_certificate(value.seal.maker_certificate),
        timestamped=value.timestamped or value.seal.timestamped,
    )


def _content_check(description: Description, signed: Signed) -> Check:
    algorithm = SM3 if _SCHEMES.get(signed.oid, Scheme.SM2_SM3) is Scheme.SM2_SM3 else _SHA256
    actual = digest(description.content, algorithm)
    claims = signed.hashes_of_signature_xml
    if claims and all(hmac.compare_digest(actual, claim) for claim in claims):
        return Check("content", "签名描述文件摘要", Outcome.PASSED)
    return Check(
        "content", "签名描述文件摘要", Outcome.FAILED, reason="signature description changed", files=(description.path,)
    )


def _signer_check(description: Description, signed: Signed, files: tuple[str, ...]) -> Check:
    if signed.oid not in _SCHEMES and description.method in _SCHEMES:
        # The algorithm stands outside the signed bytes; what Signature.xml declares is signed, and says otherwise.
        reason = "signature algorithm differs from the one declared"
        return Check("signature.signer", "签章者签名", Outcome.FAILED, reason=reason, files=files)
    certificate = signed.certificate
    return _signature_check("signer", "签章者签名", signed.oid, certificate.spki, signed.tbs, signed.signature, files)


def _signature_check(
    who: str, title: str, oid: str, spki: bytes, message: bytes, signature: bytes, files: tuple[str, ...]
) -> Check:
    code = f"signature.{who}"
    scheme = _SCHEMES.get(oid)
    if scheme is None:
        return Check(code, title, Outcome.UNKNOWN, reason="signature algorithm not supported", detail=oid, files=files)
    encoding = Encoding.EITHER if scheme is Scheme.SM2_SM3 else Encoding.DER
    try:
        verify_signature(scheme, spki, message, signature, encoding=encoding)
    except AlgorithmUnavailable as error:
        return Check(code, title, Outcome.UNKNOWN, reason="algorithm unavailable", detail=error.remedy, files=files)
    except (SignatureInvalid, KeyUnfit) as error:
        reason = f"{who} signature does not verify"
        return Check(code, title, Outcome.FAILED, reason=reason, detail=error.remedy, files=files)
    return Check(code, title, Outcome.PASSED, detail=scheme.value)


def _seal_file_check(archive: Archive, description: Description, seal: Seal) -> Check:
    title, path = "印章文件一致", description.seal_path
    if path is None:
        return Check("seal.file", title, Outcome.NOT_APPLICABLE, detail="未附印章文件")
    same = False
    if path in archive and archive.size(path) <= MAX_SIGNED_VALUE_BYTES:
        try:
            same = archive.read(path) == seal.raw
        except DamagedEntry:
            same = False
    if same:
        return Check("seal.file", title, Outcome.PASSED)
    return Check("seal.file", title, Outcome.FAILED, reason="seal file differs from the seal used", files=(path,))


def _listed_check(seal: Seal, signer: TlvCertificate, files: tuple[str, ...]) -> Check:
    title = "签章者在印章名单中"
    if signer.der in seal.certificates:
        return Check("seal.signer", title, Outcome.PASSED, detail="名单含证书全文")
    by_digest = {SM3.name: digest(signer.der, SM3), _SHA256.name: digest(signer.der, _SHA256)}
    for kind, value in seal.digests:
        algorithm = _DIGESTS.get(kind.upper())
        # The type is free text in the standard; when it names no algorithm, SM3 is what the standard uses.
        if value == by_digest[(algorithm or SM3).name]:
            return Check("seal.signer", title, Outcome.PASSED, detail="名单含证书摘要")
    return Check("seal.signer", title, Outcome.FAILED, reason="signer not listed in the seal", files=files)


def _report(
    description: Description,
    references: tuple[ReferenceReport, ...],
    signed: Signed | None,
    checks: list[Check],
    *,
    listed: bool,
) -> OfdSignatureReport:
    return OfdSignatureReport(
        path=description.path,
        kind=description.kind,
        form=signed.form if signed else "",
        provider=description.provider or "",
        method=description.method or "",
        digest_method=description.check_method,
        signed_at=signed.signed_at if signed else None,
        signed_at_text=description.signed_at or "",
        references=references,
        seal=_seal_facts(signed.seal, signed.maker) if signed and signed.seal and signed.maker else None,
        signer=_signer_facts(signed.certificate) if signed else None,
        checks=tuple(checks),
        listed=listed,
    )


def _signer_facts(certificate: TlvCertificate) -> SignerFacts:
    return SignerFacts(
        subject=certificate.subject_text,
        issuer=certificate.issuer_text,
        serial=f"{certificate.serial:X}",
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        certificate=certificate.der,
    )


def _seal_facts(seal: Seal, maker: TlvCertificate) -> SealFacts:
    return SealFacts(
        name=seal.name,
        seal_id=seal.seal_id,
        version=seal.version,
        vendor=seal.vendor,
        maker=maker.subject_text,
        created_at=seal.created_at,
        valid_from=seal.valid_from,
        valid_until=seal.valid_until,
    )
