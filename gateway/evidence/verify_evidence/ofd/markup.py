"""OFD's XML without what makes XML dangerous: no DTD, no entities, UTF-8; bounded in size, depth and elements."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from ..errors import NotProved, Refused
from ..work import spend

MAX_BYTES: Final = 1 << 20
MAX_ELEMENTS: Final = 50_000
MAX_DEPTH: Final = 64


@dataclass
class Element:
    """One element: local name, attributes by local name, children, and its own text."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> Iterator["Element"]:
        """Its children of that name, in order."""
        return (each for each in self.children if each.name == name)

    def one(self, *names: str) -> "Element | None":
        """What stands at the end of a path of names, None where there is none. Raises ``NotProved`` for two."""
        found: Element | None = self
        for name in names:
            here = list(found.all(name)) if found is not None else []
            if len(here) > 1:
                raise NotProved(f"{name} stands twice in the OFD")
            found = here[0] if here else None
        return found

    def value(self, *names: str) -> str | None:
        """The trimmed text there, None where it is absent or empty."""
        found = self.one(*names)
        return (found.text.strip() or None) if found is not None else None


def read_xml(data: bytes, root_name: str) -> Element:
    """The root element. Raises ``Refused``, ``NotProved``."""
    if len(data) > MAX_BYTES:
        raise NotProved("an XML file in the OFD that is larger than is looked at")
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = builder.declared
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    try:
        data.decode("utf-8")
        parser.Parse(data, True)
    except UnicodeDecodeError:
        raise NotProved("an XML file in the OFD in an encoding that is not read here") from None
    except (expat.ExpatError, ValueError, LookupError):
        raise Refused("an XML file in the OFD is malformed") from None
    if builder.root is None or builder.root.name != root_name:
        raise Refused(f"an XML file in the OFD is no {root_name}")
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._pieces: list[list[str]] = []
        self._count = 0

    def declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if (encoding or "utf-8").lower() not in ("utf-8", "utf8"):
            raise NotProved("an XML file in the OFD in an encoding that is not read here")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        spend("elements", 1 + len(attributes))
        self._count += 1 + len(attributes)
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise NotProved("an XML file in the OFD of more elements than are looked at")
        own = [key for key in attributes if key != "xmlns" and not key.startswith("xmlns:")]
        element = Element(_local(name), {_local(key): attributes[key] for key in own})
        if len(element.attributes) != len(own):
            raise Refused("an XML file in the OFD names an attribute twice")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._pieces.append([])

    def end(self, _: str) -> None:
        self._open.pop().text = "".join(self._pieces.pop())

    def characters(self, data: str) -> None:
        self._pieces[-1].append(data)

    def refuse(self, *_: object) -> int:
        raise Refused("an XML file in the OFD has a DTD or an entity")


def _local(name: str) -> str:
    return name.rpartition(":")[2]
