"""A loop beside a server. A mock whose loop broke would look alive and do nothing, so it ends itself instead."""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """``work`` as long as the block lasts; then it is cancelled and waited for."""
    task = asyncio.create_task(_guarded(work))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        traceback.print_exc(file=sys.stderr)
        os.kill(os.getpid(), signal.SIGTERM)
