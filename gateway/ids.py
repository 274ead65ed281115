"""Identifiers of our own: sortable by the millisecond they were made in, with 80 random bits."""

import os
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from gateway.clock import Clock

MakeId = Callable[[str], str]
"""Takes a prefix (``app``, ``evt``) and answers ``{prefix}_{26 characters}``."""

RANDOM_BYTES = 16
"""As many as an identifier has random characters, each of which takes five bits of one byte."""
_AT_ONCE = 256
_random: deque[bytes] = deque()
os.register_at_fork(after_in_child=_random.clear)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM_CHARACTERS = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))


def random_bytes() -> bytes:
    """``RANDOM_BYTES`` from the operating system's generator, each handed out once, in whichever thread.

    Many are fetched at once: a call of the system gives up the interpreter, and waits to have it back.
    """
    try:
        return _random.popleft()
    except IndexError:
        block = os.urandom(RANDOM_BYTES * _AT_ONCE)
        _random.extend(block[start : start + RANDOM_BYTES] for start in range(RANDOM_BYTES, len(block), RANDOM_BYTES))
        return block[:RANDOM_BYTES]


@lru_cache(64)
def _millisecond(number: int) -> str:
    """Ten characters."""
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(40, -10, -10)])


def id_maker(clock: Clock) -> MakeId:
    """Makes ULIDs in Crockford's base 32, lower case, behind the prefix and an underscore."""

    def make_id(prefix: str) -> str:
        characters = random_bytes().translate(_RANDOM_CHARACTERS).decode()
        return f"{prefix}_{_millisecond(int(clock().timestamp() * 1000))}{characters}"

    return make_id
