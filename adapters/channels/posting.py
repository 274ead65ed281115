"""One signed POST to a partner's registered endpoint, and what its answer means for the delivery.

Addresses come from operators, never from a message; they are held to ``check_endpoint_url`` again before each send, and
a redirect is never followed, so a partner cannot point the gateway at anything else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

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


def open_session(timeout: timedelta = SEND_TIMEOUT) -> aiohttp.ClientSession:
    """The one client of this process; made inside the running loop, closed by its owner.

    It keeps no cookies, reads no proxy settings from the environment, and asks for answers that are not compressed.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout.total_seconds(), sock_connect=CONNECT_TIMEOUT.total_seconds()),
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_PER_HOST),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": "bandian-gateway", "Accept-Encoding": "identity"},
    )


class _WatchedBody(aiohttp.BytesPayload):
    """A body that tells whether its first byte was handed to the connection: before that nothing can take effect."""

    begun = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.begun = True
        await super().write(writer)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self.begun = True
        await super().write_with_length(writer, content_length)


class Poster:
    """Sends to partners' endpoints of one channel. ``insecure_hosts`` are those that plain http may go to."""

    def __init__(self, session: aiohttp.ClientSession, channel: str, insecure_hosts: frozenset[str]) -> None:
        self._session = session
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
        session's time-out passed.
        """
        partner, sent = endpoint.partner_code, _WatchedBody(body)
        try:
            async with self._session.post(endpoint.url, data=sent, headers=headers, allow_redirects=False) as response:
                self._judge(partner, response, at)
                return Answer(response.status, await self._read(partner, response))
        except TimeoutError:
            raise self._no_answer(partner, "timeout", sent) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._no_answer(partner, f"no_answer.{type(error).__name__}", sent) from None

    async def ask(self, partner: str, url: str, headers: Mapping[str, str], at: datetime) -> Answer | None:
        """The partner's 2xx answer to a GET of ``url``; None for 404. Raises ``NotDelivered``."""
        self._check_address(partner, url)
        patience = min(ASK_TIMEOUT.total_seconds(), self._session.timeout.total or math.inf)
        timeout = aiohttp.ClientTimeout(total=patience, sock_connect=CONNECT_TIMEOUT.total_seconds())
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False, timeout=timeout) as response:
                if response.status == 404:
                    return None
                if not 200 <= response.status < 300:
                    raise self.unavailable(
                        partner, f"status_asked.{response.status}", "接收方的送达状态查询未应答，请检查其服务"
                    )
                return Answer(response.status, await self._read(partner, response))
        except (aiohttp.ClientError, OSError) as error:
            raise self.unavailable(
                partner, f"status_asked.{type(error).__name__}", "请检查接收方的送达状态查询服务与网络"
            ) from None

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

    def _no_answer(self, partner: str, what: str, sent: _WatchedBody) -> NotDelivered:
        outcome = AttemptOutcome.UNKNOWN if sent.begun else AttemptOutcome.NOT_SENT
        remedy = "接收方未在时限内应答，请检查其服务" if what == "timeout" else "请检查接收方服务与网络"
        return self.unavailable(partner, what, remedy, outcome=outcome)

    def _judge(self, partner: str, response: aiohttp.ClientResponse, at: datetime) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        if status in _REFUSALS:
            raise DeliveryRefused(
                check=f"{self._channel}.status_{status}",
                owner=Owner.CALLER,
                remedy="接收方拒绝接收此事件；请与其核对后由运营方重放",
                partner=partner,
                status=status,
            )
        retry_after = parse_retry_after(response.headers.getall("Retry-After", []), at)
        what, remedy = f"status_{status}", "接收方暂未接收，请检查其服务与配置"
        if 300 <= status < 400:
            what, remedy = "redirected", "接收地址不得跳转，请登记最终地址"
        outcome = AttemptOutcome.UNKNOWN if status in _RELAYED else AttemptOutcome.DECLINED
        raise self.unavailable(partner, what, remedy, retry_after=retry_after, outcome=outcome)

    async def _read(self, partner: str, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        while chunk := await response.content.read(MAX_ANSWER_BYTES + 1 - len(body)):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise self.unavailable(partner, "answer_too_long", "接收方的应答过长，请按接口文档应答")
        return body


@lru_cache(1024)
def _require_fit(url: str, insecure_hosts: frozenset[str]) -> None:
    """``check_endpoint_url``; what was found fit is found so again, a refusal is judged anew."""
    check_endpoint_url(url, insecure_hosts=insecure_hosts)


def parse_retry_after(lines: list[str], at: datetime) -> int | None:
    """Seconds from the aware instant ``at``, from ``Retry-After`` as seconds or as a date (RFC 9110 §10.2.3).

    None where it is absent, repeated, or neither.
    """
    if len(lines) != 1:
        return None
    text = lines[0].strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
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
