"""Reading OFD's XML without what makes XML dangerous: no DTD, no entities, bounded size, depth and node count.

Built on expat directly, because ``xml.etree`` offers no hook that refuses a DTD. Names are local names: namespaces and
their prefixes vary in the field, and some writers declare none. Read are UTF-8, UTF-16 and the GB family, which expat
does not know; what declares one encoding and is marked as another could be read in two ways and is refused.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 50_000
MAX_DEPTH: Final = 64

_DECLARATION: Final = re.compile(rb"<\?xml\s[^>]{0,200}?\?>")
_ENCODING: Final = re.compile(rb"\sencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]{0,30})[\"']")
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0?\0", b"\0<\0?")
_EXPATS_OWN: Final = frozenset({"UTF-8", "UTF8", "US-ASCII", "ASCII"})
_GB: Final = frozenset({"GB2312", "GBK", "GB18030", "CP936", "X-GBK"})
"""GB 18030 contains the others, so that one decoder reads them all."""


class XmlRefused(Exception):
    """Not well-formed, or uses what is not allowed here. A signal inside this package: it becomes a failed check."""


@dataclass(slots=True)
class Node:
    """One element: local name, attributes by local name, children, and its own text."""

    name: str
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own character data, without that of its children."""
        return "".join(self.pieces)

    def find(self, *names: str) -> "Node | None":
        """The first descendant along a path of child names, or None."""
        node: Node | None = self
        for name in names:
            node = next((child for child in node.children if child.name == name), None) if node else None
        return node

    def all(self, name: str) -> Iterator["Node"]:
        """Its children of that name, in order."""
        return (child for child in self.children if child.name == name)

    def value(self, *names: str) -> str | None:
        """The trimmed text of a descendant; None when it is absent or empty."""
        node = self.find(*names)
        return (node.text.strip() or None) if node else None


@dataclass(slots=True)
class NodeBudget:
    """How many elements and attributes may still be read, of several files together."""

    left: int


def parse_xml(data: bytes, budget: NodeBudget | None = None) -> Node:
    """The root element of a document. What it costs is taken from ``budget``. Raises `XmlRefused`."""
    if len(data) > MAX_BYTES:
        raise XmlRefused
    builder = _Builder(NodeBudget(MAX_NODES) if budget is None else budget)
    text = _in_utf8(data)
    parser = expat.ParserCreate("UTF-8" if text is not data else None)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise XmlRefused from None
    if builder.root is None:
        raise XmlRefused
    return builder.root


def _in_utf8(data: bytes) -> bytes:
    """The document in an encoding that expat reads: itself, or put into UTF-8. Raises `XmlRefused`."""
    if data.startswith(_UTF16_MARKS):
        return data
    marked = data.startswith(codecs.BOM_UTF8)
    declaration = _DECLARATION.match(data, len(codecs.BOM_UTF8) if marked else 0)
    named = _ENCODING.search(declaration.group()) if declaration else None
    encoding = named.group(1).decode().upper() if named else "UTF-8"
    if encoding in _EXPATS_OWN:
        return data
    if encoding not in _GB or marked:
        raise XmlRefused
    try:
        return data.decode("gb18030").encode()
    except UnicodeError:
        raise XmlRefused from None


class _Builder:
    def __init__(self, budget: NodeBudget) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._count = 0
        self._budget = budget

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes)
        self._budget.left -= 1 + len(attributes)
        if self._count > MAX_NODES or self._budget.left < 0 or len(self._open) >= MAX_DEPTH:
            raise XmlRefused
        own = [key for key in attributes if key != "xmlns" and not key.startswith("xmlns:")]
        node = Node(_local(name), {_local(key): attributes[key] for key in own})
        if len(node.attributes) != len(own):
            raise XmlRefused
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].pieces.append(data)

    def refuse(self, *_: object) -> int:
        raise XmlRefused


def _local(name: str) -> str:
    return name.rpartition(":")[2]
