"""The manifest beside a backup: what was in the database at its moment, so that a restored one can be held against it.

It names keys by their ids and never holds one. It is not signed: the heads in it are, and what else it says is
recomputed from the restored database. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

from gateway.records.heads import decode_head, encode_head
from gateway.records.log import Seal
from schemas.wire import format_instant

MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_VERSION = 1


class DatabaseKind(StrEnum):
    """Which database a backup is of; it is restored into one of the same kind."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class DestinationCount:
    """Events of one receiver: how many in each state, and the last position."""

    states: Mapping[str, int]
    last_position: int


@dataclass(frozen=True)
class Contents:
    """What a database holds at one moment. ``heads`` is the last seal of each log, ``data_keys`` and ``seal_keys`` are
    the ids of the keys that its values and seals need.
    """

    schema_revision: str
    heads: tuple[Seal, ...]
    outbox: Mapping[str, DestinationCount]
    data_keys: tuple[str, ...]
    seal_keys: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """A backup's own account. ``lookup_key`` is ``lookup_key_id``'s; None where the key was not at hand."""

    database: DatabaseKind
    taken_at: datetime
    size: int
    sha256: str
    made_with: str
    contents: Contents
    lookup_key: str | None = None


class NotAManifest(ValueError):
    """The bytes are none that ``encode_manifest`` writes."""


def lookup_key_id(secret: bytes) -> str:
    """Sixteen hexadecimal characters that tell one look-up secret from another, and nothing of it."""
    return sha256(b"bandian lookup key id\x00" + secret).hexdigest()[:16]


def encode_manifest(manifest: Manifest) -> bytes:
    """The file, with a closing line break."""
    contents = manifest.contents
    members: dict[str, Any] = {
        "v": _VERSION,
        "database": manifest.database.value,
        "taken_at": format_instant(manifest.taken_at),
        "size": manifest.size,
        "sha256": manifest.sha256,
        "made_with": manifest.made_with,
        "schema": contents.schema_revision,
        "heads": [orjson.loads(encode_head(head)) for head in contents.heads],
        "outbox": {
            destination: {"states": dict(count.states), "last_position": count.last_position}
            for destination, count in contents.outbox.items()
        },
        "keys": {
            "data": list(contents.data_keys),
            "seal": list(contents.seal_keys),
            "lookup": manifest.lookup_key,
        },
    }
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def decode_manifest(data: bytes) -> Manifest:
    """What the file says. Raises ``NotAManifest``."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise NotAManifest("too large")
    try:
        said = orjson.loads(data)
        if said["v"] != _VERSION:
            raise NotAManifest("of another version")
        outbox = {
            str(destination): DestinationCount(
                {str(state): int(number) for state, number in count["states"].items()}, int(count["last_position"])
            )
            for destination, count in said["outbox"].items()
        }
        contents = Contents(
            str(said["schema"]),
            tuple(_head(head) for head in said["heads"]),
            outbox,
            tuple(map(str, said["keys"]["data"])),
            tuple(map(str, said["keys"]["seal"])),
        )
        lookup = said["keys"]["lookup"]
        return Manifest(
            DatabaseKind(said["database"]),
            datetime.fromisoformat(said["taken_at"]),
            int(said["size"]),
            str(said["sha256"]),
            str(said["made_with"]),
            contents,
            None if lookup is None else str(lookup),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotAManifest("not a manifest") from error


def _head(members: Any) -> Seal:
    return decode_head(orjson.dumps(members, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
