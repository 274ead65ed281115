"""The 重点任务台账 on paper (A3, landscape). The library that typesets it is loaded when it is first needed."""

from typing import ClassVar, Final

from gateway.errors import Indeterminate, Owner
from gateway.oversight.ledger import Ledger
from gateway.portal.assets import STATIC
from gateway.portal.preferences import Preferences
from gateway.portal.rendering import Pages

SHEET: Final = STATIC / "ledger_print.css"


class CannotTypeset(Indeterminate):
    """This machine lacks what typesets a PDF (Pango)."""

    kind: ClassVar[str] = "pdf-unavailable"
    title: ClassVar[str] = "暂时不能生成 PDF"


def ledger_pdf(pages: Pages, ledger: Ledger) -> bytes:
    """The annex as a PDF, in Chinese whoever asks: it is a form. It takes a core for seconds.

    Nothing is opened for it, no file and no address. Raises ``CannotTypeset``.
    """
    try:
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError):
        raise CannotTypeset(
            check="pdf.library", owner=Owner.GATEWAY, remedy="本机缺少排版组件（Pango）；请改用电子表格"
        ) from None
    nothing = URLFetcher(allowed_protocols=("data",))
    sheet = CSS(string=SHEET.read_text("utf-8"), url_fetcher=nothing)
    html = pages.text("authority/ledger_print.html", Preferences(), {"ledger": ledger, "parts": parts_of(ledger)})
    return bytes(HTML(string=html, url_fetcher=nothing).write_pdf(stylesheets=[sheet]) or b"")


def parts_of(ledger: Ledger) -> dict[int, int]:
    """The number of each part's first task → how many tasks the part has: the rows that 任务类型 spans."""
    parts = [row.task.part for row in ledger.rows]
    return {ledger.rows[parts.index(part)].task.number: parts.count(part) for part in dict.fromkeys(parts)}
