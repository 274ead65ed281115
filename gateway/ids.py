"""Identifiers of our own: sortable by the millisecond they were made in, with 80 random bits."""

import os
from collections import deque
from collections.abc import Callable

from gateway.clock import Clock

MakeId = Callable[[str], str]
"""Takes a prefix (``app``, ``evt``) and answers ``{prefix}_{26 characters}``."""

RANDOM_BYTES = 16
_AT_ONCE = 256
_random: deque[bytes] = deque()
os.register_at_fork(after_in_child=_random.clear)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


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


def id_maker(clock: Clock) -> MakeId:
    """Makes ULIDs in Crockford's base 32, lower case, behind the prefix and an underscore."""

    def make_id(prefix: str) -> str:
        number = (int(clock().timestamp() * 1000) << 80) | int.from_bytes(random_bytes()[:10])
        return prefix + "_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -10, -10)])

    return make_id
