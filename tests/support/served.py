"""The gateway's own app on a loopback port, in this process: for tests that put something in another's place."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from gateway.main import create_app
from gateway.settings import load_settings
from tests.support.storage import SetClock


@asynccontextmanager
async def served(directory: Path, database_url: str, clock: SetClock) -> AsyncIterator[tuple[FastAPI, str]]:
    """The running app and where it is reached. ``database_url`` is migrated; keys are made in ``directory``."""
    # Of this protocol by name: on others asyncio lets small answers wait for an acknowledgement, forty milliseconds.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        settings = load_settings(
            {
                "BANDIAN_DATABASE_URL": database_url,
                "BANDIAN_KEY_DIR": str(directory / "keys"),
                "BANDIAN_TRUST_DIR": str(directory / "trust"),
                "BANDIAN_HEADS_DIR": str(directory / "heads"),
                "BANDIAN_PORT": str(port),
                "BANDIAN_EMBEDDED_WORKER": "false",
            }
        )
        app = create_app(settings, clock)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if running.done():
                    running.result()
                    raise RuntimeError("the app did not start")
                await asyncio.sleep(0.02)
            yield app, f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await running
