"""E-licences as OFD documents with electronic seals: the OFD form of an envelope (GB/T 33190, GB/T 38540).

The claims stand in OFD.xml alone, so that the signature which covers it is the one that speaks; its signer's
certificate is the leaf. What a person would see on the pages must be covered by that very signature: coverage by
anybody else's would let a stranger put a page of his own beside the issuer's words.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from gateway.certificates.envelopes.envelope import Doubt, OpenedEnvelope, SealedContent, Voucher
from gateway.certificates.envelopes.ofd.archive import Archive, Limits, open_archive
from gateway.certificates.envelopes.ofd.manifest import Discovery, Document, describe, discover
from gateway.certificates.envelopes.ofd.metadata import AUTHORITY, read_custom_data, read_licence
from gateway.certificates.envelopes.ofd.report import Check, Outcome, ReferenceReport
from gateway.certificates.envelopes.ofd.safe_xml import Node
from gateway.certificates.envelopes.ofd.schemes import seal_scheme
from gateway.certificates.envelopes.ofd.signature import (
    ReadSignature,
    judge_integrity,
    judge_references,
    judge_timestamps,
    own_files,
    read_signature,
)
from gateway.certificates.envelopes.ofd.signed_value import Signer
from gateway.certificates.envelopes.ofd.trust import TrustContext, seal_period, time_check
from gateway.certificates.errors import EnvelopeRefused, OfdRefused
from gateway.certificates.policy import KindPolicy
from gateway.crypto.errors import AlgorithmUnavailable, SignatureInvalid

_FIRST_BYTES: Final = b"PK\x03\x04"
_MAX_ENTRIES: Final = 512
_MAX_SIGNATURES: Final = 8
_UNPACKED: Final = 8
"""How many times the packed limit all files may unpack to: seals and pictures hardly shrink."""
_REFUSALS: Final = {
    "references": ("ofd.references", "被签章保护的文件缺失或在签章后被改动，请由颁发机构重新提供"),
    "content": ("ofd.content", "签名描述文件在签章后被改动，请由颁发机构重新提供"),
    "signature.maker": ("seal.maker.signature", "印章不是由其制章者签发，请联系颁发机构核实"),
    "seal.file": ("ofd.seal_file", "所附印章与签章所用印章不一致或未受保护，请由颁发机构重新提供"),
    "seal.signer": ("seal.signer_not_listed", "签章者不在印章的证书名单中，请联系颁发机构核实"),
    "timestamp": ("ofd.timestamp", "所附时间戳不属于该签章或签名有误，请由颁发机构重新提供"),
    "time": ("seal.time", "签章时间无法识别或晚于核验时间，请联系颁发机构核实"),
    "validity.seal": ("seal.not_in_force", "签章时间不在印章有效期内，请联系颁发机构核实"),
}
"""Which check of a signature is told under which name, with what to do."""
_OTHER: Final = ("ofd.other_signature", "文件中的另一签名未通过核验，请由颁发机构重新提供")


class OfdFormat:
    """The OFD form."""

    form = "ofd"

    def recognises(self, data: bytes) -> bool:
        """As `EnvelopeFormat.recognises`."""
        return data.startswith(_FIRST_BYTES)

    def open(self, data: bytes, policy: KindPolicy) -> OpenedEnvelope:
        """As `EnvelopeFormat.open`: the archive, the signatures' files, and the one signature that covers OFD.xml."""
        limit = policy.max_ofd_bytes
        limits = Limits(archive=limit, entries=_MAX_ENTRIES, entry=_UNPACKED * limit, total=_UNPACKED * limit)
        try:
            document = Document(open_archive(data, limits))
        except OfdRefused as refused:
            raise EnvelopeRefused(step="envelope", check=refused.check, remedy=refused.remedy) from None
        discovery = discover(document)
        described = [describe(document, line.path, line.kind) for line in discovery.listed]
        signatures = tuple(read_signature(document.archive, item) for item in described if item is not None)
        lost = len(signatures) != len(described)
        if discovery.root is None or discovery.broken or lost or len(signatures) > _MAX_SIGNATURES:
            remedy = "OFD.xml、签名清单或签名描述文件缺失、无法读取或过多，请由颁发机构重新提供"
            raise EnvelopeRefused(step="envelope", check="ofd.signatures", remedy=remedy)
        chosen, signer = _choose(signatures, document.root, discovery.root)
        scheme = seal_scheme(signer.oid)
        if scheme is None or scheme.value not in policy.algorithms:
            remedy = "签章所用的签名算法不在此类证照允许的范围内"
            raise EnvelopeRefused(step="algorithm", check="ofd.algorithm", remedy=remedy)
        return OfdEnvelope(document, discovery, discovery.root, signatures, chosen, signer, scheme.value)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One signature, its integrity judged. ``later`` are the intact signatures after it that changed its list."""

    read: ReadSignature
    references: tuple[ReferenceReport, ...]
    checks: tuple[Check, ...]
    later: tuple[ReadSignature, ...]

    @property
    def intact(self) -> bool:
        return all(check.outcome in (Outcome.PASSED, Outcome.NOT_APPLICABLE) for check in self.checks)


@dataclass(frozen=True)
class OfdEnvelope:
    """An OFD document whose signatures were read. ``chosen`` is the one that covers OFD.xml, ``signer`` who made it."""

    document: Document
    discovery: Discovery
    root: Node
    signatures: tuple[ReadSignature, ...]
    chosen: int
    signer: Signer
    algorithm: str

    @property
    def leaf(self) -> bytes:
        """As `OpenedEnvelope.leaf`."""
        return self.signer.certificate.encoded

    @property
    def intermediates(self) -> tuple[bytes, ...]:
        """What a CMS value encloses; seals carry none, and the trust directory has to."""
        value = self.signatures[self.chosen].value
        return value.carried if value else ()

    @property
    def sealed_at(self) -> datetime | None:
        """The signer's own claim (GB/T 38540 §7)."""
        signed = self.signatures[self.chosen].signed_by(self.signer)
        return signed.at if signed else None

    @property
    def vouchers(self) -> tuple[Voucher, ...]:
        """The seal's maker, who else signed in the same value, and whoever changed what this signature protects."""
        read = self.signatures[self.chosen]
        found = []
        if read.seal is not None and read.maker is not None:
            found.append(Voucher("seal.maker", read.maker.encoded, read.seal.created.at))
        for role, other in (("seal.cosigner", read), *(("seal.later", item) for item in self._own.later)):
            for signer in other.value.signers if other.value else ():
                signed = other.signed_by(signer)
                if signer is not self.signer:
                    found.append(Voucher(role, signer.certificate.encoded, signed.at if signed else None))
        return tuple(found)

    def content(self, public_key_info: bytes, at: datetime) -> SealedContent:
        """As `OpenedEnvelope.content`. The steps:

        1. this signature: by the leaf's key, whole, in time, with a seal in force; its time stamps are for it
        2. every other signature of the document is whole
        3. nothing is left that this signature does not cover
        4. the metadata of OFD.xml, in the one reading it has
        """
        if public_key_info != self.signer.certificate.public_key_info:
            raise SignatureInvalid
        doubts: list[Doubt] = []
        # 1
        for check in (*self._own.checks, *self._timing(at)):
            _judge(check, doubts)
        # 2
        others = [each for each in self._judged if each is not self._own]
        for other in others:
            if any(check.outcome is Outcome.FAILED for check in other.checks):
                raise EnvelopeRefused(step="chain", check=_OTHER[0], remedy=_OTHER[1])
            if not other.intact:
                doubts.append(Doubt(*_OTHER))
        # 3
        if self._uncovered():
            doubts.append(Doubt("ofd.coverage", "版式文件中有内容不在该签章的保护范围内，请由颁发机构重新制作"))
        # 4
        licence = read_licence(self.root)
        findings = ("ofd.further_signatures",) if others else ()
        return SealedContent(dict(licence.metadata), None, None, licence.status, tuple(dict.fromkeys(doubts)), findings)

    @cached_property
    def _judged(self) -> tuple[_Judged, ...]:
        """Every signature, judged from the last to the first: a later one may change the list it stands in."""
        found: list[_Judged] = []
        signed_again: dict[str, list[ReadSignature]] = {}
        archive = self.document.archive
        for line, read in reversed(list(zip(self.discovery.listed, self.signatures, strict=True))):
            references = judge_references(archive, read.description, frozenset(signed_again))
            checks = tuple(judge_integrity(archive, read, references))
            excused = {each.path for each in references if each.outcome is Outcome.NOT_APPLICABLE}
            later = tuple(item for path in sorted(excused) for item in signed_again[path])
            found.append(_Judged(read, references, checks, later))
            if found[-1].intact:
                signed_again.setdefault(line.source, []).append(read)
        return tuple(reversed(found))

    @property
    def _own(self) -> _Judged:
        return self._judged[self.chosen]

    def _timing(self, at: datetime) -> list[Check]:
        """Time stamps, the signing time, and whether the seal was in force then. Nobody is trusted yet."""
        read = self.signatures[self.chosen]
        signed = read.signed_by(self.signer)
        checks = judge_timestamps(read, TrustContext((), (), at))
        checks.append(time_check(at, signed, timed=read.timed))
        if read.seal is not None:
            checks.append(seal_period(read.seal, signed.at if signed else at))
        return checks

    def _uncovered(self) -> bool:
        """Whether any file is neither covered by this signature nor proved to be only a signature's own."""
        archive: Archive = self.document.archive
        covered = {each.path for each in self._own.references if each.outcome is Outcome.PASSED}
        own = {path for each in self._judged if each.intact for path in own_files(each.read, list(each.checks))}
        return not set(archive.paths) <= covered | own | set(self.discovery.lists)


