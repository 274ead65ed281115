"""Registers partners, their keys, agreements and endpoints. Every change is recorded in the same transaction.

A change is seen by this process at once and by others within the directory's staleness. Nothing is deleted: a key is
revoked, an agreement ended, a partner suspended.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from gateway.caller import Role
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import VerificationKey, export_jwk, parse_jwk, thumbprint
from gateway.partners.directory import PartnerDirectory
from gateway.partners.errors import conflict, not_found, terms_rejected
from gateway.partners.model import (
    AgreementStatus,
    Endpoint,
    Grant,
    KeyUse,
    Partner,
    PartnerKey,
    PartnerStatus,
    SharingAgreement,
)
from gateway.partners.ports import PartnersTransaction
from gateway.partners.terms import check_agreement_terms, check_endpoint_url, check_kid, check_partner_terms
from gateway.records.entries import Fact, RecordEntry
from gateway.transaction import Transactions

ValueT = TypeVar("ValueT")
MAX_OVERLAP = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[ValueT]):
    """A change that is durable, and its entry in the tamper-evident record."""

    value: ValueT
    record_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementDraft:
    """The terms of an agreement to be made; see ``SharingAgreement`` for their meaning."""

    partner_code: str
    purpose: str
    grants: tuple[Grant, ...]
    regions: tuple[str, ...]
    valid_from: date
    valid_until: date
    clause: str
    stages: frozenset[str] | None = None


class PartnerService:
    """All changes to who may call. ``actor`` is the operator's partner code, or ``gateway`` for the command line.

    ``new_id`` answers a fresh identifier. ``insecure_hosts`` may have endpoints without TLS.
    """

    def __init__(
        self,
        transactions: Transactions[PartnersTransaction],
        directory: PartnerDirectory,
        *,
        new_id: Callable[[], str],
        insecure_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._new_id = new_id
        self._insecure_hosts = insecure_hosts

    async def register_partner(
        self, code: str, name: str, role: Role, regions: Sequence[str], *, actor: str, at: datetime
    ) -> Recorded[Partner]:
        """Register an organisation. Raises ``PartnerTermsRejected`` or ``PartnerConflict`` (code taken)."""
        check_partner_terms(code, name, regions)
        partner = Partner(code, name, role, tuple(sorted(set(regions))), PartnerStatus.ACTIVE, 0, at)

        def change(transaction: PartnersTransaction) -> Partner:
            if transaction.partners.find_partner(code) is not None:
                raise conflict("code_taken", "该接入单位代码已登记，请换用其他代码")
            transaction.partners.add_partner(partner)
            return partner

        facts: dict[str, Fact] = {"role": role.value, "regions": list(partner.regions)}
        return await self._change(change, RecordEntry("partner.registered", at, actor, code, facts=facts))

    async def suspend_partner(self, code: str, *, actor: str, at: datetime) -> Recorded[Partner]:
        """Stop a partner: no call, no token, no delivery from now on. Raises ``PartnerNotFound``."""
        return await self._set_status(code, PartnerStatus.SUSPENDED, actor, at)

    async def resume_partner(self, code: str, *, actor: str, at: datetime) -> Recorded[Partner]:
        """Let a suspended partner call again, with new tokens. Raises ``PartnerNotFound``."""
        return await self._set_status(code, PartnerStatus.ACTIVE, actor, at)

    async def add_key(
        self,
        code: str,
        jwk: Mapping[str, Any] | bytes,
        use: KeyUse,
        *,
        actor: str,
        at: datetime,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> Recorded[PartnerKey]:
        """Register a public key beside those there are. ``kid`` is the JWK's, or the RFC 7638 thumbprint.

        Raises ``PartnerTermsRejected`` (not a public key spoken here), ``PartnerNotFound``, or ``PartnerConflict``:
        a key that anyone ever registered is not taken again, so a revoked one cannot return.
        """
        key = _new_key(code, jwk, use, valid_from or at, valid_until)
        entry = RecordEntry("partner.key_added", at, actor, code, facts=_key_facts(key))
        return await self._change(lambda transaction: _insert_key(transaction, key), entry)

    async def rotate_key(
        self, code: str, old_kid: str, jwk: Mapping[str, Any] | bytes, *, overlap: timedelta, actor: str, at: datetime
    ) -> Recorded[PartnerKey]:
        """Register the successor of ``old_kid``; both are good for ``overlap`` (at most 90 days).

        Raises as ``add_key`` does, and ``PartnerConflict`` when the old key is already revoked or past.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise terms_rejected("overlap", "新旧密钥并行期须为 0 至 90 天")

        def change(transaction: PartnersTransaction) -> PartnerKey:
            old = _existing_key(transaction, code, old_kid)
            if not old.usable(old.use, at):
                raise conflict("key_not_current", "被替换的密钥已失效，请直接登记新密钥")
            ends_at = at + overlap
            if old.valid_until is None or ends_at < old.valid_until:
                transaction.partners.replace_key(replace(old, valid_until=ends_at))
            return _insert_key(transaction, _new_key(code, jwk, old.use, at, None))

        facts: dict[str, Fact] = {"replaces": old_kid, "overlap_seconds": int(overlap.total_seconds())}
        facts["key"] = _new_key(code, jwk, KeyUse.ANY, at, None).thumbprint
        return await self._change(change, RecordEntry("partner.key_rotated", at, actor, code, facts=facts))

    async def revoke_key(self, code: str, kid: str, *, actor: str, at: datetime) -> Recorded[PartnerKey]:
        """Withdraw a key at once, with every token that it earned. Raises ``PartnerNotFound``; again is no fault."""

        def change(transaction: PartnersTransaction) -> PartnerKey:
            key = _existing_key(transaction, code, kid)
            revoked = key if key.revoked_at is not None else replace(key, revoked_at=at)
            transaction.partners.replace_key(revoked)
            return revoked

        return await self._change(change, RecordEntry("partner.key_revoked", at, actor, code, facts={"kid": kid}))

    async def create_agreement(self, draft: AgreementDraft, *, actor: str, at: datetime) -> Recorded[SharingAgreement]:
        """Write down an agreement; it permits nothing until it is activated.

        Raises ``PartnerTermsRejected`` for an empty or contradictory dimension, ``PartnerNotFound``.
        """
        check_agreement_terms(draft.purpose, draft.grants, draft.regions, draft.stages, draft.clause)
        if draft.valid_until < draft.valid_from:
            raise terms_rejected("agreement_dates", "协议的终止日不得早于起始日")
        agreement = SharingAgreement(
            agreement_id=self._new_id(),
            partner_code=draft.partner_code,
            purpose=draft.purpose,
            grants=draft.grants,
            regions=tuple(sorted(set(draft.regions))),
            stages=draft.stages,
            valid_from=draft.valid_from,
            valid_until=draft.valid_until,
            clause=draft.clause,
            status=AgreementStatus.DRAFT,
        )

        def change(transaction: PartnersTransaction) -> SharingAgreement:
            _existing_partner(transaction, draft.partner_code)
            transaction.partners.add_agreement(agreement)
            return agreement

        entry = RecordEntry("agreement.created", at, actor, draft.partner_code, facts=_agreement_facts(agreement))
        return await self._change(change, entry)

    async def activate_agreement(self, agreement_id: str, *, actor: str, at: datetime) -> Recorded[SharingAgreement]:
        """Put a drafted agreement into force. Raises ``PartnerNotFound``, or ``PartnerConflict`` once it has ended."""
        return await self._set_agreement(agreement_id, AgreementStatus.ACTIVE, actor, at)

    async def end_agreement(self, agreement_id: str, *, actor: str, at: datetime) -> Recorded[SharingAgreement]:
        """End an agreement at once and for good. Raises ``PartnerNotFound``."""
        return await self._set_agreement(agreement_id, AgreementStatus.ENDED, actor, at)

    async def set_endpoint(self, endpoint: Endpoint, *, actor: str, at: datetime) -> Recorded[Endpoint]:
        """Set where a partner's events go. Raises ``PartnerTermsRejected`` or ``PartnerNotFound``."""
        check_endpoint_url(endpoint.url, insecure_hosts=self._insecure_hosts)

        def change(transaction: PartnersTransaction) -> Endpoint:
            _existing_partner(transaction, endpoint.partner_code)
            transaction.partners.put_endpoint(endpoint)
            return endpoint

        facts: dict[str, Fact] = {"channel": endpoint.channel, "url": endpoint.url, "secret_ref": endpoint.secret_ref}
        entry = RecordEntry("partner.endpoint_set", at, actor, endpoint.partner_code, facts=facts)
        return await self._change(change, entry)

    async def list_partners(self) -> Sequence[Partner]:
        """All partners, by code."""
        return await self._transactions.read(lambda transaction: transaction.partners.partners())

    async def list_keys(self, code: str) -> Sequence[PartnerKey]:
        """A partner's keys, those past and revoked too."""
        return await self._transactions.read(lambda transaction: transaction.partners.partner_keys(code))

    async def list_agreements(self, code: str) -> Sequence[SharingAgreement]:
        """A partner's agreements, those ended too."""
        return await self._transactions.read(lambda transaction: transaction.partners.agreements(code))

    async def _change(self, work: Callable[[PartnersTransaction], ValueT], entry: RecordEntry) -> Recorded[ValueT]:
        def change(transaction: PartnersTransaction) -> Recorded[ValueT]:
            transaction.partners.advance_version()
            value = work(transaction)
            return Recorded(value, transaction.records.append(entry))

        try:
            return await self._transactions.write(change)
        finally:
            self._directory.changed()

    async def _set_status(self, code: str, status: PartnerStatus, actor: str, at: datetime) -> Recorded[Partner]:
        def change(transaction: PartnersTransaction) -> Partner:
            partner = _existing_partner(transaction, code)
            epoch = partner.token_epoch + (status is PartnerStatus.SUSPENDED)
            changed = replace(partner, status=status, token_epoch=epoch)
            transaction.partners.replace_partner(changed)
            return changed

        action = "partner.suspended" if status is PartnerStatus.SUSPENDED else "partner.resumed"
        return await self._change(change, RecordEntry(action, at, actor, code))

    async def _set_agreement(
        self, agreement_id: str, status: AgreementStatus, actor: str, at: datetime
    ) -> Recorded[SharingAgreement]:
        def change(transaction: PartnersTransaction) -> SharingAgreement:
            agreement = transaction.partners.find_agreement(agreement_id)
            if agreement is None:
                raise not_found("agreement", "请核对协议编号")
            if agreement.status is AgreementStatus.ENDED and status is not AgreementStatus.ENDED:
                raise conflict("agreement_ended", "已终止的协议不能恢复，请另立新协议")
            changed = replace(agreement, status=status)
            transaction.partners.replace_agreement(changed)
            return changed

        action = "agreement.activated" if status is AgreementStatus.ACTIVE else "agreement.ended"
        return await self._change(change, RecordEntry(action, at, actor, agreement_id))


