"""The share interface's operations: bytes in, bytes out; the outcome is ``head.status``."""

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mock_services.admin import FaultKind, Faults
from mock_services.provincial_platform.certificates import Record
from mock_services.provincial_platform.changes import ChangeFeed, CursorTooOld
from mock_services.provincial_platform.registry import Registry, break_signature
from schemas.ecertificates import ECERTIFICATE_MEDIA_TYPE, OFD_MEDIA_TYPE
from schemas.share_interface import (
    DOWNLOAD_LINK_LIFETIME_SECONDS,
    CertChangesQuery,
    CertInfo,
    CertInfoList,
    CertInfoQuery,
    DownloadedFile,
    DownloadLink,
    DownloadRequest,
    HolderCodeQuery,
    Operation,
    QRCodeQuery,
    Remark,
    RemarkList,
    RemarkRequest,
    ResponseHead,
    ShareRequest,
    ShareResponse,
    ShareStatus,
    VerifyAnswer,
    VerifyCertInfoRequest,
    VerifyFileRequest,
    VerifyResult,
    access_token_is_good,
)

MESSAGES = {
    ShareStatus.OK: "成功",
    ShareStatus.NOT_PROVIDED: "未提供该接口",
    ShareStatus.NOT_FOUND: "未查询到证照",
    ShareStatus.AUTHENTICATION_FAILED: "身份认证失败",
    ShareStatus.MISSING_PARAMETER: "缺少参数",
    ShareStatus.OTHER: "其他错误",
    ShareStatus.NO_PERMISSION: "无权限",
    ShareStatus.BAD_CONTENT_TYPE: "Content-Type 不正确",
    ShareStatus.MISSING_CERT_NO: "缺少证照编号",
    ShareStatus.MISSING_HOLDER_CODE: "缺少持证主体代码",
    ShareStatus.MISSING_HOLDER: "缺少持证主体",
    ShareStatus.CURSOR_TOO_OLD: "游标已失效",
}