def _choose(signatures: tuple[ReadSignature, ...], root_path: str, root: Node) -> tuple[int, Signer]:
    """The signature that covers OFD.xml and the signer in it; of several, the one that the metadata names as issuer.

    What the metadata say is not proved yet: they only choose whose proof is asked for.
    """
    covering = [
        (position, read)
        for position, read in enumerate(signatures)
        if any(reference.path == root_path for reference in read.description.references)
    ]
    if not covering:
        unsigned = not signatures
        check = "ofd.unsigned" if unsigned else "ofd.metadata.uncovered"
        remedy = (
            "文件没有签章，请由颁发机构重新制作"
            if unsigned
            else "没有签章保护证照元数据（OFD.xml），请由颁发机构重新制作"
        )
        raise EnvelopeRefused(step="header", check=check, remedy=remedy)
    found = [(position, signer) for position, read in covering if read.value for signer in read.value.signers]
    if not found:
        remedy = "签名值文件缺失或不符合标准，请由颁发机构重新提供"
        raise EnvelopeRefused(step="header", check="ofd.signed_value", remedy=remedy)
    named = _named_authority(root)
    return next((each for each in found if each[1].certificate.authority_code == named), found[0])


def _named_authority(root: Node) -> str | None:
    try:
        return read_custom_data(root).get(AUTHORITY)
    except EnvelopeRefused:
        return None


def _judge(check: Check, doubts: list[Doubt]) -> None:
    """A failed check refuses, an open one leaves a doubt. Raises `EnvelopeRefused`, `SignatureInvalid` and so on."""
    if check.outcome in (Outcome.PASSED, Outcome.NOT_APPLICABLE):
        return
    if check.code == "signature.signer":
        raise SignatureInvalid if check.outcome is Outcome.FAILED else AlgorithmUnavailable
    told, remedy = _REFUSALS.get(check.code, ("ofd.signed_value", "签名值文件不符合标准，请由颁发机构重新提供"))
    if check.outcome is Outcome.FAILED:
        raise EnvelopeRefused(step="chain", check=told, remedy=remedy)
    doubts.append(Doubt(told, remedy))
