"""The progress on paper: a real PDF on letter-size paper, made without opening a file or an address."""

import re
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.portal.applicant.sharing import SHEET
from gateway.portal.typesetting import can_typeset, typeset
from tests.support.require import skip_or_fail


@pytest.fixture(autouse=True)
def _needs_pango() -> None:
    if not can_typeset():
        skip_or_fail("Pango")


def size_of(pdf: bytes) -> tuple[float, float]:
    """Width and height of the first page, in points; objects lie compressed in streams (ISO 32000-1, 7.5.7)."""
    told = pdf
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with suppress(zlib.error):
            told += zlib.decompress(stream)
    found = re.search(rb"/MediaBox\s*\[0 0 ([0-9.]+) ([0-9.]+)\]", told)
    assert found
    return float(found[1]), float(found[2])


def test_it_is_a_pdf_on_letter_size_paper() -> None:
    made = typeset("<h1>用电报装进度单</h1>", SHEET)
    assert made.startswith(b"%PDF-")
    assert size_of(made) == (612, 792)


def test_nothing_is_opened(tmp_path: Path) -> None:
    sheet = tmp_path / "more.css"
    sheet.write_text("@page { size: A5 }")
    told = f'<link rel="stylesheet" href="{sheet.as_uri()}"><img src="http://127.0.0.1:9/x.png"><p>x</p>'
    assert size_of(typeset(told, SHEET)) == (612, 792), "the sheet of the file has no effect"


def test_what_typesets_is_gone_with_the_document() -> None:
    """A process that serves would keep its hundred megabytes."""
    told = "import sys; from gateway.portal.typesetting import *; from gateway.portal.applicant.sharing import SHEET; "
    told += "made = typeset('<p>x</p>', SHEET); print(len(made) > 500, 'weasyprint' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["True", "False"]


def test_a_document_that_is_not_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="exit code"):
        typeset("<p>x</p>", tmp_path / "none.css")
