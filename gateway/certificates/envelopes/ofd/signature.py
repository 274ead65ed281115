"""Judging one signature of an OFD document: numbered steps, each a named check. Never raises on content.

`read_signature` reads, `judge_integrity` proves what mathematics can, `trust` asks about the people, and
`judge_signature` puts them together.
"""

import hmac
from dataclasses import dataclass

from gateway.certificates.envelopes.ofd import trust
from gateway.certificates.envelopes.ofd.archive import Archive, DamagedEntry
from gateway.certificates.envelopes.ofd.digests import (
    SHA256,
    SM3,
    digest,
    digest_method,
    is_broken,
    states,
)
from gateway.certificates.envelopes.ofd.manifest import Description, Reference
from gateway.certificates.envelopes.ofd.report import (
    Check,
    OfdSignatureReport,
    Outcome,
    ReferenceReport,
    SealFacts,
    SignerFacts,
)
from gateway.certificates.envelopes.ofd.schemes import seal_scheme, verify_seal_signature
from gateway.certificates.envelopes.ofd.seal import MAX_SIGNED_VALUE_BYTES, Seal, parse_seal
from gateway.certificates.envelopes.ofd.seal_times import SealTime
from gateway.certificates.envelopes.ofd.signed_value import BareSignature, SignedValue, Signer, read_signed_value
from gateway.certificates.envelopes.ofd.timestamp import Stamped, Token, judge_timestamp, judge_token, read_token
from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.crypto.der import encode, parse
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, KeyUnfit, SignatureInvalid


@dataclass(frozen=True, slots=True)
class ReadSignature:
    """One signature, read and not yet judged. ``value`` None: ``problem`` says why it cannot be read.

    ``seal`` is the seal that was used: the signed value's, or for one that holds none, Seal.esl's. ``inner`` is the
    time stamp that V1 may have instead of a time, when it can be read.
    """

    description: Description
    problem: Check
    value: SignedValue | None = None
    seal: Seal | None = None
    maker: SigningCertificate | None = None
    inner: Token | None = None

    @property
    def timed(self) -> bool:
        """Whether the form must tell when it was signed, as a seal's must."""
        return self.value is not None and self.value.seal is not None

    def signed_by(self, signer: Signer) -> SealTime | None:
        """When ``signer`` says to have signed."""
        if signer.signed is None and self.inner is not None:
            return SealTime(self.inner.at)
        return signer.signed


def read_signature(archive: Archive, description: Description) -> ReadSignature:
    """Read SignedValue.dat and the seal of a described signature."""
    title = "签名值结构"
    path = description.value_path
    if path is None or path not in archive:
        # Either may be the one that was changed: the value that is gone, or the file that says where it lies.
        files = (description.path,) if path is None else (path, description.path)
        return ReadSignature(description, _failed("value", title, "signed value missing", files))
    try:
        value = read_signed_value(_small_file(archive, path), description.content, description.kind)
        outside = _outside_seal(archive, description) if value.seal is None else None
        seal = value.seal or outside
        maker = load_signing_certificate(seal.maker_certificate) if seal else None
        inner = _inner_token(value)
    except BareSignature:
        reason = "signer certificate not enclosed"
        return ReadSignature(description, Check("value", title, Outcome.UNKNOWN, reason=reason, files=(path,)))
    except DamagedEntry:
        return ReadSignature(description, _failed("value", title, "file damaged", (path,)))
    except DerMalformed as error:
        return ReadSignature(description, _failed("value", title, "signed value malformed", (path,), error.remedy))
    return ReadSignature(
        description, Check("value", title, Outcome.PASSED, detail=value.form), value, seal, maker, inner
    )


def judge_signature(
    archive: Archive,
    description: Description,
    context: trust.TrustContext,
    *,
    listed: bool,
    changed_later: frozenset[str],
) -> OfdSignatureReport:
    """Verify one described signature. ``changed_later`` as in `judge_integrity`."""
    read = read_signature(archive, description)
    references = judge_references(archive, description, changed_later)
    checks = judge_integrity(archive, read, references)
    value = read.value
    if value is not None:
        checks.extend(judge_timestamps(read, context))
        for signer in value.signers:
            signed = read.signed_by(signer)
            checks.extend(trust.judge_signer(context, signer.certificate, signed, value.carried, timed=read.timed))
        if read.seal is not None and read.maker is not None:
            signed = read.signed_by(value.signers[0])
            checks.extend(trust.judge_seal(context, read.seal, read.maker, signed, value.carried))
    return _report(read, references, checks, listed=listed)


def judge_references(
    archive: Archive, description: Description, changed_later: frozenset[str]
) -> tuple[ReferenceReport, ...]:
    """Each referenced file against its digest.

    ``changed_later`` are lists of signatures that a later intact signature may have changed.
    """
    return tuple(_reference(archive, description, item, changed_later) for item in description.references)


