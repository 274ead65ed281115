"""The super log: one RFC 9162 log over the logs of all writers, whose head is what a checkpoint signs. Pure.

Each time a log moved it is given a leaf that says how far the log goes and under which root. So one checkpoint binds
every entry of every log that a leaf before it names.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.records.merkle import HASH_BYTES

SUPER_LOG: Final = "super"
"""What stands for it where complete subtrees of logs are stored; no writer's log is named so."""
_LOG_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class SuperLeaf:
    """That the log ``log_id`` has the ``root`` (32 bytes) over its first ``last`` entries, by its seal ``number``."""

    log_id: str
    last: int
    number: int
    root: bytes


def encode_leaf(leaf: SuperLeaf) -> bytes:
    """The leaf's bytes: JSON with sorted members, no white space, the root in hexadecimal."""
    members: dict[str, Any] = {
        "last": leaf.last,
        "log": leaf.log_id,
        "number": leaf.number,
        "root": leaf.root.hex(),
        "v": 1,
    }
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def decode_leaf(data: bytes) -> SuperLeaf:
    """What a leaf says. Raises ``ValueError`` for anything that ``encode_leaf`` does not write."""
    said = orjson.loads(data)
    match said:
        case {"last": int(last), "log": str(log_id), "number": int(number), "root": str(text), "v": 1}:
            leaf = SuperLeaf(log_id, last, number, bytes.fromhex(text))
            counted = not isinstance(last, bool) and not isinstance(number, bool) and 1 <= number <= last
            if counted and len(leaf.root) == HASH_BYTES and _LOG_ID.fullmatch(log_id) and encode_leaf(leaf) == data:
                return leaf
    raise ValueError("not a leaf of the super log")
