"""Probes of the conformance suite to a partner's registered endpoint: signed as deliveries are, or wrongly on purpose.

Addresses come from operators and are held to ``check_endpoint_url`` before each send; a redirect is never followed.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from adapters.channels.posting import MAX_ANSWER_BYTES, Outgoing
from adapters.channels.signed_events import SecretsOf, SignedEvents
from adapters.http_client import ExchangeFailed, HttpRequest
from adapters.http_wire import Sent
from gateway.caller import Role
from gateway.clock import Clock
from gateway.conformance.model import Answer, Probe
from gateway.conformance.ports import Counterpart
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import CurrentKey, SigningKey, VerificationKey
from gateway.crypto.jws import JwsPolicy, sign_jws, verify_jws
from gateway.crypto.strict_json import parse_object
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.errors import NotDelivered
from gateway.delivery.ports import BODY_WITHOUT_POSITION, ChannelKind, Event
from gateway.partners.directory import DirectorySnapshot
from gateway.partners.errors import PartnerTermsRejected
from gateway.partners.model import Endpoint, KeyUse, Partner
from gateway.partners.terms import check_endpoint_url
from schemas.conformance import TEST_PREFIX, UNKNOWN_TYPE, ConformanceTest
from schemas.departments import ConnectionLine, ReviewAcknowledged, ReviewMode, ReviewRequest
from schemas.events import EventType
from schemas.wire import MEDIA_JOSE, Typ

OVERSIZED_BYTES: Final = 512 * 1024
STALE: Final = timedelta(hours=1)
NOTE: Final = "接入符合性测试：请签收，勿作他用"
PERMIT: Final = "conformance_test"


@dataclass(frozen=True)
class GatewaySide:
    """What the gateway signs with and is called. ``webhook_key`` answers an Ed25519 key."""

    issuer: str
    base_url: str
    webhook_key: CurrentKey
    request_key: CurrentKey
    secrets_of: SecretsOf
    insecure_hosts: frozenset[str]
    timeout: timedelta


class HttpReaches:
    """``gateway.conformance.ports.Reaches`` over HTTP."""

    def __init__(self, side: GatewaySide, clock: Clock) -> None:
        self._side = side
        self._clock = clock

    def address_fault(self, snapshot: DirectorySnapshot, partner: Partner) -> str | None:
        """See ``Reaches.address_fault``."""
        endpoint = _endpoint_of(snapshot, partner)
        if endpoint is None:
            return None
        try:
            for url in (endpoint.url, endpoint.status_url):
                if url is not None:
                    check_endpoint_url(url, insecure_hosts=self._side.insecure_hosts)
        except PartnerTermsRejected as refusal:
            return refusal.check.removeprefix("partners.")
        return None

    def open(self, snapshot: DirectorySnapshot, partner: Partner, run_id: str) -> Counterpart:
        """See ``Reaches.open``."""
        endpoint, keys = _endpoint_of(snapshot, partner), snapshot.verification_keys
        if endpoint is None:
            raise ValueError("nothing is registered to send to")
        wire = _Wire(self._side, self._clock)
        now = self._clock()
        if partner.role is Role.UTILITY:
            return UtilityProbes(wire, self._side, endpoint, keys(partner.code, KeyUse.RECEIPT, now), run_id)
        return DepartmentProbes(wire, self._side, endpoint, keys(partner.code, KeyUse.OUTCOME, now), partner.regions[0])


def _endpoint_of(snapshot: DirectorySnapshot, partner: Partner) -> Endpoint | None:
    channel = ChannelKind.WEBHOOK if partner.role is Role.UTILITY else ChannelKind.DEPARTMENT
    return next((each for each in snapshot.endpoints.get(partner.code, ()) if each.channel == channel), None)


class _Wire:
    """One run's own client: nothing of it is shared with deliveries. ``at`` is when the last request went out."""

    def __init__(self, side: GatewaySide, clock: Clock) -> None:
        self._outgoing = Outgoing(side.timeout)
        self._insecure_hosts = side.insecure_hosts
        self._clock = clock

    def now(self) -> datetime:
        return self._clock()

    async def close(self) -> None:
        self._outgoing.close()

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[Answer, bytes]:
        """The answer and its body (at most ``MAX_ANSWER_BYTES``); what is no answer is one without a status."""
        check_endpoint_url(url, insecure_hosts=self._insecure_hosts)
        request = HttpRequest(method, url, headers, body or b"", max_bytes=MAX_ANSWER_BYTES)
        begun, at, heads = time.monotonic(), self._clock(), list[tuple[int, Mapping[str, str]]]()
        content, found = b"", ""
        try:
            *_, content = await self._outgoing.exchange(
                request, self._outgoing.timeout_s, lambda *head: heads.append(head), Sent()
            )
        except TimeoutError:
            return Answer(None, "timeout", elapsed_s=time.monotonic() - begun), b""
        except ExchangeFailed as failed:
            if failed.check != "http.oversize":
                found = f"no_answer.{failed.check.removeprefix('http.')}"
                return Answer(None, found, elapsed_s=time.monotonic() - begun), b""
            found = "answer_too_long"
        status, answered = heads[-1]
        elapsed_s = time.monotonic() - begun
        return Answer(status, found, elapsed_s=elapsed_s, dated_at=_date(answered.get("date")), at=at), content


