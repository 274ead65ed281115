"""The garbage collector of a process that serves: what it began with is never looked at again."""

import gc
from typing import Final

YOUNG: Final = 20_000
"""Objects made and not freed before the young are looked at; Python's own 700 are not one request's worth."""


def settle_heap() -> None:
    """Set aside what is there by now: modules and routes live until the end, and to walk them again is in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
