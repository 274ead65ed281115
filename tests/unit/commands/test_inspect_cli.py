"""``bandian inspect``: what is wrong with the files beside the document is told under its own name."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.certificates.inspection import EXIT_REFUSED
from gateway.cli import app

DOCUMENT = Path(__file__).parents[2] / "vectors" / "ofd" / "raw.ofd"


@pytest.mark.parametrize(("option", "check"), [("--anchor", "anchor.certificate"), ("--crl", "der.structure")])
def test_a_file_that_holds_nothing_of_its_kind_is_refused(tmp_path: Path, option: str, check: str) -> None:
    file = tmp_path / "other.pem"
    file.write_text("-----BEGIN OTHER-----\nAAAA\n-----END OTHER-----\n")
    result = CliRunner().invoke(app, ["inspect", str(DOCUMENT), option, str(file)])
    assert result.exit_code == EXIT_REFUSED
    assert f"[{check}]" in result.output
