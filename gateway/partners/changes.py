"""Changes to who may call: what each does inside a unit of work, and the entry that records it.

Each function answers a ``Change``; nothing happens until its ``work`` runs. Several may run in one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from gateway.caller import Role
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import VerificationKey, export_jwk, parse_jwk, thumbprint
from gateway.partners.agreement_steps import AgreementStep, advanced
from gateway.partners.errors import conflict, not_found, terms_rejected
from gateway.partners.model import (
    AgreementStatus,
    ChangeReason,
    Endpoint,
    Grant,
    KeyUse,
    Partner,
    PartnerKey,
    PartnerStatus,
    SharingAgreement,
)
from gateway.partners.ports import PartnersTransaction
from gateway.partners.terms import check_agreement_terms, check_endpoint, check_kid, check_partner_terms
from gateway.partners.vocabulary import Vocabulary
from gateway.records.entries import Fact, RecordEntry

ValueT = TypeVar("ValueT")
KEY_ADDED = "partner.key_added"


@dataclass(frozen=True, slots=True)
class Change(Generic[ValueT]):
    """``work`` does it, or raises; ``entry`` is appended to the record when it did."""

    work: Callable[[PartnersTransaction], ValueT]
    entry: RecordEntry

    def do(self, transaction: PartnersTransaction) -> tuple[ValueT, str]:
        """The value and the record's id of the entry."""
        value = self.work(transaction)
        return value, transaction.records.append(self.entry)


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


def register(code: str, name: str, role: Role, regions: Sequence[str], actor: str, at: datetime) -> Change[Partner]:
    """A new organisation."""
    partner = Partner(code, name, role, tuple(sorted(set(regions))), PartnerStatus.ACTIVE, 0, at)

    def work(transaction: PartnersTransaction) -> Partner:
        check_partner_terms(code, name, regions)
        if transaction.partners.find_partner(code) is not None:
            raise conflict("code_taken", "该接入单位代码已登记，请换用其他代码")
        transaction.partners.add_partner(partner)
        return partner

    facts: dict[str, Fact] = {"role": role.value, "regions": list(partner.regions)}
    return Change(work, RecordEntry("partner.registered", at, actor, code, facts=facts))


def update(code: str, name: str | None, regions: Sequence[str] | None, actor: str, at: datetime) -> Change[Partner]:
    """Another name or other regions; None leaves what there is."""
    wanted = None if regions is None else tuple(sorted(set(regions)))

    def work(transaction: PartnersTransaction) -> Partner:
        partner = existing_partner(transaction, code)
        changed = replace(partner, name=name or partner.name, regions=partner.regions if wanted is None else wanted)
        check_partner_terms(code, changed.name, changed.regions)
        transaction.partners.replace_partner(changed)
        return changed

    facts: dict[str, Fact] = {"renamed": name is not None, "regions": None if wanted is None else list(wanted)}
    return Change(work, RecordEntry("partner.updated", at, actor, code, facts=facts))


def set_status(
    code: str, status: PartnerStatus, actor: str, at: datetime, reason: ChangeReason | None = None
) -> Change[Partner]:
    """Suspended or active again."""

    def work(transaction: PartnersTransaction) -> Partner:
        if actor == code and status is PartnerStatus.SUSPENDED:
            raise conflict("own_suspension", "运营账户不能停用自己，请由另一运营账户或在服务器上以命令行停用")
        partner = existing_partner(transaction, code)
        epoch = partner.token_epoch + (status is PartnerStatus.SUSPENDED)
        changed = replace(partner, status=status, token_epoch=epoch)
        transaction.partners.replace_partner(changed)
        return changed

    action = "partner.suspended" if status is PartnerStatus.SUSPENDED else "partner.resumed"
    return Change(work, RecordEntry(action, at, actor, code, facts=because(reason)))


def because(reason: ChangeReason | None) -> dict[str, Fact]:
    """The fact that tells the reason, where one was given."""
    return {} if reason is None else {"reason": reason.value}


def add_key(key: PartnerKey, actor: str, at: datetime, reason: ChangeReason | None = None) -> Change[PartnerKey]:
    """A key beside those there are."""
    facts: dict[str, Fact] = {"kid": key.kid, "key": key.thumbprint, "use": key.use.value, **because(reason)}
    entry = RecordEntry(KEY_ADDED, at, actor, key.partner_code, facts=facts)
    return Change(lambda transaction: insert_key(transaction, key), entry)


def set_endpoint(endpoint: Endpoint, insecure_hosts: frozenset[str], actor: str, at: datetime) -> Change[Endpoint]:
    """Where a partner's events go."""

    def work(transaction: PartnersTransaction) -> Endpoint:
        check_endpoint(endpoint, insecure_hosts=insecure_hosts)
        existing_partner(transaction, endpoint.partner_code)
        transaction.partners.put_endpoint(endpoint)
        return endpoint

    facts = _endpoint_facts(endpoint)
    return Change(work, RecordEntry("partner.endpoint_set", at, actor, endpoint.partner_code, facts=facts))


