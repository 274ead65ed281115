"""One signed POST to a partner's registered endpoint, and what its answer means for the delivery.

Addresses come from operators, never from a message; they are held to ``check_endpoint_url`` again before each send, and
a redirect is never followed, so a partner cannot point the gateway at anything else.
"""

import math
import ssl
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, Self

from adapters.deadlines import DeadlinesOf
from adapters.http_client import ExchangeFailed, HttpRequest
from adapters.http_connection import JudgeHead, Reply
from adapters.http_wire import Origin, Sent, Wires, write
from adapters.places import Places
from gateway.delivery.errors import DeliveryRefused, NotDelivered
from gateway.delivery.ports import AttemptOutcome
from gateway.errors import Owner
from gateway.partners.directory import DirectorySnapshot
from gateway.partners.errors import PartnerTermsRejected
from gateway.partners.model import Endpoint
from gateway.partners.terms import check_endpoint_url

SEND_TIMEOUT: Final = timedelta(seconds=10)
ASK_TIMEOUT: Final = timedelta(seconds=5)
CONNECT_TIMEOUT: Final = timedelta(seconds=3)
MAX_ANSWER_BYTES: Final = 64 * 1024
CONNECTIONS_PER_HOST: Final = 32
UNREGISTERED_RETRY_S: Final = 30
"""Seconds to wait where nothing can be sent until an operator has registered something."""
_REFUSALS: Final = frozenset({410, 422})
"""The receiver will not take this event, ever. Any other refusal (401, 403, 404, 413 …) a person can mend there."""
_RELAYED: Final = frozenset({502, 504})
"""Something before the receiver had no answer from it (RFC 9110 §15.6.3, §15.6.5): it may hold the event."""


@dataclass(frozen=True)
class Answer:
    """A 2xx answer; its body is at most ``MAX_ANSWER_BYTES``."""

    status: int
    body: bytes


class Outgoing:
    """The one client of this process that events and notices go out by: lean, over connections that are kept.

    It follows no redirect, keeps no cookies, reads no proxy settings from the environment, and asks for answers that
    are not compressed. It believes whom the system believes.
    """

    def __init__(self, timeout: timedelta = SEND_TIMEOUT) -> None:
        """``timeout`` is how long a receiver may take, with everything."""
        self.timeout_s = timeout.total_seconds()
        self._wires = Wires(CONNECT_TIMEOUT.total_seconds(), CONNECTIONS_PER_HOST, _as_the_system)
        self._within = DeadlinesOf()
        self._places: defaultdict[Origin, Places] = defaultdict(lambda: Places(CONNECTIONS_PER_HOST))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection."""
        self._wires.close()

    async def exchange(self, request: HttpRequest, timeout_s: float, judge: JudgeHead, sent: Sent) -> Reply:
        """Status, header and body of the answer, once ``judge`` let its head pass.

        Raises ``ExchangeFailed``, what ``judge`` raised among them, and ``TimeoutError``.
        """
        written = write(request)
        with self._within[timeout_s].one():
            places = self._places[written.origin]
            if not places.taken():
                await places.wait()
            try:
                return await self._wires.exchange(written, request.max_bytes, judge, sent)
            finally:
                places.give()


def _as_the_system() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _NoSuccess(ExchangeFailed):
    """A head that is no 2xx answer; its body is not read."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__("http.status")
        self.status, self.headers = status, headers


def _require_success(status: int, headers: Mapping[str, str]) -> None:
    if not 200 <= status < 300:
        raise _NoSuccess(status, headers)


