"""Verification of one e-certificate, in numbered steps.

 1. envelope    its form is recognised, its outside is whole and within limits
 2. header      the strict front check: one reading only, right ``typ``, no foreign key material
 3. algorithm   it stands on the kind's list
 4. chain       the seal certificate leads to a configured anchor, unrevoked, and its key made the signature; so does
                whoever vouches for the seal (制章者); the dates of both count when the seal says it was used
 5. validity    the e-certificate is in force at the time asked
 6. issuer      the seal belongs to the 颁发机构, its own CA certified it, and that authority may issue this kind
 7. status      the status list says neither suspended nor revoked, and is fresh enough to be believed
 8. identifier  the 电子证照标识 (GB/T 36904) agrees with the rest; a wrong check character is only a finding
 9. holder      it belongs to whom it was asked for
10. claims      the kind's own fields are whole
11. freshness   the copy at hand is not older than the kind permits

An invalid step ends the walk: what follows would rest on it. An indeterminate step lets the walk go on where later
steps can still tell something proved. Pure and synchronous: bytes, evidence and time are passed in.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NoReturn

from pydantic import ValidationError

from gateway.certificates.bounded import BoundedCache
from gateway.certificates.chain_cache import ChainVerifier
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.envelopes.envelope import EnvelopeFormat, OpenedEnvelope, SealedContent, dates_at
from gateway.certificates.errors import EnvelopeRefused
from gateway.certificates.freshness import Basis, earliest
from gateway.certificates.kind import CertificateKind
from gateway.certificates.references import References, find_references
from gateway.certificates.status_lists import Issued, StatusEvidence, StatusListReader
from gateway.certificates.trust import Entitlement
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import (
    CheckResult,
    CopyProvenance,
    HolderExpectation,
    Verification,
    overall,
)
from gateway.certificates.x509.chain import ChainResult
from gateway.certificates.x509.chain_basis import chain_basis
from gateway.certificates.x509.signing_certificates import SigningCertificate, load_signing_certificate
from gateway.clock import date_in_china, start_of_day_in_china
from gateway.crypto.errors import AlgorithmUnavailable, DerMalformed, JoseRefused, SignatureInvalid
from gateway.errors import Owner
from schemas.ecertificates import ECertificateMetadata
from schemas.identifiers import ECertificateIdentifier, IdentifierError, same_resident_identity_number

MAX_REFERENCES = 4096
_NOT_PINNED = "issuer.ca_not_pinned"
_EXPIRED_SINCE = "seal.certificate_expired_since"
_CHANGED = "证照信息与签章不一致，请联系颁发机构核实"


class _Stop(Exception):
    """A step failed for good; its result is already noted."""


class Verifier:
    """Verifies envelopes against one trust store. Holds only bounded caches of what cannot change."""

    def __init__(self, chains: ChainVerifier, formats: Sequence[EnvelopeFormat]) -> None:
        if not formats:
            raise ValueError("a verifier without an envelope format would recognise nothing")
        self._chains = chains
        self._status = StatusListReader(chains)
        self._formats = tuple(formats)
        self._references: BoundedCache[bytes, References] = BoundedCache(MAX_REFERENCES)

    def verify(
        self,
        envelope: bytes,
        kind: CertificateKind,
        at: datetime,
        holder: HolderExpectation | None,
        evidence: StatusEvidence,
        provenance: CopyProvenance | None = None,
    ) -> Verification:
        """The verdict on ``envelope`` as a ``kind`` at the aware instant ``at``.

        ``holder`` None asks nothing about the holder. Never raises for what the envelope holds.
        """
        walk = _Walk(self._chains, self._status, kind, at, evidence)
        with suppress(_Stop):
            walk.run(envelope, self._formats, holder, provenance)
        verdict = overall(walk.checks)
        content = walk.metadata if walk.sealed else None
        return Verification(
            kind=kind.code,
            verdict=verdict,
            checks=tuple(walk.checks),
            at=at,
            findings=tuple(walk.findings),
            claims=walk.claims if verdict is Verdict.VALID else None,
            identifier=content.identifier if content else None,
            issuing_authority=content.issuing_authority if content else None,
            basis=tuple(walk.basis),
            provenance=provenance,
            envelope_digest=hashlib.sha256(envelope).hexdigest(),
            form=walk.form,
            expires_on=content.valid_until_on if content else None,
            stands_until=walk.stands_until() if verdict is Verdict.VALID else None,
            refetched_until=walk.refetched_until() if verdict is Verdict.VALID else None,
            prove=walk.prove if verdict is Verdict.VALID else None,
        )

    def again(self, verification: Verification, at: datetime) -> Verification:
        """A verdict that stands, told at ``at``: not before it was given, and before its ``stands_until``."""
        return verification.judged_again(at)

    def proves(self, verification: Verification) -> bool:
        """Whether the seal's signature over the bytes of a verdict is proved once more."""
        if verification.prove is None:
            return False
        try:
            verification.prove()
        except (SignatureInvalid, JoseRefused, AlgorithmUnavailable):
            return False
        return True

    def references(self, envelope: bytes, kind: CertificateKind, at: datetime) -> References:
        """Where the revocation evidence for ``envelope`` is to be had: `find_references`, kept."""
        key = hashlib.sha256(envelope).digest() + kind.code.encode()
        kept = self._references.get(key)
        if kept is None:
            kept = find_references(self._chains, self._formats, envelope, kind, at)
            if kept.crls or kept.status_list:
                self._references.put(key, kept)
        return kept

    def status_list_references(self, token: bytes, at: datetime) -> References:
        """Where to ask for the revocation of a status list's signer; nowhere when the list cannot be believed."""
        return References.of(self._status.signer_path(token, at))


