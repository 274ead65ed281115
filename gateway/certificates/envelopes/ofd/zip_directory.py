"""The directory of a ZIP, read so that every reader must see the same files (APPNOTE 6.3 §4.3; GB/T 33190 §7.1).

A ZIP says most things twice: in its directory and before each file. Readers differ in which they believe, and so in
what they show. Taken here is only what leaves no choice: one end record, entries one after another without gaps from
the first byte to the directory, and local headers that repeat what the directory says.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.certificates.errors import OfdRefused

STORED: Final = 0
DEFLATED: Final = 8

_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END_SIGNATURE: Final = b"PK\x05\x06"
_CENTRAL_SIGNATURE: Final = b"PK\x01\x02"
_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_DESCRIPTOR_SIGNATURE: Final = b"PK\x07\x08"
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_MAX_COMMENT: Final = 0xFFFF
_LATEST: Final = 63
"""Version 6.3 of APPNOTE.TXT (§4.4.3), ten times; other readers give up beyond it. The high byte is the system's."""
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
"""Encrypted, strongly encrypted, directory masked."""
_PATCHED: Final = 0x0020
_DESCRIPTOR: Final = 0x0008
_UTF8_NAME: Final = 0x0800
_TOLD_TWICE: Final = _ENCRYPTED | _PATCHED | _DESCRIPTOR | _UTF8_NAME
"""Flags that change what is read; the others only hint at how it was packed, and writers vary."""
_ZIP64_EXTRA: Final = 0x0001
_UNICODE_PATH: Final = 0x7075
_FULL: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One file. ``name`` is as written, ``start`` where its packed bytes begin; sizes in bytes."""

    name: bytes
    utf8: bool
    method: int
    checksum: int
    packed: int
    size: int
    start: int
    mode: int
    """Unix mode bits, zero where the writer left none."""


@dataclass(frozen=True, slots=True)
class _Central:
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int
    mode: int
    name: bytes


def read_directory(data: bytes, max_entries: int, max_directory: int) -> tuple[ZipEntry, ...]:
    """Every entry of the archive ``data``, in directory order; work is bounded by the two limits.

    Raises `OfdRefused`: ``ofd.archive`` (no ZIP), ``.entries`` (too many), ``.framing`` (other data around or between,
    or a header that says something else than the directory), ``.overlap``, ``.method`` (encrypted, ZIP64, packed by
    another method than stored and deflated, or of a later version of ZIP than there is).
    """
    count, at, end = _end_record(data, max_entries, max_directory)
    listed = list(_central_entries(data, count, at, end))
    if len({entry.offset for entry in listed}) != len(listed):
        raise _overlap()
    starts = {entry.offset: _check_local(data, entry) for entry in listed}
    _check_contiguous(data, listed, starts, at)
    return tuple(
        ZipEntry(
            entry.name,
            bool(entry.flags & _UTF8_NAME),
            entry.method,
            entry.checksum,
            entry.packed,
            entry.size,
            starts[entry.offset],
            entry.mode,
        )
        for entry in listed
    )


def _end_record(data: bytes, max_entries: int, max_directory: int) -> tuple[int, int, int]:
    """How many entries there are, and where the directory begins and ends."""
    at = data.rfind(_END_SIGNATURE, max(len(data) - _END.size - _MAX_COMMENT, 0))
    if not data.startswith(b"PK") or at < 0 or at + _END.size > len(data):
        # A file that ends like an archive and begins otherwise has something put in front.
        raise _framing() if at >= 0 and not data.startswith(b"PK") else OfdRefused()
    if data[max(at - 20, 0) : max(at - 16, 0)] == _ZIP64_LOCATOR:
        raise _zip64()
    _, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, at)
    if count == 0xFFFF or offset == _FULL:
        raise _zip64()
    if disk or first_disk or here != count or at + _END.size + comment != len(data) or offset + size != at:
        raise _framing()
    if count > max_entries or size > max_directory:
        raise OfdRefused(check="ofd.archive.entries", remedy="压缩包内文件数量超过上限")
    return count, offset, at


def _central_entries(data: bytes, count: int, at: int, end: int) -> Iterator[_Central]:
    for _ in range(count):
        if at + _CENTRAL.size > end:
            raise _framing()
        fields = _CENTRAL.unpack_from(data, at)
        signature, _, needed, flags, method, _, _, checksum, packed, size, name_size, extra_size, comment_size = fields[
            :13
        ]
        disk, _, attributes, offset = fields[13:]
        name_at = at + _CENTRAL.size
        extra_at = name_at + name_size
        at = extra_at + extra_size + comment_size
        if signature != _CENTRAL_SIGNATURE or at > end or disk:
            raise _framing()
        name = data[name_at:extra_at]
        _check_extra(data[extra_at : extra_at + extra_size], name, (size, packed, offset))
        if flags & (_ENCRYPTED | _PATCHED) or method not in (STORED, DEFLATED) or needed & 0xFF > _LATEST:
            raise OfdRefused(check="ofd.archive.method", remedy="压缩包已加密或使用了不支持的压缩方式")
        if _FULL in (packed, size, offset):
            raise _zip64()
        if method == STORED and packed != size:
            raise _framing()
        yield _Central(flags, method, checksum, packed, size, offset, attributes >> 16, name)
    if at != end:
        raise _framing()


def _check_extra(extra: bytes, name: bytes, numbers: tuple[int, ...]) -> None:
    """No extra field may change what the header says: other ZIP64 sizes, or another name for the same file.

    Some writers leave room for ZIP64 sizes and fill in the very numbers of the header.
    """
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        content = extra[at + 4 : at + 4 + size]
        at += 4 + size
        if kind == _ZIP64_EXTRA and content != struct.pack(f"<{len(numbers)}Q", *numbers)[: max(len(content), 8)]:
            raise _zip64()
        if kind == _UNICODE_PATH and content[5:] != name:
            raise OfdRefused(check="ofd.archive.duplicate", remedy="压缩包内同一文件有两个名称")


def _check_local(data: bytes, entry: _Central) -> int:
    """Where the entry's packed bytes begin, once its local header repeats what the directory says of it."""
    if entry.offset + _LOCAL.size > len(data):
        raise _framing()
    fields = _LOCAL.unpack_from(data, entry.offset)
    signature, _, flags, method, _, _, checksum, packed, size, name_size, extra_size = fields
    name_at = entry.offset + _LOCAL.size
    start: int = name_at + name_size + extra_size
    named = data[name_at : name_at + name_size] == entry.name
    told = (checksum, packed, size) == (entry.checksum, entry.packed, entry.size)
    untold = bool(flags & _DESCRIPTOR) and not (checksum or packed or size)
    if signature != _LOCAL_SIGNATURE or start + entry.packed > len(data):
        raise _framing()
    if not named or (flags ^ entry.flags) & _TOLD_TWICE or method != entry.method or not (told or untold):
        raise OfdRefused(check="ofd.archive.framing", remedy="压缩包目录与文件头的记载不一致")
    _check_extra(data[name_at + name_size : start], entry.name, (0, 0) if untold else (entry.size, entry.packed))
    return start


