"""The quick parser answers what the strict one answers, and leaves everything that could be read in two ways to it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import strict_json
from gateway.crypto.errors import JoseRefused
from gateway.crypto.strict_json import decode_base64url, encode_base64url, parse_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
READ_TWO_WAYS = [
    b'{"a":1,"a":1}',
    b'{"a":{"b":1,"b":2}}',
    b'{"a":1.0e2}',
    b'{"a":-0}',
    b'{"a":18446744073709551616}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\u0000"}',
    b'{"a":"\\u0041"}',
    b'{ "a":1}',
    b'{"a":1}\n',
    b'{"a":NaN}',
    b'{"a":1e999}',
    b"[1]",
    b"{",
    b'{"a":"\xff"}',
]


def judged(data: bytes) -> Any:
    try:
        return parse_object(data, max_bytes=10_000)
    except JoseRefused as refusal:
        return refusal.check


@pytest.mark.parametrize("data", READ_TWO_WAYS)
def test_what_could_be_read_in_two_ways_is_for_the_strict_parser(data: bytes) -> None:
    assert strict_json._plain_object(data) is None


@pytest.mark.parametrize(
    "data", [b"{}", b'{"a":1}', b'{"a":[1.5,"\xe5\x8a\x9e",null,true,{"b":18446744073709551615}]}']
)
def test_what_is_written_as_we_would_write_it_is_not(data: bytes) -> None:
    assert strict_json._plain_object(data) == json.loads(data)


@given(
    members=st.lists(st.tuples(st.text(max_size=3), VALUES), max_size=4),
    compact=st.booleans(),
    escaped=st.booleans(),
    edit=st.tuples(st.integers(0, 200), st.binary(max_size=2)) | st.none(),
)
def test_with_and_without_the_quick_parser_the_judgement_is_the_same(
    members: list[tuple[str, Any]], compact: bool, escaped: bool, edit: tuple[int, bytes] | None
) -> None:
    separators = (",", ":") if compact else (", ", ": ")

    def spelled(value: Any) -> str:
        return json.dumps(value, ensure_ascii=escaped, separators=separators)

    pairs = separators[0].join(spelled(name) + separators[1] + spelled(value) for name, value in members)
    data = ("{" + pairs + "}").encode("utf-8", "surrogatepass")
    if edit is not None:
        place, put = edit
        data = data[:place] + put + data[place + 1 :]
    quick = judged(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(strict_json, "_plain_object", lambda _: None)
        strict = judged(data)
    assert repr(quick) == repr(strict)


@given(st.binary(max_size=12) | st.text("AQgwEz019-_+/=! \n\0", max_size=9).map(str.encode))
def test_base64url_has_one_spelling_and_no_other_is_read(text: bytes) -> None:
    """What is read is spelled the same again; what is not would be spelled otherwise, or is none at all."""
    assert decode_base64url(encode_base64url(text)) == text
    require_one_spelling(text)


@pytest.mark.parametrize("before", [b"", b"A", b"AA", b"AAA", b"-_w"])
def test_of_all_characters_that_can_end_a_text_those_end_one_that_leave_nothing_over(before: bytes) -> None:
    for last in range(256):
        require_one_spelling(before + bytes([last]))


def require_one_spelling(text: bytes) -> None:
    try:
        spelled = base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))).rstrip(b"=")
    except ValueError:
        spelled = None
    if spelled == text:
        assert encode_base64url(decode_base64url(text)) == text
    else:
        with pytest.raises(JoseRefused) as refusal:
            decode_base64url(text)
        assert refusal.value.check == "jose.base64url"
