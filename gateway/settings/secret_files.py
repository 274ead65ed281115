"""Secrets that lie in files of their own."""

import os
import stat
from pathlib import Path
from typing import Final

from gateway.settings.errors import SettingsError

_MAX_SECRET_BYTES: Final = 4096


def read_secret(path: Path) -> str:
    """The secret in a file, without its closing line break. Raises ``SettingsError``, also where others can read it."""
    return read_secret_lines(path, 1)[0]


def read_secret_lines(path: Path, most: int) -> tuple[str, ...]:
    """The one to ``most`` lines of a secret file: while a secret is changed, its file holds the new and the old one.

    Raises as ``read_secret`` does.
    """
    try:
        with path.open("rb") as stream:
            exposed = stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077
            data = stream.read(_MAX_SECRET_BYTES + 1)
        lines = tuple(data.decode("utf-8").rstrip("\r\n").splitlines())
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"The secret file {path} cannot be read; put one line of text there.") from None
    if exposed:
        raise SettingsError(f"Others than its owner can open {path}; run: chmod 0600 {path}")
    sound = all(line and line.isprintable() for line in lines)
    if not 1 <= len(lines) <= most or len(data) > _MAX_SECRET_BYTES or not sound:
        expected = "one line" if most == 1 else f"one to {most} lines"
        raise SettingsError(f"The secret file {path} must hold {expected} of text, at most {_MAX_SECRET_BYTES} bytes.")
    return lines