def _date(text: str | None) -> datetime | None:
    try:
        told = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def _shown(answer: Answer, *, found: str = "", **more: Any) -> Answer:
    return Answer(
        answer.status,
        found or answer.found,
        elapsed_s=answer.elapsed_s,
        dated_at=answer.dated_at,
        at=answer.at,
        **more,
    )


class UtilityProbes:
    """``Counterpart`` for a webhook. The good event of a run is kept: what was sent first is what is sent again."""

    def __init__(
        self, wire: _Wire, side: GatewaySide, endpoint: Endpoint, keys: tuple[VerificationKey, ...], run_id: str
    ) -> None:
        self._wire = wire
        self._side = side
        self._endpoint = endpoint
        self._keys = keys
        self._run_id = run_id
        self._events: dict[str, Event] = {}
        self._honest = self._signer(side.webhook_key, side.secrets_of)

    def _signer(self, key: CurrentKey, secrets_of: SecretsOf) -> SignedEvents:
        return SignedEvents(ChannelKind.WEBHOOK, self._side.issuer, key, secrets_of)

    async def close(self) -> None:
        """See ``Counterpart.close``."""
        await self._wire.close()

    async def try_probe(self, probe: Probe, test_id: str) -> Answer | None:
        """See ``Counterpart.try_probe``."""
        if probe is Probe.SECRET and self._endpoint.secret_ref is None:
            return None
        try:
            if probe in (Probe.STATUS_KNOWN, Probe.STATUS_UNKNOWN):
                return await self._status(test_id)
            event = self._events.setdefault(test_id, self._event(probe, test_id))
            body = encode_cloud_event(event, self._side.issuer)
            headers = self._headers(probe, event, body)
            sent = body.replace(b"\xef\xbc\x9a", b"\xef\xbc\x8c", 1) if probe is Probe.ALTERED else body
            answer, content = await self._wire.ask("POST", self._endpoint.url, headers, sent)
        except NotDelivered as unsent:
            return Answer(None, unsent.check.removeprefix("webhook."))
        return self._judged(event, body, answer, content)

    async def _status(self, test_id: str) -> Answer | None:
        if self._endpoint.status_url is None:
            return None
        event = self._events.get(test_id) or self._event(Probe.STATUS_UNKNOWN, test_id)
        headers = self._honest.headers(event, self._endpoint, b"", self._wire.now()) | {"Accept": MEDIA_JOSE}
        del headers["Content-Type"]
        url = f"{self._endpoint.status_url.rstrip('/')}/{quote(test_id, safe='')}"
        answer, content = await self._wire.ask("GET", url, headers, None)
        return self._judged(event, encode_cloud_event(event, self._side.issuer), answer, content)

    def _event(self, probe: Probe, test_id: str) -> Event:
        data: dict[str, Any] = ConformanceTest(run_id=self._run_id, note=NOTE).model_dump(mode="json")
        if probe is Probe.OVERSIZED:
            data["filling"] = "x" * OVERSIZED_BYTES
        kind = UNKNOWN_TYPE if probe is Probe.UNKNOWN_TYPE else EventType.CONFORMANCE_TEST.value
        return Event(
            test_id,
            self._endpoint.partner_code,
            ChannelKind.WEBHOOK,
            kind,
            test_id,
            1,
            1,
            self._wire.now(),
            data,
            body_form=BODY_WITHOUT_POSITION,
        )

    def _headers(self, probe: Probe, event: Event, body: bytes) -> dict[str, str]:
        at = self._wire.now() - (STALE if probe is Probe.STALE else timedelta())
        signer = self._honest
        if probe in (Probe.UNKNOWN_KEY, Probe.SIGNATURE):
            signer = self._signer(_stranger(self._side.webhook_key), self._other_secret(probe))
        elif probe is Probe.SECRET:
            signer = self._signer(self._side.webhook_key, self._other_secret(Probe.SIGNATURE))
        return signer.headers(event, self._endpoint, body, at) | {"Accept": MEDIA_JOSE}

    def _other_secret(self, probe: Probe) -> SecretsOf:
        """Secrets that nobody shares; with an unknown key the shared secret stays right."""
        if probe is Probe.UNKNOWN_KEY:
            return self._side.secrets_of
        return lambda _: (secrets.token_bytes(32),)

    def _judged(self, event: Event, body: bytes, answer: Answer, content: bytes) -> Answer:
        if answer.status is None or not 200 <= answer.status < 300 or answer.found:
            return answer
        try:
            receipt = self._honest.verify_receipt(event, body, content, self._keys, self._wire.now())
        except NotDelivered as unproven:
            return _shown(answer, found=unproven.check.removeprefix("webhook."))
        return _shown(answer, proven=True, repeated=receipt.duplicate)


