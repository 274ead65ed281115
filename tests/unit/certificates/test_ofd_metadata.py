"""The claims of an OFD e-licence: one reading only, dates however issuers write them, nothing that nobody sealed."""

import doctest
import re
import time
from datetime import date
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.certificates.envelopes.ofd import metadata, verifier
from gateway.certificates.envelopes.ofd.metadata import china_date
from gateway.certificates.verdicts import Verdict
from mock_services.authorities import AUTHORITIES
from tests.support import ofd_writer as writer
from tests.support.ofd_licence import OfdProvince, failed


@pytest.fixture(scope="module")
def province() -> OfdProvince:
    return OfdProvince()


@pytest.mark.parametrize(
    ("changes", "verdict", "check"),
    [
        ({"ZZYXQJZRQ": "2026-11-22"}, Verdict.INVALID, "validity.expired"),
        ({"ZZYXQJZRQ": "2026年11月22日"}, Verdict.INVALID, "validity.expired"),
        ({"ZZYXQJZRQ": "20261123"}, Verdict.VALID, None),
        ({"ZZYXQJZRQ": "长期"}, Verdict.VALID, None),
        ({"ZZYXQJZRQ": "9999-12-31"}, Verdict.VALID, None),
        ({"ZZYXQJZRQ": "22.11.2026"}, Verdict.INVALID, "claims.metadata"),
        ({"ZZYXQQSRQ": "2026/11/24"}, Verdict.INVALID, "validity.not_yet"),
        ({"ZZYXQQSRQ": "长期"}, Verdict.INVALID, "claims.metadata"),
        ({"ZZBFRQ": "20240102"}, Verdict.VALID, None),
        ({"CZZTDMLX": None}, Verdict.VALID, None),
        ({"ZZBFJGDM": AUTHORITIES[1].code}, Verdict.INVALID, "issuer.mismatch"),
        ({"CZZTDM": "914403001922038216"}, Verdict.INVALID, "holder.mismatch"),
        ({"ZZLXDM": "11100000000013127D001"}, Verdict.INVALID, "issuer.other_kind"),
        ({"CZZT": None}, Verdict.INVALID, "claims.metadata"),
        ({"index": None}, Verdict.INDETERMINATE, "status.no_reference"),
        ({"index": "1.0"}, Verdict.INVALID, "status.reference"),
        ({"index": "-1"}, Verdict.INVALID, "status.reference"),
        ({"index": "１"}, Verdict.INVALID, "status.reference"),
        ({"index": "999"}, Verdict.INDETERMINATE, "status.out_of_range"),
        ({"KZ_OTHER": "x", "TEMPLATE": "y"}, Verdict.VALID, None),
    ],
)
def test_the_metadata_decide_as_in_a_jws(
    province: OfdProvince, changes: dict[str, str | None], verdict: Verdict, check: str | None
) -> None:
    result = province.judge(province.licence(**changes))  # type: ignore[arg-type]
    assert (result.verdict, result.failed_check and result.failed_check.check) == (verdict, check)


@pytest.mark.parametrize(
    ("name", "value"),
    [("CZZT", "冒名有限公司"), ("czzt", "冒名有限公司"), (" CZZT ", "x"), ("", "x"), ("ZZMC", "营业执照")],
)
def test_a_field_that_stands_twice_is_refused(province: OfdProvince, name: str, value: str) -> None:
    """Readers differ whether the first or the last counts, and whether case does."""
    recipe = province.recipe(custom=[*province.fields(), (name, value)])
    assert failed(province.judge(province.licence(recipe))) == (Verdict.INVALID, "ofd.metadata.ambiguous")


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace("</ofd:DocInfo>", "<ofd:CustomDatas/></ofd:DocInfo>"),
        lambda xml: xml.replace("</ofd:DocInfo>", '<x:CustomDatas xmlns:x="other"/></ofd:DocInfo>'),
        lambda xml: xml.replace(
            "</ofd:OFD>", "<ofd:DocBody><ofd:DocInfo><ofd:CustomDatas/></ofd:DocInfo></ofd:DocBody></ofd:OFD>"
        ),
        lambda xml: xml.replace("示例有限公司", "示例<b>冒名</b>有限公司"),
        lambda xml: xml.replace("<ofd:CustomDatas>", "<ofd:CustomDatas><ofd:Other/>"),
    ],
)
def test_metadata_that_can_be_read_in_two_ways_are_refused(province: OfdProvince, change: object) -> None:
    root = writer.content_files(province.fields())["OFD.xml"].decode()
    changed = change(root).encode()  # type: ignore[operator]
    assert changed != root.encode()
    data = province.licence(province.recipe(extra_files={"OFD.xml": changed}))
    assert failed(province.judge(data)) == (Verdict.INVALID, "ofd.metadata.ambiguous")


