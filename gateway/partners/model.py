"""Partners, their keys, agreements and endpoints. Values only; what they permit is decided in ``agreements``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from gateway.caller import Role

SCOPES: Mapping[Role, frozenset[str]] = {
    Role.UTILITY: frozenset({"licences", "stages", "reviews", "events", "leads"}),
    Role.DEPARTMENT: frozenset({"outcomes"}),
    Role.SOURCE: frozenset({"projects"}),
    Role.OPERATOR: frozenset({"operate"}),
    Role.AUDITOR: frozenset({"audit"}),
}
"""What a token of each role can be good for; a client may ask for less, never for more."""


class PartnerStatus(StrEnum):
    """A suspended partner can do nothing, and its tokens stay dead after it returns."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation that may call (接入单位). ``token_epoch`` grows with each suspension: older tokens are void."""

    code: str
    name: str
    role: Role
    regions: tuple[str, ...]
    status: PartnerStatus
    token_epoch: int
    registered_at: datetime

    @property
    def active(self) -> bool:
        return self.status is PartnerStatus.ACTIVE


class KeyUse(StrEnum):
    """What a partner's key may sign."""

    CLIENT_AUTH = "client_auth"
    OUTCOME = "outcome"
    PROJECT = "project"
    RECEIPT = "receipt"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A registered public key. Valid from ``valid_from`` until before ``valid_until``; a revoked key never returns."""

    partner_code: str
    kid: str
    thumbprint: str
    jwk: Mapping[str, Any] = field(repr=False)
    use: KeyUse
    valid_from: datetime
    valid_until: datetime | None = None
    revoked_at: datetime | None = None

    def usable(self, use: KeyUse, at: datetime) -> bool:
        """Whether a signature made for ``use`` may be checked with this key at ``at``."""
        if self.revoked_at is not None or self.use not in (use, KeyUse.ANY):
            return False
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


class ChangeReason(StrEnum):
    """Why an officer changed a key or a partner's status. No free text: the record holds none."""

    ONBOARDING = "onboarding"
    ROTATION = "rotation"
    COMPROMISED = "compromised"
    SECURITY_INCIDENT = "security_incident"
    PARTNER_ASKED = "partner_asked"
    MENDED = "mended"
    DRILL = "drill"


class AgreementStatus(StrEnum):
    """Only an active agreement permits anything. ``agreement_steps`` says what follows on what."""

    DRAFT = "draft"
    TEST = "test"
    APPROVED = "approved"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Grant:
    """One certificate kind and those of its fields and predicates that may be given."""

    kind: str
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class SharingAgreement:
    """数据共享协议: one purpose, kinds with their fields, regions and days, under a legal basis.

    ``valid_from`` and ``valid_until`` are dates in China, both inclusive. ``stages`` None does not narrow by stage.
    Its terms never change: other terms are another agreement. ``clause`` is the legal basis, like ``第（六）条``.
    ``drafted_by`` and the other three are who took each step (a partner's code, ``cli:`` and a user, ``officer:`` and
    a pseudonym); None for a step that was not taken, or was before they were kept.
    """

    agreement_id: str
    partner_code: str
    purpose: str
    grants: tuple[Grant, ...]
    regions: tuple[str, ...]
    stages: frozenset[str] | None
    valid_from: date
    valid_until: date
    clause: str
    status: AgreementStatus
    drafted_by: str | None = None
    tested_by: str | None = None
    approved_by: str | None = None
    activated_by: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events of ``channel`` are delivered. ``secret_ref`` names the HMAC secret, and is not the secret.

    ``status_url``, followed by ``/{event id}``, answers the signed receipt of an event that the receiver holds.
    """

    partner_code: str
    channel: str
    url: str
    secret_ref: str | None
    status_url: str | None = None
