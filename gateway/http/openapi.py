"""Adds to the OpenAPI document what FastAPI cannot know: every refusal is a problem document."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from schemas.problems import Problem
from schemas.wire import MEDIA_PROBLEM

_COMPONENT = "#/components/schemas/"
_METHODS = ("get", "put", "post", "delete", "patch", "options", "head")
_REFUSAL = {
    "description": "RFC 9457: which check failed, who owns it, how it is mended",
    "content": {MEDIA_PROBLEM: {"schema": {"$ref": _COMPONENT + "Problem"}}},
}


def describe_problems(app: FastAPI) -> None:
    """Let ``app.openapi()`` answer OpenAPI 3.1 with problem documents in place of FastAPI's own error models."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        return app.openapi_schema if app.openapi_schema is not None else _completed(plain())

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI has it done


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {}).setdefault("schemas", {})
    for foreign in ("HTTPValidationError", "ValidationError"):
        components.pop(foreign, None)
    _, definitions = models_json_schema([(Problem, "serialization")], ref_template=_COMPONENT + "{model}")
    components.update(definitions["$defs"])
    for path in document.get("paths", {}).values():
        for method in _METHODS:
            responses = path.get(method, {}).get("responses")
            if responses is not None:
                responses.pop("422", None)
                responses.setdefault("4XX", _REFUSAL)
                responses.setdefault("5XX", _REFUSAL)
    return document
