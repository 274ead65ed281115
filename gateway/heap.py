"""The memory of a process that serves: what it leaves out, what it gives back, and what it never looks at again."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 20_000
"""Objects made and not freed before the young are looked at; Python's own 700 are not one request's worth."""


def leave_out_extras() -> None:
    """Before anything else is loaded: what structlog and httpx take along where they find it, and do without.

    ``rich`` prints in colour, which a process that writes JSON lines has no use for; ``greenlet`` is another kind of
    threads, of which there are none here. Together they are some megabytes.
    """
    for extra in ("rich", "greenlet"):
        sys.modules.setdefault(extra, None)  # type: ignore[arg-type]  # an import of it says that it is not there


@contextmanager
def settled_heap() -> Iterator[None]:
    """Set aside what is there by now, until the end: modules and routes live as long, and to walk them is in vain."""
    thresholds = gc.get_threshold()
    gc.collect()
    give_back()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def give_back() -> None:
    """What was taken and let go is the system's again; glibc keeps it otherwise (``malloc_trim(3)``). Milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
