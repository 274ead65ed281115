"""What sealed values say, remembered for as long as a row holds the very same sealed bytes.

Sealed bytes are never the same twice, so that whoever finds them in a row knows what they say without opening them:
another process's change, or one that was not committed, has other bytes. What is personal is remembered for minutes.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

MOST: Final = 512
KEPT_S: Final = 300.0


class OpenedValues:
    """``most`` values, none longer than ``kept_s``; ``elapsed`` answers seconds of a clock that is never set."""

    def __init__(self, most: int = MOST, kept_s: float = KEPT_S, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._most, self._kept_s, self._elapsed = most, kept_s, elapsed
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[bytes, Any, float]] = OrderedDict()

    def get(self, place: str, sealed: bytes) -> Any | None:
        """What ``sealed`` says, where it lies at ``place``; None where nobody remembers."""
        with self._lock:
            self._sweep()
            known = self._known.get(place)
            return known[1] if known is not None and known[0] == sealed else None

    def keep(self, place: str, sealed: bytes, value: Any) -> None:
        """Remember ``value``, which nobody changes from now on."""
        with self._lock:
            self._known.pop(place, None)
            self._known[place] = (sealed, value, self._elapsed())
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def sweep(self) -> None:
        """Forget what was remembered long enough."""
        with self._lock:
            self._sweep()

    def __len__(self) -> int:
        return len(self._known)

    def _sweep(self) -> None:
        over = self._elapsed() - self._kept_s
        while self._known and next(iter(self._known.values()))[2] <= over:
            self._known.popitem(last=False)