def _check_contiguous(data: bytes, listed: list[_Central], starts: dict[int, int], directory: int) -> None:
    """The entries fill the archive from its first byte to the directory: nothing hides between, nothing is shared."""
    end = 0
    for entry in sorted(listed, key=lambda item: item.offset):
        if entry.offset < end:
            raise _overlap()
        if entry.offset > end:
            raise _framing()
        end = starts[entry.offset] + entry.packed
        if entry.flags & _DESCRIPTOR:
            end += _descriptor_size(data, end, entry)
    if end > directory:
        raise _overlap()
    if end != directory:
        raise _framing()


def _descriptor_size(data: bytes, at: int, entry: _Central) -> int:
    """The size of the data descriptor at ``at``, which repeats the directory; zero when the header already told all."""
    stated = struct.pack("<3L", entry.checksum, entry.packed, entry.size)
    if data[at : at + 16] == _DESCRIPTOR_SIGNATURE + stated:
        return 16
    if data[at : at + 12] == stated:
        return 12
    if any(_LOCAL.unpack_from(data, entry.offset)[6:9]):
        return 0
    raise _framing()


def _framing() -> OfdRefused:
    return OfdRefused(check="ofd.archive.framing", remedy="压缩包前后或中间夹有其他数据")


def _overlap() -> OfdRefused:
    return OfdRefused(check="ofd.archive.overlap", remedy="压缩包内的数据互相重叠")


def _zip64() -> OfdRefused:
    return OfdRefused(check="ofd.archive.method", remedy="压缩包使用了不支持的 ZIP64 格式")
