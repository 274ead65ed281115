"""The secrets that webhooks share with their receivers."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.channels.signed_events import parse_secret
from gateway.settings import read_secret_lines

SETTLED_AFTER_S: Final = 2.0
"""A file that was changed just now may be changed again without a sign of it: clocks of file systems tick slowly."""


def secrets_in(directory: Path) -> Callable[[str], tuple[bytes, ...]]:
    """Answers the webhook secrets that a ``secret_ref`` names: a file of ``directory``, looked at at each use.

    It holds one, or while the receiver changes over the new and the old one; none where there is no such file. One that
    is the very file that was read before, unchanged, is not read again.
    """
    known: dict[str, tuple[tuple[int, ...], tuple[bytes, ...]]] = {}
    paths: dict[str, str] = {}

    def secrets_of(reference: str) -> tuple[bytes, ...]:
        path = paths.get(reference)
        if path is None:
            if (directory / reference).parent != directory:
                return ()
            path = paths[reference] = str(directory / reference)
        try:
            seen = os.stat(path)
        except OSError:
            return ()
        stamp = (seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_mode)
        read = known.get(reference)
        if read is not None and read[0] == stamp:
            return read[1]
        if not stat.S_ISREG(seen.st_mode):
            return ()
        secrets = tuple(parse_secret(line) for line in read_secret_lines(Path(path), 2))
        if time.time() - max(seen.st_mtime, seen.st_ctime) > SETTLED_AFTER_S:
            known[reference] = (stamp, secrets)
        return secrets

    return secrets_of
