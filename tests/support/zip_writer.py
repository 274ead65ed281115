"""Writes ZIP archives field by field, so that each may say one thing in its directory and another before the file."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

STORED, DEFLATED = 0, 8


@dataclass
class Entry:
    """One file. ``local_…`` None says what the directory says; ``descriptor`` writes one after the data."""

    name: bytes
    data: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    checksum: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    local_checksum: int | None = None
    local_method: int | None = None
    local_flags: int | None = None
    extra: bytes = b""
    local_extra: bytes = b""
    mode: int = 0
    descriptor: bytes | None = None
    offset: int | None = None
    disk: int = 0
    comment: bytes = b""

    def bytes_packed(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != DEFLATED:
            return self.data
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflater.compress(self.data) + deflater.flush()


@dataclass
class Zip:
    """An archive of ``entries``. What is None is computed honestly."""

    entries: Sequence[Entry]
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""
    comment: bytes = b""
    count: int | None = None
    offset: int | None = None
    size: int | None = None
    disk: int = 0
    locator: bytes = b""

    def build(self) -> bytes:
        body, directory = self.before, b""
        for entry in self.entries:
            offset = len(body) if entry.offset is None else entry.offset
            local, central = written(entry, offset)
            if entry.offset is None:
                body += local + self.between
            directory += central
        start = len(body)
        number = len(self.entries) if self.count is None else self.count
        end = struct.pack(
            "<4s4H2LH",
            b"PK\x05\x06",
            self.disk,
            self.disk,
            number,
            number,
            len(directory) if self.size is None else self.size,
            start if self.offset is None else self.offset,
            len(self.comment),
        )
        return body + directory + self.locator + end + self.comment + self.after


def written(entry: Entry, offset: int) -> tuple[bytes, bytes]:
    """The entry with its local header, and its line of the directory."""
    packed = entry.bytes_packed()
    size = len(entry.data) if entry.size is None else entry.size
    packed_size = len(packed) if entry.packed_size is None else entry.packed_size
    checksum = zlib.crc32(entry.data) if entry.checksum is None else entry.checksum
    streamed = entry.descriptor is not None
    local_name = entry.name if entry.local_name is None else entry.local_name
    told = (0, 0, 0) if streamed else (checksum, packed_size, size)
    if entry.local_checksum is not None:
        told = (entry.local_checksum, *told[1:])
    if entry.local_size is not None:
        told = (*told[:2], entry.local_size)
    flags = entry.flags | (8 if streamed else 0)
    local = struct.pack(
        "<4s5H3L2H",
        b"PK\x03\x04",
        20,
        flags if entry.local_flags is None else entry.local_flags,
        entry.method if entry.local_method is None else entry.local_method,
        0,
        0x21,
        *told,
        len(local_name),
        len(entry.local_extra),
    )
    central = struct.pack(
        "<4s6H3L5H2L",
        b"PK\x01\x02",
        0x0314,
        20,
        flags,
        entry.method,
        0,
        0x21,
        checksum,
        packed_size,
        size,
        len(entry.name),
        len(entry.extra),
        len(entry.comment),
        entry.disk,
        0,
        entry.mode << 16,
        offset,
    )
    body = local + local_name + entry.local_extra + packed + (entry.descriptor or b"")
    return body, central + entry.name + entry.extra + entry.comment


def descriptor(data: bytes, *, signed: bool = True, spoil: bool = False) -> bytes:
    """The data descriptor of deflated ``data``."""
    packed = Entry(b"", data).bytes_packed()
    found = struct.pack("<3L", zlib.crc32(data) ^ spoil, len(packed), len(data))
    return (b"PK\x07\x08" if signed else b"") + found
