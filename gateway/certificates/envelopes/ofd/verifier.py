"""`verify_ofd`: an OFD document with electronic seals (GB/T 33190, GB/T 38540), from bytes to one of three verdicts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from gateway.certificates.envelopes.ofd.archive import Archive, Limits, open_archive
from gateway.certificates.envelopes.ofd.manifest import (
    ROOT,
    Description,
    Discovery,
    Document,
    Listed,
    describe,
    discover,
    unlisted,
)
from gateway.certificates.envelopes.ofd.report import Check, OfdSignatureReport, OfdVerification, Outcome
from gateway.certificates.envelopes.ofd.signature import judge_signature
from gateway.certificates.envelopes.ofd.trust import TrustContext, as_bytes
from gateway.certificates.errors import OfdRefused
from gateway.certificates.x509.signing_certificates import load_signing_certificate

REVOCATION_NOTE: Final = "未核查证书吊销状态"
_OTHER_PROTECTION: Final = {
    "OFDEntries.xml": "文件另附完整性保护清单（GM/T 0099），未核验，不作为依据",
    "Encryptions.xml": "文件经加密（GM/T 0099），加密内容无法核验",
}


def verify_ofd(
    data: bytes,
    anchors: Sequence[bytes],
    at: datetime,
    *,
    intermediates: Sequence[bytes] = (),
    crls: Iterable[bytes] | None = None,
    status: Iterable[bytes] | None = None,
    limits: Limits | None = None,
) -> OfdVerification:
    """Verify every signature of the OFD document ``data`` at the aware instant ``at``.

    ``anchors`` are CA certificates (DER) that are trusted, ``intermediates`` CA certificates that only help to find a
    path, beside those that the document carries. Without anchors an intact document is *indeterminate: no trust
    anchor*. ``crls`` and ``status`` are DER revocation lists and OCSP responses; given either, an answer is demanded
    for signers, seal makers and the CAs above them, as by `verify_chain`; without both, revocation is not judged, and
    the notes say so. Dates are judged at the signing time, revocation at ``at``. Work and memory are bounded by
    ``limits`` whatever the bytes are.

    1. the archive opens within its limits
    2. OFD.xml leads to the lists of signatures, and each list to its signatures
    3. each signature is judged (`signature.judge_signature`), the last of a list first
    4. what no intact signature protects is named

    Raises `OfdRefused` when the bytes cannot safely be opened as an archive, `DerMalformed` when an anchor or
    intermediate is not a certificate, and nothing else on any bytes.

    >>> verify_ofd(b"", [], datetime.fromisoformat("2026-11-23T04:00:00Z"))
    Traceback (most recent call last):
    gateway.certificates.errors.OfdRefused: ofd-refused: ofd.archive: 请提供完整、未加密的 OFD 文件
    """
    if at.utcoffset() is None:
        raise OfdRefused(check="ofd.time", remedy="核验时间必须带时区")
    trusted, helping = as_bytes(anchors) or (), as_bytes(intermediates) or ()
    for certificate in (*trusted, *helping):
        load_signing_certificate(certificate)
    context = TrustContext(trusted, helping, at, as_bytes(crls), as_bytes(status))
    # 1
    archive = open_archive(bytes(data), limits)
    # 2
    document = Document(archive)
    discovery = discover(document)
    described = [(line, describe(document, line.path, line.kind)) for line in discovery.listed]
    lost = [line.path for line, description in described if description is None]
    strays = unlisted(archive, {line.path for line in discovery.listed})
    # 3
    reports = _judge_listed(archive, described, context)
    if lost or discovery.broken or not reports:
        # The way to the signatures is damaged: judge those that lie beside it, so that the changed file gets its name.
        reports += _judge_strays(document, strays, context)
    # 4
    uncovered = _uncovered(archive, discovery, reports)
    checks = [_list_check(discovery, lost, reports), _coverage_check(uncovered)]
    return OfdVerification(
        at=at,
        signatures=tuple(reports),
        uncovered=uncovered,
        checks=tuple(checks),
        notes=tuple(_notes(archive, context, strays)),
    )


def _notes(archive: Archive, context: TrustContext, strays: tuple[str, ...]) -> list[str]:
    notes = [] if context.judges_revocation else [REVOCATION_NOTE]
    if strays:
        notes.append(f"有 {len(strays)} 个签名文件未列入签名清单")
    return notes + [note for path, note in _OTHER_PROTECTION.items() if archive.find(path)]


def _judge_listed(
    archive: Archive, described: list[tuple[Listed, Description | None]], context: TrustContext
) -> list[OfdSignatureReport]:
    """Judge from the last to the first: adding a signature changes its list, which an earlier one may have covered."""
    reports: list[OfdSignatureReport] = []
    signed_again: set[str] = set()
    for line, description in reversed(described):
        if description is None:
            continue
        report = judge_signature(archive, description, context, listed=True, changed_later=frozenset(signed_again))
        if report.intact:
            signed_again.add(line.source)
        reports.append(report)
    return reports[::-1]


def _judge_strays(document: Document, strays: tuple[str, ...], context: TrustContext) -> list[OfdSignatureReport]:
    found = (describe(document, path, "Seal") for path in strays)
    return [
        judge_signature(document.archive, description, context, listed=False, changed_later=frozenset())
        for description in found
        if description is not None
    ]


def _list_check(discovery: Discovery, lost: list[str], reports: list[OfdSignatureReport]) -> Check:
    code, title = "document.signatures", "签名清单"
    broken = tuple(dict.fromkeys([*discovery.broken, *lost]))
    if broken:
        return Check(code, title, Outcome.FAILED, reason="signature files missing or unreadable", files=broken)
    if discovery.listed:
        return Check(code, title, Outcome.PASSED, detail=f"{len(discovery.listed)} 个签名")
    if reports:
        files = discovery.lists or (ROOT,)
        return Check(code, title, Outcome.FAILED, reason="signatures not listed", files=files)
    return Check(code, title, Outcome.FAILED, reason="not signed")


def _coverage_check(uncovered: tuple[str, ...]) -> Check:
    """Unprotected content leaves the document as a whole open: anyone could have put it there."""
    code, title = "document.coverage", "保护范围"
    if not uncovered:
        return Check(code, title, Outcome.PASSED)
    reason = "files not covered by a signature"
    return Check(code, title, Outcome.UNKNOWN, reason=reason, detail=f"{len(uncovered)} 个文件")


def _uncovered(archive: Archive, discovery: Discovery, reports: list[OfdSignatureReport]) -> tuple[str, ...]:
    accounted = {*discovery.lists}
    for report in reports:
        accounted.update(report.covered)
        accounted.update(report.own)
    return tuple(path for path in archive.paths if path not in accounted)
