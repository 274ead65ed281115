"""Spoilt copies of good inputs: bytes for any format, elements for DER, members for JSON, tags for XML.

Plain bit flips die at the first length or bracket; a change that keeps the framing right gets to the code behind it.
Everything hangs on the ``Random`` that is passed in, so that a number names an input.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

MAX_DEPTH = 24
MAX_NODES = 4000
STRANGE_BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\0" * 8,
    b"\xff" * 8,
    b"\x30\x80\0\0",
    b"{",
    b"<",
    b"%00",
    b"\xef\xbb\xbf",
)
STRANGE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 10**31, 10**18, 0.5, -0.0, 1e308, "", "\0", "a" * 300, "../..",
    "１", "‮", "9999-12-31T23:59:59Z", "0000-00-00", "2026-02-30", [], [[]], [None] * 50, {}, {"a": {"b": {}}},
)  # fmt: skip
STRANGE_DER = (
    b"\x05\x00", b"\x02\x01\x00", b"\x02\x01\xff", b"\x02\x09\x00" + b"\xff" * 8, b"\x01\x01\xff", b"\x01\x01\x01",
    b"\x04\x00", b"\x03\x01\x00", b"\x03\x02\x07\x80", b"\x30\x00", b"\x31\x00", b"\x06\x01\x80", b"\x06\x02\x2a\x03",
    b"\x17\x0d991231235959Z", b"\x18\x0f99991231235959Z", b"\x18\x0f00000101000000Z", b"\x18\x0f20260230010203Z",
    b"\x0c\x02\xc3\x28", b"\x1e\x03\x00\x41\x00", b"\x13\x01*", b"\x16\x07http://", b"\xa0\x00", b"\x80\x00",
    b"\x87\x03abc", b"\x0a\x01\x0a", b"\x9f\x1f\x00",
)  # fmt: skip


def mutate(data: bytes, chance: Random, *, words: Sequence[bytes] = (), max_bytes: int) -> bytes:
    """A changed copy of ``data``, at most ``max_bytes`` long; ``words`` are put in here and there."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        data = _once(data, chance, words)[:max_bytes]
    return data


def _once(data: bytes, chance: Random, words: Sequence[bytes]) -> bytes:
    aware = chance.random() < 0.75
    if aware and data[:1] in (b"\x30", b"\x31", b"\xa0"):
        return mutate_der(data, chance)
    if aware and data[:1] == b"{":
        return mutate_json(data, chance)
    return mutate_bytes(data, chance, words)


def mutate_bytes(data: bytes, chance: Random, words: Sequence[bytes]) -> bytes:
    """One change that knows nothing of the format."""
    at, until = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    word = chance.choice((*words, *STRANGE_BYTES)) if words else chance.choice(STRANGE_BYTES)
    match chance.randrange(8):
        case 0 if data:
            place = chance.randrange(len(data))
            return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        case 1 if data:
            place = chance.randrange(len(data))
            return data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
        case 2:
            return data[:at] + word + data[at:]
        case 3:
            return data[:at] + word + data[until:]
        case 4:
            return data[:at] + data[until:]
        case 5:
            return data[:until] + data[at:until] * chance.choice((1, 2, 50)) + data[until:]
        case 6:
            return data[:at]
    return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]


@dataclass
class Node:
    """An element: its identifier octet and either bytes or, after ``prefix``, elements."""

    tag: int
    content: bytes
    inner: list["Node"] | None = None
    prefix: bytes = b""

    def encoded(self) -> bytes:
        content = self.content if self.inner is None else self.prefix + b"".join(node.encoded() for node in self.inner)
        size = len(content)
        if size < 0x80:
            return bytes([self.tag, size]) + content
        length = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes([self.tag, 0x80 | len(length)]) + length + content


