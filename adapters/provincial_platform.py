"""The provincial platform as a source of e-certificates: the share interface in the shape of GB/T 36906.

The platform's own words about a certificate (``state``, 照面 metadata, what its change feed says of it) are not used:
only identifiers and times of changes are, and the sealed envelope, which the gateway verifies itself.
"""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from adapters.http_client import FixedHeaders, HttpClient, HttpReply, HttpRequest
from gateway.certificates.bounded import BriefMemory
from gateway.certificates.errors import SourceDenied
from gateway.certificates.ports import FetchedEnvelope, SourceQuery, UsePurpose
from gateway.errors import Owner, PartnerUnavailable
from gateway.rechecks.errors import FeedPositionLost
from gateway.rechecks.ports import FeedChange, FeedPage
from schemas.share_interface import (
    CertChangeList,
    CertChangesQuery,
    CertInfoList,
    DownloadedFile,
    DownloadLink,
    DownloadRequest,
    HolderCodeQuery,
    Operation,
    RequestHead,
    ShareResponse,
    ShareStatus,
    UseCause,
    make_access_token,
)

MAX_CERTIFICATES = 50
MAX_ENVELOPE_BYTES = 4 * 1024 * 1024
_DOWNLOADS_AT_ONCE = 4
KNOWN_LISTS, KNOWN_FOR = 1024, timedelta(minutes=5)
"""Answers to who has what that are known again when the very same bytes come, and for how long."""
_OUR_MISTAKES = frozenset(
    {
        ShareStatus.MISSING_PARAMETER,
        ShareStatus.BAD_CONTENT_TYPE,
        ShareStatus.MISSING_CERT_NO,
        ShareStatus.MISSING_HOLDER_CODE,
        ShareStatus.MISSING_HOLDER,
    }
)
_HEADERS = FixedHeaders({"content-type": "application/json", "accept": "application/json"})
AnswerT = TypeVar("AnswerT", bound=BaseModel)


@cache
def _response(answer: type[AnswerT]) -> type[ShareResponse[AnswerT]]:
    """What an ``answer`` comes in. Kept, since naming a generic model costs as much as reading one."""
    return ShareResponse[answer]  # type: ignore[valid-type]  # chosen at run time


