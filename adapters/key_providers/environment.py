"""``env:NAME``: a variable with the wrapping key, so that no disk holds it; or two, the new and the old, with a comma.

A running process keeps the variable it was started with: changing this key takes a restart, changing data keys none.
"""

from adapters.key_providers._local import Asked, LocalWrapper, parse_keys
from gateway.crypto.sealing import KeyProvider, KeyProviderError

SCHEME = "env"


def open_provider(asked: Asked) -> KeyProvider:
    """See ``adapters.key_providers.open_provider``; a variable is never generated."""
    value = asked.variable(asked.reference)
    if not value:
        raise KeyProviderError(
            f"The variable {asked.reference} holds no wrapping key; restore it, or for a new database set it to 64 "
            "random hexadecimal characters."
        )
    keys = parse_keys(value.split(","), f"The variable {asked.reference}")
    return LocalWrapper(lambda: keys, asked.algorithm)