RequestT = TypeVar("RequestT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Access:
    """The one system that may ask, and its secret."""

    access_id: str
    secret: str


class _Answered(Exception):
    """Ends an operation with a status other than 0."""

    def __init__(self, status: ShareStatus) -> None:
        self.status = status


class _Head(BaseModel):
    head: dict[str, Any]


def answer(status: ShareStatus, data: BaseModel | None = None) -> bytes:
    """A response body."""
    head = ResponseHead(status=status, message=MESSAGES[status])
    return (
        ShareResponse[Any](head=head, data=data)
        .model_dump_json(by_alias=True, exclude_none=True, ensure_ascii=False)
        .encode()
    )


class Platform:
    """Answers the operations over a registry. Tickets of ``downloadUrl`` live here: single use, ten minutes."""

    def __init__(self, registry: Registry, access: Access, base_url: str, faults: Faults, changes: ChangeFeed) -> None:
        self._changes = changes
        self.denied_types: set[str] = set()
        self._registry = registry
        self._access = access
        self._base_url = base_url
        self._faults = faults
        self._tickets: dict[str, tuple[Record, datetime]] = {}
        self._operations: dict[Operation, Callable[[bytes, str, datetime], BaseModel]] = {
            Operation.QUERY_CERT_INFO: self._query,
            Operation.QUERY_CERT_INFO_BY_HOLDER_CODE: self._query_by_holder,
            Operation.QUERY_CERT_INFO_BY_QR_CODE: self._query_by_qr_code,
            Operation.DOWNLOAD_FILE: self._download_file,
            Operation.DOWNLOAD_URL: self._download_url,
            Operation.VERIFY_CERT_INFO: self._verify_info,
            Operation.VERIFY_FILE: self._verify_file,
            Operation.GET_CERT_REMARK_INFO: self._remarks,
            Operation.QUERY_CERT_CHANGES: self._cert_changes,
        }

    def handle(self, operation: str, media_type: str, body: bytes, path: str, at: datetime) -> bytes:
        """The response body to one request."""
        try:
            asked = _operation(operation)
            if media_type != "application/json":
                raise _Answered(ShareStatus.BAD_CONTENT_TYPE)
            self._authenticate(body, at)
            return answer(ShareStatus.OK, self._operations[asked](body, path, at))
        except _Answered as ended:
            return answer(ended.status)

    def redeem(self, ticket: str, path: str, at: datetime) -> bytes | None:
        """The envelope behind a ticket, once; None when there is no such ticket any more."""
        found = self._tickets.pop(ticket, None)
        return self._delivered(found[0], path) if found and at < found[1] else None

    def _authenticate(self, body: bytes, at: datetime) -> None:
        try:
            head = _Head.model_validate_json(body).head
        except ValidationError as error:
            malformed = error.errors(include_input=False)[0]["type"] == "json_invalid"
            raise _Answered(ShareStatus.OTHER if malformed else ShareStatus.AUTHENTICATION_FAILED) from None
        known = head.get("accessId") == self._access.access_id
        token = str(head.get("accessToken", ""))
        if not (known and access_token_is_good(token, self._access.access_id, self._access.secret, at)):
            raise _Answered(ShareStatus.AUTHENTICATION_FAILED)

    def _read(self, model: type[RequestT], body: bytes) -> RequestT:
        try:
            return ShareRequest[model].model_validate_json(body).data  # type: ignore[valid-type]  # chosen at run time
        except ValidationError:
            raise _Answered(ShareStatus.MISSING_PARAMETER) from None

    def _permit(self, type_code: str) -> None:
        if type_code in self.denied_types:
            raise _Answered(ShareStatus.NO_PERMISSION)

    def _permitted(self, identifier: str) -> Record:
        record = self._registry.get(identifier)
        if record is None:
            raise _Answered(ShareStatus.NOT_FOUND)
        self._permit(record.metadata.type_code)
        return record

    def _delivered(self, record: Record, path: str) -> bytes:
        envelope = self._registry.envelope(record)
        return break_signature(envelope) if self._faults.take(FaultKind.WRONG_SIGNATURE, path) else envelope

    # operations ---------------------------------------------------------------------------------------------------

    def _query(self, body: bytes, path: str, at: datetime) -> BaseModel:
        asked = self._read(CertInfoQuery, body)
        if not asked.cert_no:
            raise _Answered(ShareStatus.MISSING_CERT_NO)
        if not asked.holder:
            raise _Answered(ShareStatus.MISSING_HOLDER)
        self._permit(asked.cert_type_code)
        return _found(self._registry.numbered(asked.cert_no, asked.cert_type_code, asked.holder))

    def _query_by_holder(self, body: bytes, path: str, at: datetime) -> BaseModel:
        asked = self._read(HolderCodeQuery, body)
        if not asked.holder_code:
            raise _Answered(ShareStatus.MISSING_HOLDER_CODE)
        self._permit(asked.cert_type_code)
        records = self._registry.of_holder(asked.holder_code, asked.cert_type_code, asked.cert_no)
        return _found([record for record in records if record.metadata.holder_code_type_code == asked.holder_type_code])

    def _query_by_qr_code(self, body: bytes, path: str, at: datetime) -> BaseModel:
        return _found([self._permitted(self._read(QRCodeQuery, body).qrcode)])

    def _download_file(self, body: bytes, path: str, at: datetime) -> BaseModel:
        record = self._permitted(self._read(DownloadRequest, body).cert_identifier)
        form = "ofd" if record.as_ofd else "jws"
        return DownloadedFile(
            file_name=f"{record.identifier}.{form}",
            file_type=form,
            media_type=OFD_MEDIA_TYPE if record.as_ofd else ECERTIFICATE_MEDIA_TYPE,
            file_data=base64.b64encode(self._delivered(record, path)).decode(),
        )

    def _download_url(self, body: bytes, path: str, at: datetime) -> BaseModel:
        record = self._permitted(self._read(DownloadRequest, body).cert_identifier)
        self._tickets = {ticket: kept for ticket, kept in self._tickets.items() if at < kept[1]}
        ticket = secrets.token_urlsafe(24)
        expires_at = at + timedelta(seconds=DOWNLOAD_LINK_LIFETIME_SECONDS)
        self._tickets[ticket] = (record, expires_at)
        return DownloadLink(url=f"{self._base_url}/download/{ticket}", expires_at=expires_at)

    def _verify_info(self, body: bytes, path: str, at: datetime) -> BaseModel:
        asked = self._read(VerifyCertInfoRequest, body)
        record = self._registry.get(asked.cert_identifier)
        if record is None:
            return VerifyAnswer(result=VerifyResult.NOT_FOUND)
        self._permit(record.metadata.type_code)
        if not asked.cert_info:
            return VerifyAnswer(result=VerifyResult.NOT_FILLED)
        held = record.metadata.model_dump(mode="json", by_alias=True)
        differing = sorted(name for name, value in asked.cert_info.items() if held.get(name) != value)
        if differing:
            return VerifyAnswer(result=VerifyResult.PARTLY_WRONG, mismatched=differing)
        return VerifyAnswer(result=record.state)

    def _verify_file(self, body: bytes, path: str, at: datetime) -> BaseModel:
        asked = self._read(VerifyFileRequest, body)
        try:
            data = base64.b64decode(asked.file_data, validate=True)
        except binascii.Error:
            raise _Answered(ShareStatus.OTHER) from None
        record = self._registry.issued_as(data)
        return VerifyAnswer(result=record.state if record else VerifyResult.NOT_FOUND)

    def _remarks(self, body: bytes, path: str, at: datetime) -> BaseModel:
        record = self._permitted(self._read(RemarkRequest, body).cert_identifier)
        return RemarkList(
            remarks=[Remark(at=found.at, state=found.state, reason=found.reason) for found in record.remarks]
        )

    def _cert_changes(self, body: bytes, path: str, at: datetime) -> BaseModel:
        asked = self._read(CertChangesQuery, body)
        try:
            return self._changes.page(asked.cursor, asked.limit, asked.cert_type_codes)
        except CursorTooOld:
            raise _Answered(ShareStatus.CURSOR_TOO_OLD) from None


def _operation(name: str) -> Operation:
    try:
        return Operation(name)
    except ValueError:
        raise _Answered(ShareStatus.NOT_PROVIDED) from None


def _found(records: Sequence[Record]) -> CertInfoList:
    if not records:
        raise _Answered(ShareStatus.NOT_FOUND)
    return CertInfoList(
        certs=[
            CertInfo(cert_identifier=record.identifier, state=record.state, metadata=record.metadata)
            for record in records
        ]
    )
