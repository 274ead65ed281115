"""The one way in which a bundle is written: a ZIP whose every byte follows from its files."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

_DATED: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100600


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """``files`` by name, stored and not compressed, in the order of their names, each dated 1980-01-01."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATED)
            entry.create_system, entry.external_attr = 3, _MODE << 16
            archive.writestr(entry, files[name])
    return stream.getvalue()
