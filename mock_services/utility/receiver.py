"""Takes the gateway's events: checks them, stores event and effect together, signs the receipt."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from pydantic import ValidationError

from mock_services.jose import RemoteKeySet, SigningKey, TokenRefused, read_claims, read_header
from mock_services.utility.scenario import Scenario
from mock_services.utility.store import Effect, EventData, Store
from mock_services.utility.webhooks import Delivery, WebhookRefused, check_delivery
from schemas.conformance import is_test
from schemas.contracts import ContractDeclined, ContractSigned
from schemas.events import (
    ApplicationSubmitted,
    ApplicationWithdrawn,
    AuthorisationWithdrawn,
    CertificateChanged,
    CloudEvent,
    DeliveryReceipt,
    DeliveryRefusal,
    EventType,
    PermitOutcome,
    ReviewChanged,
    ReviewOpened,
)
from schemas.leads import LeadOffered, LeadRetracted
from schemas.ratings import ServiceRated
from schemas.wire import Typ

TAKEN: Mapping[EventType, type[EventData]] = {
    EventType.APPLICATION_SUBMITTED: ApplicationSubmitted,
    EventType.APPLICATION_WITHDRAWN: ApplicationWithdrawn,
    EventType.AUTHORISATION_WITHDRAWN: AuthorisationWithdrawn,
    EventType.REVIEW_OPENED: ReviewOpened,
    EventType.REVIEW_CHANGED: ReviewChanged,
    EventType.PERMIT_OUTCOME: PermitOutcome,
    EventType.CERTIFICATE_CHANGED: CertificateChanged,
    EventType.CONTRACT_SIGNED: ContractSigned,
    EventType.CONTRACT_DECLINED: ContractDeclined,
    EventType.SERVICE_RATED: ServiceRated,
    EventType.LEAD_OFFERED: LeadOffered,
    EventType.LEAD_RETRACTED: LeadRetracted,
}
"""Every kind of event of ours. Conformance tests never come this far."""


@dataclass
class Receiver:
    """One per process. ``department_keys`` by partner code, or made from ``departments_url`` when first needed."""

    partner: str
    signing_key: SigningKey
    secret: bytes
    gateway_keys: RemoteKeySet
    gateway_issuer: str
    store: Store
    scenario: Scenario
    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    departments_url: str | None = None
    department_keys: dict[str, RemoteKeySet] = field(default_factory=dict)

    async def receive(self, headers: Mapping[str, str], body: bytes, sent_at: datetime | None = None) -> str:
        """The signed receipt for a delivery, once its event and effect are durable.

        ``sent_at`` is when a stream took it, where it did not come straight from the gateway.

        Raises ``WebhookRefused`` (signatures, ``event``, ``event_data``, ``department_signature``), ``EventChanged``
        for a known id with another body, and ``httpx.HTTPError`` when the gateway's keys cannot be read.
        """
        at = self.clock()
        delivery = await self._check(headers, body, at, sent_at or at)
        event = _read_event(delivery)
        if event.type is EventType.CONFORMANCE_TEST:
            return self._test_receipt(delivery, at)
        effect = await self._effect_of(event, at)
        fresh = self.store.receive(event, body, delivery.body_sha256, effect, at)
        return self._receipt(delivery.event_id, delivery.body_sha256, at, duplicate=not fresh)

    async def receipt_of(self, event_id: str, headers: Mapping[str, str]) -> str | None:
        """A receipt for the event as it is held here; None where it is not. Raises as ``receive`` does."""
        at = self.clock()
        asked = await self._check(headers, b"", at, at)
        if asked.event_id != event_id:
            raise WebhookRefused("event")
        if is_test(event_id):
            digest = self.store.test_digest(event_id)
            return None if digest is None else self._receipt(event_id, digest, at, duplicate=False)
        known = self.store.event(event_id)
        return None if known is None else self._receipt(event_id, known["body_sha256"], at, duplicate=False)

    def refusal(self, event_id: str, body: bytes) -> str:
        """Signed: an event whose signatures held is unfit, and will be however often it comes."""
        refusal = DeliveryRefusal(
            iss=self.partner,
            aud=self.gateway_issuer,
            jti=secrets.token_urlsafe(16),
            iat=int(self.clock().timestamp()),
            event_id=event_id,
            body_sha256=hashlib.sha256(body).hexdigest(),
            status=422,
        )
        return self.signing_key.sign(Typ.DELIVERY_REFUSAL, refusal.model_dump(mode="json"))

    async def plant(self, event: CloudEvent) -> None:
        """Take ``event`` as if it had been delivered: a seed, without a signature. Raises as ``receive`` does."""
        at, body = self.clock(), event.model_dump_json().encode()
        self.store.receive(event, body, hashlib.sha256(body).hexdigest(), await self._effect_of(event, at), at)

    async def _check(self, headers: Mapping[str, str], body: bytes, at: datetime, sent_at: datetime) -> Delivery:
        keys = await self.gateway_keys.current(at=at)
        try:
            return check_delivery(headers, body, secret=self.secret, gateway_keys=keys, at=sent_at)
        except WebhookRefused as error:
            if error.reason != "signature.v1a":
                raise
        # v1a names no key: the gateway may have a new one.
        keys = await self.gateway_keys.having("", at=at)
        return check_delivery(headers, body, secret=self.secret, gateway_keys=keys, at=sent_at)

    async def _effect_of(self, event: CloudEvent, at: datetime) -> Effect:
        try:
            data = TAKEN[event.type].model_validate(event.data)
        except (KeyError, ValidationError):
            raise WebhookRefused("event_data") from None
        if isinstance(data, ApplicationSubmitted):
            return Effect(data, plan=self.scenario.plan_for(data))
        if isinstance(data, PermitOutcome):
            return Effect(data, signature=await self._department_signature(data, at))
        return Effect(data)

    async def _department_signature(self, outcome: PermitOutcome, at: datetime) -> str:
        """``verified``, or ``unknown_key`` where the department's keys are not known here or cannot be read now.

        Raises ``WebhookRefused`` for a document that is not the department's or not about this outcome.
        """
        keys = self._keys_of(outcome.department)
        if keys is None:
            return "unknown_key"
        try:
            header = read_header(outcome.signed_outcome)
            known = await keys.having(header["kid"], at=at)
            claims = read_claims(outcome.signed_outcome, typs={Typ.APPROVAL_OUTCOME}, keys=known)
        except httpx.HTTPError:
            return "unknown_key"
        except TokenRefused:
            raise WebhookRefused("department_signature") from None
        if (claims.get("iss"), claims.get("jti")) != (outcome.department, outcome.outcome_id):
            raise WebhookRefused("department_signature")
        return "verified"

    def _test_receipt(self, delivery: Delivery, at: datetime) -> str:
        """A conformance test is kept apart from events: it has no place in their numbers and no effect."""
        if not is_test(delivery.event_id):
            raise WebhookRefused("event")
        fresh = self.store.receive_test(delivery.event_id, delivery.body_sha256)
        return self._receipt(delivery.event_id, delivery.body_sha256, at, duplicate=not fresh)

    def _keys_of(self, department: str) -> RemoteKeySet | None:
        if department not in self.department_keys and self.departments_url is not None:
            uri = f"{self.departments_url}/{department}/.well-known/jwks.json"
            self.department_keys[department] = RemoteKeySet(uri, self.http)
        return self.department_keys.get(department)

    def _receipt(self, event_id: str, body_sha256: str, at: datetime, *, duplicate: bool) -> str:
        receipt = DeliveryReceipt(
            iss=self.partner,
            aud=self.gateway_issuer,
            jti=secrets.token_urlsafe(16),
            iat=int(at.timestamp()),
            event_id=event_id,
            body_sha256=body_sha256,
            status="duplicate" if duplicate else "accepted",
        )
        return self.signing_key.sign(Typ.DELIVERY_RECEIPT, receipt.model_dump(mode="json"))


def _read_event(delivery: Delivery) -> CloudEvent:
    try:
        event = CloudEvent.model_validate_json(delivery.body)
    except ValidationError:
        raise WebhookRefused("event") from None
    if event.id != delivery.event_id:
        raise WebhookRefused("event")
    return event
