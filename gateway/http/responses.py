"""Answers as bytes: hot and once-only routes answer these, past FastAPI's encoder."""

from collections.abc import Mapping

from fastapi import Response
from pydantic import BaseModel

from schemas.wire import MEDIA_JOSE


class JoseResponse(Response):
    """A compact JWS."""

    media_type = MEDIA_JOSE


def document(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``model`` as JSON."""
    return Response(model.model_dump_json(), status, headers, "application/json")
