"""How every mock starts: bind, build the app for the address that came out, say so, serve, stop quickly.

    python -m mock_services.provincial_platform --port 0 --data-dir DIR

Port 0 takes a free one. When the mock answers, one JSON line on stdout tells ``{"service": …, "url": …, "pid": …}`` and
nothing else is ever written there; logs go to stderr. SIGTERM and SIGINT end it within two seconds, with exit code 0.
"""

import argparse
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_services.admin import RESET_EXTENSION

GRACE_SECONDS = 2
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - refused without --public-url


def arguments(service: str, description: str) -> argparse.ArgumentParser:
    """``--host``, ``--port``, ``--public-url``, ``--data-dir`` and ``--log-level``; a mock adds its own."""
    parser = argparse.ArgumentParser(prog=f"python -m mock_services.{service}", description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--public-url", help="how others reach it, when not by the address it listens on")
    parser.add_argument("--data-dir", type=Path, default=Path("build") / "mocks" / service)
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    return parser


def serve(service: str, options: argparse.Namespace, build: Callable[[str], ASGIApp]) -> NoReturn:
    """Serve ``build(base_url)`` until a signal; never returns.

    Raises ``OSError`` when the port cannot be had, and ``SystemExit`` when it listens everywhere without saying how
    others are to reach it: its address goes into what it signs.
    """
    if options.public_url is None and options.host in _EVERYWHERE:
        sys.exit(f"{service}: --host {options.host} needs --public-url")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options.host, options.port))
    port = listener.getsockname()[1]
    host = f"[{options.host}]" if family is socket.AF_INET6 else options.host
    base_url = (options.public_url or f"http://{host}:{port}").rstrip("/")
    config = uvicorn.Config(
        build(base_url),
        # On uvloop httpx answers AttributeError, no error of its own, where a peer resets what was just connected: a
        # gateway that is killed would take with it every mock that was about to push something to it.
        loop="asyncio",
        http=_ResettableProtocol,
        ws="none",
        log_level=options.log_level,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn raises the signal again once it has stopped; an ordered stop is no failure.
        signal.signal(number, lambda *_: sys.exit(0))
    _Server(config, service, base_url).run(sockets=[listener])
    sys.exit(0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: str, base_url: str) -> None:
        super().__init__(config)
        self._ready = {"service": service, "url": base_url, "pid": os.getpid()}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(json.dumps(self._ready), flush=True)


class _ResettableProtocol(HttpToolsProtocol):
    """Lets a fault reset the connection as a crashed peer would: RST instead of an orderly end."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions = self.scope.get("extensions") or {}
        self.scope["extensions"] = {**extensions, RESET_EXTENSION: self._reset}  # type: ignore[dict-item]  # ours, not of ASGI

    def _reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
