"""The authority's pages: tables with a chart beside each, and the 重点任务台账 to take along. They change nothing."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from gateway.clock import date_in_china
from gateway.http.services import provide
from gateway.oversight.ledger import Ledger, ledger
from gateway.oversight.periods import Period, month_of, period
from gateway.oversight.public_rules import region_name
from gateway.oversight.report import CellReport, PeriodReport, period_report
from gateway.oversight.service import OversightService
from gateway.oversight.spreadsheet import MEDIA_TYPE, ledger_xlsx
from gateway.portal.authority import charts
from gateway.portal.authority.ledger_pdf import ledger_pdf
from gateway.portal.officers import Officer, OfficerOf, OfficerRole
from gateway.portal.page_route import PageRoute
from gateway.portal.rendering import Pages
from schemas.regions import REGION_NAMES

SEES: Final = OfficerOf(OfficerRole.AUTHORITY, OfficerRole.AUDITOR, OfficerRole.OPERATOR)
"""Who may look: the figures name nobody."""
WORDS: Final = {
    "median": "中位数",
    "p90": "九成不超过",
    "worst": "最长",
    "limit": "时限",
    "unit": "工作日",
    "within": "时限内",
    "over": "超时限",
    "applications": "件",
}

router = APIRouter(prefix="/authority", route_class=PageRoute, include_in_schema=False, dependencies=[Depends(SEES)])
Seer = Annotated[Officer, Depends(SEES)]
SeenPages = Annotated[Pages, Depends(provide(Pages))]
Service = Annotated[OversightService, Depends(provide(OversightService))]
_TYPESETTING: Final = asyncio.Semaphore(1)


@dataclass(frozen=True)
class Asked:
    """What a page was asked for: days and a city, and what is wrong with them."""

    period: Period
    city: str
    first: str
    last: str
    errors: list[tuple[str, str]]

    @property
    def query(self) -> str:
        """For links to the other pages."""
        return urlencode({"from": self.period.first, "to": self.period.last, "city": self.city})


async def asked(
    pages: SeenPages,
    first: Annotated[str, Query(alias="from", max_length=40)] = "",
    last: Annotated[str, Query(alias="to", max_length=40)] = "",
    city: Annotated[str, Query(max_length=12)] = "",
) -> Asked:
    """The days of the query; this month and the two before where it says none, or nothing that is a day."""
    today = date_in_china(pages.clock())
    usual = Period(month_of(month_of(today).first - timedelta(days=40)).first, today)
    errors = []
    days: list[date] = []
    for name, text, otherwise in (("from", first, usual.first), ("to", last, usual.last)):
        try:
            days.append(date.fromisoformat(text.strip()) if text.strip() else otherwise)
        except ValueError:
            errors.append((name, "请填写日期，例如 2026-11-28"))
    known = city if city in REGION_NAMES and not city.endswith("0000") else ""
    span = usual if errors else period(days[0], days[1])
    return Asked(span, known, first or str(span.first), last or str(span.last), errors)


Wanted = Annotated[Asked, Depends(asked)]


@router.get("")
async def overview(request: Request, officer: Seer, pages: SeenPages, service: Service, wanted: Wanted) -> Response:
    """Cities and classes, and the whole against its limit."""
    report = await _report(service, wanted)
    words, titles = _words(request, pages), _titles(request, pages, report)
    drawn = {
        "classes": charts.durations([(titles[each.title], each.whole) for each in report.classes], words),
        "cities": charts.counts(report.cities, titles | words),
    }
    return _page(request, officer, pages, "authority/overview.html", wanted, report, drawn)


@router.get("/stages")
async def stages(request: Request, officer: Seer, pages: SeenPages, service: Service, wanted: Wanted) -> Response:
    """Every stage of every class against its limit."""
    report = await _report(service, wanted)
    words, titles = _words(request, pages), _titles(request, pages, report)
    drawn = {each.customer_class: charts.of_stages(each.stages, titles, words) for each in report.classes}
    return _page(request, officer, pages, "authority/stages.html", wanted, report, drawn)


@router.get("/permits")
async def permits(request: Request, officer: Seer, pages: SeenPages, service: Service, wanted: Wanted) -> Response:
    """Construction permits by department."""
    report = await _report(service, wanted)
    names = {name for each in report.departments for name in (each.title, each.region_name)}
    words = _words(request, pages) | {name: pages.translate(request, name) for name in names}
    drawn = {"departments": charts.of_departments(report.departments, words)}
    return _page(request, officer, pages, "authority/permits.html", wanted, report, drawn)


@router.get("/conduct")
async def conduct(request: Request, officer: Seer, pages: SeenPages, service: Service, wanted: Wanted) -> Response:
    """Whether times were told truthfully, and what applicants were spared."""
    return _page(request, officer, pages, "authority/conduct.html", wanted, await _report(service, wanted), {})


@router.get("/ledger")
async def show_ledger(request: Request, officer: Seer, pages: SeenPages, service: Service, wanted: Wanted) -> Response:
    """The 重点任务台账 as it would be exported."""
    report = await _report(service, wanted)
    return _page(
        request, officer, pages, "authority/ledger.html", wanted, report, {}, ledger=ledger(report, service.rules)
    )


@router.get("/ledger.xlsx")
async def ledger_as_spreadsheet(service: Service, wanted: Wanted) -> Response:
    """To be filled in by people where figures say nothing."""
    report = await _report(service, wanted)
    filled = ledger(report, service.rules)
    made = await asyncio.to_thread(ledger_xlsx, filled, report)
    return Response(made, headers=_attached(filled, wanted, "xlsx"), media_type=MEDIA_TYPE)


@router.get("/ledger.pdf")
async def ledger_as_pdf(pages: SeenPages, service: Service, wanted: Wanted) -> Response:
    """The same on paper. Raises ``CannotTypeset``."""
    filled = ledger(await _report(service, wanted), service.rules)
    async with _TYPESETTING:
        made = await asyncio.to_thread(ledger_pdf, pages, filled)
    return Response(made, headers=_attached(filled, wanted, "pdf"), media_type="application/pdf")


@router.get("/report.json")
async def report_as_json(service: Service, wanted: Wanted) -> Response:
    """All figures of the period."""
    return Response((await _report(service, wanted)).model_dump_json(), media_type="application/json")


async def _report(service: OversightService, wanted: Asked) -> PeriodReport:
    return period_report(await service.figures(wanted.period, wanted.city), service.department_title)


def _page(
    request: Request,
    officer: Officer,
    pages: Pages,
    template: str,
    wanted: Asked,
    report: PeriodReport,
    drawn: dict[str, charts.Chart],
    **more: Any,
) -> Response:
    cities = [(code, region_name(code)) for code in REGION_NAMES if code.endswith("00") and not code.endswith("0000")]
    status = 422 if wanted.errors else 200
    context = {"officer": officer, "wanted": wanted, "report": report, "cities": cities, "charts": drawn, **more}
    return pages.render(request, template, status, **context)


def _words(request: Request, pages: Pages) -> dict[str, str]:
    return {name: pages.translate(request, word) for name, word in WORDS.items()}


def _titles(request: Request, pages: Pages, report: PeriodReport) -> dict[str, str]:
    """Every name of a class, stage or place in the report → as this visitor reads it."""
    cells: list[CellReport] = [*report.classes, *report.cities]
    names = {each.title for each in cells} | {each.region_name for each in cells}
    names |= {stage.title for each in cells for stage in each.stages}
    return {name: pages.translate(request, name) for name in names}


def _attached(filled: Ledger, wanted: Asked, suffix: str) -> dict[str, str]:
    name = f"{filled.place}重点任务台账{wanted.period.first}至{wanted.period.last}.{suffix}"
    return {"content-disposition": f"attachment; filename=\"ledger.{suffix}\"; filename*=UTF-8''{quote(name)}"}
