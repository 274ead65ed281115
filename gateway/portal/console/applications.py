"""Applications: found by what is no personal data, told whole, and opened with a reason by a reviewer."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.lifecycle import LifecycleStatus
from gateway.applications.model import HeadingFilter
from gateway.http.services import provide
from gateway.portal.console import words
from gateway.portal.console.shared import LISTED, Reader, Reviewer, SeenPages, show
from gateway.portal.forms import OwnForm
from gateway.portal.page_route import PageRoute
from gateway.progress.case_files import CaseFiles, RevealReason
from schemas.wire import OpaqueId

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Cases = Annotated[CaseFiles, Depends(provide(CaseFiles))]
Errors = list[tuple[str, str]]
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@router.get("/console/applications")
async def search(request: Request, officer: Reader, pages: SeenPages, cases: Cases) -> Response:
    """A list; nothing but what a filter here names can be looked for."""
    asked = {name: request.query_params.get(name, "").strip() for name in ("id", "region", "status", "from", "until")}
    wanted, errors = _filter(asked)
    found = [] if errors else await cases.search(wanted, LISTED + 1)
    # What cannot be searched for is not written back: it may be a name or a number.
    kept = {name: "" if any(field == name for field, _ in errors) else value for name, value in asked.items()}
    return show(
        request,
        pages,
        officer,
        "applications.html",
        422 if errors else 200,
        found=found[:LISTED],
        more=len(found) > LISTED,
        asked=kept,
        errors=errors,
        statuses=words.APPLICATION,
        classes={each.value: each.chinese_title for each in CustomerClass},
    )


@router.get("/console/applications/{application_id}")
async def story(
    request: Request, application_id: OpaqueId, officer: Reader, pages: SeenPages, cases: Cases
) -> Response:
    """The whole story, without the applicant."""
    found = await cases.story(application_id, officer.actor)
    return show(request, pages, officer, "application.html", story=found, words=words)


@router.get("/console/applications/{application_id}/parties")
async def ask_for_parties(request: Request, application_id: OpaqueId, officer: Reviewer, pages: SeenPages) -> Response:
    """Why?"""
    return show(
        request,
        pages,
        officer,
        "parties_reason.html",
        application_id=application_id,
        reasons=list(RevealReason),
        errors=[],
    )


@router.post("/console/applications/{application_id}/parties")
async def show_parties(
    request: Request, application_id: OpaqueId, officer: Reviewer, form: OwnForm, pages: SeenPages, cases: Cases
) -> Response:
    """Shown in the answer itself, so that the data stand in no address and in no kept answer."""
    told = form.text("reason")
    if told not in set(RevealReason):
        errors = [("reason", "请选择查看理由")]
        context = {"application_id": application_id, "reasons": list(RevealReason), "errors": errors}
        return show(request, pages, officer, "parties_reason.html", 422, **context)
    shown = await cases.reveal(application_id, RevealReason(told), officer.actor)
    return show(
        request, pages, officer, "parties.html", application_id=application_id, shown=shown, reason=RevealReason(told)
    )


def _filter(asked: Mapping[str, str]) -> tuple[HeadingFilter, Errors]:
    """What is looked for, or what is wrong with it."""
    errors: Errors = []
    if asked["id"] and not _ID.fullmatch(asked["id"]):
        errors.append(("id", "申请编号只含字母、数字和 _.:-；不能按姓名或证件号码查询"))
    if asked["region"] and not re.fullmatch(r"[0-9]{6}", asked["region"]):
        errors.append(("region", "行政区划代码为 6 位数字，如 440100"))
    days: dict[str, date | None] = {}
    for name in ("from", "until"):
        try:
            days[name] = date.fromisoformat(asked[name]) if asked[name] else None
        except ValueError:
            errors.append((name, "日期写作 2026-11-23"))
    known = asked["status"] in set(LifecycleStatus)
    return (
        HeadingFilter(
            application_id=asked["id"] or None,
            region=asked["region"] or None,
            status=LifecycleStatus(asked["status"]) if known else None,
            received_from=days.get("from"),
            received_until=days.get("until"),
        ),
        errors,
    )
