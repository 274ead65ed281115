"""The reference of events: ``/asyncapi.json``, and the same for reading at ``/docs/events``, without any script."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import orjson
from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from gateway.http.asyncapi import describe_events

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;"
    "vertical-align:top}code{font-size:.9em;overflow-wrap:anywhere}"
)
_PAGE: Final = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
<body><main><h1>{title}</h1><p>{description}</p>
<p>AsyncAPI {asyncapi}: <a href="../asyncapi.json">asyncapi.json</a></p>
<h2>通道</h2>{channels}<h2>事件</h2>{messages}<h2>结构</h2>{schemas}</main></body></html>
"""


def serve_event_reference(app: FastAPI, base_url: str, prefix: str) -> None:
    """Add ``/asyncapi.json`` and ``/docs/events`` to ``app``; before ``/docs/{name}``, which takes any other name."""
    described = describe_events(f"{app.title} · 事件", app.version, base_url, prefix)
    document, page = orjson.dumps(described), _page(described)

    async def asyncapi() -> Response:
        return Response(document, media_type="application/json")

    async def readable() -> Response:
        return HTMLResponse(page, headers={"content-security-policy": _POLICY})

    app.get("/asyncapi.json", include_in_schema=False)(asyncapi)
    app.get("/docs/events", include_in_schema=False)(readable)


def _page(described: Mapping[str, Any]) -> str:
    info, components = described["info"], described["components"]
    channels = _table(
        ("通道", "地址", "说明"),
        [
            (each["title"], each["address"] or "（登记的接收地址）", each.get("description", ""))
            for each in described["channels"].values()
        ],
    )
    messages = _table(
        ("事件", "type", "说明"),
        [(each["title"], each["name"], each["summary"]) for each in components["messages"].values()],
    )
    return _PAGE.format(
        title=escape(info["title"]),
        style=_STYLE,
        description=escape(info["description"]),
        asyncapi=described["asyncapi"],
        channels=channels,
        messages=messages,
        schemas="".join(_schema(name, each) for name, each in sorted(components["schemas"].items())),
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (member, _kind(each) + ("" if member in required else "（可缺）"), each.get("description", ""))
        for member, each in schema.get("properties", {}).items()
    ]
    if not rows and "enum" in schema:
        rows = [(str(value), "", "") for value in schema["enum"]]
    return f'<h3 id="{escape(name)}">{escape(name)}</h3>' + (_table(("成员", "类型", "说明"), rows) if rows else "")


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}))}]"
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    return str(schema.get("format") or schema.get("type", "any"))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"
