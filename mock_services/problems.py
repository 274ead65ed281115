"""RFC 9457 answers of the mocks: which check failed, who owns it, how it is mended."""

from fastapi.responses import JSONResponse

from schemas.problems import PROBLEM_TYPE_PREFIX, Problem
from schemas.wire import MEDIA_PROBLEM


def problem_response(status: int, check: str, title: str, remedy: str, *, owner: str = "调用方") -> JSONResponse:
    """``application/problem+json``; nothing of the input is quoted."""
    kind = check.replace(".", "-").replace("_", "-")
    problem = Problem(
        type=PROBLEM_TYPE_PREFIX + kind, title=title, status=status, check=check, owner=owner, remedy=remedy
    )
    return JSONResponse(problem.model_dump(mode="json", exclude_none=True), status, media_type=MEDIA_PROBLEM)
