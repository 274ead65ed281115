"""Opening an OFD archive (GB/T 33190 §7.1: a ZIP) from hostile hands, within stated bounds of memory and work."""

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from cryptography.hazmat.primitives import hashes

from gateway.certificates.errors import OfdRefused

_END_RECORD: Final = struct.Struct("<4s4H2LH")
_END_SIGNATURE: Final = b"PK\x05\x06"
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_ENCRYPTED: Final = 0x1
_UTF8_NAME: Final = 0x800


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may cost. Sizes in bytes; ``ratio`` is unpacked ÷ packed, judged above ``ratio_floor`` bytes."""

    archive: int = 64 << 20
    entries: int = 4096
    directory: int = 1 << 20
    entry: int = 32 << 20
    total: int = 128 << 20
    ratio: int = 200
    ratio_floor: int = 1 << 20
    name: int = 512


class DamagedEntry(Exception):
    """An entry cannot be unpacked (bad checksum, cut stream). A signal in this package: it becomes a failed check."""


class Archive:
    """The files of one archive by canonical path (``Doc_0/Document.xml``); each is unpacked only when asked for."""

    def __init__(self, source: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        self._source = source
        self._entries = entries
        self._digests: dict[tuple[str, str], bytes] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """Canonical paths of all files, in archive order; folders are left out."""
        return tuple(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def size(self, path: str) -> int:
        """Unpacked size in bytes as the archive declares it; reading never gives more."""
        return self._entries[path].file_size

    def read(self, path: str) -> bytes:
        """The bytes of one file. Raises `DamagedEntry`."""
        info = self._entries[path]
        try:
            with self._source.open(info) as stream:
                data = stream.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError):
            raise DamagedEntry from None
        if len(data) != info.file_size:
            raise DamagedEntry
        return data

    def digest(self, path: str, algorithm: hashes.HashAlgorithm) -> bytes:
        """The digest of one file, computed once however many signatures refer to it. Raises `DamagedEntry`."""
        key = (path, algorithm.name)
        if key not in self._digests:
            self._digests[key] = digest(self.read(path), algorithm)
        return self._digests[key]


def digest(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    """The digest of ``data``."""
    context = hashes.Hash(algorithm)
    context.update(data)
    return context.finalize()


def open_archive(data: bytes, limits: Limits | None = None) -> Archive:
    """Open ``data`` as an OFD archive.

    Raises `OfdRefused` when it is no plain ZIP, is larger than ``limits`` allow, or has entries that one reader could
    take for something else than another: duplicate, absolute-by-drive or escaping names, links, overlapping data.
    """
    limits = limits or Limits()
    _check_end_record(data, limits)
    try:
        source = zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OSError, ValueError, struct.error):
        raise OfdRefused from None
    infos = source.infolist()
    if len(infos) > limits.entries:
        raise OfdRefused(check="ofd.archive.entries", remedy="压缩包内文件数量超过上限")
    entries: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in infos:
        path = _canonical_name(info, limits)
        if path.casefold() in seen:
            raise OfdRefused(check="ofd.archive.duplicate", remedy="压缩包内有同名文件")
        seen.add(path.casefold())
        _check_entry(info, limits)
        if not info.filename.endswith(("/", "\\")):
            entries[path] = info
    _check_sums(infos, len(data), limits)
    return Archive(source, entries)


def _check_end_record(data: bytes, limits: Limits) -> None:
    """Bound the directory before `zipfile` reads it, and refuse bytes before, after or beside what it describes."""
    if len(data) > limits.archive:
        raise OfdRefused(check="ofd.archive.size", remedy="OFD 文件超过大小上限")
    at = data.rfind(_END_SIGNATURE)
    if at < 0 or at + _END_RECORD.size > len(data):
        raise OfdRefused
    if data[max(at - 20, 0) : max(at - 16, 0)] == _ZIP64_LOCATOR:
        # ZIP64 fields would override the ones judged below; nothing within the size limit needs them.
        raise OfdRefused(check="ofd.archive.method", remedy="压缩包使用了不支持的 ZIP64 格式")
    fields = _END_RECORD.unpack_from(data, at)
    count, size, offset, comment = fields[4], fields[5], fields[6], fields[7]
    if at + _END_RECORD.size + comment != len(data) or offset + size != at or data[:2] != b"PK":
        raise OfdRefused(check="ofd.archive.framing", remedy="压缩包前后或中间夹有其他数据")
    if count > limits.entries or size > limits.directory:
        raise OfdRefused(check="ofd.archive.entries", remedy="压缩包内文件数量超过上限")


def _canonical_name(info: zipfile.ZipInfo, limits: Limits) -> str:
    name = _decoded(info).replace("\\", "/").removeprefix("/").removesuffix("/")
    parts = name.split("/")
    unsafe = any(part in ("", ".", "..") or ":" in part for part in parts)
    if unsafe or len(name) > limits.name or not name.isprintable():
        raise OfdRefused(check="ofd.archive.traversal", remedy="压缩包内有不安全的文件名")
    return name


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name as its writer meant it: without the UTF-8 flag, Chinese writers leave UTF-8 or GB 18030 bytes."""
    name = info.orig_filename
    if info.flag_bits & _UTF8_NAME or name.isascii():
        return name
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return name


def _check_entry(info: zipfile.ZipInfo, limits: Limits) -> None:
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise OfdRefused(check="ofd.archive.method", remedy="压缩包已加密或使用了不支持的压缩方式")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise OfdRefused(check="ofd.archive.link", remedy="压缩包内有链接或特殊文件")
    if info.file_size > limits.entry:
        raise OfdRefused(check="ofd.archive.size", remedy="压缩包内有文件超过大小上限")
    if info.file_size > limits.ratio_floor and info.file_size > limits.ratio * max(info.compress_size, 1):
        raise OfdRefused(check="ofd.archive.ratio", remedy="压缩包的压缩比异常")


def _check_sums(infos: list[zipfile.ZipInfo], archive_size: int, limits: Limits) -> None:
    if sum(info.file_size for info in infos) > limits.total:
        raise OfdRefused(check="ofd.archive.size", remedy="压缩包解开后超过大小上限")
    end = 0
    for info in sorted(infos, key=lambda item: item.header_offset):
        if info.header_offset < end:
            raise OfdRefused(check="ofd.archive.overlap", remedy="压缩包内的数据互相重叠")
        end = info.header_offset + 30 + info.compress_size
    if end > archive_size:
        raise OfdRefused
