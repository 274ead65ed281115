"""A head outside the database, as it is written to a file: one JSON object, the last seal with its signature.

Its members are those of ``Seal.body`` (``number`` counts the seals, ``last`` the entries), ``signature`` over that
body, and ``hash``, which the next seal would build on. Hashes and signature are hexadecimal. Pure.
"""

from datetime import datetime
from typing import Any

import orjson

from gateway.records.log import Seal

MAX_HEAD_BYTES = 4096


def encode_head(seal: Seal) -> bytes:
    """The file, with a closing line break."""
    members: dict[str, Any] = orjson.loads(seal.body())
    members |= {"hash": seal.hash().hex(), "signature": seal.signature.hex()}
    return _written(members)


def decode_head(data: bytes) -> Seal:
    """The seal in the file. Raises ``ValueError`` for anything that ``encode_head`` does not write."""
    if len(data) > MAX_HEAD_BYTES:
        raise ValueError("too large for a head")
    try:
        said = orjson.loads(data)
        seal = Seal(
            log_id=str(said["log"]),
            number=int(said["number"]),
            first_sequence=int(said["first"]),
            last_sequence=int(said["last"]),
            root=bytes.fromhex(said["root"]),
            previous_hash=bytes.fromhex(said["previous"]),
            sealed_at=datetime.fromisoformat(said["sealed_at"]),
            key_id=str(said["key"]),
            signature=bytes.fromhex(said["signature"]),
        )
        same = _written(said) == encode_head(seal)
    except (KeyError, TypeError, AttributeError, OverflowError):
        raise ValueError("not a head") from None
    if not same:
        raise ValueError("the members of the head contradict one another")
    return seal


def _written(members: Any) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2)
