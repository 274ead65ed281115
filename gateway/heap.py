"""The garbage collector of a process that serves: what it began with is never looked at again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 20_000
"""Objects made and not freed before the young are looked at; Python's own 700 are not one request's worth."""


@contextmanager
def settled_heap() -> Iterator[None]:
    """Set aside what is there by now, until the end: modules and routes live as long, and to walk them is in vain."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