def judge_integrity(archive: Archive, read: ReadSignature, references: tuple[ReferenceReport, ...]) -> list[Check]:
    """What can be proved without trusting anybody. The steps:

    1. every referenced file has the signed digest, by a digest method that still protects
    2. SignedValue.dat was read (V1, V4/V5 seal, or GB/T 35275)
    3. the signed data contains the digest of Signature.xml
    4. each signer's signature over the original signed bytes
    5. the seal maker's signature; Seal.esl is the very seal that was used; the signer is listed in the seal
    """
    description, value = read.description, read.value
    # 1, 2
    checks = [_references_check(references), read.problem]
    if value is None:
        return checks
    # 3
    checks.append(_content_check(description, value))
    # 4
    value_file = (description.value_path or description.path,)
    checks.extend(_signer_check(description, signer, value_file) for signer in value.signers)
    # 5
    if read.seal is not None and read.maker is not None:
        key, tbs, signature = read.maker.public_key_info, (read.seal.maker_tbs,), read.seal.maker_signature
        title = "制章者签名"
        checks.append(_signature_check("maker", title, read.seal.maker_oid, key, tbs, signature, value_file))
        checks.append(_seal_file_check(archive, read, references))
        checks.extend(_listed_check(read.seal, signer.certificate, value_file) for signer in value.signers)
    return checks


def _small_file(archive: Archive, path: str) -> bytes:
    if archive.size(path) > MAX_SIGNED_VALUE_BYTES:
        raise DerMalformed(remedy="签名值文件超过大小上限")
    return archive.read(path)


def _outside_seal(archive: Archive, description: Description) -> Seal | None:
    """The seal of a signature whose value holds none but whose Signature.xml names a Seal.esl."""
    path = description.seal_path
    return None if path is None or path not in archive else parse_seal(parse(_small_file(archive, path)))


def _inner_token(value: SignedValue) -> Token | None:
    if value.inner_timestamp is None:
        return None
    try:
        return read_token(value.inner_timestamp)
    except DerMalformed:
        return None


def _reference(
    archive: Archive, description: Description, reference: Reference, changed_later: frozenset[str]
) -> ReferenceReport:
    path = reference.path
    algorithm = digest_method(description.check_method)
    if reference.ambiguous:
        return ReferenceReport(path, Outcome.FAILED, "path names two files")
    if path not in archive:
        return ReferenceReport(path, Outcome.FAILED, "file missing")
    if algorithm is None and is_broken(description.check_method):
        return ReferenceReport(path, Outcome.FAILED, "digest method broken")
    if algorithm is None:
        return ReferenceReport(path, Outcome.UNKNOWN, "digest method not supported")
    try:
        actual = archive.digest(path, algorithm)
    except DamagedEntry:
        return ReferenceReport(path, Outcome.FAILED, "file damaged")
    if reference.digest is not None and hmac.compare_digest(actual, reference.digest):
        return ReferenceReport(path, Outcome.PASSED, "found in another case" if reference.other_case else "")
    if path in changed_later:
        return ReferenceReport(path, Outcome.NOT_APPLICABLE, "changed by a later signature")
    return ReferenceReport(path, Outcome.FAILED, "digest mismatch")


def _references_check(references: tuple[ReferenceReport, ...]) -> Check:
    title = "文件摘要"
    if not references:
        return _failed("references", title, "nothing is referenced", (), "没有保护任何文件")
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        found = [reference for reference in references if reference.outcome is outcome]
        if found:
            files = tuple(reference.path for reference in found)
            return Check("references", title, outcome, reason=found[0].reason, files=files)
    return Check("references", title, Outcome.PASSED, detail=f"{len(references)} 个文件摘要一致")


def _content_check(description: Description, value: SignedValue) -> Check:
    title = "签名描述文件摘要"
    for signer in value.signers:
        actual = digest(description.content, signer.method)
        if not signer.stated or not all(states(stated, actual) for stated in signer.stated):
            return _failed("content", title, "signature description changed", (description.path,))
    return Check("content", title, Outcome.PASSED)


def _signer_check(description: Description, signer: Signer, files: tuple[str, ...]) -> Check:
    title = "签章者签名"
    if seal_scheme(signer.oid) is None and seal_scheme(description.method) is not None:
        # The algorithm stands outside the signed bytes; what Signature.xml declares is signed, and says otherwise.
        reason = "signature algorithm differs from the one declared"
        return _failed("signature.signer", title, reason, files)
    key = signer.certificate.public_key_info
    return _signature_check("signer", title, signer.oid, key, signer.messages, signer.signature, files)


def _signature_check(
    who: str, title: str, oid: str, key: bytes, messages: tuple[bytes, ...], signature: bytes, files: tuple[str, ...]
) -> Check:
    code = f"signature.{who}"
    scheme = seal_scheme(oid)
    if scheme is None:
        return Check(code, title, Outcome.UNKNOWN, reason="signature algorithm not supported", detail=oid, files=files)
    try:
        verify_seal_signature(oid, key, messages, signature)
    except AlgorithmUnavailable as error:
        return Check(code, title, Outcome.UNKNOWN, reason="algorithm unavailable", detail=error.remedy, files=files)
    except (SignatureInvalid, KeyUnfit) as error:
        return _failed(code, title, f"{who} signature does not verify", files, error.remedy)
    return Check(code, title, Outcome.PASSED, detail=scheme.value)


