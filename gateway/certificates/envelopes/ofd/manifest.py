"""From OFD.xml to the description of each signature: which files it covers, by which digest, and where its value lies.

GB/T 33190 §7.4 (OFD.xml), §18 (signatures). Paths are absolute from the archive's root or relative to the file that
names them (§7.3, ST_Loc).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from gateway.certificates.envelopes.ofd.archive import Archive, DamagedEntry
from gateway.certificates.envelopes.ofd.safe_xml import MAX_BYTES, Node, XmlRefused, parse_xml

ROOT: Final = "OFD.xml"
MAX_SIGNATURES: Final = 32
MAX_REFERENCES: Final = 4096


@dataclass(frozen=True, slots=True)
class Reference:
    """One protected file. ``digest`` None: the CheckValue is not base64. ``ambiguous``: the path names two files."""

    path: str
    digest: bytes | None
    ambiguous: bool = False


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
    """What the document lists. ``broken`` names files that had to be read and could not be (missing or malformed)."""

    listed: tuple[Listed, ...]
    lists: tuple[str, ...]
    broken: tuple[str, ...]


def discover(archive: Archive) -> Discovery:
    """Follow OFD.xml → DocBody/Signatures → Signatures.xml; every DocBody counts. Never raises on content."""
    root = read_xml(archive, ROOT, "OFD")
    if root is None:
        return Discovery((), (), (ROOT,))
    listed: list[Listed] = []
    lists: list[str] = []
    broken: list[str] = []
    for body in root.all("DocBody"):
        location = body.value("Signatures")
        if location is None:
            continue
        path, _ = resolve(archive, ROOT, location)
        if path in lists:
            continue
        lists.append(path)
        signatures = read_xml(archive, path, "Signatures")
        if signatures is None:
            broken.append(path)
            continue
        for line in signatures.all("Signature"):
            target, _ = resolve(archive, path, line.attributes.get("BaseLoc", ""))
            if all(target != other.path for other in listed):
                listed.append(Listed(target, line.attributes.get("Type", "Seal"), path))
            if len(listed) > MAX_SIGNATURES:
                return Discovery(tuple(listed[:MAX_SIGNATURES]), tuple(lists), (*broken, path))
    return Discovery(tuple(listed), tuple(lists), tuple(broken))


def unlisted(archive: Archive, known: set[str]) -> tuple[str, ...]:
    """Files that look like a Signature.xml but that no list names; bounded, in archive order."""
    found = (
        path for path in archive.paths if path not in known and path.rpartition("/")[2].casefold() == "signature.xml"
    )
    return tuple(path for path, _ in zip(found, range(MAX_SIGNATURES), strict=False))


def describe(archive: Archive, path: str, kind: str) -> Description | None:
    """Read one Signature.xml; None when it is missing, damaged, or not one."""
    root = read_xml(archive, path, "Signature")
    info = root.find("SignedInfo") if root else None
    references = info.find("References") if info else None
    if root is None or info is None or references is None:
        return None
    value, seal = root.value("SignedValue"), info.value("Seal", "BaseLoc")
    provider = info.find("Provider")
    lines = list(references.all("Reference"))
    if len(lines) > MAX_REFERENCES:
        return None
    return Description(
        path=path,
        content=archive.read(path),
        kind=kind,
        value_path=resolve(archive, path, value)[0] if value else None,
        seal_path=resolve(archive, path, seal)[0] if seal else None,
        method=info.value("SignatureMethod"),
        check_method=references.attributes.get("CheckMethod", "MD5").strip(),
        signed_at=info.value("SignatureDateTime"),
        provider=provider.attributes.get("ProviderName") if provider else None,
        references=tuple(_reference(archive, path, line) for line in lines),
    )


def resolve(archive: Archive, base: str, location: str) -> tuple[str, bool]:
    """The canonical path that ``location`` in file ``base`` names, and whether two readings of it both exist.

    Some writers leave out the leading slash of a path meant from the root; that reading is taken only when the proper
    one finds no file.
    """
    location = location.strip().replace("\\", "/")
    from_root = _join("", location)
    if location.startswith("/"):
        return from_root, False
    relative = _join(base.rpartition("/")[0], location)
    both = relative != from_root and relative in archive and from_root in archive
    if relative not in archive and from_root in archive:
        return from_root, False
    return relative, both


def read_xml(archive: Archive, path: str, root_name: str) -> Node | None:
    """The root of an XML file of the archive; None when missing, damaged, refused, or of another name."""
    if path not in archive or archive.size(path) > MAX_BYTES:
        return None
    try:
        root = parse_xml(archive.read(path))
    except (DamagedEntry, XmlRefused):
        return None
    return root if root.name == root_name else None


def _reference(archive: Archive, base: str, line: Node) -> Reference:
    path, ambiguous = resolve(archive, base, line.attributes.get("FileRef", ""))
    value = "".join((line.value("CheckValue") or "").split())
    try:
        digest = base64.b64decode(value, validate=True) or None
    except (binascii.Error, ValueError):
        digest = None
    return Reference(path, digest, ambiguous)


def _join(folder: str, location: str) -> str:
    """Join and canonicalise; a path that climbs above the root stays climbing (``../x``) and so names no entry."""
    parts: list[str] = [part for part in folder.split("/") if part]
    for part in location.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
