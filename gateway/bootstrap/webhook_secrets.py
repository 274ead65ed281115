"""The secrets that webhooks share with their receivers."""

from collections.abc import Callable
from pathlib import Path

from adapters.channels.signed_events import parse_secret
from gateway.settings import read_secret_lines


def secrets_in(directory: Path) -> Callable[[str], tuple[bytes, ...]]:
    """Answers the webhook secrets that a ``secret_ref`` names: a file of ``directory``, read at each use.

    It holds one, or while the receiver changes over the new and the old one; none where there is no such file.
    """

    def secrets_of(reference: str) -> tuple[bytes, ...]:
        path = directory / reference
        if path.parent != directory or not path.is_file():
            return ()
        return tuple(parse_secret(line) for line in read_secret_lines(path, 2))

    return secrets_of