def remove_endpoint(code: str, channel: str, actor: str, at: datetime) -> Change[Endpoint]:
    """A channel that a partner no longer has."""

    def work(transaction: PartnersTransaction) -> Endpoint:
        existing_partner(transaction, code)
        found = [each for each in transaction.partners.endpoints(code) if each.channel == channel]
        if not found:
            raise not_found("endpoint", "该单位没有登记这一接收通道")
        transaction.partners.remove_endpoint(code, channel)
        return found[0]

    return Change(work, RecordEntry("partner.endpoint_removed", at, actor, code, facts={"channel": channel}))


def _endpoint_facts(endpoint: Endpoint) -> dict[str, Fact]:
    return {
        "channel": endpoint.channel,
        "url": endpoint.url,
        "secret_ref": endpoint.secret_ref,
        "status_url": endpoint.status_url,
    }


def create_agreement(
    agreement_id: str, draft: AgreementDraft, vocabulary: Vocabulary, actor: str, at: datetime
) -> Change[SharingAgreement]:
    """An agreement written down; it permits nothing yet."""
    agreement = SharingAgreement(
        agreement_id=agreement_id,
        partner_code=draft.partner_code,
        purpose=draft.purpose,
        grants=draft.grants,
        regions=tuple(sorted(set(draft.regions))),
        stages=draft.stages,
        valid_from=draft.valid_from,
        valid_until=draft.valid_until,
        clause=draft.clause,
        status=AgreementStatus.DRAFT,
        drafted_by=actor,
    )

    def work(transaction: PartnersTransaction) -> SharingAgreement:
        check_agreement_terms(draft.purpose, draft.grants, draft.regions, draft.stages, draft.clause, vocabulary)
        if draft.valid_until < draft.valid_from:
            raise terms_rejected("agreement_dates", "协议的终止日不得早于起始日")
        existing_partner(transaction, draft.partner_code)
        transaction.partners.add_agreement(agreement)
        return agreement

    entry = RecordEntry("agreement.created", at, actor, draft.partner_code, facts=_agreement_facts(agreement))
    return Change(work, entry)


_ACTIONS = {
    AgreementStep.TEST: "agreement.tested",
    AgreementStep.APPROVE: "agreement.approved",
    AgreementStep.GO_LIVE: "agreement.activated",
    AgreementStep.FORCE: "agreement.activated",
    AgreementStep.SEND_BACK: "agreement.sent_back",
    AgreementStep.END: "agreement.ended",
}


def advance_agreement(
    agreement_id: str, step: AgreementStep, actor: str, at: datetime, facts: Mapping[str, Fact] | None = None
) -> Change[SharingAgreement]:
    """One step towards being in force, back, or out of it for good; ``facts`` stand in its entry."""

    def work(transaction: PartnersTransaction) -> SharingAgreement:
        agreement = transaction.partners.find_agreement(agreement_id)
        if agreement is None:
            raise not_found("agreement", "请核对协议编号")
        changed = advanced(agreement, step, actor)
        transaction.partners.replace_agreement(changed)
        return changed

    return Change(work, RecordEntry(_ACTIONS[step], at, actor, agreement_id, facts=facts or {}))


def new_key(
    code: str, jwk: Mapping[str, Any] | bytes, use: KeyUse, valid_from: datetime, valid_until: datetime | None = None
) -> PartnerKey:
    """The key that ``jwk`` holds, to be registered. Raises ``PartnerTermsRejected``."""
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


def insert_key(transaction: PartnersTransaction, key: PartnerKey) -> PartnerKey:
    """Register ``key``. Raises ``PartnerNotFound``, or ``PartnerConflict`` for a key or kid that was ever there."""
    existing_partner(transaction, key.partner_code)
    repository = transaction.partners
    if repository.key_registered(key.thumbprint):
        raise conflict("key_taken", "该公钥曾被登记，请生成新的密钥对")
    if repository.find_key(key.partner_code, key.kid) is not None:
        raise conflict("kid_taken", "该 kid 已被使用，请为新密钥换用其他 kid")
    repository.add_key(key)
    return key


def existing_partner(transaction: PartnersTransaction, code: str) -> Partner:
    """The partner, suspended or not. Raises ``PartnerNotFound``."""
    partner = transaction.partners.find_partner(code)
    if partner is None:
        raise not_found("partner", "请核对接入单位代码")
    return partner


def existing_key(transaction: PartnersTransaction, code: str, kid: str) -> PartnerKey:
    """The key, past or revoked too. Raises ``PartnerNotFound``."""
    key = transaction.partners.find_key(code, kid)
    if key is None:
        raise not_found("key", "请核对接入单位代码与 kid")
    return key


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