class Poster:
    """Sends to partners' endpoints of one channel. ``insecure_hosts`` are those that plain http may go to."""

    def __init__(self, outgoing: Outgoing, channel: str, insecure_hosts: frozenset[str]) -> None:
        self._outgoing = outgoing
        self._channel = channel
        self._insecure_hosts = insecure_hosts

    def endpoint_of(self, snapshot: DirectorySnapshot, partner: str) -> Endpoint:
        """Where to send; raises ``NotDelivered`` while an operator has registered nothing that will do."""
        endpoint = snapshot.endpoint(partner, self._channel)
        if endpoint is None:
            raise self.unavailable(
                partner, "endpoint_missing", "请登记并启用接收地址", Owner.GATEWAY, UNREGISTERED_RETRY_S
            )
        self._check_address(partner, endpoint.url)
        return endpoint

    def _check_address(self, partner: str, url: str) -> None:
        try:
            _require_fit(url, self._insecure_hosts)
        except PartnerTermsRejected as error:
            raise self.unavailable(
                partner, "endpoint_unfit", error.remedy, Owner.GATEWAY, UNREGISTERED_RETRY_S
            ) from None

    async def post(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str], at: datetime) -> Answer:
        """The partner's 2xx answer.

        Raises ``DeliveryRefused`` for 410 and 422. Everything else that is no answer raises ``NotDelivered``, which
        says whether anything was sent: another status, a redirect, an answer too long, a connection refused or cut, the
        client's time-out passed.
        """
        partner, sent = endpoint.partner_code, Sent()
        request = HttpRequest("POST", endpoint.url, headers, body, max_bytes=MAX_ANSWER_BYTES)
        try:
            patience = self._outgoing.timeout_s
            status, _, answered = await self._outgoing.exchange(request, patience, _require_success, sent)
        except TimeoutError:
            raise self._no_answer(partner, "timeout", sent) from None
        except _NoSuccess as told:
            raise self._judged(partner, told, at) from None
        except ExchangeFailed as failed:
            if failed.check == "http.oversize":
                raise self._too_long(partner) from None
            raise self._no_answer(partner, "no_answer." + failed.check.removeprefix("http."), sent) from None
        return Answer(status, answered)

    async def ask(self, partner: str, url: str, headers: Mapping[str, str], at: datetime) -> Answer | None:
        """The partner's 2xx answer to a GET of ``url``; None for 404. Raises ``NotDelivered``."""
        self._check_address(partner, url)
        patience = min(ASK_TIMEOUT.total_seconds(), self._outgoing.timeout_s)
        request = HttpRequest("GET", url, headers, max_bytes=MAX_ANSWER_BYTES)
        try:
            status, _, answered = await self._outgoing.exchange(request, patience, _require_success, Sent())
        except TimeoutError:
            raise self._not_asked(partner, "timeout") from None
        except _NoSuccess as told:
            if told.status == 404:
                return None
            remedy = "接收方的送达状态查询未应答，请检查其服务"
            raise self.unavailable(partner, f"status_asked.{told.status}", remedy) from None
        except ExchangeFailed as failed:
            if failed.check == "http.oversize":
                raise self._too_long(partner) from None
            raise self._not_asked(partner, failed.check.removeprefix("http.")) from None
        return Answer(status, answered)

    def unavailable(
        self,
        partner: str,
        what: str,
        remedy: str,
        owner: Owner = Owner.CALLER,
        retry_after: int | None = None,
        outcome: AttemptOutcome | None = None,
    ) -> NotDelivered:
        """See ``not_delivered``."""
        return not_delivered(self._channel, partner, what, remedy, owner, retry_after, outcome)

    def _no_answer(self, partner: str, what: str, sent: Sent) -> NotDelivered:
        outcome = AttemptOutcome.UNKNOWN if sent.begun else AttemptOutcome.NOT_SENT
        remedy = "接收方未在时限内应答，请检查其服务" if what == "timeout" else "请检查接收方服务与网络"
        return self.unavailable(partner, what, remedy, outcome=outcome)

    def _not_asked(self, partner: str, what: str) -> NotDelivered:
        return self.unavailable(partner, f"status_asked.{what}", "请检查接收方的送达状态查询服务与网络")

    def _too_long(self, partner: str) -> NotDelivered:
        return self.unavailable(partner, "answer_too_long", "接收方的应答过长，请按接口文档应答")

    def _judged(self, partner: str, told: _NoSuccess, at: datetime) -> NotDelivered | DeliveryRefused:
        status = told.status
        if status in _REFUSALS:
            return DeliveryRefused(
                check=f"{self._channel}.status_{status}",
                owner=Owner.CALLER,
                remedy="接收方拒绝接收此事件；请与其核对后由运营方重放",
                partner=partner,
                status=status,
            )
        retry_after = parse_retry_after(told.headers.get("retry-after"), at)
        what, remedy = f"status_{status}", "接收方暂未接收，请检查其服务与配置"
        if 300 <= status < 400:
            what, remedy = "redirected", "接收地址不得跳转，请登记最终地址"
        outcome = AttemptOutcome.UNKNOWN if status in _RELAYED else AttemptOutcome.DECLINED
        return self.unavailable(partner, what, remedy, retry_after=retry_after, outcome=outcome)


@lru_cache(1024)
def _require_fit(url: str, insecure_hosts: frozenset[str]) -> None:
    """``check_endpoint_url``; what was found fit is found so again, a refusal is judged anew."""
    check_endpoint_url(url, insecure_hosts=insecure_hosts)


def parse_retry_after(value: str | None, at: datetime) -> int | None:
    """Seconds from the aware instant ``at``, from ``Retry-After`` as seconds or as a date (RFC 9110 §10.2.3).

    None where it is absent, repeated, or neither.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    if text.count(",") > 1:  # lines of one name are joined: that is one date too many
        return None
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0, math.ceil((until - at).total_seconds()))


def not_delivered(
    channel: str,
    partner: str,
    what: str,
    remedy: str,
    owner: Owner = Owner.CALLER,
    retry_after: int | None = None,
    outcome: AttemptOutcome | None = None,
) -> NotDelivered:
    """A send that came to nothing and may be tried again.

    ``outcome`` left out: the gateway's own turn means that nothing was sent, anybody else's that it was answered.
    """
    own = AttemptOutcome.NOT_SENT if owner is Owner.GATEWAY else AttemptOutcome.DECLINED
    return NotDelivered(
        check=f"{channel}.{what}",
        owner=owner,
        remedy=remedy,
        partner=partner,
        retry_after=retry_after,
        outcome=outcome or own,
    )
