"""The provincial platform as a source of e-certificates: the share interface in the shape of GB/T 36906.

The platform's own words about a certificate (``state``, 照面 metadata, what its change feed says of it) are not used:
only identifiers and times of changes are, and the sealed envelope, which the gateway verifies itself.
"""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import orjson
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
KNOWN_LISTS, KNOWN_FILES, KNOWN_FOR = 1024, 512, timedelta(minutes=5)
"""Answers that are known again when the very same bytes come, and for how long."""
MAX_KNOWN_FILE = 16 * 1024
"""Bytes of an envelope that is remembered; those of documents are as large as they like."""
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
        self._addresses = {operation: f"{self._base}/share/{operation}" for operation in Operation}
        self._lists: BriefMemory[bytes, tuple[str, ...]] = BriefMemory(KNOWN_LISTS, KNOWN_FOR)
        self._files: BriefMemory[bytes, _File] = BriefMemory(KNOWN_FILES, KNOWN_FOR)
        """What an answer holds, identifiers or a file, is a function of its bytes; found by their digest."""

    @property
    def code(self) -> str:
        """Its partner code."""
        return self._code

    async def find(self, query: SourceQuery, at: datetime) -> Sequence[FetchedEnvelope]:
        """As `ECertificateSource.find`: one query, then each certificate's file, a few at a time."""
        words = _words(self._system, query.purpose, query.type_code, query.holder_type_code)
        asked = b'{"holderCode":%b,%b' % (orjson.dumps(query.holder_code), words.of_holder)
        reply = await self._send(Operation.QUERY_CERT_INFO_BY_HOLDER_CODE, asked, at)
        try:
            identifiers = self._identifiers_in(reply, at)
        except _NotFound:
            return ()
        except _NotProvided:
            raise self._unavailable("source.not_provided") from None
        files = await self._download_all(identifiers, words, at)
        given = [(item, file) for item, file in zip(identifiers, files, strict=True) if file is not None]
        return tuple([FetchedEnvelope(file.envelope, self._code, at, item, file.digest) for item, file in given])

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

    async def _download_all(self, identifiers: Sequence[str], words: "_Words", at: datetime) -> list["_File | None"]:
        if len(identifiers) == 1:  # as nearly always: no task of its own for it
            return [await self._download(identifiers[0], words, at)]
        gate = asyncio.Semaphore(_DOWNLOADS_AT_ONCE)

        async def in_turn(identifier: str) -> _File | None:
            async with gate:
                return await self._download(identifier, words, at)

        return list(await asyncio.gather(*map(in_turn, identifiers)))

    async def _download(self, identifier: str, words: "_Words", at: datetime) -> "_File | None":
        """The envelope, or None when the certificate has gone since. Links serve where files are not given."""
        asked = b'{"certIdentifier":%b,%b' % (orjson.dumps(identifier), words.of_file)
        reply = await self._send(Operation.DOWNLOAD_FILE, asked, at)
        try:
            return self._file_in(reply, at)
        except _NotFound:
            return None
        except _NotProvided:
            envelope = await self._by_link(DownloadRequest(cert_identifier=identifier, use_cause=words.cause), at)
            return None if envelope is None else _File.of(envelope)

    def _file_in(self, reply: HttpReply, at: datetime) -> "_File":
        """As ``_identifiers_in``: an answer that was read before is not read again."""
        digest = sha256(reply.body).digest()
        known = self._files.get(digest, at)
        if known is not None and _is_answer(reply):
            return known
        file = _File.of(self._unpack(self._read(reply, DownloadedFile).file_data))
        if len(file.envelope) <= MAX_KNOWN_FILE:
            self._files.put(digest, file, at)
        return file

    def sweep_memory(self, at: datetime) -> None:
        """As `ECertificateSource.sweep_memory`."""
        self._lists.sweep(at)
        self._files.sweep(at)

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
        return self._read(await self._send(operation, _written(data), at), answer)

    def _send(self, operation: Operation, data: bytes, at: datetime) -> Awaitable[HttpReply]:
        body = b'{"head":%b,"data":%b}' % (self._head(at), data)  # as ``ShareRequest`` is written
        request = HttpRequest("POST", self._addresses[operation], _HEADERS, body, True, 2 * MAX_ENVELOPE_BYTES)
        return self._http.send(request, partner=self._code)

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


class _File(NamedTuple):
    """An envelope, and its SHA-256 in hex."""

    envelope: bytes
    digest: str

    @classmethod
    def of(cls, envelope: bytes) -> "_File":
        return cls(envelope, sha256(envelope).hexdigest())

    def __repr__(self) -> str:
        """Without what is somebody's."""
        return "_File()"


class _Words(NamedTuple):
    """How questions go on behind whom, or what, they are about: why it is asked for, which is nobody's data."""

    cause: UseCause
    of_holder: bytes
    of_file: bytes


@lru_cache(256)
def _words(system_name: str, purpose: UsePurpose, type_code: str, holder_type_code: str) -> _Words:
    """What is the same in all questions of a stage about a kind."""
    cause = UseCause(
        system_name=system_name,
        copy_cause=purpose.cause,
        matter_name=purpose.matter_name,
        event_code=purpose.event_code,
    )
    of_holder = HolderCodeQuery(holder_type_code=holder_type_code, cert_type_code=type_code, use_cause=cause)
    return _Words(cause, _written(of_holder)[1:], b'"useCause":%b}' % _written(cause))


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
