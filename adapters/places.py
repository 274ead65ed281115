"""So many at once, as ``asyncio.Semaphore``: who finds a place free takes it without a coroutine for it.

An exchange takes a place and gives it back, and a semaphore's three coroutines cost as much as reading its reply.
"""

import asyncio
from collections import deque


class Places:
    """``if not places.taken(): await places.wait()``, then ``give`` back, once. Of one event loop."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    def taken(self) -> bool:
        """Whether a place was free, which is the caller's now."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Wait for a place, in the order of those who came."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it came as he left
                self.give()
            raise

    def give(self) -> None:
        """A place is free again: for who waits longest of those who have not left, if anybody does."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
