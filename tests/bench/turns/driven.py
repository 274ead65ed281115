"""A gateway in this process, asked over connections that have no sockets.

A program by itself, which takes the gateway from whichever checkout stands first on the path of modules. On its
standard input it gets requests, pickled, and then a line that tells it to begin; on its standard output it says
``up``, ``ready`` for each lot of requests, and how many CPU-seconds they took once all are answered.
"""

import argparse
import asyncio
import os
import pickle
import runpy
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

LIVE = Path(__file__).parents[1] / "hot" / "live_gateway.py"
DATE = (b"date", b"Mon, 30 Nov 2026 00:00:00 GMT")
"""Uvicorn's own would set it anew each second."""


class Client(asyncio.Transport):
    """One connection and who asks over it: an answer is in one piece, and brings the next request."""

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self._loop, self._protocol = loop, protocol
        self._requests: Iterator[bytes] = iter(())
        self._done = loop.create_future()
        protocol.connection_made(self)

    def ask(self, requests: Iterator[bytes]) -> "asyncio.Future[None]":
        """Ask one after the other, as long as there are any; done once the last is answered."""
        self._requests, self._done = requests, self._loop.create_future()
        self._next()
        return self._done

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
        else:
            self._protocol.data_received(request)

    def write(self, data: Any) -> None:
        """Takes an answer. One that refuses ends the process: there is nothing to measure."""
        if not data.startswith(b"HTTP/1.1 20"):
            print(f"refused: {data[:2000]!r}", file=sys.stderr, flush=True)
            os._exit(1)
        self._loop.call_soon(self._next)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


async def drive(asked: BinaryIO, say: Callable[[object], None], connections: int, hook: ModuleType | None) -> None:
    """Serve until there is nothing more to be read. ``hook`` is told of each lot: ``begin(count)``, ``end(count)``."""
    from uvicorn.server import ServerState

    from gateway.http.protocol import LaneProtocol
    from gateway.main import create_app_from_environment
    from gateway.serving import ServingConfig

    app, loop = create_app_from_environment(), asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        config = ServingConfig(app, http=LaneProtocol, proxy_headers=False, access_log=False, log_config=None)
        config.load()
        state = ServerState()
        state.default_headers = [DATE]
        clients = [
            Client(LaneProtocol(config=config, server_state=state, app_state={}, _loop=loop), loop)
            for _ in range(connections)
        ]
        say("up")
        while (requests := await asyncio.to_thread(_next, asked)) is not None:
            say("ready")
            await asyncio.to_thread(asked.readline)
            if hook is not None:
                hook.begin(len(requests))
            began, waiting = time.process_time(), iter(requests)
            await asyncio.gather(*(client.ask(waiting) for client in clients))
            used = time.process_time() - began
            if hook is not None:
                hook.end(len(requests))
            say(used)


def _next(asked: BinaryIO) -> Sequence[bytes] | None:
    try:
        requests: Sequence[bytes] = pickle.load(asked)
    except EOFError:
        return None
    return requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--live", action="store_true", help="no copy passes as fresh")
    parser.add_argument("--hook", help="a module that is told when requests begin and end")
    options = parser.parse_args()
    if options.live:
        runpy.run_path(str(LIVE))["always_ask"]()
    import uvloop

    hook = __import__(options.hook) if options.hook else None
    said = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the gateway's log goes beside what is said

    def say(what: object) -> None:
        print(what, file=said, flush=True)

    uvloop.run(drive(sys.stdin.buffer, say, options.connections, hook))


if __name__ == "__main__":
    main()
