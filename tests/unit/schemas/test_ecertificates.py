"""Metadata, status lists and access tokens on the wire."""

import zlib
from base64 import urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import status_lists as sl
from schemas.ecertificates import (
    LOCAL_TYPE_CODES,
    OFFICIAL_TYPE_CODES,
    TYPE_CODES,
    TYPE_NAMES,
    ECertificateMetadata,
    ECertificatePayload,
)
from schemas.identifiers import ECertificateIdentifier, validate_certificate_type_code
from schemas.share_interface import access_token_is_good, make_access_token

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
ZZBS = str(ECertificateIdentifier.make(TYPE_CODES["business_licence"], "11440000TDMB00017E", "1"))
METADATA: dict[str, Any] = {
    "ZZMC": "营业执照",
    "ZZLXDM": TYPE_CODES["business_licence"],
    "ZZBH": "1",
    "ZZBS": ZZBS,
    "ZZBFJG": "某局",
    "ZZBFJGDM": "11440000TDMB00017E",
    "ZZBFRQ": "2024-05-06",
    "CZZT": "甲、乙",
    "CZZTDM": "1、2",
    "CZZTDMLX": "统一社会信用代码",
    "CZZTDMLXDM": "001",
    "ZZYXQQSRQ": "2024-05-06",
    "KZ_ZS": "某处",
}


def test_type_codes_are_well_formed_and_apart() -> None:
    assert TYPE_CODES.keys() == TYPE_NAMES.keys() == {*OFFICIAL_TYPE_CODES, *LOCAL_TYPE_CODES}
    assert len({validate_certificate_type_code(code) for code in TYPE_CODES.values()}) == 6
    assert all("BDGW" in code for code in LOCAL_TYPE_CODES.values())


class TestMetadata:
    def test_it_is_read_and_written_back(self) -> None:
        read = ECertificateMetadata.model_validate(METADATA)
        assert read.issued_on == date(2024, 5, 6)
        assert read.valid_until_on is None
        assert read.extensions == {"KZ_ZS": "某处"}
        assert read.holders() == (("甲", "1"), ("乙", "2"))
        assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == METADATA

    @pytest.mark.parametrize(
        "written", ["2024/05/06", "20240506", "2024-5-6", "2024-02-30", 1714953600, "２０２４-05-06"]
    )
    def test_dates_have_one_form(self, written: object) -> None:
        with pytest.raises(ValidationError):
            ECertificateMetadata.model_validate({**METADATA, "ZZBFRQ": written})

    @pytest.mark.parametrize("extra", [{"REMARK": "x"}, {"KZ_ZS": 1}, {"KZ_ZS": {"a": "b"}}])
    def test_other_members_are_refused(self, extra: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            ECertificateMetadata.model_validate({**METADATA, **extra})

    def test_holders_that_do_not_pair(self) -> None:
        with pytest.raises(ValueError):
            ECertificateMetadata.model_validate({**METADATA, "CZZTDM": "1"}).holders()

    def test_errors_do_not_quote_the_input(self) -> None:
        with pytest.raises(ValidationError) as caught:
            ECertificateMetadata.model_validate({**METADATA, "ZZBS": "机密内容"})
        assert "机密内容" not in str(caught.value)

    @pytest.mark.parametrize("wrong", [{"iat": "1"}, {"iat": True}, {"status": {}}, {"aud": "x"}])
    def test_the_payload_is_strict(self, wrong: dict[str, object]) -> None:
        status = {"status_list": {"idx": 1, "uri": "http://x"}}
        payload = {"iss": "a", "iat": 1, "jti": ZZBS, "status": status, "certificate": METADATA}
        assert ECertificatePayload.model_validate(payload).to_wire() == payload
        with pytest.raises(ValidationError):
            ECertificatePayload.model_validate({**payload, **wrong})


class TestStatusLists:
    @pytest.mark.parametrize(
        ("bits", "statuses", "lst"),
        [
            (1, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1], "eNrbuRgAAhcBXQ"),
            (2, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3], "eNo76fITAAPfAgc"),
        ],
    )
    def test_the_drafts_examples(self, bits: Any, statuses: list[int], lst: str) -> None:
        packed = sl.unpack_statuses(lst)
        assert [sl.status_at(packed, bits, index) for index in range(len(statuses))] == statuses
        assert sl.unpack_statuses(sl.pack_statuses(statuses, bits)) == packed

    @given(st.sampled_from([1, 2, 4, 8]), st.data())
    def test_what_is_packed_is_found(self, bits: Any, data: st.DataObject) -> None:
        statuses = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=50))
        packed = sl.unpack_statuses(sl.pack_statuses(statuses, bits))
        assert [sl.status_at(packed, bits, index) for index in range(len(statuses))] == statuses

    @pytest.mark.parametrize("index", [-1, 16])
    def test_outside_the_list(self, index: int) -> None:
        with pytest.raises(sl.StatusListError):
            sl.status_at(sl.unpack_statuses("eNrbuRgAAhcBXQ"), 1, index)

    @pytest.mark.parametrize(
        "lst",
        [
            "",
            "eNrbuRgAAhcBXQ==",
            "eNrbuRgAAhcB",
            "eNrbuRgAAhcBXQAA",
            "eNrb+RgAAhcBXQ",
            "文",
            urlsafe_b64encode(zlib.compress(bytes(sl.MAX_STATUS_LIST_BYTES + 1))).rstrip(b"=").decode(),
        ],
        ids=["empty", "padded", "truncated", "trailing data", "wrong alphabet", "not ASCII", "too large"],
    )
    def test_malformed_lists(self, lst: str) -> None:
        with pytest.raises(sl.StatusListError):
            sl.unpack_statuses(lst)

    def test_the_largest_list_is_read(self) -> None:
        lst = urlsafe_b64encode(zlib.compress(bytes(sl.MAX_STATUS_LIST_BYTES))).rstrip(b"=").decode()
        assert len(sl.unpack_statuses(lst)) == sl.MAX_STATUS_LIST_BYTES


class TestAccessTokens:
    def test_good_for_five_minutes_either_way(self) -> None:
        token = make_access_token("gateway", "secret", NOW)
        for minutes, good in ((-5, True), (0, True), (5, True), (-5.1, False), (5.1, False)):
            assert access_token_is_good(token, "gateway", "secret", NOW + timedelta(minutes=minutes)) is good

    @pytest.mark.parametrize(
        "token", ["", ".", "1.2", make_access_token("other", "secret", NOW), "９" * 10 + "." + "a" * 64]
    )
    def test_others_are_not(self, token: str) -> None:
        assert not access_token_is_good(token, "gateway", "secret", NOW)
