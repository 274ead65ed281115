"""``file:PATH``: a file (0600) with the wrapping key; two lines, new and old, while data keys are wrapped anew."""

import secrets
from contextlib import suppress
from pathlib import Path

from adapters.key_directory import KeyDirectoryError, refuse_exposed, write_once
from adapters.key_providers._local import MOST_KEYS, Asked, LocalWrapper, parse_keys
from gateway.crypto.sealing import KEY_BYTES, KeyProvider, KeyProviderError

SCHEME = "file"


def open_provider(asked: Asked) -> KeyProvider:
    """See ``adapters.key_providers.open_provider``."""
    path = Path(asked.reference)
    if asked.generate and not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                write_once(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
        except OSError as error:
            raise KeyProviderError(f"The wrapping key {path} cannot be made ({error.strerror}).") from None
    return LocalWrapper(lambda: read_keys(path), asked.algorithm)


def read_keys(path: Path) -> list[bytes]:
    """The keys in the file, the one in use first. Raises ``KeyProviderError``, also where others can read it."""
    if not path.is_file():
        raise KeyProviderError(
            f"There is no wrapping key {path}; restore it, or for a new database make one: bandian keys init"
        )
    try:
        refuse_exposed(path, "0600")
        lines = path.read_text("ascii").split()
    except KeyDirectoryError as error:
        raise KeyProviderError(str(error)) from None
    except (OSError, UnicodeDecodeError):
        raise KeyProviderError(f"The wrapping key {path} cannot be read; give this user the rights to it.") from None
    return parse_keys(lines[: MOST_KEYS + 1], str(path))
