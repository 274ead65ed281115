"""Token Status List (IETF draft-ietf-oauth-status-list): which e-certificates are suspended or revoked.

A list is a JWT (``wire.Typ.STATUS_LIST``; ``x5c`` names its signer as in an e-certificate) whose ``status_list.lst``
packs one status per e-certificate, ``bits`` wide, least significant bits first, zlib-compressed and base64url-encoded
without padding. Ours use 2 bits.
"""

import base64
import binascii
import zlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

STATUS_LIST_MEDIA_TYPE = "application/statuslist+jwt"
MAX_STATUS_LIST_BYTES = 1 << 20
"""Refuse to unpack more than this: 4 million two-bit statuses."""


class StatusListError(ValueError):
    """The packed list is not what the draft describes, or the index lies outside it."""


class CertificateStatus(IntEnum):
    """Status of one e-certificate (section 7.1 of the draft). Other values are application specific: unknown here."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


class StatusListReference(BaseModel):
    """Where a token's status stands: position ``idx`` in the list at ``uri``."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    idx: Annotated[int, Field(ge=0, strict=True)]
    uri: str


class StatusClaim(BaseModel):
    """The ``status`` claim. Other mechanisms beside ``status_list`` are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    status_list: StatusListReference


class PackedStatusList(BaseModel):
    """The ``status_list`` claim of the list itself."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    bits: Literal[1, 2, 4, 8]
    lst: str


class StatusListPayload(BaseModel):
    """Claims of a status list token. Times are seconds since 1970, ``ttl`` is in seconds; ``sub`` is the list's URI."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    sub: str
    iat: Annotated[int, Field(strict=True)]
    exp: Annotated[int, Field(strict=True)] | None = None
    ttl: Annotated[int, Field(strict=True, gt=0)] | None = None
    status_list: PackedStatusList


def pack_statuses(statuses: Sequence[int], bits: Literal[1, 2, 4, 8] = 2) -> str:
    """``lst`` for ``statuses`` (index = position). The length is rounded up to a whole byte with 0 (valid)."""
    per_byte = 8 // bits
    packed = bytearray(-(-len(statuses) // per_byte))
    for index, status in enumerate(statuses):
        packed[index // per_byte] |= status << (index % per_byte * bits)
    return base64.urlsafe_b64encode(zlib.compress(bytes(packed), 9)).rstrip(b"=").decode()


def unpack_statuses(lst: str) -> bytes:
    """The packed bytes of ``lst``. Raises ``StatusListError`` when malformed, truncated or too large."""
    if not lst.isascii() or "=" in lst:
        raise StatusListError("lst is not unpadded base64url")
    try:
        compressed = base64.b64decode(lst + "=" * (-len(lst) % 4), altchars=b"-_", validate=True)
        stream = zlib.decompressobj()
        packed = stream.decompress(compressed, MAX_STATUS_LIST_BYTES)
    except (binascii.Error, zlib.error):
        raise StatusListError("lst is not base64url of zlib data") from None
    if not stream.eof or stream.unused_data:
        raise StatusListError("lst is truncated, too large or followed by other data")
    return packed


def status_at(packed: bytes, bits: int, index: int) -> int:
    """The status at ``index`` of unpacked ``packed``. Raises ``StatusListError`` when the list is shorter than that."""
    per_byte = 8 // bits
    if not 0 <= index < len(packed) * per_byte:
        raise StatusListError("index outside the list")
    return packed[index // per_byte] >> (index % per_byte * bits) & ((1 << bits) - 1)
