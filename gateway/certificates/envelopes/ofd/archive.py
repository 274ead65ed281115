"""Opening an OFD archive (GB/T 33190 §7.1: a ZIP) from hostile hands, within stated bounds of memory and work."""

import stat
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes

from gateway.certificates.envelopes.ofd.digests import digest
from gateway.certificates.envelopes.ofd.zip_directory import DEFLATED, ZipEntry, read_directory
from gateway.certificates.errors import OfdRefused

_CHUNK: Final = 64 << 10
_MAX_DEPTH: Final = 32
_WIDE_SPACE: Final = "\u3000"
_NO_END: Final = f" .{_WIDE_SPACE}"
"""What some systems drop from the end of a name: it would be another file's there."""
_FORBIDDEN: Final = frozenset(':*?"<>|')
"""What no file name may hold on some system: such an entry would be another file there, or none."""


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

    def __init__(self, data: bytes, entries: dict[str, ZipEntry], longest: int) -> None:
        self._data = memoryview(data)
        self._longest = longest
        self._entries = entries
        self._by_key = {_key(path): path for path in entries}
        self._digests: dict[tuple[str, str], bytes] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """Canonical paths of all files, in archive order; folders are left out."""
        return tuple(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def find(self, path: str) -> str | None:
        """The canonical path of the file that ``path`` names, its case aside; None when there is no such file.

        No two entries differ in case alone, so that there is never a choice. What is longer than any name names none:
        composing characters takes time that grows with the square of how many stand on one.
        """
        if path in self._entries:
            return path
        return self._by_key.get(_key(path)) if len(path) <= self._longest else None

    def size(self, path: str) -> int:
        """Unpacked size in bytes as the archive declares it; reading never gives more."""
        return self._entries[path].size

    def read(self, path: str) -> bytes:
        """The bytes of one file. Raises `DamagedEntry`."""
        return b"".join(self._chunks(self._entries[path]))

    def digest(self, path: str, algorithm: hashes.HashAlgorithm) -> bytes:
        """The digest of one file, computed once however many signatures refer to it. Raises `DamagedEntry`."""
        key = (path, algorithm.name)
        if key not in self._digests:
            context = hashes.Hash(algorithm)
            for chunk in self._chunks(self._entries[path]):
                context.update(chunk)
            self._digests[key] = context.finalize()
        return self._digests[key]

    def _chunks(self, entry: ZipEntry) -> Iterator[bytes]:
        """The unpacked bytes, never more than declared; complete only when the checksum is right."""
        packed = self._data[entry.start : entry.start + entry.packed]
        checksum = size = 0
        for chunk in _inflated(packed, entry.size) if entry.method == DEFLATED else _stored(packed):
            checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
            yield chunk
        if size != entry.size or checksum != entry.checksum:
            raise DamagedEntry


def _stored(packed: memoryview) -> Iterator[bytes]:
    for at in range(0, len(packed), _CHUNK):
        yield bytes(packed[at : at + _CHUNK])


def _inflated(packed: memoryview, size: int) -> Iterator[bytes]:
    """One deflate stream that fills ``packed`` exactly and gives ``size`` bytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    left = size
    try:
        for at in range(0, len(packed), _CHUNK):
            piece, chunk = bytes(packed[at : at + _CHUNK]), b"."
            # The inflater may hold back output when all input is read: it is asked until it has no more to give.
            while not inflater.eof and (piece or chunk):
                chunk = inflater.decompress(piece, min(left, _CHUNK) + 1)
                piece = inflater.unconsumed_tail
                left -= len(chunk)
                if left < 0:
                    raise DamagedEntry
                yield chunk
            if piece or inflater.unused_data:
                raise DamagedEntry
    except zlib.error:
        raise DamagedEntry from None
    if not inflater.eof:
        raise DamagedEntry


def open_archive(data: bytes, limits: Limits | None = None) -> Archive:
    """Open ``data`` as an OFD archive.

    Raises `OfdRefused` when it is no plain ZIP, is larger than ``limits`` allow, or has entries that one reader could
    take for something else than another: duplicate, absolute or escaping names, links, overlapping data.
    """
    limits = limits or Limits()
    if len(data) > limits.archive:
        raise OfdRefused(check="ofd.archive.size", remedy="OFD 文件超过大小上限")
    entries: dict[str, ZipEntry] = {}
    files: set[str] = set()
    folders: set[str] = set()
    total = 0
    for entry in read_directory(data, limits.entries, limits.directory):
        path, is_folder = _path(entry, limits.name)
        _check_entry(entry, limits, is_folder=is_folder)
        _check_unique(path, files, folders, is_folder=is_folder)
        total += entry.size
        if not is_folder:
            entries[path] = entry
    if total > limits.total:
        raise OfdRefused(check="ofd.archive.size", remedy="压缩包解开后超过大小上限")
    if total > limits.ratio_floor and total > limits.ratio * len(data):
        raise _ratio()
    return Archive(data, entries, limits.name)


def _path(entry: ZipEntry, longest: int) -> tuple[str, bool]:
    """The canonical path, and whether it is a folder's."""
    name = _decoded(entry).replace("\\", "/")
    is_folder = name.endswith("/")
    parts = name.removesuffix("/").split("/")
    unsafe = any(part in ("", ".", "..") or part[-1] in _NO_END or _FORBIDDEN & set(part) for part in parts)
    shown = name.replace(_WIDE_SPACE, " ").isprintable()
    if unsafe or len(parts) > _MAX_DEPTH or len(name) > longest or not shown:
        raise OfdRefused(check="ofd.archive.traversal", remedy="压缩包内有不安全的文件名")
    return "/".join(parts), is_folder


def _decoded(entry: ZipEntry) -> str:
    """The name as its writer meant it: without the UTF-8 flag, Chinese writers leave UTF-8 or GB 18030 bytes."""
    for encoding in ("utf-8",) if entry.utf8 else ("utf-8", "gb18030", "cp437"):
        try:
            return entry.name.decode(encoding)
        except UnicodeError:
            continue
    raise OfdRefused(check="ofd.archive.traversal", remedy="压缩包内有无法识别的文件名")


def _key(path: str) -> str:
    """What two names share that some file system takes for one: case, and the way that characters are composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _check_unique(path: str, files: set[str], folders: set[str], *, is_folder: bool) -> None:
    """No two entries of one name, and none that is a file here and a folder there."""
    key = _key(path)
    above = ["/".join(key.split("/")[:depth]) for depth in range(1, key.count("/") + 1)]
    taken = key in files or (not is_folder and key in folders) or not files.isdisjoint(above)
    if taken:
        raise OfdRefused(check="ofd.archive.duplicate", remedy="压缩包内有同名文件")
    folders.update(above)
    (folders if is_folder else files).add(key)


def _check_entry(entry: ZipEntry, limits: Limits, *, is_folder: bool) -> None:
    kind = stat.S_IFMT(entry.mode)
    if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG):
        raise OfdRefused(check="ofd.archive.link", remedy="压缩包内有链接或特殊文件")
    if entry.size > limits.entry or (is_folder and entry.size):
        raise OfdRefused(check="ofd.archive.size", remedy="压缩包内有文件超过大小上限")
    if entry.size > limits.ratio_floor and entry.size > limits.ratio * max(entry.packed, 1):
        raise _ratio()


def _ratio() -> OfdRefused:
    return OfdRefused(check="ofd.archive.ratio", remedy="压缩包的压缩比异常")


__all__ = ["Archive", "DamagedEntry", "Limits", "digest", "open_archive"]
