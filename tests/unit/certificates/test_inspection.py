"""What `bandian inspect` prints, and how it ends."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.certificates import inspection
from gateway.certificates.envelopes.ofd import trust
from gateway.certificates.inspection import exit_code, inspect_file, load_anchors, render_inspection
from gateway.cli import app
from gateway.crypto import sm2
from tests.support import ofd_writer as writer
from tests.support.ofd_licence import OfdProvince
from tests.support.ofd_pki import name, serial_of
from tests.support.ofd_writer import NOW, PAGE, SIGNED_AT, Identity, Pki, Recipe


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


def evidence_files(tmp_path: Path, province: OfdProvince, *revoked: Identity) -> tuple[str, ...]:
    """Root, CA and both lists of a PKI; the CA's list as PEM."""
    root, ca = province.crls(*revoked, at=NOW)
    pem = base64.encodebytes(ca).decode()
    found = {
        "--anchor": ("root.der", province.pki.root.certificate),
        "--intermediate": ("ca.der", province.pki.ca.certificate),
        "--crl": ("ca.pem", f"-----BEGIN X509 CRL-----\n{pem}-----END X509 CRL-----\n".encode()),
    }
    options = []
    for option, (file, data) in (*found.items(), ("--crl", ("root.crl", root))):
        (tmp_path / file).write_bytes(data)
        options += [option, str(tmp_path / file)]
    return tuple(options)


def test_revocation_is_told_when_lists_are_given(tmp_path: Path) -> None:
    province = OfdProvince()
    data = writer.build(province.pki)
    code, text = run(tmp_path, data, *evidence_files(tmp_path, province))
    assert code == 0
    assert "签章者吊销状态：吊销列表截至" in text
    assert "未核查证书吊销状态" not in text

    code, text = run(tmp_path, data, *evidence_files(tmp_path, province, province.pki.signer))
    assert code == 1
    assert "结论：无效：证书已被吊销（invalid: certificate revoked）" in text
    assert "✗ 不符  签章者吊销状态" in text

    anchored = evidence_files(tmp_path, province)[:4]
    (tmp_path / "rubbish.crl").write_bytes(b"no list")
    code, text = run(tmp_path, data, *anchored, "--crl", str(tmp_path / "rubbish.crl"))
    assert code == 3
    assert "（indeterminate: revocation not known）" in text


def test_an_ocsp_response_answers_as_well(tmp_path: Path) -> None:
    """For signer, maker and CA, each by the one who issued it."""
    from tests.support import x509_writer as x

    province = OfdProvince()
    pki = province.pki

    def entity(common: str, who: Identity) -> x.Entity:
        return x.Entity(name(common), who.key, who.certificate, serial_of(who))

    root, ca = entity("测试根", pki.root), entity("测试签发机构", pki.ca)
    dated = {"this_update": NOW, "next_update": NOW + timedelta(days=1)}
    answers = [x.single(x.certificate_id(entity("", who), ca), **dated) for who in (pki.signer, pki.maker)]
    (tmp_path / "a.ocsp").write_bytes(x.ocsp(ca, *answers, produced_at=NOW))
    above = x.ocsp(root, x.single(x.certificate_id(ca, root), **dated), produced_at=NOW)
    (tmp_path / "b.ocsp").write_bytes(above)
    options = [*evidence_files(tmp_path, province)[:4], "--ocsp", str(tmp_path / "a.ocsp")]
    code, text = run(tmp_path, writer.build(pki), *options, "--ocsp", str(tmp_path / "b.ocsp"))
    assert code == 0
    assert "在线状态截至" in text
    code, _ = run(tmp_path, writer.build(pki), *options)
    assert code == 3


def test_the_sm2_library_of_the_environment_is_used(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANDIAN_SM2_LIBRARY", str(tmp_path / "none.so"))
    try:
        code, text = run(tmp_path, writer.build(pki), *anchors(tmp_path, pki))
    finally:
        sm2.use_library(None)
    assert code == 3
    assert "本机没有可用的国密密码库" in text


def test_a_seal_without_end_is_printed(pki: Pki) -> None:
    endless = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    text = render_inspection(inspect_file(writer.build(pki, Recipe(seal_valid=(SIGNED_AT, endless))), [], NOW))
    assert "9999-12-31 23:59:59Z" in text


def test_every_reason_has_its_chinese() -> None:
    """Whatever a chain answers can be told to a person."""
    assert set(trust._PHRASES.values()) <= set(inspection._REASONS)
    for form in ("signature", "sealed-open", "cosigned"):
        pki = Pki()
        covered = ("OFD.xml", "Doc_0/Document.xml", PAGE)
        report = inspect_file(writer.build(pki, Recipe(cms=form, covered=covered)), [pki.root.certificate], NOW)
        for each in report.signatures:
            assert {check.reason for check in each.checks if check.reason} <= set(inspection._REASONS) | {
                "signing time unknown"
            }
