"""The files of an OFD: a ZIP (APPNOTE 6.3) read only where every reader must see the same files, within limits."""

import struct
import unicodedata
import zlib
from dataclasses import dataclass
from typing import Final

from ..errors import NotProved, Refused
from ..work import spend

MAX_BYTES: Final = 64 << 20
MAX_ENTRIES: Final = 512
MAX_UNPACKED: Final = 64 << 20
"""Bytes of all files together; nothing is unpacked before what they declare was added up."""

_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _DESCRIPTOR, _LEVEL, _UTF8 = 0x2041, 0x0008, 0x0006, 0x0800
_FORBIDDEN: Final = frozenset('\\:*?"<>|')
_OTHER_NAMES: Final = frozenset({0x0001, 0x7075})
"""Extra fields with other sizes (ZIP64) or another name."""


@dataclass(frozen=True)
class _Entry:
    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int


def read_container(data: bytes) -> dict[str, bytes]:
    """Every file by its path, without folders. Raises ``Refused``, ``NotProved``."""
    if len(data) > MAX_BYTES:
        raise NotProved("an OFD that is larger than is looked at")
    listed, directory = _directory(data)
    if sum(each.size for each in listed) > MAX_UNPACKED:
        raise NotProved("an OFD that unpacks to more than is looked at")
    found: dict[str, bytes] = {}
    folders: set[str] = set()
    keys: set[str] = set()
    at = 0
    for entry in sorted(listed, key=lambda each: each.offset):
        start = _local(data, entry, at)
        at = _behind(data, entry, start + entry.packed)
        path = _path(entry.name)
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
        above = {key[:i] for i, character in enumerate(key) if character == "/"}
        folders |= above | ({key} if entry.name.endswith("/") else set())
        if not entry.name.endswith("/"):
            if key in keys:
                raise Refused("the OFD holds two files of one name")
            keys.add(key)
            found[path] = _unpacked(data[start : start + entry.packed], entry)
        elif entry.size:
            raise Refused("the OFD holds a folder with a content")
    if at != directory:
        raise Refused("the OFD holds bytes that belong to no file")
    if keys & folders:
        raise Refused("the OFD holds a file and a folder of one name")
    return found


def _directory(data: bytes) -> tuple[list[_Entry], int]:
    """What the directory lists, and where it begins."""
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != b"PK\x05\x06":
        raise NotProved("not an OFD whose archive ends where its file does")
    _, disk, first, here, count, size, offset, comment = _END.unpack_from(data, end)
    if disk or first or here != count or comment or offset + size != end:
        raise Refused("the directory of the OFD does not fit its file")
    if count > MAX_ENTRIES:
        raise NotProved("an OFD of more files than are looked at")
    found, at = [], offset
    for _ in range(count):
        if at + _CENTRAL.size > end:
            raise Refused("the directory of the OFD does not fit its file")
        mark, _, _, flags, method, _, _, checksum, packed, unpacked, *rest = _CENTRAL.unpack_from(data, at)
        name_size, extra_size, comment_size, disk, _, attributes, local = rest
        name = data[at + _CENTRAL.size : at + _CENTRAL.size + name_size]
        extra = data[at + _CENTRAL.size + name_size : at + _CENTRAL.size + name_size + extra_size]
        at += _CENTRAL.size + name_size + extra_size + comment_size
        if mark != b"PK\x01\x02" or disk or at > end:
            raise Refused("the directory of the OFD does not fit its file")
        if attributes >> 16 & 0o170000 not in (0, 0o100000, 0o040000):
            raise Refused("the OFD holds a link or something special")
        _require_plain(flags, method, extra)
        found.append(_Entry(_text(name), flags, method, checksum, packed, unpacked, local))
    if at != end:
        raise Refused("the directory of the OFD does not fit its file")
    return found, offset


def _require_plain(flags: int, method: int, extra: bytes) -> None:
    if flags & _ENCRYPTED:
        raise Refused("the OFD is encrypted")
    if flags & ~(_DESCRIPTOR | _LEVEL | _UTF8) or method not in (0, 8):
        raise NotProved("the OFD is packed in a way that is not read here")
    at = 0
    while at < len(extra):
        if at + 4 > len(extra) or int.from_bytes(extra[at : at + 2], "little") in _OTHER_NAMES:
            raise NotProved("the OFD has fields in its archive that are not read here")
        at += 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
    if at != len(extra):
        raise Refused("the directory of the OFD does not fit its file")


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise NotProved("the OFD has names in an encoding that is not read here") from None


def _path(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    unsafe = any(part in ("", ".", "..") or part[-1] in " ." or _FORBIDDEN & {*part} for part in parts)
    if unsafe or not name.isprintable() or len(name) > 512:
        raise Refused("the OFD holds a file under an unsafe name")
    return "/".join(parts)


def _local(data: bytes, entry: _Entry, at: int) -> int:
    """Where the packed bytes begin: right behind the entry before, under a header that says the same."""
    if entry.offset != at or at + _LOCAL.size > len(data):
        raise Refused("the files of the OFD do not follow one another")
    mark, _, flags, method, _, _, *sizes, name_size, extra_size = _LOCAL.unpack_from(data, at)
    start: int = at + _LOCAL.size + name_size
    packed: int = start + extra_size
    actual = [entry.checksum, entry.packed, entry.size]
    later = bool(entry.flags & _DESCRIPTOR) and sizes == [0, 0, 0]
    same = (flags, method, data[at + _LOCAL.size : start]) == (entry.flags, entry.method, entry.name.encode())
    if mark != b"PK\x03\x04" or not same or not (later or sizes == actual):
        raise Refused("a header in the OFD says something else than its directory")
    _require_plain(flags, method, data[start:packed])
    return packed


def _behind(data: bytes, entry: _Entry, at: int) -> int:
    """The end of the entry, a data descriptor included."""
    if not entry.flags & _DESCRIPTOR:
        return at
    said = struct.pack("<3L", entry.checksum, entry.packed, entry.size)
    for descriptor in (b"PK\x07\x08" + said, said):
        if data[at : at + len(descriptor)] == descriptor:
            return at + len(descriptor)
    raise Refused("a header in the OFD says something else than its directory")


def _unpacked(packed: bytes, entry: _Entry) -> bytes:
    spend("bytes", entry.size)
    body = packed if entry.method == 0 else _inflated(packed, entry.size)
    if len(body) != entry.size or zlib.crc32(body) != entry.checksum:
        raise Refused("a file in the OFD does not have its checksum")
    return body


def _inflated(packed: bytes, size: int) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = stream.decompress(packed, size + 1)
    except zlib.error:
        raise Refused("a file in the OFD cannot be unpacked") from None
    if not stream.eof or stream.unused_data:
        raise Refused("a file in the OFD cannot be unpacked")
    return body
