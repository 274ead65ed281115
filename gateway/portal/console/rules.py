"""规则: the rows in force, and the rows that officers add, by two persons."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from gateway.clock import date_in_china
from gateway.errors import Owner
from gateway.http.services import provide
from gateway.oversight.public_rules import region_name, scope_name
from gateway.oversight.rule_text import matter
from gateway.portal.console import rule_words as words
from gateway.portal.console.rule_form import read_form
from gateway.portal.console.shared import Decider, Operator, Reader, SeenPages, show
from gateway.portal.forms import Form, OwnForm
from gateway.portal.officers import OfficerRole
from gateway.portal.page_route import PageRoute
from gateway.rule_rows.errors import RuleRowConflict, RuleRowRefused
from gateway.rule_rows.live import LiveRules
from gateway.rule_rows.model import ExtendableTable, OperatorRow, RowStatus
from gateway.rule_rows.preview import RowPreview, value_of
from gateway.rule_rows.rules import earliest_start, rows_about
from gateway.rule_rows.service import RuleRowService
from gateway.rule_rows.steps import RowStep, open_steps
from gateway.rule_rows.tables import dated_row, region_prefix
from schemas.regions import PROVINCE
from schemas.wire import OpaqueId

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Rows = Annotated[RuleRowService, Depends(provide(RuleRowService))]
Live = Annotated[LiveRules, Depends(provide(LiveRules))]
_BY_OPERATORS = frozenset({RowStep.WITHDRAW, RowStep.PROPOSE_END, RowStep.DROP_END})
_BY_REVIEWERS = frozenset({RowStep.APPROVE, RowStep.APPROVE_END, RowStep.WITHDRAW, RowStep.DROP_END})
_SHARED: dict[str, Any] = {
    "words": words,
    "matter": matter,
    "value_of": value_of,
    "scope_name": scope_name,
    "region_name": region_name,
}


@router.get("/console/rules")
async def list_rules(
    request: Request,
    officer: Reader,
    pages: SeenPages,
    rows: Rows,
    live: Live,
    table: Annotated[str, Query(max_length=40)] = ExtendableTable.STAGE_LIMIT.value,
    region: Annotated[str, Query(max_length=6)] = PROVINCE,
    on: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """The rows of a table that concern a region on a day, and all rows that officers added."""
    today = date_in_china(pages.clock())
    chosen = ExtendableTable(table) if table in set(ExtendableTable) else ExtendableTable.STAGE_LIMIT
    day = _day(on) or today
    await live.refresh()
    found = rows_about(live.rules().table(chosen), region_prefix(region), day)
    return show(
        request,
        pages,
        officer,
        "rules.html",
        table=chosen,
        region=region,
        day=day,
        found=found,
        added=await rows.listed(),
        today=today,
        **_SHARED,
    )


@router.get("/console/rules/new")
async def new_row(
    request: Request, officer: Operator, pages: SeenPages, table: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """First the table, then what a row of it says."""
    chosen = ExtendableTable(table) if table in set(ExtendableTable) else None
    told = {"effective_from": earliest_start(pages.clock()).isoformat(), "region": PROVINCE}
    return _form(request, pages, officer, chosen, told, [])


@router.post("/console/rules/new")
async def draft_row(request: Request, officer: Operator, form: OwnForm, pages: SeenPages, rows: Rows) -> Response:
    """Preview the row, or write it down; it counts for nothing yet."""
    read = read_form(form)
    if read.terms is None:
        return _form(request, pages, officer, read.table, read.told, read.errors, 422)
    terms = read.terms
    try:
        preview = await rows.preview(terms)
    except RuleRowRefused as refusal:
        return _form(request, pages, officer, read.table, read.told, [(read.field_of(refusal), refusal.remedy)], 422)
    if form.text("act") != "draft":
        return _form(request, pages, officer, read.table, read.told, [], preview=preview)

    async def work() -> Response:
        made = await rows.draft(terms, officer.actor)
        return RedirectResponse(f"/console/rules/{made.row_id}", 303)

    return await form.once(request, officer.subject, work)


@router.get("/console/rules/{row_id}")
async def one_row(request: Request, row_id: OpaqueId, officer: Reader, pages: SeenPages, rows: Rows) -> Response:
    """A row with its basis and its story, and what this officer may do with it now."""
    return await _shown(request, pages, officer, rows, await rows.find(row_id), [])


@router.post("/console/rules/{row_id}/step")
async def step(
    request: Request, row_id: OpaqueId, officer: Decider, form: OwnForm, pages: SeenPages, rows: Rows
) -> Response:
    """One step, by whoever may take it."""
    told = form.text("step")
    if told not in set(RowStep) or not _may(officer.role, RowStep(told)):
        raise RuleRowConflict(
            check="rule_row.step", owner=Owner.CALLER, remedy="您的角色不能办理此步骤，请返回规则行查看可办理的步骤"
        )
    last = _day(form.text("on"))
    if RowStep(told) is RowStep.PROPOSE_END and last is None:
        return await _shown(request, pages, officer, rows, await rows.find(row_id), [("on", "请填写截止日")])

    async def work() -> Response:
        await _take(rows, RowStep(told), row_id, officer.actor, form, last)
        return RedirectResponse(f"/console/rules/{row_id}", 303)

    try:
        return await form.once(request, officer.subject, work)
    except RuleRowRefused as refusal:
        field = {"reason": "reason", "ends_too_early": "on", "ends_no_sooner": "on"}.get(
            refusal.check.rpartition(".")[2], "steps"
        )
        return await _shown(request, pages, officer, rows, await rows.find(row_id), [(field, refusal.remedy)])


async def waiting(rows: RuleRowService) -> int:
    """How many rows or ends of rows wait for a second person."""
    return sum(row.status is RowStatus.DRAFT or row.proposed_end is not None for row in await rows.listed())


async def _take(rows: RuleRowService, step: RowStep, row_id: str, actor: str, form: Form, last: date | None) -> None:
    match step:
        case RowStep.APPROVE:
            await rows.approve(row_id, actor)
        case RowStep.WITHDRAW:
            await rows.withdraw(row_id, actor, form.text("reason"))
        case RowStep.PROPOSE_END if last is not None:
            await rows.propose_end(row_id, last, actor)
        case RowStep.APPROVE_END:
            await rows.approve_end(row_id, actor)
        case RowStep.DROP_END:
            await rows.drop_end(row_id, actor)


async def _shown(
    request: Request,
    pages: SeenPages,
    officer: Reader,
    rows: RuleRowService,
    row: OperatorRow,
    errors: list[tuple[str, str]],
) -> Response:
    now = pages.clock()
    preview, in_the_way = await _preview(rows, row)
    return show(
        request,
        pages,
        officer,
        "rule_row.html",
        422 if errors else 200,
        row=row,
        stands=dated_row(row.terms),
        offered=[each for each in open_steps(row, officer.actor, now) if _may(officer.role, each)],
        preview=preview,
        in_the_way=in_the_way,
        earliest_end=date_in_china(now),
        errors=errors,
        **_SHARED,
    )


async def _preview(rows: RuleRowService, row: OperatorRow) -> tuple[RowPreview | None, str | None]:
    """Of a draft: whom it would concern, or why it can no longer be approved."""
    if row.status is not RowStatus.DRAFT:
        return None, None
    try:
        return await rows.preview(row.terms), None
    except RuleRowRefused as refusal:
        return None, refusal.remedy


def _form(
    request: Request,
    pages: SeenPages,
    officer: Operator,
    table: ExtendableTable | None,
    told: dict[str, str],
    errors: list[tuple[str, str]],
    status: int = 200,
    preview: RowPreview | None = None,
) -> Response:
    return show(
        request,
        pages,
        officer,
        "rule_row_new.html",
        status,
        table=table,
        fields=words.FIELDS[table] if table else (),
        told=told,
        errors=errors,
        preview=preview,
        earliest=earliest_start(pages.clock()),
        **_SHARED,
    )


def _may(role: OfficerRole, wanted: RowStep) -> bool:
    if role is OfficerRole.OPERATOR:
        return wanted in _BY_OPERATORS
    return role is OfficerRole.REVIEWER and wanted in _BY_REVIEWERS


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
