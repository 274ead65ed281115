"""What `bandian inspect` prints, and how it ends."""

import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.certificates.inspection import exit_code, inspect_file, load_anchors, render_inspection
from gateway.cli import app
from tests.support import ofd_writer as writer
from tests.support.ofd_writer import NOW, PAGE, Pki, Recipe


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def run(tmp_path: Path, data: bytes, *options: str) -> tuple[int, str]:
    (tmp_path / "执照.ofd").write_bytes(data)
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "执照.ofd"), "--at", NOW.isoformat(), *options])
    return result.exit_code, result.output


def anchors(tmp_path: Path, pki: Pki) -> tuple[str, ...]:
    (tmp_path / "root.der").write_bytes(pki.root.certificate)
    (tmp_path / "ca.der").write_bytes(pki.ca.certificate)
    return "--anchor", str(tmp_path / "root.der"), "--anchor", str(tmp_path / "ca.der")


def test_an_intact_document_without_anchor(tmp_path: Path, pki: Pki) -> None:
    code, text = run(tmp_path, writer.build(pki))
    assert code == 3
    assert "结论：无法判定：没有可信根证书（indeterminate: no trust anchor）" in text
    assert "密码学完整性：完好" in text
    for part in ("测试专用章", "测试签章者", "测试签发机构", "测试制章者", "2026-06-01 09:02:03 +08:00", PAGE):
        assert part in text


def test_a_valid_document(tmp_path: Path, pki: Pki) -> None:
    code, text = run(tmp_path, writer.build(pki), *anchors(tmp_path, pki))
    assert code == 0
    assert "结论：有效（valid）" in text
    assert "未被保护的文件：无" in text


def test_a_changed_page_is_named(tmp_path: Path, pki: Pki) -> None:
    code, text = run(tmp_path, writer.rewrite(writer.build(pki), PAGE, b"<Page/>"), *anchors(tmp_path, pki))
    assert code == 1
    assert "（invalid: digest mismatch）" in text
    assert f"问题文件：{PAGE}" in text


def test_a_file_that_is_no_ofd(tmp_path: Path) -> None:
    code, text = run(tmp_path, b"%PDF-1.7")
    assert code == 4
    assert "未核验" in text
    assert "PDF" not in text


def test_times_without_zone_are_wrong_usage(tmp_path: Path, pki: Pki) -> None:
    code, _ = run(tmp_path, writer.build(pki), "--at", "2026-11-01T00:00:00")
    assert code == 2


def test_control_characters_in_names_do_not_reach_the_terminal() -> None:
    pki = Pki(signer_options={})
    pki.signer = writer.issue("\x1b[31m红\n结论：有效", pki.ca, issuer_name="测试签发机构")
    report = inspect_file(writer.build(pki), [], NOW)
    text = render_inspection(report, "a.ofd")
    assert "\x1b" not in text
    assert not any(line.startswith("结论：有效") for line in text.splitlines())
    assert exit_code(report) == 3


def test_uncovered_files_are_listed(pki: Pki) -> None:
    recipe = Recipe(covered=("Doc_0/Document.xml", PAGE), with_seal_file=False)
    text = render_inspection(inspect_file(writer.build(pki, recipe), [], NOW))
    assert "未被保护的文件：OFD.xml" in text


def test_anchor_files_may_be_pem(pki: Pki) -> None:
    body = base64.encodebytes(pki.root.certificate).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    assert load_anchors((pem + pem).encode()) == (pki.root.certificate,) * 2
    assert load_anchors(pki.root.certificate) == (pki.root.certificate,)
