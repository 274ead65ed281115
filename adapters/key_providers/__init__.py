"""Where the key comes from that wraps the data keys: one file each, exporting ``SCHEME`` and ``open_provider``.

A KMS is one more file here: it implements ``gateway.crypto.sealing.KeyProvider`` by asking its service to wrap and
unwrap, and may keep what its reference (the part after ``kms:``) says to itself.
"""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from adapters.key_providers._local import Asked
from gateway.crypto.aead import Algorithm
from gateway.crypto.sealing import KeyProvider, KeyProviderError

SETTING: Final = "BANDIAN_AT_REST_KEYS"


def open_provider(
    setting: str, variable: Callable[[str], str | None], algorithm: Algorithm, *, generate: bool
) -> KeyProvider:
    """The provider that ``setting`` (``scheme:reference``) names; with ``generate`` it makes a key where it has none.

    ``variable`` answers environment variables. Raises ``KeyProviderError``.
    """
    scheme, _, reference = setting.partition(":")
    modules = schemes()
    if scheme not in modules or not reference:
        forms = ", ".join(f"{known}:…" for known in modules)
        raise KeyProviderError(f"{SETTING} must be one of {forms}; correct it.")
    provider: KeyProvider = modules[scheme].open_provider(Asked(reference, variable, algorithm, generate))
    return provider


def schemes() -> dict[str, Any]:
    """The modules here, by scheme."""
    names = [each.name for each in pkgutil.iter_modules([str(Path(__file__).parent)]) if not each.name.startswith("_")]
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return {module.SCHEME: module for module in modules}
