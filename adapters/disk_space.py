"""How much room a file system has left."""

import shutil
from pathlib import Path


def free_bytes(path: Path) -> float:
    """Bytes that this user may still write where ``path`` lies, or will lie; NaN where that cannot be known."""
    for place in (path, *path.absolute().parents):
        try:
            return float(shutil.disk_usage(place).free)
        except FileNotFoundError:
            continue
        except OSError:
            break
    return float("nan")
