"""Partners as integrators build them, with one fault each; and the suite that is run against them over real HTTP."""

import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from adapters.conformance import GatewaySide, HttpReaches
from gateway.caller import Role
from gateway.conformance.model import ConformanceReport
from gateway.conformance.service import ConformanceService
from gateway.crypto.jwk import SigningKey, export_jwk, parse_jwk, thumbprint
from gateway.partners.directory import HeldKey
from gateway.partners.model import Endpoint, KeyUse, PartnerKey
from mock_services.jose import KeySet, TokenRefused, read_claims
from mock_services.jose import SigningKey as PartnerSigningKey
from mock_services.utility.webhooks import WebhookRefused, check_delivery
from schemas.wire import MEDIA_JOSE
from tests.support.approvals import FixedDirectory
from tests.support.partners import ISSUER, ed25519_key, es256_key
from tests.support.tiny_server import Answer, Asked

CODE, SECRET = "csg-foshan", b"s" * 32
WEBHOOK_KEY, REQUEST_KEY = ed25519_key("webhook-1"), es256_key("answer-1")


def now() -> datetime:
    return datetime.now(UTC)


class Reports:
    """Runs and entries in memory, as one unit of work sees them."""

    def __init__(self) -> None:
        self.kept: list[ConformanceReport] = []
        self.entries: list[Any] = []
        self.conformance = self
        self.records = self

    def add(self, report: ConformanceReport) -> None:
        self.kept.append(report)

    def append(self, entry: Any) -> str:
        self.entries.append(entry)
        return "rec_1"

    def last(self, partner_code: str) -> ConformanceReport | None:
        return next((each for each in reversed(self.kept) if each.partner_code == partner_code), None)

    def recent(self, partner_code: str, limit: int) -> list[ConformanceReport]:
        return [each for each in reversed(self.kept) if each.partner_code == partner_code][:limit]

    async def write(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    read: Callable[..., Awaitable[Any]] = write


@dataclass
class Suite:
    """The service with whom it knows."""

    directory: FixedDirectory = field(default_factory=FixedDirectory)
    reports: Reports = field(default_factory=Reports)
    insecure: frozenset[str] = frozenset({"127.0.0.1"})
    timeout: timedelta = timedelta(seconds=5)
    secret: bytes = SECRET
    issuer: str = ISSUER
    webhook_key: SigningKey = WEBHOOK_KEY
    request_key: SigningKey = REQUEST_KEY

    def service(self) -> ConformanceService:
        numbers = count(1)
        side = GatewaySide(
            self.issuer,
            self.issuer,
            lambda: self.webhook_key,
            lambda: self.request_key,
            lambda _: (self.secret,),
            self.insecure,
            self.timeout,
        )
        return ConformanceService(
            self.reports,
            self.directory,
            HttpReaches(side, now),
            now,
            lambda prefix: f"{prefix}_{next(numbers):04d}{secrets.token_hex(4)}",
            limit_s=self.timeout.total_seconds(),
        )

    def enrol(
        self, role: Role, public_jwk: dict[str, Any], url: str, status_url: str | None = None, code: str = CODE
    ) -> None:
        """A partner with one key for everything and one endpoint."""
        self.directory.add(code, role, "440600")
        key = parse_jwk(public_jwk)
        since, public = now() - timedelta(days=1), export_jwk(key)
        registered = PartnerKey(code, key.kid, thumbprint(key.public_key), public, KeyUse.ANY, since)
        self.directory.keys[code] = [HeldKey(registered, key)]
        channel = "webhook" if role is Role.UTILITY else "department"
        self.directory.endpoints[code] = [Endpoint(code, channel, url, "foshan", status_url)]


def published(*keys: SigningKey) -> KeySet:
    return KeySet.parse({"keys": [export_jwk(key.public()) for key in keys]})


@dataclass
class FaultyUtility:
    """A receiver that does all as the guide says, but for its ``fault``."""

    fault: str = ""
    key: PartnerSigningKey = field(default_factory=PartnerSigningKey.generate)
    seen: dict[str, str] = field(default_factory=dict)
    largest: int = 256 * 1024

    def respond(self, asked: Asked) -> Answer:
        if self.fault == "redirects":
            return Answer(302, headers={"Location": "http://169.254.169.254/"})
        if asked.method == "GET":
            return self._status(asked)
        if self.fault == "falls_over" and len(asked.body) > self.largest:
            self.fault = "down"
        if self.fault == "down":
            return Answer(500)
        if len(asked.body) > self.largest and self.fault != "takes_oversized":
            return Answer(413)
        refused = self._refused(asked)
        if refused:
            return Answer(500 if self.fault == "crashes_on_refusal" else 401)
        event = json.loads(asked.body)
        if "unknown" in event["type"]:
            return Answer(500 if self.fault == "unknown_type" else 422)
        digest = hashlib.sha256(asked.body).hexdigest()
        known = self.seen.get(event["id"]) == digest and self.fault != "second_effect"
        self.seen[event["id"]] = digest
        return self._receipt(event["id"], digest, "duplicate" if known else "accepted")

    def _refused(self, asked: Asked) -> bool:
        at = now()
        if self.fault == "takes_stale":
            at = datetime.fromtimestamp(int(asked.headers["webhook-timestamp"]), UTC)
        try:
            check_delivery(
                asked.headers, asked.body, secret=SECRET, gateway_keys=published(WEBHOOK_KEY, REQUEST_KEY), at=at
            )
        except WebhookRefused as error:
            if self.fault == "takes_anything":
                return False
            if self.fault == "only_v1":
                return error.reason != "signature.v1a"
            if self.fault == "only_v1a":
                return error.reason != "signature.v1" or not self._v1a_holds(asked)
            return True
        return False

    def _v1a_holds(self, asked: Asked) -> bool:
        import base64

        signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
        (told,) = [part[4:] for part in asked.headers["webhook-signature"].split() if part.startswith("v1a,")]
        try:
            WEBHOOK_KEY.private_key.public_key().verify(base64.b64decode(told), signed)  # type: ignore[call-arg, arg-type]
        except Exception:
            return False
        return True

    def _receipt(self, event_id: str, digest: str, status: str) -> Answer:
        if self.fault == "no_receipt":
            return Answer(200, b"ok")
        claims = {
            "iss": CODE,
            "aud": ISSUER,
            "jti": secrets.token_urlsafe(16),
            "iat": int(time.time()),
            "event_id": event_id,
            "body_sha256": "0" * 64 if self.fault == "wrong_digest" else digest,
            "status": status,
        }
        key = PartnerSigningKey.generate() if self.fault == "other_key" else self.key
        return Answer(200, key.sign("delivery-receipt+jwt", claims).encode(), MEDIA_JOSE)

    def _status(self, asked: Asked) -> Answer:
        event_id = asked.path.rpartition("/")[2]
        digest = self.seen.get(event_id)
        if self.fault == "status_forgets":
            digest = None
        if digest is None:
            return Answer(200 if self.fault == "status_invents" else 404)
        return self._receipt(event_id, digest, "accepted")


@dataclass
class FaultyDepartment:
    """A review desk that does all as the guide says, but for its ``fault``."""

    fault: str = ""
    key: PartnerSigningKey = field(default_factory=PartnerSigningKey.generate)
    taken: dict[str, str] = field(default_factory=dict)

    def respond(self, asked: Asked) -> Answer:
        if len(asked.body) > 64 * 1024 and self.fault != "takes_oversized":
            return Answer(413)
        try:
            claims = self._claims(asked.body.decode())
        except TokenRefused:
            return Answer(401)
        if claims["aud"] != CODE and self.fault != "any_audience":
            return Answer(401)
        fresh = f"LG-{len(self.taken)}-{secrets.token_hex(3)}"
        reference = fresh if self.fault == "second_effect" else self.taken.setdefault(claims["jti"], fresh)
        permit = "cft_prm_other" if self.fault == "other_permit" else claims["permit_id"]
        answer = {"permit_id": permit, "department_reference": reference}
        if self.fault != "shows_no_outcome":
            answer["test_outcome"] = self._outcome(claims)
        return Answer(202, answer)

    def _claims(self, document: str) -> dict[str, Any]:
        typs = {"review-request+jwt"}
        try:
            return read_claims(document, typs=typs, keys=published(REQUEST_KEY))
        except TokenRefused:
            oversized = self.fault == "takes_oversized" and len(document) > 64 * 1024
            if self.fault != "takes_anything" and not oversized:
                raise
            import base64

            part = document.split(".")[1]
            claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            return claims

    def _outcome(self, claims: dict[str, Any]) -> str:
        key = PartnerSigningKey.generate() if self.fault == "other_key" else self.key
        told = {
            "iss": CODE,
            "aud": claims["iss"],
            "jti": secrets.token_urlsafe(8),
            "iat": int(time.time()),
            "permit_id": claims["permit_id"],
            "sequence": 1,
            "outcome": "accepted",
            "decided_at": now().isoformat(timespec="seconds"),
        }
        return key.sign("approval-outcome+jwt", told)
