"""Registers partners, their keys, agreements and endpoints. Every change is recorded in the same transaction.

A change is seen by this process at once and by others within the directory's staleness. Nothing is deleted: a key is
revoked, an agreement ended, a partner suspended.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from gateway.caller import Role
from gateway.partners.agreement_steps import AgreementStep
from gateway.partners.changes import (
    KEY_ADDED,
    AgreementDraft,
    Change,
    add_key,
    advance_agreement,
    because,
    create_agreement,
    existing_key,
    existing_partner,
    insert_key,
    new_key,
    register,
    remove_endpoint,
    set_endpoint,
    set_status,
    update,
)
from gateway.partners.directory import PartnerDirectory
from gateway.partners.errors import conflict, not_found, terms_rejected
from gateway.partners.model import (
    ChangeReason,
    Endpoint,
    KeyUse,
    Partner,
    PartnerKey,
    PartnerStatus,
    SharingAgreement,
)
from gateway.partners.ports import PartnersTransaction
from gateway.partners.roster import RosterPartner, RosterRules, apply_entry
from gateway.partners.terms import is_shaped
from gateway.partners.vocabulary import Vocabulary
from gateway.records.entries import Fact, RecordEntry
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions

__all__ = ["AgreementDraft", "PartnerService", "Recorded"]

ValueT = TypeVar("ValueT")
MAX_OVERLAP = timedelta(days=90)
KEY_ROTATED = "partner.key_rotated"


@dataclass(frozen=True, slots=True)
class Recorded(Generic[ValueT]):
    """A change that is durable, and its entry in the tamper-evident record."""

    value: ValueT
    record_id: str


@dataclass(frozen=True, slots=True)
class WholePartner:
    """An organisation, its keys and agreements (those past too), and where its events go."""

    partner: Partner
    keys: Sequence[PartnerKey]
    agreements: Sequence[SharingAgreement]
    endpoints: Sequence[Endpoint]


class PartnerService:
    """All changes to who may call. ``actor`` is the operator's partner code, or ``cli:`` and a user of the machine.

    ``vocabulary`` is what agreements may name, ``new_id`` answers a fresh identifier, ``insecure_hosts`` may have
    endpoints without TLS.
    """

    def __init__(
        self,
        transactions: Transactions[PartnersTransaction],
        directory: PartnerDirectory,
        *,
        vocabulary: Vocabulary,
        new_id: Callable[[], str],
        insecure_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._vocabulary = vocabulary
        self._new_id = new_id
        self._insecure_hosts = insecure_hosts

    async def register_partner(
        self, code: str, name: str, role: Role, regions: Sequence[str], *, actor: str, at: datetime
    ) -> Recorded[Partner]:
        """Register an organisation. Raises ``PartnerTermsRejected`` or ``PartnerConflict`` (code taken)."""
        return await self._change(register(code, name, role, regions, actor, at))

    async def update_partner(
        self, code: str, *, name: str | None = None, regions: Sequence[str] | None = None, actor: str, at: datetime
    ) -> Recorded[Partner]:
        """Give a partner another name or other regions. Raises ``PartnerTermsRejected`` or ``PartnerNotFound``."""
        return await self._change(update(code, name, regions, actor, at))

    async def suspend_partner(
        self, code: str, *, actor: str, at: datetime, reason: ChangeReason | None = None
    ) -> Recorded[Partner]:
        """Stop a partner: no call, no token, no delivery from now on.

        Raises ``PartnerNotFound``, or ``PartnerConflict`` where an operator would suspend itself.
        """
        return await self._change(set_status(code, PartnerStatus.SUSPENDED, actor, at, reason))

    async def resume_partner(
        self, code: str, *, actor: str, at: datetime, reason: ChangeReason | None = None
    ) -> Recorded[Partner]:
        """Let a suspended partner call again, with new tokens. Raises ``PartnerNotFound``."""
        return await self._change(set_status(code, PartnerStatus.ACTIVE, actor, at, reason))

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
        reason: ChangeReason | None = None,
    ) -> Recorded[PartnerKey]:
        """Register a public key beside those there are. ``kid`` is the JWK's, or the RFC 7638 thumbprint.

        Raises ``PartnerTermsRejected`` (not a public key spoken here), ``PartnerNotFound``, or ``PartnerConflict``:
        a key that anyone ever registered is not taken again, so a revoked one cannot return.
        """
        async with self._refusals(KEY_ADDED, at, actor, code):
            key = new_key(code, jwk, use, valid_from or at, valid_until)
            return await self._apply(add_key(key, actor, at, reason))

    async def rotate_key(
        self,
        code: str,
        old_kid: str,
        jwk: Mapping[str, Any] | bytes,
        *,
        overlap: timedelta,
        actor: str,
        at: datetime,
        reason: ChangeReason | None = None,
    ) -> Recorded[PartnerKey]:
        """Register the successor of ``old_kid``; both are good for ``overlap`` (at most 90 days).

        Raises as ``add_key`` does, and ``PartnerConflict`` when the old key is already revoked or past.
        """

        def change(transaction: PartnersTransaction) -> PartnerKey:
            old = existing_key(transaction, code, old_kid)
            if not old.usable(old.use, at):
                raise conflict("key_not_current", "被替换的密钥已失效，请直接登记新密钥")
            ends_at = at + overlap
            if old.valid_until is None or ends_at < old.valid_until:
                transaction.partners.replace_key(replace(old, valid_until=ends_at))
            return insert_key(transaction, new_key(code, jwk, old.use, at))

        async with self._refusals(KEY_ROTATED, at, actor, code):
            if not timedelta(0) <= overlap <= MAX_OVERLAP:
                raise terms_rejected("overlap", "新旧密钥并行期须为 0 至 90 天")
            facts: dict[str, Fact] = {"replaces": old_kid, "overlap_seconds": int(overlap.total_seconds())}
            facts.update(because(reason))
            facts["key"] = new_key(code, jwk, KeyUse.ANY, at).thumbprint
            return await self._apply(Change(change, RecordEntry(KEY_ROTATED, at, actor, code, facts=facts)))

    async def revoke_key(
        self, code: str, kid: str, *, actor: str, at: datetime, reason: ChangeReason | None = None
    ) -> Recorded[PartnerKey]:
        """Withdraw a key at once, with every token that it earned. Raises ``PartnerNotFound``; again is no fault."""

        def change(transaction: PartnersTransaction) -> PartnerKey:
            key = existing_key(transaction, code, kid)
            revoked = key if key.revoked_at is not None else replace(key, revoked_at=at)
            transaction.partners.replace_key(revoked)
            return revoked

        entry = RecordEntry("partner.key_revoked", at, actor, code, facts={"kid": kid, **because(reason)})
        return await self._change(Change(change, entry))

    async def create_agreement(self, draft: AgreementDraft, *, actor: str, at: datetime) -> Recorded[SharingAgreement]:
        """Write down an agreement; it permits nothing until it is activated.

        Raises ``PartnerTermsRejected`` for an empty, unknown or contradictory dimension, ``PartnerNotFound``.
        """
        return await self._change(create_agreement(self._new_id(), draft, self._vocabulary, actor, at))

    async def activate_agreement(self, agreement_id: str, *, actor: str, at: datetime) -> Recorded[SharingAgreement]:
        """Put an agreement into force in one step: for what is no officer (a roster, a command, an operator's client).

        Raises ``PartnerNotFound``, or ``PartnerConflict`` once it has ended.
        """
        return await self._change(advance_agreement(agreement_id, AgreementStep.FORCE, actor, at))

    async def advance_agreement(
        self,
        agreement_id: str,
        step: AgreementStep,
        *,
        actor: str,
        at: datetime,
        facts: Mapping[str, Fact] | None = None,
    ) -> Recorded[SharingAgreement]:
        """One step of ``agreement_steps`` by an officer; ``facts`` stand in its entry.

        Raises ``PartnerNotFound``, ``PartnerConflict`` where it does not follow, ``SecondPersonRequired``.
        """
        return await self._change(advance_agreement(agreement_id, step, actor, at, facts))

    async def end_agreement(self, agreement_id: str, *, actor: str, at: datetime) -> Recorded[SharingAgreement]:
        """End an agreement at once and for good. Raises ``PartnerNotFound``."""
        return await self._change(advance_agreement(agreement_id, AgreementStep.END, actor, at))

    async def set_endpoint(self, endpoint: Endpoint, *, actor: str, at: datetime) -> Recorded[Endpoint]:
        """Set where a partner's events go. Raises ``PartnerTermsRejected`` or ``PartnerNotFound``."""
        return await self._change(set_endpoint(endpoint, self._insecure_hosts, actor, at))

    async def remove_endpoint(self, code: str, channel: str, *, actor: str, at: datetime) -> Recorded[Endpoint]:
        """Take a channel from a partner. Raises ``PartnerNotFound``, also where it has none such."""
        return await self._change(remove_endpoint(code, channel, actor, at))

    async def apply_entry(self, entry: RosterPartner, *, actor: str, at: datetime) -> tuple[str, ...]:
        """Make a roster's partner so, wholly or not at all; answers what was changed, in words.

        Raises what the single changes raise, and ``PartnerConflict`` where the roster gives it another role.
        """
        rules = RosterRules(self._vocabulary, self._insecure_hosts, self._new_id)

        def change(transaction: PartnersTransaction) -> tuple[str, ...]:
            transaction.partners.advance_version()
            return apply_entry(transaction, entry, rules, actor, at)

        async with self._refusals("partner.applied", at, actor, entry.code):
            return await self._write(change)

    @property
    def vocabulary(self) -> Vocabulary:
        """What agreements may name."""
        return self._vocabulary

    async def find_agreement(self, agreement_id: str) -> SharingAgreement:
        """One agreement. Raises ``PartnerNotFound``."""
        found = await self._transactions.read(lambda transaction: transaction.partners.find_agreement(agreement_id))
        if found is None:
            raise not_found("agreement", "请核对协议编号")
        return found

    async def all_agreements(self) -> Sequence[SharingAgreement]:
        """The agreements of all partners, those ended too."""
        return await self._transactions.read(lambda transaction: transaction.partners.agreements())

    async def whole(self, code: str) -> WholePartner:
        """A partner with all that belongs to it. Raises ``PartnerNotFound``."""

        def look(transaction: PartnersTransaction) -> WholePartner:
            return WholePartner(
                existing_partner(transaction, code),
                transaction.partners.partner_keys(code),
                transaction.partners.agreements(code),
                transaction.partners.endpoints(code),
            )

        return await self._transactions.read(look)

    async def list_partners(self) -> Sequence[Partner]:
        """All partners, by code."""
        return await self._transactions.read(lambda transaction: transaction.partners.partners())

    async def list_keys(self, code: str) -> Sequence[PartnerKey]:
        """A partner's keys, those past and revoked too. Raises ``PartnerNotFound``."""

        def look(transaction: PartnersTransaction) -> Sequence[PartnerKey]:
            existing_partner(transaction, code)
            return transaction.partners.partner_keys(code)

        return await self._transactions.read(look)

    async def list_agreements(self, code: str) -> Sequence[SharingAgreement]:
        """A partner's agreements, those ended too. Raises ``PartnerNotFound``."""

        def look(transaction: PartnersTransaction) -> Sequence[SharingAgreement]:
            existing_partner(transaction, code)
            return transaction.partners.agreements(code)

        return await self._transactions.read(look)

    async def _change(self, change: Change[ValueT]) -> Recorded[ValueT]:
        """Do ``change`` and record it; what is refused is recorded too, without the terms asked for."""
        async with self._refusals(change.entry.action, change.entry.at, change.entry.actor, change.entry.subject):
            return await self._apply(change)

    def _refusals(
        self, action: str, at: datetime, actor: str, subject: str | None
    ) -> AbstractAsyncContextManager[None]:
        named = subject if subject is not None and is_shaped(subject) else None
        return refusals_recorded(self._transactions, action, lambda: at, actor, named, {})

    async def _apply(self, change: Change[ValueT]) -> Recorded[ValueT]:
        def work(transaction: PartnersTransaction) -> Recorded[ValueT]:
            transaction.partners.advance_version()
            return Recorded(*change.do(transaction))

        return await self._write(work)

    async def _write(self, work: Callable[[PartnersTransaction], ValueT]) -> ValueT:
        try:
            return await self._transactions.write(work)
        finally:
            self._directory.changed()