def _seal_file_check(archive: Archive, read: ReadSignature, references: tuple[ReferenceReport, ...]) -> Check:
    """Seal.esl is the very seal in the signed value; where that holds none, the file itself must be protected."""
    title, path = "印章文件一致", read.description.seal_path
    if path is None:
        return Check("seal.file", title, Outcome.NOT_APPLICABLE, detail="未附印章文件")
    if read.value is not None and read.value.seal is None:
        if any(each.path == path and each.outcome is Outcome.PASSED for each in references):
            return Check("seal.file", title, Outcome.PASSED, detail="签名值不含印章，印章文件受签名保护")
        return Check("seal.file", title, Outcome.UNKNOWN, reason="seal bound to nothing", files=(path,))
    same = False
    if read.seal is not None and path in archive and archive.size(path) == len(read.seal.raw):
        try:
            same = archive.read(path) == read.seal.raw
        except DamagedEntry:
            same = False
    if same:
        return Check("seal.file", title, Outcome.PASSED)
    return _failed("seal.file", title, "seal file differs from the seal used", (path,))


def _listed_check(seal: Seal, signer: SigningCertificate, files: tuple[str, ...]) -> Check:
    title = "签章者在印章名单中"
    if signer.encoded in seal.certificates:
        return Check("seal.signer", title, Outcome.PASSED, detail="名单含证书全文")
    by_digest = {method.name: digest(signer.encoded, method) for method in (SM3, SHA256)}
    for kind, stated in seal.digests:
        # The type is free text in the standard; when it names no algorithm, SM3 is what the standard uses.
        actual = by_digest.get((digest_method(kind) or SM3).name)
        if actual is not None and not is_broken(kind) and states(stated, actual):
            return Check("seal.signer", title, Outcome.PASSED, detail="名单含证书摘要")
    return _failed("seal.signer", title, "signer not listed in the seal", files)


def judge_timestamps(read: ReadSignature, context: trust.TrustContext) -> list[Check]:
    """What time stamps there are: over a signer's signature, over the seal maker's, or in place of V1's time."""
    checks = []
    for signer in read.value.signers if read.value else ():
        if signer.timestamp is not None:
            signed = read.signed_by(signer)
            stamped = Stamped("签章时间戳", _stampable(signer.signature), signed.at if signed else None)
            checks.append(judge_timestamp(signer.timestamp, stamped, context))
        if read.inner is not None:
            data = (*signer.stated, read.description.content)
            checks.append(judge_token(read.inner, Stamped("签章时间戳", data, binding=False), context))
    if read.seal is not None and read.seal.timestamp is not None:
        stamped = Stamped("印章时间戳", _stampable(read.seal.maker_signature))
        checks.append(judge_timestamp(read.seal.timestamp, stamped, context))
    return checks


def _stampable(signature: bytes) -> tuple[bytes, ...]:
    """The standard stamps the signature's octets; some writers stamp the BIT STRING they stand in."""
    return signature, encode(0x03, b"\x00", signature)


def _failed(code: str, title: str, reason: str, files: tuple[str, ...], detail: str = "") -> Check:
    return Check(code, title, Outcome.FAILED, reason=reason, detail=detail, files=files)


def _report(
    read: ReadSignature, references: tuple[ReferenceReport, ...], checks: list[Check], *, listed: bool
) -> OfdSignatureReport:
    description, value = read.description, read.value
    signed = read.signed_by(value.signers[0]) if value else None
    return OfdSignatureReport(
        path=description.path,
        kind=description.kind,
        form=value.form if value else "",
        provider=description.provider or "",
        method=description.method or "",
        digest_method=description.check_method,
        signed_at=signed.at if signed else None,
        signed_at_text=description.signed_at or "",
        references=references,
        seal=_seal_facts(read.seal, read.maker) if read.seal and read.maker else None,
        signers=tuple(_signer_facts(signer.certificate) for signer in value.signers) if value else (),
        checks=tuple(checks),
        own=own_files(read, checks),
        listed=listed,
    )


def own_files(read: ReadSignature, checks: list[Check]) -> tuple[str, ...]:
    """The files that are proved to be this signature's own: a page that it merely points at is none."""
    if read.value is None:
        return ()
    paths = [read.description.path, read.description.value_path or read.description.path]
    sealed = any(check.code == "seal.file" and check.outcome is Outcome.PASSED for check in checks)
    if sealed and read.description.seal_path is not None:
        paths.append(read.description.seal_path)
    return tuple(paths)


def _signer_facts(certificate: SigningCertificate) -> SignerFacts:
    return SignerFacts(
        subject=certificate.subject_text,
        issuer=certificate.issuer_text,
        serial=f"{certificate.serial_number:X}",
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        certificate=certificate.encoded,
    )


def _seal_facts(seal: Seal, maker: SigningCertificate) -> SealFacts:
    return SealFacts(
        name=seal.name,
        seal_id=seal.seal_id,
        version=seal.version,
        vendor=seal.vendor,
        maker=maker.subject_text,
        picture=seal.picture,
        created_at=seal.created.at,
        valid_from=seal.valid_from.at,
        valid_until=seal.valid_until.at,
    )
