"""The 重点任务台账 on paper (A3, landscape)."""

from typing import ClassVar, Final

from gateway.errors import Indeterminate, Owner
from gateway.oversight.ledger import Ledger
from gateway.portal.assets import STATIC
from gateway.portal.preferences import Preferences
from gateway.portal.rendering import Pages
from gateway.portal.typesetting import can_typeset, typeset

SHEET: Final = STATIC / "ledger_print.css"


class CannotTypeset(Indeterminate):
    """This machine lacks what typesets a PDF (Pango)."""

    kind: ClassVar[str] = "pdf-unavailable"
    title: ClassVar[str] = "暂时不能生成 PDF"


def ledger_pdf(pages: Pages, ledger: Ledger) -> bytes:
    """The annex as a PDF, in Chinese whoever asks: it is a form. Raises ``CannotTypeset``."""
    if not can_typeset():
        raise CannotTypeset(
            check="pdf.library", owner=Owner.GATEWAY, remedy="本机缺少排版组件（Pango）；请改用电子表格"
        )
    told = {"ledger": ledger, "parts": parts_of(ledger)}
    return typeset(pages.text("authority/ledger_print.html", Preferences(), told), SHEET)


def parts_of(ledger: Ledger) -> dict[int, int]:
    """The number of each part's first task → how many tasks the part has: the rows that 任务类型 spans."""
    parts = [row.task.part for row in ledger.rows]
    return {ledger.rows[parts.index(part)].task.number: parts.count(part) for part in dict.fromkeys(parts)}
