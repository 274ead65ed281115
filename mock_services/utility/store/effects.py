"""What an event changes here."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mock_services.utility.leads import take_lead
from mock_services.utility.scenario import Plan
from mock_services.utility.store.decisions import Decisions
from mock_services.utility.store.licences import Licences
from mock_services.utility.store.permits import Permits
from mock_services.utility.store.plans import Plans
from mock_services.utility.store.purges import Purges
from schemas.contracts import ContractDeclined, ContractSigned
from schemas.events import (
    ApplicationSubmitted,
    ApplicationWithdrawn,
    AuthorisationWithdrawn,
    CertificateChanged,
    CloudEvent,
    PermitOutcome,
    ReviewOpened,
)
from schemas.leads import LeadOffered, LeadRetracted
from schemas.ratings import ServiceRated
from schemas.wire import OpenWireModel


class Parts(Protocol):
    """The parts of the store that an event may change."""

    connection: sqlite3.Connection
    plans: Plans
    permits: Permits
    licences: Licences
    decisions: Decisions
    purges: Purges


@dataclass(frozen=True)
class Effect:
    """What an event changes here. Built before the transaction, applied inside it."""

    data: OpenWireModel
    plan: Plan | None = None
    signature: str = "unknown_key"

    def apply(self, parts: Parts, event: CloudEvent, at: datetime) -> None:
        match self.data:
            case ApplicationSubmitted() as submitted if self.plan is not None:
                parts.plans.take(submitted, self.plan, at)
            case ApplicationWithdrawn() | AuthorisationWithdrawn() as withdrawn:
                _withdraw(parts, withdrawn, at)
            case ReviewOpened() as review:
                parts.permits.take_review(review)
            case PermitOutcome() as outcome:
                parts.permits.take_outcome(outcome, event, self.signature, at)
            case CertificateChanged() as changed:
                parts.licences.take_change(changed, event, at)
            case ContractSigned() | ContractDeclined() as contract:
                parts.decisions.take_contract(contract, at)
            case ServiceRated() as rated:
                parts.decisions.take_rating(rated)
            case LeadOffered() | LeadRetracted() as told:
                take_lead(parts.connection, told, at)


def _withdraw(parts: Parts, withdrawn: ApplicationWithdrawn | AuthorisationWithdrawn, at: datetime) -> None:
    """Stop work and purge what was fetched; that it was is to be confirmed, by itself unless the plan leaves it."""
    application_id = withdrawn.application_id
    parts.plans.withdraw(application_id, withdrawn.withdrawn_at)
    parts.licences.purge(application_id)
    application = parts.plans.find(application_id)
    known = json.loads(application["submitted"])["authorisation_id"] if application else None
    authorisation_id = withdrawn.authorisation_id or known
    if authorisation_id is not None:
        by_itself = application is None or bool(application["confirms_purge"])
        parts.purges.take(application_id, authorisation_id, at, confirmed_by_itself=by_itself)
