"""Style sheets, scripts and pictures: served from here alone, under names that change with their content."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

STATIC: Final = Path(__file__).parent / "static"
PREFIX: Final = "/assets/"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Assets:
    """Every file below ``static/``, read once."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix not in _TYPES or not path.is_file():
                continue
            content, name = path.read_bytes(), path.relative_to(folder).as_posix()
            hashed = f"{name.removesuffix(path.suffix)}.{sha256(content).hexdigest()[:12]}{path.suffix}"
            self._names[name] = PREFIX + hashed
            self._files[hashed] = (content, _TYPES[path.suffix])

    def href(self, name: str) -> str:
        """Where ``name`` is served. Raises ``KeyError`` for a file that there is not."""
        return self._names[name]

    def serve(self, hashed: str) -> Response:
        """The file of a name that ``href`` gave out; it may be kept for ever. Raises ``HTTPException`` 404."""
        try:
            content, media_type = self._files[hashed]
        except KeyError:
            raise HTTPException(404) from None
        return Response(
            content, headers={"cache-control": "public, max-age=31536000, immutable"}, media_type=media_type
        )