class ProvincialPlatform:
    """An `ECertificateSource` and a `ChangeFeed` that speaks the share interface at ``base_url``."""

    def __init__(
        self,
        *,
        code: str,
        base_url: str,
        access_id: str,
        access_secret: str,
        system_name: str,
        http: HttpClient,
        type_codes: Sequence[str] | None = None,
    ) -> None:
        """``type_codes`` narrow its change feed to the 证照类型代码 that are of use here."""
        self._type_codes = None if type_codes is None else sorted(type_codes)
        self._code = code
        self._base = base_url.rstrip("/")
        self._access_id, self._secret, self._system = access_id, access_secret, system_name
        self._http = http
        self._head_of: tuple[int, bytes] | None = None
        self._lists: BriefMemory[bytes, tuple[str, ...]] = BriefMemory(KNOWN_LISTS, KNOWN_FOR)
        """The identifiers that an answer holds are a function of its bytes; found by their digest."""

    @property
    def code(self) -> str:
        """Its partner code."""
        return self._code

    async def find(self, query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        """As `ECertificateSource.find`: one query, then each certificate's file, a few at a time."""
        cause = _use_cause(self._system, query.purpose)
        asked = HolderCodeQuery(
            holder_code=query.holder_code,
            holder_type_code=query.holder_type_code,
            cert_type_code=query.type_code,
            use_cause=cause,
        )
        reply = await self._send(Operation.QUERY_CERT_INFO_BY_HOLDER_CODE, asked, at)
        try:
            identifiers = self._identifiers_in(reply, at)
        except _NotFound:
            return ()
        except _NotProvided:
            raise self._unavailable("source.not_provided") from None
        envelopes = await self._download_all(identifiers, cause, at)
        pairs = zip(identifiers, envelopes, strict=True)
        return tuple(FetchedEnvelope(data, self._code, at, item) for item, data in pairs if data is not None)

    def _identifiers_in(self, reply: HttpReply, at: datetime) -> tuple[str, ...]:
        """Each once, in order. An answer that was read before is not read again: its bytes are the very same."""
        digest = sha256(reply.body).digest()
        known = self._lists.get(digest, at)
        if known is not None and _is_answer(reply):
            return known
        found = self._read(reply, CertInfoList)
        if len(found.certs) > MAX_CERTIFICATES:
            raise self._unavailable("source.too_many")
        identifiers = tuple(dict.fromkeys(item.cert_identifier for item in found.certs))
        self._lists.put(digest, identifiers, at)
        return identifiers

    async def pull(self, position: str | None, limit: int, at: datetime) -> FeedPage:
        """As `ChangeFeed.pull`: the platform's ``queryCertChanges``, of the types that are asked for here."""
        asked = CertChangesQuery(cursor=position, limit=limit, cert_type_codes=self._type_codes)
        try:
            found = await self._ask(Operation.QUERY_CERT_CHANGES, asked, CertChangeList, at)
        except (_NotFound, _NotProvided):
            raise self._unavailable("source.not_provided") from None
        stuck = found.more and found.next_cursor == position
        if stuck or len(found.changes) > limit:
            raise self._unavailable("source.malformed")
        changes = tuple(FeedChange(each.cert_identifier, each.at) for each in found.changes)
        return FeedPage(changes, found.next_cursor, found.more)

    async def _download_all(self, identifiers: Sequence[str], cause: UseCause, at: datetime) -> list[bytes | None]:
        if len(identifiers) == 1:  # as nearly always: no task of its own for it
            return [await self._download(identifiers[0], cause, at)]
        gate = asyncio.Semaphore(_DOWNLOADS_AT_ONCE)

        async def in_turn(identifier: str) -> bytes | None:
            async with gate:
                return await self._download(identifier, cause, at)

        return list(await asyncio.gather(*map(in_turn, identifiers)))

    async def _download(self, identifier: str, cause: UseCause, at: datetime) -> bytes | None:
        """The envelope, or None when the certificate has gone since. Links serve where files are not given."""
        wanted = DownloadRequest(cert_identifier=identifier, use_cause=cause)
        try:
            file = await self._ask(Operation.DOWNLOAD_FILE, wanted, DownloadedFile, at)
        except _NotFound:
            return None
        except _NotProvided:
            return await self._by_link(wanted, at)
        return self._unpack(file.file_data)

    async def _by_link(self, wanted: DownloadRequest, at: datetime) -> bytes | None:
        """Through a link that works once: a spent or expired one is replaced once, never fetched again."""
        for _ in range(2):
            try:
                link = await self._ask(Operation.DOWNLOAD_URL, wanted, DownloadLink, at)
            except _NotFound:
                return None
            except _NotProvided:
                raise self._unavailable("source.not_provided") from None
            if _origin(link.url) != _origin(self._base):
                raise self._unavailable("source.foreign_link")
            if link.expires_at <= at:
                continue
            reply = await self._http.send(
                HttpRequest("GET", link.url, max_bytes=MAX_ENVELOPE_BYTES), partner=self._code
            )
            if reply.status == 200 and reply.body:
                return reply.body
            if reply.status not in (403, 404, 410):
                raise self._unavailable("source.malformed")
        raise self._unavailable("source.link_expired")

    async def _ask(self, operation: Operation, data: BaseModel, answer: type[AnswerT], at: datetime) -> AnswerT:
        return self._read(await self._send(operation, data, at), answer)

    async def _send(self, operation: Operation, data: BaseModel, at: datetime) -> HttpReply:
        body = b'{"head":%b,"data":%b}' % (self._head(at), _written(data))  # as ``ShareRequest`` is written
        return await self._http.send(
            HttpRequest(
                "POST",
                f"{self._base}/share/{operation}",
                _HEADERS,
                body,
                idempotent=True,
                max_bytes=2 * MAX_ENVELOPE_BYTES,
            ),
            partner=self._code,
        )

    def _head(self, at: datetime) -> bytes:
        """Who asks; the token is one of the second, so that what is asked within it shares it."""
        second = int(at.timestamp())
        if self._head_of is None or self._head_of[0] != second:
            token = make_access_token(self._access_id, self._secret, at)
            self._head_of = second, _written(RequestHead(access_id=self._access_id, access_token=token))
        return self._head_of[1]

    def _read(self, reply: HttpReply, answer: type[AnswerT]) -> AnswerT:
        if not _is_answer(reply):
            raise self._unavailable("source.malformed")
        try:
            parsed: ShareResponse[AnswerT] = _response(answer).model_validate_json(reply.body)
        except ValidationError:
            raise self._unavailable("source.malformed") from None
        status = parsed.head.status
        if status == ShareStatus.OK:
            if parsed.data is None:
                raise self._unavailable("source.malformed")
            return parsed.data
        if status == ShareStatus.CURSOR_TOO_OLD and answer is CertChangeList:
            raise FeedPositionLost(partner=self._code)
        raise self._refusal(status)

    def _refusal(self, status: int) -> Exception:
        if status == ShareStatus.NOT_FOUND:
            return _NotFound()
        if status == ShareStatus.NOT_PROVIDED:
            return _NotProvided()
        if status == ShareStatus.NO_PERMISSION:
            return SourceDenied(partner=self._code)
        if status == ShareStatus.AUTHENTICATION_FAILED:
            return self._unavailable("source.authentication", Owner.GATEWAY)
        if status in _OUR_MISTAKES:
            return self._unavailable("source.bad_request", Owner.GATEWAY)
        return self._unavailable("source.other")

    def _unpack(self, text: str) -> bytes:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self._unavailable("source.malformed") from None
        if not 0 < len(data) <= MAX_ENVELOPE_BYTES:
            raise self._unavailable("source.malformed")
        return data

    def _unavailable(self, check: str, owner: Owner = Owner.GOVERNMENT) -> PartnerUnavailable:
        return PartnerUnavailable(check=check, owner=owner, remedy=_REMEDIES[check], partner=self._code)


def _written(part: BaseModel) -> bytes:
    return part.model_dump_json(by_alias=True, exclude_none=True).encode()


def _is_answer(reply: HttpReply) -> bool:
    return reply.status == 200 and reply.media_type == "application/json"


@lru_cache(256)
def _use_cause(system_name: str, purpose: UsePurpose) -> UseCause:
    """Why it is asked for: a stage's words, and nobody's data."""
    return UseCause(
        system_name=system_name,
        copy_cause=purpose.cause,
        matter_name=purpose.matter_name,
        event_code=purpose.event_code,
    )


class _NotFound(Exception):
    """``head.status`` 10."""


class _NotProvided(Exception):
    """``head.status`` 2."""


_REMEDIES = {
    "source.too_many": "证照数量超过上限，请联系来源平台",
    "source.not_provided": "来源平台未提供所需的接口，请联系来源平台",
    "source.foreign_link": "来源平台给出的下载地址不属于该平台，已拒绝访问",
    "source.link_expired": "下载链接已失效，请稍后再试",
    "source.malformed": "来源平台的应答不符合约定，请联系来源平台",
    "source.authentication": "来源平台未接受共享平台的身份，请核对接入标识与密钥",
    "source.bad_request": "来源平台认为请求不完整，请联系共享平台",
    "source.other": "来源平台报告内部错误，请稍后再试",
}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
