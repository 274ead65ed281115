"""A client of the gateway, ready to be copied: access tokens, proof of possession, signed answers.

    keys = RemoteKeySet(f"{gateway}/.well-known/jwks.json", http)
    client = GatewayClient(gateway, "csg-guangzhou", signing_key, keys, http, clock)
    answer = await client.verified_licence(VerifiedLicenceRequest(application_id=…, kind=…, purpose=…))

The partner's ``signing_key`` is the one registered with the gateway. The key that binds tokens to this process
(DPoP) is made at start and never leaves it. Sources: RFC 7523 (client assertion), RFC 9449 (DPoP), RFC 9457 (problems).
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from mock_services.jose import RemoteKeySet, SigningKey, TokenRefused, base64url, verify
from schemas.capacity import CapacityRecorded, CapacityRequest
from schemas.contracts import ContractOffer, ContractStanding
from schemas.leads import LeadContact, LeadPage, LeadProgressRecorded, LeadProgressRequest
from schemas.outages import OutageRecorded, OutageRequest
from schemas.partner_api import (
    EventPage,
    JointReviewRequest,
    JointReviewView,
    LicenceExplanation,
    PurgeReceipt,
    PurgeRecorded,
    StageEventRecorded,
    StageEventRequest,
    TokenResponse,
    VerifiedLicence,
    VerifiedLicenceRequest,
)
from schemas.problems import Problem
from schemas.ratings import RatingAnswer, RatingView
from schemas.reconciliation import (
    DayEventPage,
    DaySummary,
    Reconciliation,
    ReportRecorded,
    ReportRequest,
    ResendAnswer,
    ResendOrder,
)
from schemas.wire import MEDIA_JOSE, Typ

ASSERTION_LIFETIME_SECONDS = 60
RENEW_BEFORE = timedelta(seconds=15)
"""A token that ends sooner than this is not used any more."""

IN_PROGRESS = "idempotency.in_progress"
"""The check of a 409 that means: an earlier copy of this very request has not finished."""

Answer = TypeVar("Answer", bound=BaseModel)


class GatewayRefused(Exception):
    """The gateway answered with a problem; ``problem`` says which check, whose turn it is and how it is mended."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.check}: {problem.title}")
        self.problem = problem


