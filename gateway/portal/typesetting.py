"""Documents on paper. The library that typesets them loads Pango: it is imported when it is first needed."""

from functools import cache
from pathlib import Path


@cache
def can_typeset() -> bool:
    """Whether this machine has what typesets a PDF."""
    try:
        import weasyprint  # noqa: F401 - the library loads Pango when it is imported
    except (ImportError, OSError):
        return False
    return True


def typeset(html: str, sheet: Path) -> bytes:
    """``html`` under the style of ``sheet``, as a PDF: seconds of a core. It may refer to nothing: no file, no address
    is opened. Raises ``OSError`` or ``ImportError`` where ``can_typeset`` is False.
    """
    from weasyprint import CSS, HTML
    from weasyprint.urls import URLFetcher

    nothing = URLFetcher(allowed_protocols=("data",))
    style = CSS(string=sheet.read_text("utf-8"), url_fetcher=nothing)
    return bytes(HTML(string=html, url_fetcher=nothing).write_pdf(stylesheets=[style]) or b"")
