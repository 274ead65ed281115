"""The provincial platform's share interface (电子证照共享服务接口), in the shape of GB/T 36906 as provinces run it.

``POST {base}/share/{operation}`` with ``{"head": {accessId, accessToken}, "data": {…}}``, answered with HTTP 200 and
``{"head": {status, message}, "data": …}``: the outcome is ``head.status``, not the HTTP status.

Operation names, head, ``useCause`` and status codes are as seen in working platforms. Where those differ among
themselves (members of answers, the token scheme) the choice below is ours and listed in ``docs/divergences.md``.

**Access token.** Platforms hand each system an ``accessId`` and a secret. The token is
``{issued}.{HMAC-SHA256(secret, "{accessId}.{issued}") in hex}``, ``issued`` in seconds since 1970, good for
``ACCESS_TOKEN_LIFETIME_SECONDS`` around the platform's clock. It is computed by the caller: no token request.
"""

import hashlib
import hmac
import re
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from schemas.ecertificates import ECertificateMetadata
from schemas.identifiers import ECertificateIdentifierText
from schemas.wire import Instant

ACCESS_TOKEN_LIFETIME_SECONDS = 300
DOWNLOAD_LINK_LIFETIME_SECONDS = 600
MAX_FILE_CHARS = 5_600_000
"""base64 of 4 MiB: what an OFD document may have."""

_TOKEN = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})")


def make_access_token(access_id: str, secret: str, at: datetime) -> str:
    """The ``accessToken`` of ``access_id`` at the aware instant ``at``."""
    issued = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{access_id}.{issued}".encode(), hashlib.sha256).hexdigest()
    return f"{issued}.{digest}"


def access_token_is_good(token: str, access_id: str, secret: str, at: datetime) -> bool:
    """Whether ``token`` was made with ``secret`` and is no further than its lifetime from ``at``."""
    match = _TOKEN.fullmatch(token)
    if match is None or abs(at.timestamp() - int(match[1])) > ACCESS_TOKEN_LIFETIME_SECONDS:
        return False
    expected = hmac.new(secret.encode(), f"{access_id}.{match[1]}".encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, match[2])


class Operation(StrEnum):
    """Operations of the share interface; the value is the path segment."""

    QUERY_CERT_INFO = "queryCertInfo"
    QUERY_CERT_INFO_BY_HOLDER_CODE = "queryCertInfoByHolderCode"
    QUERY_CERT_INFO_BY_QR_CODE = "queryCertInfoByQRcode"
    DOWNLOAD_FILE = "downloadFile"
    DOWNLOAD_URL = "downloadUrl"
    VERIFY_CERT_INFO = "verifyCertInfo"
    VERIFY_FILE = "verifyFile"
    GET_CERT_REMARK_INFO = "getCertRemarkInfo"
    QUERY_CERT_CHANGES = "queryCertChanges"
    """Ours: no platform was seen to have it."""


class ShareStatus(IntEnum):
    """``head.status``."""

    OK = 0
    NOT_PROVIDED = 2
    NOT_FOUND = 10
    AUTHENTICATION_FAILED = 11
    MISSING_PARAMETER = 12
    OTHER = 99
    NO_PERMISSION = 100
    BAD_CONTENT_TYPE = 102
    MISSING_CERT_NO = 109
    MISSING_HOLDER_CODE = 110
    MISSING_HOLDER = 111
    CURSOR_TOO_OLD = 410
    """Ours, of ``queryCertChanges``."""


class VerifyResult(IntEnum):
    """``data.result`` of ``verifyCertInfo`` and ``verifyFile``."""

    VALID = 0
    NOT_ACTIVATED = 1
    SUSPENDED = 2
    INVALID = 3
    INCOMPLETE = 4
    NOT_FOUND = 5
    NOT_FILLED = 6
    PARTLY_WRONG = 7


class _Wire(BaseModel):
    """Foreign messages: members we do not know are ignored."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True
    )


class RequestHead(_Wire):
    access_id: str = Field(alias="accessId", min_length=1)
    access_token: str = Field(alias="accessToken", min_length=1)


class UseCause(_Wire):
    """用证事由: which system asks, why, for which matter. Platforms log it and some refuse requests without it.

    ``call_category`` is ``0`` for a government matter (事项) and ``1`` otherwise, as seen in callers.
    """

    system_name: str = Field(alias="certificateSystemName", min_length=1)
    copy_cause: str = Field(alias="certificateCopyCause", min_length=1)
    call_category: str = Field(default="0", alias="certificateCallCategory")
    matter_name: str = Field(alias="certificateMatterName")
    event_code: str = Field(alias="certificateEventCode")


class CertInfoQuery(_Wire):
    """``queryCertInfo``: by certificate number and holder's name; 109 and 111 when one of them is missing."""

    cert_type_code: str = Field(alias="certTypeCode")
    cert_no: str | None = Field(default=None, alias="certNo")
    holder: str | None = None
    use_cause: UseCause = Field(alias="useCause")