class DepartmentProbes:
    """``Counterpart`` for a department's review-request endpoint. ``region`` is one of its own."""

    def __init__(
        self, wire: _Wire, side: GatewaySide, endpoint: Endpoint, keys: tuple[VerificationKey, ...], region: str
    ) -> None:
        self._wire = wire
        self._side = side
        self._endpoint = endpoint
        self._keys = keys
        self._region = region
        self._requests: dict[str, dict[str, Any]] = {}

    async def close(self) -> None:
        """See ``Counterpart.close``."""
        await self._wire.close()

    async def try_probe(self, probe: Probe, test_id: str) -> Answer | None:
        """See ``Counterpart.try_probe``."""
        claims = self._requests.setdefault(test_id, self._claims(probe, test_id))
        document = self._document(probe, claims)
        headers = {"Content-Type": MEDIA_JOSE, "Accept": "application/json"}
        answer, content = await self._wire.ask("POST", self._endpoint.url, headers, document.encode())
        return self._judged(claims, answer, content)

    def _claims(self, probe: Probe, test_id: str) -> dict[str, Any]:
        code, part = self._endpoint.partner_code, test_id.removeprefix(TEST_PREFIX)
        request = ReviewRequest(
            iss=self._side.issuer,
            aud=f"{code}-elsewhere"[-64:].lstrip("-0123456789") if probe is Probe.AUDIENCE else code,
            jti=test_id,
            iat=int(self._wire.now().timestamp()),
            review_id=f"{TEST_PREFIX}rev_{part}",
            permit_id=f"{TEST_PREFIX}prm_{part}",
            application_id=f"{TEST_PREFIX}app_{part}",
            permit=PERMIT,
            mode=ReviewMode.FULL,
            region=self._region,
            line=ConnectionLine(description=NOTE, voltage_v=380, length_m=1, from_point="测试", to_point="测试"),
            outcomes_uri=f"{self._side.base_url}/v1/departments/{code}/outcomes",
            conformance_test=True,
        )
        return request.model_dump(mode="json", exclude_none=True)

    def _document(self, probe: Probe, claims: dict[str, Any]) -> str:
        key = _stranger(self._side.request_key)() if probe is Probe.UNKNOWN_KEY else self._side.request_key()
        document = sign_jws(claims, key, Typ.REVIEW_REQUEST.value)
        header, payload, signature = document.split(".")
        if probe is Probe.SIGNATURE:
            # As long as a right one, and of another document.
            signature = sign_jws({**claims, "jti": "cft_other"}, key, Typ.REVIEW_REQUEST.value).split(".")[2]
        if probe is Probe.ALTERED:
            payload = sign_jws({**claims, "mode": "filing"}, key, Typ.REVIEW_REQUEST.value).split(".")[1]
        if probe is Probe.OVERSIZED:
            return sign_jws({**claims, "filling": "x" * OVERSIZED_BYTES}, key, Typ.REVIEW_REQUEST.value)
        return ".".join((header, payload, signature))

    def _judged(self, claims: dict[str, Any], answer: Answer, content: bytes) -> Answer:
        if answer.status is None or not 200 <= answer.status < 300 or answer.found:
            return answer
        try:
            acknowledged = ReviewAcknowledged.model_validate(parse_object(content, max_bytes=MAX_ANSWER_BYTES))
        except (JoseRefused, ValidationError):
            return _shown(answer, found="acknowledgement.unreadable")
        if acknowledged.permit_id != claims["permit_id"]:
            return _shown(answer, found="acknowledgement.permit_id")
        return _shown(
            answer,
            proven=True,
            repeated=acknowledged.duplicate,
            reference=acknowledged.department_reference,
            signed=self._signed(claims, acknowledged.test_outcome),
        )

    def _signed(self, claims: dict[str, Any], document: str | None) -> bool | None:
        if document is None:
            return None
        policy = JwsPolicy(
            typ=frozenset({Typ.APPROVAL_OUTCOME.value}),
            audience=frozenset({self._side.issuer}),
            issuer=self._endpoint.partner_code,
            required=frozenset({"iss", "aud", "jti", "iat"}),
            leeway=timedelta(seconds=60),
        )
        try:
            told = verify_jws(document.encode(), self._keys, policy, self._wire.now()).claims
        except (JoseRefused, UnicodeEncodeError):
            return False
        # Departments that speak the V3 exchange name the permit spsxslbm.
        return claims["permit_id"] in (told.get("permit_id"), told.get("spsxslbm"))


def _stranger(known: CurrentKey) -> CurrentKey:
    """A key that the gateway does not publish, of the same kind and under the same name where the name is told."""
    current = known()
    made = SigningKey(current.kid, current.scheme, _another(current))
    return lambda: made


def _another(current: SigningKey) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    if isinstance(current.private_key, Ed25519PrivateKey):
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(current.private_key.curve)
