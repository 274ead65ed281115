"""From an OFD's files to the one signature over all of them, and to the licence's own fields in OFD.xml.

Judged is the document that issuers write: one DocBody under one seal. Whatever has more readings is not proved.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

from ..errors import NotProved, Refused
from ..sm2 import sm3
from ..work import spend
from .container import read_container
from .markup import Element, read_xml
from .seal import SealedValue

ROOT: Final = "OFD.xml"
MAX_REFERENCES: Final = 512
MAX_VALUE: Final = 8192
_SM3: Final = frozenset({"SM3", "1.2.156.10197.1.401", "1.2.156.10197.1.401.1"})
_SHA256: Final = frozenset({"SHA256", "SHA-256", "2.16.840.1.101.3.4.2.1"})
_BROKEN: Final = frozenset({"MD5", "SHA1", "SHA-1", "1.2.840.113549.2.5", "1.3.14.3.2.26"})
_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})|年([0-9]{1,2})月([0-9]{1,2})日"
    r"|([0-9]{2})([0-9]{2}))"
)
_ENDLESS: Final = frozenset({"长期", "长期有效", "永久", "永久有效", "无固定期限"})


@dataclass(frozen=True)
class SealedDocument:
    """A document that is whole under its seal; whether its signer may be believed is another question."""

    value: SealedValue
    root: Element

    def fields(self) -> dict[str, str]:
        """CustomDatas of OFD.xml by name, empty ones left out. Raises ``Refused`` where they have two readings."""
        lists = [
            each
            for body in self.root.all("DocBody")
            for info in body.all("DocInfo")
            for each in info.all("CustomDatas")
        ]
        if len(lists) != 1:
            raise Refused("OFD.xml holds no licence's fields, or more than one's")
        found: dict[str, str] = {}
        seen: set[str] = set()
        for each in lists[0].children:
            name, value = each.attributes.get("Name", "").strip(), each.text.strip()
            if each.name != "CustomData" or each.children or not name or name.casefold() in seen:
                raise Refused("a field in OFD.xml stands twice, or is none")
            if len(value) > MAX_VALUE:
                raise Refused("a field in OFD.xml is too long")
            seen.add(name.casefold())
            if value:
                found[name] = value
        return found


def read_document(data: bytes) -> SealedDocument:
    """The document, proved to be whole: each file by its digest, the digests by the signer, the seal by its maker.

    Raises ``Refused`` for what is wrong, ``NotProved`` for what has a form or a protection that is not judged here.
    """
    files = read_container(data)
    if ROOT not in files:
        raise NotProved("there is no OFD.xml in it")
    root = read_xml(files[ROOT], "OFD")
    if len(list(root.all("DocBody"))) != 1:
        raise NotProved("it is not one document")
    lists = _located(files, ROOT, root.value("DocBody", "Signatures"), "it bears no seal")
    lines = list(read_xml(files[lists], "Signatures").all("Signature"))
    if len(lines) != 1:
        raise NotProved("it does not bear exactly one seal")
    path = _located(files, lists, lines[0].attributes.get("BaseLoc"), "the seal that it lists is not there")
    description = read_xml(files[path], "Signature")
    missing = "the signed value is not there"
    value_path = _located(files, path, description.value("SignedValue"), missing)
    covered = _covered(files, path, description)
    value = SealedValue.read(files[value_path])
    value.verify(files[path])
    own = {lists, path, value_path}
    seal_path = description.value("SignedInfo", "Seal", "BaseLoc")
    if seal_path is not None:
        own.add(_located(files, path, seal_path, "the seal's file is not there"))
        if not any(files[each] == value.seal.raw for each in own - {lists, path, value_path}):
            raise Refused("the seal's file is not the seal that was used")
    if files.keys() - covered - own or ROOT not in covered:
        raise NotProved("it holds files that the seal does not cover")
    return SealedDocument(value, root)


def licence_date(text: str, *, ends: bool = False) -> str | None:
    """A date as issuers write it, as ``YYYY-MM-DD``; None for what is none."""
    if ends and text in _ENDLESS:
        return "9999-12-31"
    match = _DATE.fullmatch(text.removesuffix("00:00:00").removesuffix("23:59:59").rstrip(" T"))
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups() if part is not None)).isoformat()
    except ValueError:
        return None


def _covered(files: Mapping[str, bytes], path: str, description: Element) -> set[str]:
    """The files that Signature.xml names, each with the digest that it states. Raises ``Refused``, ``NotProved``."""
    references = description.one("SignedInfo", "References")
    lines = list(references.all("Reference")) if references is not None else []
    if references is None or not lines:
        raise Refused("its seal covers nothing")
    if len(lines) > MAX_REFERENCES:
        raise NotProved("it has more references than are looked at")
    method = references.attributes.get("CheckMethod", "").strip().upper()
    if method in _BROKEN:
        raise Refused(f"its digests by {method} protect nothing")
    if method not in _SM3 | _SHA256:
        raise NotProved("its digests are by a method that is not judged here")
    covered = set()
    for line in lines:
        target = _located(files, path, line.attributes.get("FileRef"), "a file that the seal covers is not there")
        spend("bytes", len(files[target]))
        actual = sm3(files[target]) if method in _SM3 else sha256(files[target]).digest()
        if _digest(line) != actual:
            raise Refused(f"{target} is not the file that was sealed")
        covered.add(target)
    return covered


def _digest(line: Element) -> bytes:
    try:
        return base64.b64decode("".join((line.value("CheckValue") or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("a digest in Signature.xml is no base64") from None


def _located(files: Mapping[str, bytes], base: str, location: str | None, missing: str) -> str:
    """The file that ``location`` in ``base`` names (§7.3). Raises ``Refused`` for none, ``NotProved`` for two."""
    location = (location or "").strip()
    if "\\" in location:
        raise NotProved("a location in a form that is not read here")
    readings = {_joined("", location)}
    if not location.startswith("/"):
        readings.add(_joined(base.rpartition("/")[0], location))
    found = readings & files.keys()
    if len(found) > 1:
        raise NotProved("a location in it names two files")
    if not found:
        known = {each.rpartition("/")[2].casefold() for each in files}
        if location and location.rpartition("/")[2].casefold() in known:
            raise NotProved("a location in it names a file in a way that is not read here")
        raise Refused(missing)
    return found.pop()


def _joined(folder: str, location: str) -> str:
    parts = [part for part in folder.split("/") if part]
    for part in location.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