class HolderCodeQuery(_Wire):
    """``queryCertInfoByHolderCode``: all certificates of a kind that a holder has; 110 without a holder code."""

    holder_code: str | None = Field(default=None, alias="holderCode")
    holder_type_code: str = Field(alias="holderTypeCode")
    cert_type_code: str = Field(alias="certTypeCode")
    cert_no: str | None = Field(default=None, alias="certNo")
    use_cause: UseCause = Field(alias="useCause")


class QRCodeQuery(_Wire):
    """``queryCertInfoByQRcode``: what a citizen's app showed. Here the code's text is the ZZBS itself."""

    qrcode: str = Field(min_length=1)
    use_cause: UseCause = Field(alias="useCause")


class DownloadRequest(_Wire):
    """``downloadFile`` and ``downloadUrl``."""

    cert_identifier: ECertificateIdentifierText = Field(alias="certIdentifier")
    use_cause: UseCause = Field(alias="useCause")


class VerifyCertInfoRequest(_Wire):
    """``verifyCertInfo``: does what is claimed agree with the registry? At least one claimed field."""

    cert_identifier: ECertificateIdentifierText = Field(alias="certIdentifier")
    cert_info: dict[str, str] = Field(default_factory=dict, alias="certInfo")
    use_cause: UseCause = Field(alias="useCause")


class VerifyFileRequest(_Wire):
    """``verifyFile``: is this file one that the platform holds? ``fileData`` is standard base64."""

    file_data: Annotated[str, Field(max_length=MAX_FILE_CHARS)] = Field(alias="fileData")
    use_cause: UseCause = Field(alias="useCause")


class RemarkRequest(_Wire):
    """``getCertRemarkInfo``."""

    cert_identifier: ECertificateIdentifierText = Field(alias="certIdentifier")


DataT = TypeVar("DataT")


class ShareRequest(_Wire, Generic[DataT]):
    head: RequestHead
    data: DataT


class ResponseHead(_Wire):
    """``status`` may be a code that ``ShareStatus`` does not know: keep it an int."""

    status: int
    message: str = ""


class ShareResponse(_Wire, Generic[DataT]):
    """``data`` is absent unless ``head.status`` is 0."""

    head: ResponseHead
    data: DataT | None = None


class CertInfo(_Wire):
    """One certificate found. ``state`` is the registry's own word (``VerifyResult`` value), never a proof."""

    cert_identifier: ECertificateIdentifierText = Field(alias="certIdentifier")
    state: int
    metadata: ECertificateMetadata = Field(alias="certInfo")


class CertInfoList(_Wire):
    """Answer of the three queries; never empty (nothing found is status 10)."""

    certs: list[CertInfo]


class DownloadLink(_Wire):
    """Answer of ``downloadUrl``. The link works once, until ``expires_at`` (RFC 3339)."""

    url: str
    expires_at: Instant = Field(alias="expiresAt")


class DownloadedFile(_Wire):
    """Answer of ``downloadFile``; ``file_data`` is standard base64, ``file_type`` its form if a platform tells."""

    file_name: str = Field(alias="fileName")
    media_type: str = Field(alias="mediaType")
    file_data: str = Field(alias="fileData")
    file_type: str | None = Field(default=None, alias="fileType")


class VerifyAnswer(_Wire):
    """``result`` is a ``VerifyResult``; ``mismatched`` names the fields that differ (7), never their values."""

    result: int
    mismatched: list[str] = Field(default_factory=list)


class Remark(_Wire):
    """批注: one change of a certificate's state."""

    at: Instant
    state: int
    reason: str


class RemarkList(_Wire):
    remarks: list[Remark]


MAX_CHANGES = 500


class CertChangesQuery(_Wire):
    """``queryCertChanges``: what changed beyond ``cursor``, oldest first. Without one: nothing, and the cursor of now.

    ``cursor`` is the platform's own and means nothing to others. ``certTypeCodes`` leaves out what is of no use.
    """

    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    limit: int = Field(ge=1, le=MAX_CHANGES)
    cert_type_codes: list[str] | None = Field(default=None, alias="certTypeCodes")


class CertChangeKind(StrEnum):
    """What happened, in the platform's words."""

    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    REINSTATED = "reinstated"
    TRANSFERRED = "transferred"
    REISSUED = "reissued"


class CertChange(_Wire):
    """One change. Nothing signs it: it is a hint that the sealed documents are to be looked at again.

    ``change`` may be a word that ``CertChangeKind`` does not know: keep it text.
    """

    cert_identifier: ECertificateIdentifierText = Field(alias="certIdentifier")
    cert_type_code: str = Field(alias="certTypeCode", max_length=64)
    change: str = Field(max_length=64)
    at: Instant


class CertChangeList(_Wire):
    """Answer of ``queryCertChanges``: at most ``limit`` changes, the cursor after them, and whether there are more.

    A cursor whose changes the platform no longer keeps is answered with ``CURSOR_TOO_OLD``.
    """

    changes: list[CertChange] = Field(max_length=MAX_CHANGES)
    next_cursor: str = Field(alias="nextCursor", min_length=1, max_length=512)
    more: bool = False
