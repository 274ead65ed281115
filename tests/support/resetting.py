"""A server that is there and resets every connection at once, as one does that is killed with callers in its queue."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_STEP = 0.0001
"""Seconds: each connection is reset a little later in its caller's making of it than the one before, ten in turn."""


@dataclass
class Resetting:
    """Where it listens, and how many connections it has reset."""

    url: str
    count: int = 0


@contextmanager
def resetting_server() -> Iterator[Resetting]:
    """Listen on a free loopback port until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        server = Resetting(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def reset() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    time.sleep(server.count % 10 * _STEP)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                server.count += 1

        thread = threading.Thread(target=reset, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
