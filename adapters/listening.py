"""The socket that the serving processes share: taken first, so that a taken port is told plainly."""

import errno
import socket

BACKLOG = 2048
Listener = socket.socket


class AddressUnavailable(ValueError):
    """The start is refused; the text is one sentence for the operator."""


def listen(host: str, port: int, setting: str = "BANDIAN_PORT") -> socket.socket:
    """A listening TCP socket, inherited by processes started from this one; ``setting`` named the port.

    Raises ``AddressUnavailable``.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Two that are bound do not yet hinder each other; two that listen do.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressUnavailable(_sentence(error, host, port, setting)) from None
    listener.set_inheritable(True)
    return listener


def _sentence(error: OSError, host: str, port: int, setting: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} is in use by another process; stop that one, or set another {setting}."
        case errno.EACCES:
            return f"This user may not listen on port {port}; set a {setting} of 1024 or above."
        case _:
            return f"This machine cannot listen at {host}; set BANDIAN_HOST to an address of its own."
