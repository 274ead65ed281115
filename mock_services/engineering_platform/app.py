"""The platform's HTTP surface: its public key, and the admin routes that say something of a project."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from mock_services.engineering_platform.desk import Desk
from mock_services.problems import problem_response


def install(app: FastAPI, desk: Desk) -> None:
    """Add all routes to ``app``."""
    app.include_router(_public(desk))
    app.include_router(_admin(desk))


def _public(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """It answers, so it runs."""
        return {"status": "ok"}

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        """The key that pushes are signed with."""
        return {"keys": [desk.key.public_jwk]}

    return router


def _admin(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/__admin/projects", include_in_schema=False)

    @router.get("")
    async def projects() -> list[dict[str, Any]]:
        """Every project as it is said to be now, and each version: attempts, last status, the acknowledgement."""
        return desk.store.projects()

    @router.post("")
    async def say(tables: dict[str, Any]) -> Response:
        """Push a project: ``{"xmjbxxb": {…}, "xmspsxblxxb": […], …}``; one that is known gets its next version."""
        return _said(lambda: desk.say(tables))

    @router.post("/{works_code}/change")
    async def change(works_code: str, changes: dict[str, Any]) -> Response:
        """Push the next version: ``xmjbxxb`` names the columns that change, any other table replaces the former."""
        return _said(lambda: desk.change(works_code, changes))

    @router.post("/{works_code}/withdraw")
    async def withdraw(works_code: str) -> Response:
        """Push that its data no longer hold."""
        return _said(lambda: desk.change(works_code, {"xmjbxxb": {"sjyxbs": 0, "sjwxyy": "项目终止"}}))

    @router.post("/{works_code}/repeat")
    async def repeat(works_code: str) -> Response:
        """Push the last version again, byte for byte."""
        if not desk.store.repeat(works_code, desk.clock()):
            return _unknown()
        return JSONResponse({"works_code": works_code}, 202)

    return router


def _said(say: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(say(), 201)
    except ValidationError as error:
        return JSONResponse({"errors": error.errors(include_input=False, include_url=False)}, 422)
    except KeyError:
        return _unknown()


def _unknown() -> Response:
    return problem_response(404, "projects.unknown", "没有该工程", "请核对工程代码。")