class _Walk:
    """One verification under way: the steps, and what they noted."""

    def __init__(
        self,
        chains: ChainVerifier,
        status: StatusListReader,
        kind: CertificateKind,
        at: datetime,
        evidence: StatusEvidence,
    ) -> None:
        self._chains, self._status, self._kind, self._at, self._evidence = chains, status, kind, at, evidence
        self.checks: list[CheckResult] = []
        self.findings: list[str] = []
        self.basis: list[Basis] = []
        self.form: str | None = None
        self.issuing_ca = ""
        self.sealed = False
        self.metadata: ECertificateMetadata | None = None
        self.claims: ECertificateClaims | None = None
        self.prove: Callable[[], None] | None = None
        self._ends: list[datetime | None] = []
        self._copy_ends: list[datetime | None] = []

    def stands_until(self) -> datetime | None:
        """The first instant at which a step could find otherwise on the same bytes and evidence."""
        return earliest(self.refetched_until(), *self._copy_ends)

    def refetched_until(self) -> datetime | None:
        """The same, the age of the copy aside.

        Dates are those of China: whatever is judged by one is judged anew on the next day.
        """
        return earliest(*self._ends, start_of_day_in_china(date_in_china(self._at) + timedelta(days=1)))

    def run(
        self,
        envelope: bytes,
        formats: Sequence[EnvelopeFormat],
        holder: HolderExpectation | None,
        provenance: CopyProvenance | None,
    ) -> None:
        """The steps in order. Raises ``_Stop`` at the first that fails for good."""
        copy = self._copy(provenance)
        # 1 to 3. Envelope, strict header, algorithm
        opened = self._open(envelope, formats)
        # 4. Chain to a configured anchor, and the seal's own signature; only then is the content read
        seal = self._chain(opened)
        content, metadata = self._content(opened, seal)
        # 5. In force at the time asked
        self._validity(metadata)
        # 6. The issuer, and its entitlement to this kind
        self._issuer(content, metadata, seal)
        # 7. Neither suspended nor revoked
        self._standing(content, metadata)
        # 8. The 电子证照标识
        self._identifier(content, metadata)
        # 9. The holder
        self._holder(metadata, holder)
        # 10. The kind's own fields, and the region they lie in
        self._claims(content, metadata)
        # 11. The age of the copy
        self._freshness(copy)

    def _open(self, envelope: bytes, formats: Sequence[EnvelopeFormat]) -> OpenedEnvelope:
        found = next((item for item in formats if item.recognises(envelope)), None)
        if found is None:
            self._fail("envelope", "envelope.unrecognised", "不是可识别的电子证照文件，请重新获取")
        self.form = found.form
        try:
            opened = found.open(envelope, self._kind.policy)
        except EnvelopeRefused as refused:
            for step in ("envelope", "header", "algorithm"):
                if step == refused.step:
                    break
                self._pass(step)
            self._fail(refused.step, refused.check, refused.remedy)
        for step in ("envelope", "header", "algorithm"):
            self._pass(step)
        return opened

    def _chain(self, opened: OpenedEnvelope) -> SigningCertificate:
        path = self._path(opened, opened.leaf, opened.sealed_at)
        self.issuing_ca = path[1].key_digest()
        for each in opened.vouchers:
            self._path(opened, each.certificate, each.valid_at, each.role)
        try:
            return load_signing_certificate(opened.leaf)
        except DerMalformed as error:
            self._fail("chain", "chain.malformed", error.remedy)

    def _path(
        self, opened: OpenedEnvelope, leaf: bytes, sealed_at: datetime | None, role: str = "chain"
    ) -> tuple[SigningCertificate, ...]:
        """The path of one certificate: its dates judged when it sealed, its revocation now. Raises ``_Stop``."""
        evidence, dated_at = self._evidence, dates_at(sealed_at, self._at)
        result = self._chains.verify(
            leaf,
            opened.intermediates,
            self._at,
            evidence.crls,
            self._kind.policy.crl,
            status=evidence.ocsp,
            valid_at=dated_at,
        )
        self._ends.append(result.stands_until if dated_at is None else None)
        self.basis.extend(each for each in chain_basis(result, self._at, evidence.down) if each not in self.basis)
        self._note_chain(result, role)
        expired = any(self._at > certificate.not_after for certificate in result.path[:-1])
        if expired and dated_at is not None and _EXPIRED_SINCE not in self.findings:
            self.findings.append(_EXPIRED_SINCE)
        return result.path

    def _note_chain(self, result: ChainResult, role: str) -> None:
        if result.verdict is Verdict.VALID or result.check is None:
            return
        ours = result.check in _OURS
        check = f"{role}.{result.check.removeprefix('chain.')}"
        self._note("chain", result.verdict, check, result.remedy, Owner.GATEWAY if ours else Owner.GOVERNMENT)
        if result.verdict is Verdict.INVALID or ours:
            raise _Stop

    def _content(self, opened: OpenedEnvelope, seal: SigningCertificate) -> tuple[SealedContent, ECertificateMetadata]:
        try:
            content = opened.content(seal.public_key_info, self._at)
        except SignatureInvalid:
            self._fail("chain", "envelope.signature", "证照签名与内容不符，请由颁发机构重新提供")
        except EnvelopeRefused as refused:
            self._fail(refused.step, refused.check, refused.remedy)
        except AlgorithmUnavailable as error:
            self._note("chain", Verdict.INDETERMINATE, error.check, error.remedy, Owner.GATEWAY)
            raise _Stop from None
        try:
            metadata = ECertificateMetadata.model_validate(content.metadata)
        except ValidationError:
            self._fail("claims", "claims.metadata", "证照照面信息不完整或格式不符，请联系颁发机构")
        for doubt in content.doubts:
            self._note("chain", Verdict.INDETERMINATE, doubt.check, doubt.remedy, Owner.GOVERNMENT)
        self.findings.extend(content.findings)
        self._ends.append(content.stands_until)
        self.prove = content.prove
        if not self.checks or self.checks[-1].name != "chain":
            self._pass("chain")
        self.metadata, self.sealed = metadata, overall(self.checks) is Verdict.VALID
        return content, metadata

    def _validity(self, metadata: ECertificateMetadata) -> None:
        on = date_in_china(self._at)
        if on < metadata.valid_from_on:
            self._fail("validity", "validity.not_yet", "证照尚未生效", Owner.APPLICANT)
        if metadata.valid_until_on is not None and on > metadata.valid_until_on:
            self._fail("validity", "validity.expired", "证照已过有效期，请向颁发机构换发", Owner.APPLICANT)
        self._pass("validity")

    def _issuer(self, content: SealedContent, metadata: ECertificateMetadata, seal: SigningCertificate) -> None:
        authority = metadata.issuing_authority_code
        if metadata.type_code not in self._kind.type_codes:
            self._fail("issuer", "issuer.other_kind", "证照类型与所查询的类型不符")
        if seal.authority_code != authority or content.issuer not in (None, authority):
            self._fail("issuer", "issuer.mismatch", _CHANGED)
        entitlement = self._entitlement(authority)
        if entitlement is Entitlement.NONE:
            self._fail("issuer", "issuer.not_entitled", "该机构未登记为此类证照的颁发机构，请联系共享平台核实")
        if entitlement is Entitlement.OTHER_CA:
            self._fail("issuer", "issuer.other_ca", "签章证书不是由该机构登记的签发 CA 签发，请联系共享平台核实")
        self._report_unpinned(entitlement)
        if seal.organization is not None and _folded(seal.organization) != _folded(metadata.issuing_authority):
            self.findings.append("issuer.name_differs")
        self._pass("issuer")

    def _entitlement(self, authority: str, region: str | None = None) -> Entitlement:
        on = date_in_china(self._at)
        return self._chains.trust.entitlement(authority, self._kind.code, on, self.issuing_ca, region)

    def _report_unpinned(self, entitlement: Entitlement | None) -> None:
        if entitlement is Entitlement.ANY_CA and _NOT_PINNED not in self.findings:
            self.findings.append(_NOT_PINNED)

    def _standing(self, content: SealedContent, metadata: ECertificateMetadata) -> None:
        policy = self._kind.policy
        if content.status is None:
            self.basis.append(policy.status.missing("status_list"))
            self._note(
                "status",
                Verdict.INDETERMINATE,
                "status.no_reference",
                "证照未指明状态列表，无法确认是否有效",
                Owner.GOVERNMENT,
            )
            return
        answer = self._status.judge(
            content.status,
            Issued(metadata.issuing_authority_code, self._kind.code),
            self._at,
            self._evidence,
            policy.status,
            policy.crl,
        )
        self._ends.append(answer.stands_until)
        self.basis += [answer.basis, *answer.signer_basis]
        self._report_unpinned(answer.signer)
        self._note("status", answer.verdict, answer.check, answer.remedy, Owner.GOVERNMENT)
        if answer.verdict is Verdict.INVALID:
            raise _Stop

    def _identifier(self, content: SealedContent, metadata: ECertificateMetadata) -> None:
        if content.identifier not in (None, metadata.identifier):
            self._fail("identifier", "identifier.mismatch", _CHANGED)
        try:
            identifier = ECertificateIdentifier.parse(metadata.identifier)
        except IdentifierError:
            self._fail("identifier", "identifier.shape", "电子证照标识格式不符，请联系颁发机构")
        if identifier.findings():
            self.findings.append("identifier.bad_check_character")
        if identifier.type_code != metadata.type_code:
            self.findings.append("identifier.other_type_code")
        self._pass("identifier")

    def _holder(self, metadata: ECertificateMetadata, expected: HolderExpectation | None) -> None:
        if metadata.holder_code_type_code not in self._kind.holder_types:
            self._fail("holder", "holder.type", "持证主体类型与此类证照不符")
        try:
            holders = metadata.holders()
        except ValueError:
            self._fail("holder", "holder.list", "持证主体名称与代码的数目不一致，请联系颁发机构")
        if len(holders) > 1:
            self.findings.append("holder.several")
        if expected is not None:
            names = [name for name, code in holders if _one_holder(code, expected.code)]
            if not names:
                self._fail("holder", "holder.mismatch", "证照不属于该申请人，请核对持证主体", Owner.APPLICANT)
            if expected.code not in (code for _, code in holders):
                self.findings.append("holder.historic_number")
            if expected.name is not None and _folded(expected.name) not in map(_folded, names):
                self.findings.append("holder.name_differs")
        self._pass("holder")

    def _claims(self, content: SealedContent, metadata: ECertificateMetadata) -> None:
        try:
            self.claims = self._kind.claims_model.model_validate(content.metadata)
        except ValidationError:
            self._fail("claims", "claims.model", "证照内容缺项或格式不符，请联系颁发机构补正")
        region = self._kind.region_of(self.claims) if self._kind.region_of else None
        if not self._entitlement(metadata.issuing_authority_code, region).given:
            self._fail("claims", "issuer.other_region", "颁发机构无权为该地区颁发此类证照")
        self._pass("claims")

    def _copy(self, provenance: CopyProvenance | None) -> Basis | None:
        """How old the copy is, which the answer tells at whichever step the walk ends."""
        if provenance is None:
            return None
        basis = self._kind.policy.source.judge(
            "certificate", provenance.fetched_at, self._at, source=provenance.source, down=provenance.source_down
        )
        self._copy_ends.append(self._kind.policy.source.stands_until(basis))
        self.basis.append(basis)
        return basis

    def _freshness(self, copy: Basis | None) -> None:
        if copy is None:
            return
        if copy.usable:
            self._pass("freshness")
            return
        remedy = "证照副本已超过允许的时长，来源平台恢复后将重新获取"
        self._note("freshness", Verdict.INDETERMINATE, "source.stale", remedy, Owner.GOVERNMENT)

    def _pass(self, name: str) -> None:
        self.checks.append(CheckResult(name, Verdict.VALID))

    def _note(self, name: str, verdict: Verdict, check: str | None, remedy: str, owner: Owner) -> None:
        if verdict is Verdict.VALID:
            self._pass(name)
        else:
            self.checks.append(CheckResult(name, verdict, check, owner, remedy))

    def _fail(self, name: str, check: str, remedy: str, owner: Owner = Owner.GOVERNMENT) -> NoReturn:
        self._note(name, Verdict.INVALID, check, remedy, owner)
        raise _Stop


_OURS = frozenset({"chain.no_anchor", "chain.algorithm_unavailable", "chain.anchor_expired"})
"""What is not known because of how the gateway is configured: nothing below it can be believed either."""


def _one_holder(stated: str, expected: str) -> bool:
    """The same code, or a resident's former number (GB 11643); an enterprise's old number proves nothing."""
    return stated == expected or same_resident_identity_number(stated, expected)


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())
