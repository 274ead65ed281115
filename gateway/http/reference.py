"""The API reference, served from vendored files: no CDN, no inline script, nothing phones home."""

from html import escape
from pathlib import Path
from typing import Final

from fastapi import FastAPI, HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

_VENDOR: Final = Path(__file__).parent / "vendor" / "swagger-ui"
_FILES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE: Final = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="reference"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>
"""
_START: Final = (
    'SwaggerUIBundle({url: "openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null, '
    "docExpansion: 'list', defaultModelsExpandDepth: 0});"
)


def serve_reference(app: FastAPI) -> None:
    """Add ``/docs`` to ``app``; the document itself is ``/openapi.json``."""

    async def page() -> Response:
        return HTMLResponse(_PAGE.format(title=escape(app.title)), headers={"content-security-policy": _POLICY})

    async def file(name: str) -> Response:
        if name == "start.js":
            return Response(_START, media_type="text/javascript")
        if name not in _FILES:
            raise HTTPException(404)
        return FileResponse(_VENDOR / name, media_type=_FILES[name])

    app.get("/docs", include_in_schema=False)(page)
    app.get("/docs/{name}", include_in_schema=False)(file)
