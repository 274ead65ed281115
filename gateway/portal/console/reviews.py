"""核查任务: the list, a look (on record, and the applicant sees it), and a decision that is made once."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from gateway.applications.review_tasks import ReviewState
from gateway.applications.reviews import ReviewService
from gateway.http.services import provide
from gateway.portal.console import words
from gateway.portal.console.shared import LISTED, Reader, Reviewer, SeenPages, show
from gateway.portal.forms import OwnForm
from gateway.portal.page_route import PageRoute
from schemas.operator_api import SettlementRequest
from schemas.wire import OpaqueId

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Reviews = Annotated[ReviewService, Depends(provide(ReviewService))]
_FAULTS = {
    "decision": "请选择通过或不予通过",
    "reason": "请写明理由：1 至 500 字，一行",
    "no_interest": "请声明与申请人无利害关系；有利害关系的，请由他人办理",
}


@router.get("/console/reviews")
async def tasks(request: Request, officer: Reader, pages: SeenPages, reviews: Reviews) -> Response:
    """Tasks, the oldest first; by default those that wait."""
    told = request.query_params.get("state", ReviewState.OPEN.value)
    state = ReviewState(told) if told in set(ReviewState) else None
    found = await reviews.listed(state, LISTED)
    return show(request, pages, officer, "reviews.html", found=found, state=state, words=words)


@router.get("/console/reviews/{task_id}")
async def task(request: Request, task_id: OpaqueId, officer: Reader, pages: SeenPages, reviews: Reviews) -> Response:
    """One task, without the values."""
    found = await reviews.find(task_id)
    return show(request, pages, officer, "review.html", task=found, looked=None, errors=[], told={}, words=words)


@router.post("/console/reviews/{task_id}/look")
async def look(
    request: Request, task_id: OpaqueId, officer: Reviewer, _form: OwnForm, pages: SeenPages, reviews: Reviews
) -> Response:
    """The compared values, in the answer itself: they stand in no address and in no kept answer."""
    looked = await reviews.look(task_id, officer.subject, officer.actor)
    return show(
        request, pages, officer, "review.html", task=looked.task, looked=looked, errors=[], told={}, words=words
    )


@router.post("/console/reviews/{task_id}/settle")
async def settle(
    request: Request, task_id: OpaqueId, officer: Reviewer, form: OwnForm, pages: SeenPages, reviews: Reviews
) -> Response:
    """Accept or reject, once; whoever decides has looked, and has no part in it (回避)."""
    told = {name: form.text(name) for name in ("decision", "reason")}
    declared = bool(form.text("no_interest"))
    try:
        settlement = SettlementRequest.model_validate({"officer": officer.subject, "no_interest": declared, **told})
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors(include_input=False, include_context=False)}
        errors = [(name, says) for name, says in _FAULTS.items() if name in wrong]
        found = await reviews.find(task_id)
        return show(
            request,
            pages,
            officer,
            "review.html",
            422,
            task=found,
            looked=None,
            errors=errors,
            told={**told, "no_interest": declared},
            words=words,
        )

    async def work() -> Response:
        await reviews.settle(task_id, settlement, officer.actor)
        return RedirectResponse(f"/console/reviews/{task_id}", 303)

    return await form.once(request, officer.subject, work)