class GatewayUnavailable(Exception):
    """No usable answer: try again later. ``retry_after`` is in seconds, if the gateway said."""

    def __init__(self, why: str, retry_after: int | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


@dataclass
class GatewayClient:
    """One per process. Every method raises ``GatewayRefused`` or ``GatewayUnavailable``."""

    base_url: str
    partner: str
    signing_key: SigningKey
    gateway_keys: RemoteKeySet
    http: httpx.AsyncClient
    clock: Callable[[], datetime]
    issuer: str = ""
    """``iss`` of the gateway's signed answers and ``aud`` of client assertions; its URL if left out."""
    dpop_key: SigningKey = field(default_factory=SigningKey.generate)
    _token: str = ""
    _token_ends_at: datetime | None = None
    _nonce: str | None = None
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def verified_licence(self, request: VerifiedLicenceRequest) -> tuple[VerifiedLicence, str]:
        """One e-certificate for one application: the checked claims, and the signed answer to keep as evidence."""
        response = await self._call("POST", "/v1/verified-licences", request, accept=MEDIA_JOSE)
        token = response.text
        licence = await self._verified(token, Typ.VERIFIED_LICENCE, VerifiedLicence)
        if (licence.application_id, licence.kind) != (request.application_id, request.kind):
            raise GatewayUnavailable("the signed answer is to another question")
        return licence, token

    async def dry_run(self, request: VerifiedLicenceRequest) -> LicenceExplanation:
        """How the gateway would judge the same request, check by check; a refusal is one of the checks."""
        return _read(await self._call("POST", "/v1/verified-licences/dry-run", request), LicenceExplanation)

    async def stage_event(self, application_id: str, event: StageEventRequest) -> StageEventRecorded:
        """Tell of a stage that started, paused, resumed or ended. ``event_id`` makes a repetition harmless."""
        path = f"/v1/applications/{application_id}/stage-events"
        response = await self._call("POST", path, event, idempotency_key=event.event_id)
        return _read(response, StageEventRecorded)

    async def send_contract(self, application_id: str, contract: ContractOffer) -> ContractStanding:
        """Send the supply contract (供用电合同) for the applicant to sign. ``event_id`` makes a repetition harmless."""
        path = f"/v1/applications/{application_id}/contract"
        return _read(await self._call("POST", path, contract), ContractStanding)

    async def answer_rating(self, application_id: str, answer: RatingAnswer) -> RatingView:
        """Answer a bad rating (差评整改反馈), once."""
        return _read(await self._call("POST", f"/v1/applications/{application_id}/rating/answer", answer), RatingView)

    async def purged(
        self, application_id: str, authorisation_id: str, *, purged_at: datetime, at: datetime
    ) -> PurgeRecorded:
        """Confirm, signed, that everything obtained under a withdrawn authorisation is purged. The first one stands."""
        claims = PurgeReceipt(
            iss=self.partner,
            aud=self.issuer or self.base_url,
            jti=secrets.token_urlsafe(16),
            iat=int(at.timestamp()),
            application_id=application_id,
            authorisation_id=authorisation_id,
            purged_at=purged_at,
        )
        token = self.signing_key.sign(Typ.PURGE_RECEIPT, claims.model_dump(mode="json"))
        path = f"/v1/authorisations/{authorisation_id}/purge-receipt"
        return _read(await self._call("POST", path, token), PurgeRecorded)

    async def open_joint_review(
        self, application_id: str, review: JointReviewRequest, *, idempotency_key: str
    ) -> JointReviewView:
        """One intake for every permit (一窗受理). The same key and body again answer the same review."""
        path = f"/v1/applications/{application_id}/joint-review"
        return _read(await self._call("POST", path, review, idempotency_key=idempotency_key), JointReviewView)

    async def joint_review(self, application_id: str) -> JointReviewView:
        """The joint review as it stands."""
        return _read(await self._call("GET", f"/v1/applications/{application_id}/joint-review"), JointReviewView)

    async def events(self, after: int = 0) -> EventPage:
        """The pull feed: what the webhook brings too. Pass ``cursor`` as ``after`` next time."""
        return _read(await self._call("GET", f"/v1/events?after={after}"), EventPage)

    async def publish_capacity(self, area_id: str, told: CapacityRequest) -> CapacityRecorded:
        """Publish the free capacity of an area; the same version again changes nothing."""
        return _read(await self._call("PUT", f"/v1/grid-capacity/{area_id}", told), CapacityRecorded)

    async def tell_outage(self, told: OutageRequest) -> OutageRecorded:
        """Tell of an outage: planned, a fault, progress, power back. The same event again changes nothing."""
        return _read(await self._call("POST", "/v1/outages", told), OutageRecorded)

    async def leads(self, after: str = "", status: str = "") -> LeadPage:
        """Our leads, page by page. Pass ``cursor`` as ``after`` next time."""
        narrow = "".join(f"&{name}={value}" for name, value in (("after", after), ("status", status)) if value)
        return _read(await self._call("GET", f"/v1/leads?limit=100{narrow}"), LeadPage)

    async def lead_contact(self, lead_id: str) -> LeadContact:
        """Whom to ask about a lead's project."""
        return _read(await self._call("GET", f"/v1/leads/{lead_id}/contact"), LeadContact)

    async def lead_progress(self, lead_id: str, told: LeadProgressRequest) -> LeadProgressRecorded:
        """Tell that the project was contacted, or connected. Told again, it stands as it was told first."""
        return _read(await self._call("POST", f"/v1/leads/{lead_id}/progress", told), LeadProgressRecorded)

    async def reconciliation(self, day: date) -> DaySummary:
        """The gateway's signed summary of one day of our events."""
        response = await self._call("GET", f"/v1/reconciliation?day={day.isoformat()}", accept=MEDIA_JOSE)
        answer = await self._verified(response.text, Typ.RECONCILIATION, Reconciliation)
        if [each.day for each in answer.days] != [day]:
            raise GatewayUnavailable("the signed answer is to another question")
        return answer.days[0]

    async def day_events(self, day: date, after: int = 0) -> DayEventPage:
        """What the day holds, page by page. Pass ``cursor`` as ``after`` next time."""
        path = f"/v1/reconciliation/events?day={day.isoformat()}&after={after}&limit=1000"
        return _read(await self._call("GET", path), DayEventPage)

    async def resend(self, order: ResendOrder) -> ResendAnswer:
        """Have events sent again; they come as events do."""
        return _read(await self._call("POST", "/v1/reconciliation/resend", order), ResendAnswer)

    async def report_reconciliation(self, report: ReportRequest) -> ReportRecorded:
        """Tell the gateway's operator what a comparison found."""
        return _read(await self._call("POST", "/v1/reconciliation/reports", report), ReportRecorded)

    async def _verified(self, token: str, typ: Typ, model: type[Answer]) -> Answer:
        """The claims of an answer that the gateway signed for us."""
        try:
            claims = await verify(
                token,
                typ=typ,
                keys=self.gateway_keys,
                issuer=self.issuer or self.base_url,
                audience=self.partner,
                at=self.clock(),
            )
            return model.model_validate(claims)
        except (TokenRefused, ValidationError, httpx.HTTPError) as error:
            raise GatewayUnavailable(f"the signed answer cannot be relied on: {type(error).__name__}") from error

    async def _call(
        self,
        method: str,
        path: str,
        body: BaseModel | str | None = None,
        *,
        accept: str = "application/json",
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        headers = {"Accept": f"{accept}, application/problem+json"}
        if body is not None:
            headers["Content-Type"] = MEDIA_JOSE if isinstance(body, str) else "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        text = body.model_dump_json(exclude_none=True) if isinstance(body, BaseModel) else body
        content = text.encode() if text is not None else None
        url = self.base_url + path
        for _ in range(3):
            token = await self._access_token()
            proof = self._proof(method, url, access_token=token)
            sent = {**headers, "Authorization": f"DPoP {token}", "DPoP": proof}
            response = await self._send(method, url, sent, content)
            if response.status_code != 401:
                break
            # A nonce the gateway wants, or a token it has dropped: again with fresh ones.
            if "use_dpop_nonce" not in response.headers.get("www-authenticate", "") and token == self._token:
                self._token_ends_at = None
        return _successful(response)

    async def _send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> httpx.Response:
        try:
            response = await self.http.request(method, url, headers=headers, content=content)
        except httpx.HTTPError as error:
            raise GatewayUnavailable(type(error).__name__) from error
        self._nonce = response.headers.get("dpop-nonce", self._nonce)
        return response

    async def _access_token(self) -> str:
        async with self._renewing:
            if self._token_ends_at is None or self._token_ends_at - RENEW_BEFORE <= self.clock():
                asked_at = self.clock()
                answer = await self._ask_for_token()
                self._token = answer.access_token
                self._token_ends_at = asked_at + timedelta(seconds=answer.expires_in)
            return self._token

    async def _ask_for_token(self) -> TokenResponse:
        endpoint = f"{self.base_url}/oauth/token"
        for _ in range(2):
            form = {
                "grant_type": "client_credentials",
                "client_id": self.partner,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self._client_assertion(),
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded", "DPoP": self._proof("POST", endpoint)}
            response = await self._send("POST", endpoint, headers, str(httpx.QueryParams(form)).encode())
            if not (response.status_code == 400 and b"use_dpop_nonce" in response.content):
                break
        return _read(_successful(response), TokenResponse)

    def _client_assertion(self) -> str:
        """For the gateway's issuer alone, not for an endpoint of it: no other server can use it there."""
        issued = int(self.clock().timestamp())
        claims = {
            "iss": self.partner,
            "sub": self.partner,
            "aud": self.issuer or self.base_url,
            "iat": issued,
            "exp": issued + ASSERTION_LIFETIME_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        return self.signing_key.sign(Typ.CLIENT_ASSERTION, claims)

    def _proof(self, method: str, url: str, *, access_token: str | None = None) -> str:
        """RFC 9449 §4.2: for this method and URL (without query), now, once; bound to the token where there is one."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url.partition("?")[0],
            "iat": int(self.clock().timestamp()),
        }
        if access_token is not None:
            claims["ath"] = base64url(hashlib.sha256(access_token.encode()).digest())
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        return self.dpop_key.sign(Typ.DPOP_PROOF, claims, kid=None, jwk=self.dpop_key.bare_jwk)


def _successful(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    retry_after = response.headers.get("retry-after", "")
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    if response.status_code >= 500 or response.status_code in (408, 429):
        raise GatewayUnavailable(f"status {response.status_code}", seconds)
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        raise GatewayUnavailable(f"status {response.status_code} without a problem document", seconds) from None
    if problem.check == IN_PROGRESS:
        raise GatewayUnavailable("the same request is still being worked on", seconds)
    raise GatewayRefused(problem)


def _read(response: httpx.Response, model: type[Answer]) -> Answer:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise GatewayUnavailable(f"the answer is no {model.__name__}") from error