def test_a_document_without_metadata_is_no_licence(province: OfdProvince) -> None:
    assert failed(province.judge(province.licence(province.recipe(custom=())))) == (
        Verdict.INVALID,
        "ofd.metadata.missing",
    )


def test_an_empty_field_is_no_field(province: OfdProvince) -> None:
    assert province.judge(province.licence(KZ_ZCZB="")).verdict is Verdict.VALID
    assert failed(province.judge(province.licence(CZZT=" "))) == (Verdict.INVALID, "claims.metadata")


def test_the_status_list_decides(province: OfdProvince) -> None:
    own = OfdProvince()
    own.jws.statuses[3] = 1
    assert failed(own.judge(own.licence(index=3))) == (Verdict.INVALID, "status.revoked")


@given(day=st.dates(date(1900, 1, 1), date(9999, 12, 31)))
def test_every_spelling_of_a_date_is_the_same_date(day: date) -> None:
    plain = (
        f"{day:%Y%m%d}" if day.year > 999 else "",
        f"{day.year:04}-{day.month}-{day.day}",
        f"{day.year:04}/{day.month:02}/{day.day:02}",
        f"{day.year:04}年{day.month}月{day.day}日",
        f"{day.year:04}年{day.month:02}月{day.day:02}日",
        f"{day.isoformat()} 00:00:00",
        f"{day.isoformat()}T23:59:59",
    )
    assert {china_date(text) for text in plain} == {day.isoformat()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-13-01",
        "2025-02-29",
        "20250229",
        "250102",
        "02.01.2025",
        "01/02/2025",
        "2025-01-02 08:00:00",
        "2025-01-02Z",
        "2025年1月",
        "２０２５-01-02",
        "2025-01-02\n",
        "0000-01-01",
        "二〇二五年一月二日",
        "长期",
    ],
)
def test_what_is_no_date_stays_as_it_is(text: str) -> None:
    """Nothing is guessed: the schema refuses it."""
    assert china_date(text) == text


def test_a_field_without_end_is_refused_before_anything_compares_it(province: OfdProvince) -> None:
    """Composing marks takes the square of their number."""
    marks = "a" + "\u0315\u0300\u05ae" * 3000
    begun = time.process_time()
    assert failed(province.judge(province.licence(CZZT=marks))) == (Verdict.INVALID, "ofd.metadata.size")
    assert time.process_time() - begun < 1
    assert province.judge(province.licence(KZ_JYFW="送" * 8192)).verdict is Verdict.VALID


@pytest.mark.parametrize("text", ["长期", "长期有效", "永久", "永久有效", "无固定期限"])
def test_validity_without_end(text: str) -> None:
    assert china_date(text, ends=True) == "9999-12-31"


@given(text=st.text(alphabet="0123456789-/年月日 T:长期", max_size=20))
def test_whatever_comes_out_is_a_date_or_what_went_in(text: str) -> None:
    found = china_date(text)
    if found != text:
        assert date.fromisoformat(found)
        # Every digit of the answer stood in the question, in order.
        assert [int(part) for part in found.split("-")] == [int(part) for part in re.findall(r"\d+", text)[:3]] or len(
            re.sub(r"\D.*", "", text)
        ) == 8


@pytest.mark.parametrize("module", [metadata, verifier], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    told = doctest.testmod(module, raise_on_error=False)
    assert (told.attempted > 0, told.failed) == (True, 0)
