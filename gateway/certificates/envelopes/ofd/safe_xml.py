"""Reading OFD's XML without what makes XML dangerous: no DTD, no entities, bounded size, depth and node count.

Built on expat directly, because ``xml.etree`` offers no hook that refuses a DTD. Names are local names: the namespace
of OFD files varies in the field.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

MAX_BYTES: Final = 1 << 20
MAX_NODES: Final = 50_000
MAX_DEPTH: Final = 64


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


def parse_xml(data: bytes) -> Node:
    """The root element of a document. Raises `XmlRefused`."""
    if len(data) > MAX_BYTES:
        raise XmlRefused
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise XmlRefused from None
    if builder.root is None:
        raise XmlRefused
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes)
        if self._count > MAX_NODES or len(self._open) >= MAX_DEPTH:
            raise XmlRefused
        node = Node(_local(name), {_local(key): value for key, value in attributes.items()})
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
    return name.rpartition(" ")[2]
