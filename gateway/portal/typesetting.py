"""Documents on paper. What typesets them takes a hundred megabytes and seconds of a core, so that each is made by a
process of its own, which ends with it: ``python -m gateway.portal.typesetting SHEET``, HTML in, PDF out.
"""

import asyncio
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

ENDS_WITHIN_S: Final = 120
"""Seconds for a document: what takes longer is stuck."""
_COMMAND: Final = (sys.executable, "-m", "gateway.portal.typesetting")


@cache
def can_typeset() -> bool:
    """Whether this machine has what typesets a PDF (WeasyPrint, Pango). It is tried once, in about a second."""
    return subprocess.run(_COMMAND, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own module


async def may_typeset() -> bool:
    """``can_typeset`` for whoever may not wait a second: tried on another thread, and known from then on."""
    return can_typeset() if can_typeset.cache_info().currsize else await asyncio.to_thread(can_typeset)


def typeset(html: str, sheet: Path) -> bytes:
    """``html`` under the style of ``sheet``, as a PDF: seconds of a core. It may refer to nothing: no file, no address
    is opened. Raises ``OSError`` where it fails, as it does where ``can_typeset`` is False.
    """
    try:
        made = subprocess.run(  # noqa: S603 - our own module; what it sets goes through a pipe
            [*_COMMAND, str(sheet)], input=html.encode(), capture_output=True, check=False, timeout=ENDS_WITHIN_S
        )
    except subprocess.TimeoutExpired:
        raise OSError("a document was not typeset in time") from None
    if made.returncode != 0:
        raise OSError(f"a document was not typeset: exit code {made.returncode}")
    return made.stdout


def _main(sheet: Path | None) -> None:
    from weasyprint import CSS, HTML
    from weasyprint.urls import URLFetcher

    if sheet is None:
        return
    nothing = URLFetcher(allowed_protocols=("data",))
    style = CSS(string=sheet.read_text("utf-8"), url_fetcher=nothing)
    made = HTML(string=sys.stdin.buffer.read().decode(), url_fetcher=nothing).write_pdf(stylesheets=[style])
    sys.stdout.buffer.write(made or b"")


if __name__ == "__main__":
    _main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
