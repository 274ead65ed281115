"""Told to stop, a serving process says so first: whoever balances between several sends no more, none is cut off."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Draining:
    """After ``SIGTERM``, ``begun`` for ``delay_s`` seconds before whoever handled the signal hears of it."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self.begun = False

    def install(self) -> None:
        """Step before the handler that is there; without a delay, or outside the main thread, nothing changes."""
        handler = signal.getsignal(signal.SIGTERM)
        if not self._delay_s or not callable(handler) or threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGTERM, lambda number, frame: self._on_signal(handler, number, frame))

    def _on_signal(self, handler: Callable[[int, FrameType | None], Any], number: int, frame: FrameType | None) -> None:
        if self.begun:  # told twice: at once, then
            handler(number, frame)
            return
        self.begun = True
        timer = threading.Timer(self._delay_s, handler, (number, None))
        timer.daemon = True
        timer.start()
