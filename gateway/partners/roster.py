"""A roster (接入清单): partners as they are to be, each with its keys, endpoints and agreements in force.

Applied again it changes nothing; what it does not name is left alone. Each partner is one unit of work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.partners.agreement_steps import AgreementStep
from gateway.partners.changes import (
    AgreementDraft,
    Change,
    add_key,
    advance_agreement,
    create_agreement,
    new_key,
    register,
    set_endpoint,
    update,
)
from gateway.partners.errors import conflict
from gateway.partners.model import AgreementStatus, KeyUse, SharingAgreement
from gateway.partners.ports import PartnersTransaction
from gateway.partners.terms import endpoint_of
from gateway.partners.views import AgreementTerms, EndpointTerms, PartnerRegistration
from gateway.partners.vocabulary import Vocabulary
from gateway.wording.phrases import Phrase
from schemas.wire import WireModel


class RosterKey(WireModel):
    """A public key of a partner."""

    jwk: dict[str, Any]
    use: KeyUse = KeyUse.ANY


class RosterEndpoint(EndpointTerms):
    """Where its events of ``channel`` go."""

    channel: str = Field(max_length=64)


class RosterPartner(PartnerRegistration):
    """One partner, whole."""

    keys: list[RosterKey] = []
    endpoints: list[RosterEndpoint] = []
    agreements: list[AgreementTerms] = []


class Roster(WireModel):
    """The file that ``bandian partners apply`` reads."""

    partners: list[RosterPartner] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class RosterRules:
    """What the service lends to a roster."""

    vocabulary: Vocabulary
    insecure_hosts: frozenset[str]
    new_id: Callable[[], str]


def apply_entry(
    transaction: PartnersTransaction, entry: RosterPartner, rules: RosterRules, actor: str, at: datetime
) -> tuple[str, ...]:
    """Make ``entry`` so; answers what was changed, in words. Raises as the single changes do."""
    done: list[str] = []
    for words, change in _needed(transaction, entry, rules, actor, at):
        change.do(transaction)
        done.append(words)
    return tuple(done)


def _needed(
    transaction: PartnersTransaction, entry: RosterPartner, rules: RosterRules, actor: str, at: datetime
) -> Iterator[tuple[str, Change[Any]]]:
    """What is still to be done, each step seen after the one before it was done."""
    repository, code = transaction.partners, entry.code
    yield from _identity(transaction, entry, actor, at)
    for each in entry.keys:
        key = new_key(code, each.jwk, each.use, at)
        known = repository.find_key(code, key.kid)
        if known is None or known.thumbprint != key.thumbprint:
            yield f"登记密钥 {key.kid}", add_key(key, actor, at)
    for terms in entry.endpoints:
        endpoint = endpoint_of(code, terms.channel, terms.url, terms.secret_ref, terms.status_url)
        if endpoint not in repository.endpoints(code):
            yield f"设置 {terms.channel} 接收地址", set_endpoint(endpoint, rules.insecure_hosts, actor, at)
    for agreed in entry.agreements:
        draft = agreed.drafted(code)
        standing = [each for each in repository.agreements(code) if _same(each, draft)]
        if any(each.status is AgreementStatus.ACTIVE for each in standing):
            continue
        agreement_id = standing[0].agreement_id if standing else rules.new_id()
        if not standing:
            yield f"订立协议 {agreement_id}", create_agreement(agreement_id, draft, rules.vocabulary, actor, at)
        yield f"启用协议 {agreement_id}", advance_agreement(agreement_id, AgreementStep.FORCE, actor, at)


def _identity(
    transaction: PartnersTransaction, entry: RosterPartner, actor: str, at: datetime
) -> Iterator[tuple[str, Change[Any]]]:
    partner = transaction.partners.find_partner(entry.code)
    regions = tuple(sorted(set(entry.regions)))
    if partner is None:
        yield "登记单位", register(entry.code, entry.name, entry.role, regions, actor, at)
        return
    if partner.role is not entry.role:
        raise conflict(
            "role_fixed",
            Phrase("{partner} 已登记为 {role}，角色不能更改；请另立代码登记", partner=entry.code, role=partner.role),
        )
    if partner.name != entry.name:
        yield "更改名称", update(entry.code, entry.name, None, actor, at)
    if partner.regions != regions:
        yield f"更改行政区划为 {','.join(regions)}", update(entry.code, None, regions, actor, at)


def _same(agreement: SharingAgreement, draft: AgreementDraft) -> bool:
    """Whether a standing agreement has these terms."""
    if agreement.status is AgreementStatus.ENDED:
        return False
    granted = ({(grant.kind, grant.fields) for grant in each.grants} for each in (agreement, draft))
    terms = [
        (each.purpose, frozenset(each.regions), each.stages, each.valid_from, each.valid_until, each.clause)
        for each in (agreement, draft)
    ]
    return terms[0] == terms[1] and next(granted) == next(granted)
