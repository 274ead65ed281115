"""Identifiers of our own: sortable by the millisecond they were made in, with 80 random bits."""

import secrets
from collections.abc import Callable

from gateway.clock import Clock

MakeId = Callable[[str], str]
"""Takes a prefix (``app``, ``evt``) and answers ``{prefix}_{26 characters}``."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def id_maker(clock: Clock) -> MakeId:
    """Makes ULIDs in Crockford's base 32, lower case, behind the prefix and an underscore."""

    def make_id(prefix: str) -> str:
        number = (int(clock().timestamp() * 1000) << 80) | secrets.randbits(80)
        return prefix + "_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))

    return make_id