def mutate_der(data: bytes, chance: Random) -> bytes:
    """One element changed, and every length above it mended; or a length spoilt on purpose."""
    count = [0]
    nodes = _read(data, 0, count)
    if not nodes:
        return mutate_bytes(data, chance, STRANGE_DER)
    owner, place = chance.choice(_places(nodes))
    node = owner[place]
    match chance.randrange(9):
        case 0:
            del owner[place]
        case 1:
            owner.insert(place, _as_is(node))
        case 2:
            owner[place] = Node(node.tag, mutate_bytes(node.encoded()[2:], chance, STRANGE_DER))
        case 3:
            owner[place] = Node(chance.randrange(256), node.content, node.inner, node.prefix)
        case 4:
            strange = chance.choice(STRANGE_DER)
            owner[place] = Node(strange[0], strange[2:])
        case 5:
            other, elsewhere = chance.choice(_places(nodes))
            owner[place] = _as_is(other[elsewhere])
        case 6:
            owner[place] = Node(0x30, b"", [node])
        case 7 if node.inner is None:
            owner[place] = Node(node.tag, mutate_bytes(node.content, chance, STRANGE_DER))
        case _:
            chance.shuffle(owner)
    return b"".join(each.encoded() for each in nodes)[: 1 << 20]


def _as_is(node: Node) -> Node:
    """A copy that shares no list: an element put into itself would have no end."""
    return Node(node.tag, node.content)


def _places(nodes: list[Node]) -> list[tuple[list[Node], int]]:
    found, waiting = [], [nodes]
    while waiting and len(found) < MAX_NODES:
        owner = waiting.pop()
        for place, node in enumerate(owner):
            found.append((owner, place))
            if node.inner is not None:
                waiting.append(node.inner)
    return found


def _read(data: bytes, depth: int, count: list[int]) -> list[Node] | None:
    """The elements of ``data``; None where it is not DER from end to end."""
    nodes: list[Node] = []
    at = 0
    while at < len(data):
        count[0] += 1
        if at + 2 > len(data) or depth > MAX_DEPTH or count[0] > MAX_NODES:
            return None
        tag, size, at = data[at], data[at + 1], at + 2
        if size >= 0x80:
            width = size & 0x7F
            if not 1 <= width <= 4 or at + width > len(data):
                return None
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        content, at = data[at : at + size], at + size
        if len(content) != size:
            return None
        nodes.append(_node(tag, content, depth, count))
    return nodes


def _node(tag: int, content: bytes, depth: int, count: list[int]) -> Node:
    prefix = b"\0" if tag == 0x03 and content[:1] == b"\0" else b""
    if tag & 0x20 or (tag in (0x03, 0x04) and content[len(prefix) :][:1] in (b"\x30", b"\x02")):
        inner = _read(content[len(prefix) :], depth + 1, count)
        if inner is not None:
            return Node(tag, content, inner, prefix)
    return Node(tag, content)


def mutate_json(data: bytes, chance: Random) -> bytes:
    """One member or value changed; now and then in a way that only the text can show (twice the same member)."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, chance, (b'"', b"\\u0000", b"1e400", b"NaN", b"{}", b"[]"))
    owners = _owners(value)
    if not owners:
        return json.dumps(chance.choice(STRANGE_VALUES)).encode()
    owner = chance.choice(owners)
    keys: list[Any] = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
    key = chance.choice(keys) if keys else None
    match chance.randrange(5):
        case 0 if key is not None:
            del owner[key]
        case 1 if key is not None:
            other = chance.choice(owners)
            owner[key] = chance.choice((*STRANGE_VALUES, json.loads(json.dumps(other))))
        case 2 if isinstance(owner, dict):
            owner[chance.choice(("x", "", "alg", "kid", "exp", "status", "crit", "a" * 100))] = chance.choice(
                STRANGE_VALUES
            )
        case 3 if isinstance(key, str):
            owner[key.swapcase() + chance.choice(("", " "))] = owner.pop(key)
        case _:
            text = json.dumps(value)
            return text.replace("{", '{"iss":1,', 1).encode() if chance.random() < 0.5 else text[:-1].encode()
    return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def _owners(value: Any) -> list[Any]:
    found, waiting = [], [value]
    while waiting and len(found) < 500:
        each = waiting.pop()
        if isinstance(each, dict | list):
            found.append(each)
            waiting.extend(each.values() if isinstance(each, dict) else each)
    return found
