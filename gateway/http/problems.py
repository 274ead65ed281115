"""Every error leaves by this door: RFC 9457 documents that name check, owner and remedy, and never echo the input."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import (
    Conflict,
    Denied,
    GatewayError,
    Indeterminate,
    Malformed,
    NotFound,
    Overloaded,
    Owner,
    PartnerUnavailable,
    Rejected,
    Unauthenticated,
)
from gateway.http.errors import BodyTooLarge, RateLimited
from gateway.http.faults import faults_of, known_names
from gateway.http.languages import language_of
from gateway.http.metrics import REFUSED, Refusal
from gateway.wording.catalogues import worded
from gateway.wording.phrases import Language
from schemas.problems import PROBLEM_TYPE_PREFIX, FactValue, Problem
from schemas.wire import MEDIA_PROBLEM

FAMILY_STATUS: Final[Mapping[type[GatewayError], int]] = {
    Malformed: 400,
    Unauthenticated: 401,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    BodyTooLarge: 413,
    Rejected: 422,
    RateLimited: 429,
    PartnerUnavailable: 502,
    Indeterminate: 503,
    Overloaded: 503,
}
"""The nearest of an error's classes that stands here gives its status."""

_PLAIN: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("malformed", "请求格式不正确", "请按接口说明修正请求"),
    404: ("no-such-resource", "没有此地址", "请核对请求地址"),
    405: ("method-not-allowed", "此地址不支持该方法", "请使用 Allow 响应头列出的方法"),
    413: ("body-too-large", "请求体过大", "请缩小请求体"),
    415: ("unsupported-media-type", "不支持的内容类型", "请按接口说明设置 Content-Type"),
}
"""Refusals of the framework itself: kind, title and remedy. Anything else is answered as a fault of ours."""

_MEMBERS: Final = frozenset({field.name for field in fields(GatewayError)} | {"retry_after"})
"""Fields of errors that have a member of their own in the document."""
_KEPT_HEADERS: Final = ("allow", "retry-after")
_CHALLENGE_ALGORITHMS: Final = 'algs="ES256 EdDSA"'

log = structlog.get_logger()


def status_of(error: type[GatewayError]) -> int:
    """The HTTP status of an error class. Raises ``LookupError`` for one outside every family."""
    for family in error.__mro__:
        if family in FAMILY_STATUS:
            return FAMILY_STATUS[family]
    raise LookupError(f"{error.__name__} belongs to no family that has a status")


def problem_of(error: GatewayError, status: int, language: Language) -> Problem:
    """The document for ``error``, its title and remedy in ``language``.

    ``record_id`` and ``retry_after`` are told where the error carries them.
    """
    return Problem(
        type=PROBLEM_TYPE_PREFIX + error.kind,
        title=worded(error.title, language),
        status=status,
        check=error.check,
        owner=error.owner.value,
        remedy=worded(error.remedy, language),
        clause=error.clause,
        record_id=error.record_id,
        retry_after=getattr(error, "retry_after", None),
        facts=facts_of(error),
    )


def facts_of(error: GatewayError) -> dict[str, FactValue]:
    """The typed facts that ``error`` declares beyond every error's own members; by contract never personal data.

    None and empty lists are left out, and so is whatever is not a plain value: a refusal is answered in any case.
    """
    told = {
        field.name: _plain_fact(getattr(error, field.name)) for field in fields(error) if field.name not in _MEMBERS
    }
    return {name: value for name, value in told.items() if value is not None}


def _plain_fact(value: object) -> FactValue | None:
    if isinstance(value, Enum):
        return _plain_fact(value.value)
    if isinstance(value, list | tuple):
        items = [_plain_fact(item) for item in value]
        return [item for item in items if isinstance(item, str)] or None
    return value if isinstance(value, bool | int | float | str) else None


def error_response(
    error: GatewayError, language: Language, *, status: int | None = None, extra: Mapping[str, Any] | None = None
) -> Response:
    """The answer to ``error`` in ``language``.

    ``extra`` adds members to the document (RFC 9457 §3.2); ``status`` overrides that of its family.
    """
    status = status_of(type(error)) if status is None else status
    headers: dict[str, str] = {}
    oauth_error = getattr(error, "oauth_error", None)
    if status == 401 or (status == 403 and oauth_error is not None):
        headers["WWW-Authenticate"] = _challenge(oauth_error)
    return _respond(problem_of(error, status, language), language, headers, extra)


def plain_response(status: int, language: Language, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a refusal of the framework, or (status 500) to a fault of ours."""
    if status not in _PLAIN:
        return _fault_response(language)
    kind, title, remedy = _PLAIN[status]
    kept = {name: value for name, value in (headers or {}).items() if name.lower() in _KEPT_HEADERS}
    return _respond(_plain_problem(status, kind, title, Owner.CALLER, remedy, language), language, kept)


def install_problem_handlers(app: FastAPI) -> None:
    """Send every error of ``app`` through this door."""
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, answer_http_exception)


def note_refusal(problem: Problem) -> None:
    """Log and count ``problem``, in whatever form it is told."""
    kind = problem.type.removeprefix(PROBLEM_TYPE_PREFIX)
    REFUSED.set(Refusal(kind, problem.check))
    log.info("problem", kind=kind, check=problem.check, status=problem.status)


async def _on_gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return error_response(error, language_of(request.scope))


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """The document for a refusal of the framework itself."""
    assert isinstance(error, HTTPException)
    return plain_response(error.status_code, language_of(request.scope), error.headers)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors: Sequence[Any] = error.errors()
    language = language_of(request.scope)
    if any(item["type"] == "json_invalid" for item in errors):
        remedy = "请求体须为合法的 JSON"
        return _respond(_plain_problem(400, "malformed", "请求格式不正确", Owner.CALLER, remedy, language), language)
    faults = faults_of(errors, known_names(request.app), language)
    remedy = "请按 faults 逐项修正"
    problem = _plain_problem(422, "invalid-request", "请求内容不符合接口约定", Owner.CALLER, remedy, language)
    return _respond(problem.model_copy(update={"faults": faults}), language)


def _plain_problem(status: int, kind: str, title: str, owner: Owner, remedy: str, language: Language) -> Problem:
    return Problem(
        type=PROBLEM_TYPE_PREFIX + kind,
        title=worded(title, language),
        status=status,
        check="request." + kind.replace("-", "_"),
        owner=owner.value,
        remedy=worded(remedy, language),
    )


def _fault_response(language: Language) -> Response:
    remedy = "请稍后重试；若持续出现，请凭 X-Request-Id 联系平台运营方"
    return _respond(_plain_problem(500, "internal", "共享平台内部错误", Owner.GATEWAY, remedy, language), language)


def _challenge(oauth_error: str | None) -> str:
    reason = f'error="{oauth_error}", ' if oauth_error else ""
    return f"DPoP {reason}{_CHALLENGE_ALGORITHMS}"


def _respond(
    problem: Problem,
    language: Language,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    sent = {"Content-Language": language.value, "Vary": "Accept-Language", **(headers or {})}
    if problem.retry_after is not None:
        sent["Retry-After"] = str(max(1, problem.retry_after))
    document = problem.model_dump(mode="json", exclude_none=True) | dict(extra or {})
    for name in ("faults", "facts"):
        if not document[name]:
            del document[name]
    note_refusal(problem)
    return Response(orjson.dumps(document), problem.status, sent, MEDIA_PROBLEM)