def _new_key(
    code: str, jwk: Mapping[str, Any] | bytes, use: KeyUse, valid_from: datetime, valid_until: datetime | None
) -> PartnerKey:
    try:
        parsed = parse_jwk(jwk)
    except JoseRefused as refusal:
        raise terms_rejected(f"key.{refusal.check.removeprefix('jose.')}", refusal.remedy) from None
    check_kid(parsed.kid)
    if valid_until is not None and valid_until <= valid_from:
        raise terms_rejected("key_validity", "密钥的失效时间须晚于生效时间")
    name = thumbprint(parsed.public_key)
    public = export_jwk(VerificationKey(parsed.kid, parsed.public_key, parsed.algorithms))
    return PartnerKey(code, parsed.kid, name, public, use, valid_from, valid_until)


def _insert_key(transaction: PartnersTransaction, key: PartnerKey) -> PartnerKey:
    _existing_partner(transaction, key.partner_code)
    repository = transaction.partners
    if repository.key_registered(key.thumbprint):
        raise conflict("key_taken", "该公钥曾被登记，请生成新的密钥对")
    if repository.find_key(key.partner_code, key.kid) is not None:
        raise conflict("kid_taken", "该 kid 已被使用，请为新密钥换用其他 kid")
    repository.add_key(key)
    return key


def _existing_partner(transaction: PartnersTransaction, code: str) -> Partner:
    partner = transaction.partners.find_partner(code)
    if partner is None:
        raise not_found("partner", "请核对接入单位代码")
    return partner


def _existing_key(transaction: PartnersTransaction, code: str, kid: str) -> PartnerKey:
    key = transaction.partners.find_key(code, kid)
    if key is None:
        raise not_found("key", "请核对接入单位代码与 kid")
    return key


def _key_facts(key: PartnerKey) -> dict[str, Fact]:
    return {"kid": key.kid, "key": key.thumbprint, "use": key.use.value}


def _agreement_facts(agreement: SharingAgreement) -> dict[str, Fact]:
    return {
        "agreement_id": agreement.agreement_id,
        "purpose": agreement.purpose,
        "grants": [f"{grant.kind}:{','.join(sorted(grant.fields))}" for grant in agreement.grants],
        "regions": list(agreement.regions),
        "stages": None if agreement.stages is None else sorted(agreement.stages),
        "valid_from": agreement.valid_from.isoformat(),
        "valid_until": agreement.valid_until.isoformat(),
        "clause": agreement.clause,
    }
