"""The archive: one file, one reading."""

import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from .errors import Broken
from .work import spend

MAX_FILES: Final = 4096
MAX_BUNDLE_BYTES: Final = 256 << 20

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_STORED_AS: Final = (20, 0, 0, 0, 0x0021)
"""Version 2.0, no flags, stored, 1980-01-01 00:00."""
_MADE_BY, _ATTRIBUTES = 0x0314, 0o100600 << 16


def read_archive(data: bytes) -> dict[str, bytes]:
    """The files of a bundle by name. Raises ``Broken``.

    There is exactly one way to write given files: stored, in the order of their names, dated 1980-01-01, nothing
    before, between or behind. Whatever differs from it by one bit is refused.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise Broken("", "larger than a bundle may be")
    files: dict[str, bytes] = {}
    offsets: list[int] = []
    at, last = 0, ""
    while data[at : at + 4] == b"PK\x03\x04":
        name, body, end = _local_entry(data, at)
        if name <= last:
            raise Broken(name, f"at byte {at}: the files are not in the order of their names")
        if len(files) == MAX_FILES:
            raise Broken(name, "too many files")
        files[name] = body
        offsets.append(at)
        at, last = end, name
    expected = _directory(files, offsets, at)
    rest = data[at:]
    if rest != expected:
        here = next((i for i, (a, b) in enumerate(zip(rest, expected, strict=False)) if a != b), None)
        place = at + (min(len(rest), len(expected)) if here is None else here)
        raise Broken(_spoken_of(files, place - at), f"at byte {place}: the directory does not fit the files")
    return files


def _local_entry(data: bytes, at: int) -> tuple[str, bytes, int]:
    if len(data) < at + _LOCAL.size:
        raise Broken("", f"at byte {at}: the archive ends within a header")
    _, *fixed, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(data, at)
    start = at + _LOCAL.size
    try:
        name = data[start : start + name_length].decode("ascii")
    except UnicodeDecodeError:
        name = ""
    if not _NAME.fullmatch(name) or len(name) != name_length:
        raise Broken("", f"at byte {start}: not the name of a file of a bundle")
    if tuple(fixed) != _STORED_AS or extra_length or packed != size:
        raise Broken(name, f"at byte {at}: the header is not as it is written")
    start += name_length
    body = data[start : start + size]
    spend("bytes", len(body))
    if len(body) != size or zlib.crc32(body) != crc:
        raise Broken(name, f"from byte {start}: the content does not have the checksum of its header")
    return name, body, start + size


def _directory(files: Mapping[str, bytes], offsets: Sequence[int], at: int) -> bytes:
    entries = []
    for (name, body), offset in zip(files.items(), offsets, strict=True):
        encoded, size = name.encode("ascii"), len(body)
        entries.append(
            _CENTRAL.pack(
                *(b"PK\x01\x02", _MADE_BY, *_STORED_AS, zlib.crc32(body), size, size),
                *(len(encoded), 0, 0, 0, 0, _ATTRIBUTES, offset),
            )
            + encoded
        )
    directory = b"".join(entries)
    return directory + _END.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(directory), at, 0)


def _spoken_of(files: Iterable[str], place: int) -> str:
    """The file whose directory entry holds the byte ``place`` of the directory."""
    for name in files:
        place -= _CENTRAL.size + len(name)
        if place < 0:
            return name
    return ""
