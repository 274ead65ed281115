"""Files of the pages: names that change with their content, and vendored ones as they came."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from gateway.portal.assets import STATIC, Assets

VENDORED = sorted([*STATIC.glob("vendor/*/README.md"), Path("tests/browser/vendor/README.md")])


def test_a_file_is_served_under_a_name_that_tells_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = Assets(tmp_path).href("a.css")
    (tmp_path / "a.css").write_text("b {}")
    assets = Assets(tmp_path)
    assert assets.href("a.css") != before
    answer = assets.serve(assets.href("a.css").removeprefix("/assets/"))
    assert (answer.body, answer.media_type) == (b"b {}", "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("name", ["a.css", "../main.py", "", "vendor/htmx/README.md"])
def test_nothing_else_is_served(name: str) -> None:
    with pytest.raises(HTTPException):
        Assets().serve(name)


@pytest.mark.parametrize("readme", VENDORED, ids=lambda path: path.parent.name)
def test_vendored_files_are_what_their_page_says(readme: Path) -> None:
    told = re.findall(r"^([0-9a-f]{64})  (\S+)$", readme.read_text("utf-8"), re.MULTILINE)
    assert told
    for digest, name in told:
        assert sha256((readme.parent / name).read_bytes()).hexdigest() == digest


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in STATIC.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", path.read_text("utf-8")), path
