"""From OFD.xml to the description of each signature: which files it covers, by which digest, and where its value lies.

GB/T 33190 §7.4 (OFD.xml), §18 (signatures). Paths are absolute from the archive's root or relative to the file that
names them (§7.3, ST_Loc).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from gateway.certificates.envelopes.ofd.archive import Archive, DamagedEntry
from gateway.certificates.envelopes.ofd.safe_xml import MAX_BYTES, Node, NodeBudget, XmlRefused, parse_xml

ROOT: Final = "OFD.xml"
MAX_SIGNATURES: Final = 32
MAX_REFERENCES: Final = 4096
MAX_XML_BYTES: Final = 4 << 20
MAX_XML_NODES: Final = 200_000
"""XML read of one document, all its files together."""


class Document:
    """An archive, and how much of its XML was read: past the limits a file counts as unreadable."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.root = archive.find(ROOT) or ROOT
        self._left = MAX_XML_BYTES
        self._nodes = NodeBudget(MAX_XML_NODES)

    def read_xml(self, path: str, root_name: str) -> Node | None:
        """The root of an XML file; None when it is missing, damaged, refused, too large, or of another name."""
        if path not in self.archive or self.archive.size(path) > min(MAX_BYTES, self._left):
            return None
        self._left -= self.archive.size(path)
        try:
            root = parse_xml(self.archive.read(path), self._nodes)
        except (DamagedEntry, XmlRefused):
            return None
        return root if root.name == root_name else None


@dataclass(frozen=True, slots=True)
class Reference:
    """One protected file. ``digest`` None: the CheckValue is not base64. ``ambiguous``: the path names two files.

    ``other_case``: the file is found only when the case of its name is let go.
    """

    path: str
    digest: bytes | None
    ambiguous: bool = False
    other_case: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """One Signature.xml, read but not yet believed. ``signed_at`` is text as written, usually Beijing time."""

    path: str
    content: bytes
    kind: str
    value_path: str | None
    seal_path: str | None
    method: str | None
    check_method: str
    signed_at: str | None
    provider: str | None
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of Signatures.xml (``source``): where a Signature.xml should be, and its Type (Seal 签章, Sign 签名)."""

    path: str
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the document lists. ``broken`` names files that had to be read and could not be (missing or malformed).

    ``root`` is OFD.xml, None when it could not be read.
    """

    listed: tuple[Listed, ...]
    lists: tuple[str, ...]
    broken: tuple[str, ...]
    root: Node | None = None


def discover(document: Document) -> Discovery:
    """Follow OFD.xml → DocBody/Signatures → Signatures.xml; every DocBody counts. Never raises on content."""
    root = document.read_xml(document.root, "OFD")
    if root is None:
        return Discovery((), (), (ROOT,))
    listed: list[Listed] = []
    lists: list[str] = []
    broken: list[str] = []
    for body in root.all("DocBody"):
        location = body.value("Signatures")
        path = resolve(document, document.root, location).path if location else None
        if path is None or path in lists:
            continue
        lists.append(path)
        signatures = document.read_xml(path, "Signatures")
        if signatures is None:
            broken.append(path)
            continue
        for line in signatures.all("Signature"):
            target = resolve(document, path, line.attributes.get("BaseLoc", "")).path
            if all(target != other.path for other in listed):
                listed.append(Listed(target, line.attributes.get("Type", "Seal"), path))
            if len(listed) > MAX_SIGNATURES:
                return Discovery(tuple(listed[:MAX_SIGNATURES]), tuple(lists), (*broken, path), root)
    return Discovery(tuple(listed), tuple(lists), tuple(broken), root)


def unlisted(archive: Archive, known: set[str]) -> tuple[str, ...]:
    """Files that look like a Signature.xml but that no list names; bounded, in archive order."""
    found = (
        path for path in archive.paths if path not in known and path.rpartition("/")[2].casefold() == "signature.xml"
    )
    return tuple(path for path, _ in zip(found, range(MAX_SIGNATURES), strict=False))


def describe(document: Document, path: str, kind: str) -> Description | None:
    """Read one Signature.xml; None when it is missing, damaged, or not one."""
    root = document.read_xml(path, "Signature")
    info = root.find("SignedInfo") if root else None
    references = info.find("References") if info else None
    if root is None or info is None or references is None:
        return None
    value, seal = root.value("SignedValue"), info.value("Seal", "BaseLoc")
    provider = info.find("Provider")
    lines = list(references.all("Reference"))
    if len(lines) > MAX_REFERENCES:
        return None
    found = tuple(_reference(document, path, line) for line in lines)
    return Description(
        path=path,
        content=document.archive.read(path),
        kind=kind,
        value_path=resolve(document, path, value).path if value else None,
        seal_path=resolve(document, path, seal).path if seal else None,
        method=info.value("SignatureMethod"),
        check_method=references.attributes.get("CheckMethod", _unnamed_method(found)).strip(),
        signed_at=info.value("SignatureDateTime"),
        provider=provider.attributes.get("ProviderName") if provider else None,
        references=found,
    )


@dataclass(frozen=True, slots=True)
class Located:
    """What a location leads to. ``ambiguous``: two readings of it both name a file."""

    path: str
    ambiguous: bool = False
    other_case: bool = False


def resolve(document: Document, base: str, location: str) -> Located:
    """The canonical path that ``location`` in file ``base`` names; the proper reading when there is no such file.

    Some writers leave out the leading slash of a path meant from the root, or mean the document's folder; such a
    reading is taken only when the proper one finds no file. Backslashes are slashes, and case may differ.
    """
    location = location.strip().replace("\\", "/")
    from_root = _join("", location)
    if location.startswith("/"):
        return _found(document, from_root) or Located(from_root)
    relative = _join(base.rpartition("/")[0], location)
    readings = dict.fromkeys((relative, from_root))
    found = {each.path: each for each in (_found(document, reading) for reading in readings) if each}
    if not found:
        return _found(document, _join(base.partition("/")[0], location)) or Located(relative)
    first = next(iter(found.values()))
    return Located(first.path, len(found) > 1, first.other_case)


def _found(document: Document, path: str) -> Located | None:
    found = document.archive.find(path)
    return None if found is None else Located(found, other_case=found != path)


def _reference(document: Document, base: str, line: Node) -> Reference:
    located = resolve(document, base, line.attributes.get("FileRef", ""))
    value = "".join((line.value("CheckValue") or "").split())
    try:
        digest = base64.b64decode(value, validate=True) or None
    except (binascii.Error, ValueError):
        digest = None
    return Reference(located.path, digest, located.ambiguous, located.other_case)


def _unnamed_method(references: tuple[Reference, ...]) -> str:
    """MD5 is the standard's default (GB/T 33190 §18); values of 32 bytes can only be SM3's, which its seals demand."""
    return "SM3" if all(each.digest and len(each.digest) == 32 for each in references) else "MD5"


def _join(folder: str, location: str) -> str:
    """Join and canonicalise; a path that climbs above the root stays climbing (``../x``) and so names no entry."""
    parts: list[str] = [part for part in folder.split("/") if part]
    for part in location.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
