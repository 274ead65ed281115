"""Identifiers of our own: sortable by the millisecond they were made in, with 80 random bits."""

import secrets
from collections.abc import Callable

from gateway.clock import Clock

MakeId = Callable[[str], str]
"""Takes a prefix (``app``, ``evt``) and answers ``{prefix}_{26 characters}``."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def id_maker(clock: Clock) -> MakeId:
    """Makes ULIDs in Crockford's base 32, lower case, behind the prefix and an underscore."""

    def make_id(prefix: str) -> str:
        number = (int(clock().timestamp() * 1000) << 80) | secrets.randbits(80)
        return prefix + "_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -10, -10)])

    return make_id
