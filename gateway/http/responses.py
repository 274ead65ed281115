"""Answers as bytes: hot and once-only routes answer these, past FastAPI's encoder."""

from fastapi import Response
from pydantic import BaseModel

from schemas.wire import MEDIA_JOSE


class JoseResponse(Response):
    """A compact JWS."""

    media_type = MEDIA_JOSE


def document(model: BaseModel, status: int = 200) -> Response:
    """``model`` as JSON."""
    return Response(model.model_dump_json(), status, media_type="application/json")
