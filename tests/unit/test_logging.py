"""The last line of defence: what must not be in a log is not in it."""

import asyncio
import io
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.certificates.ports import SourceQuery, UsePurpose
from gateway.logging import REDACTED, configure_logging, info_in_own_words, redact

NUMBER = "440106199001011234"
WIDE = "".join(chr(ord(digit) + 0xFEE0) for digit in NUMBER)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging("INFO", stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def cleaned(**event: object) -> dict:
    return dict(redact(None, "info", dict(event)))


@pytest.mark.parametrize(
    "number",
    [
        NUMBER,
        "11010119900307765X",
        "11010119900307765x",
        "91440300708461136T",
        "11370306MB2867521U",
        "４４０１０６１９９００１０１１２３４",
    ],
)
@pytest.mark.parametrize("around", ["{}", "holder {} failed", "号码{}，", "id={}&x", "[{}]"])
def test_identifiers_vanish_wherever_they_stand(number: str, around: str) -> None:
    event = cleaned(event=around.format(number), facts={"deep": [around.format(number)]}, **{f"k{number}": 1})
    assert number not in str(event)
    assert NUMBER not in str(event)


def test_a_number_as_a_number_vanishes_too() -> None:
    assert cleaned(count=int(NUMBER), other=17) == {"count": REDACTED, "other": 17}


@pytest.mark.parametrize(
    "key", ["name", "Authorization", "holder-name", "ID_NUMBER", "client_assertion", "dpop", "query_string", "权利人"]
)
def test_forbidden_names_lose_their_values_at_any_depth(key: str) -> None:
    assert cleaned(**{key: "value-1"}) == {key: REDACTED}
    assert "value-1" not in str(cleaned(facts=[{"inner": {key: ["value-1"]}}]))


def test_what_has_names_of_its_own_is_told_by_its_type_alone() -> None:
    """A name beside a number would else be written out, member by member."""
    assert cleaned(asked=SourceQuery("1", "某某", "001", "440100", UsePurpose("a", "b", "c"))) == {
        "asked": "SourceQuery"
    }


def test_what_is_harmless_stays() -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    kept = {"event": "licence.disclosed", "digest": digest, "status": 200, "ok": True, "ratio": 0.5, "none": None}
    assert cleaned(**kept) == kept


@given(st.recursive(st.text() | st.integers() | st.just(NUMBER), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_shape_of_event_lets_a_number_through(value: object) -> None:
    assert NUMBER not in orjson.dumps(cleaned(event="e", value=value), option=orjson.OPT_NON_STR_KEYS).decode()


def test_a_line_is_json_in_utf8_with_time_and_level(stream: io.StringIO) -> None:
    structlog.get_logger().info("联合审批", permits=2, at_date=datetime(2026, 1, 1, tzinfo=UTC))
    assert "联合审批" in stream.getvalue()
    line = orjson.loads(stream.getvalue())
    assert (line["event"], line["level"], line["permits"]) == ("联合审批", "info", 2)
    assert line["at"].endswith("Z")


def test_libraries_lines_pass_the_same_way_without_the_faults_message(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"bad {NUMBER} of 张三")
    except ValueError:
        logging.getLogger("library").exception("failed for %s", NUMBER)
        structlog.get_logger().exception("ours")
    text = stream.getvalue()
    assert NUMBER not in text
    assert "张三" not in text
    assert [orjson.loads(line)["fault"] for line in text.splitlines()] == ["ValueError", "ValueError"]


def test_access_lines_of_the_server_stay_silent(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('127.0.0.1 - "GET /x?name=abc HTTP/1.1" 200')
    logging.getLogger("httpx").info("HTTP Request: GET https://h/x?name=abc")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("odd", ["\ud800", 2**70, b"\xff", object(), {1: {2, 3}}])
def test_an_odd_value_does_not_break_the_line(stream: io.StringIO, odd: object) -> None:
    structlog.get_logger().info("odd", value=odd)
    assert orjson.loads(stream.getvalue())["event"] == "odd"


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError):
        configure_logging("LOUD")


def test_a_request_id_stays_whole_even_where_digits_stand_together_by_chance() -> None:
    by_chance = "159bf440106199901011234c05c0133a"
    assert len(by_chance) == 32
    assert redact(None, "info", {"request_id": by_chance})["request_id"] == by_chance
    assert redact(None, "info", {"request_id": "440106199901011234"})["request_id"] == REDACTED
    assert redact(None, "info", {"other": by_chance})["other"] != by_chance


def test_a_stream_that_is_gone_keeps_nobody_from_working() -> None:
    gone = io.StringIO()
    configure_logging("INFO", gone)
    structlog.get_logger().info("before")
    gone.close()
    structlog.get_logger().error("after")


def test_a_stream_that_knows_no_chinese_gets_it_escaped() -> None:
    raw = io.BytesIO()
    configure_logging("INFO", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    structlog.get_logger().info("办电")
    assert orjson.loads(raw.getvalue())["event"] == "办电"


def test_a_line_in_our_own_words_is_the_line_that_any_other_way_writes(stream: io.StringIO) -> None:
    words = {"method": "GET", "route": "/v1/things/{id}", "status": 200, "milliseconds": 1.25, "caller": None}
    structlog.get_logger().info("request", **words, request_id="ab" * 16)
    info_in_own_words("request", **words, request_id="ab" * 16)
    first, second = (orjson.loads(line) for line in stream.getvalue().splitlines())
    assert first.keys() == second.keys()
    assert {**first, "at": None} == {**second, "at": None}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", each["at"]) for each in (first, second))


def test_a_line_in_our_own_words_keeps_to_the_level(stream: io.StringIO) -> None:
    configure_logging("WARNING", stream)
    info_in_own_words("request", status=200)
    assert stream.getvalue() == ""


def test_a_line_in_our_own_words_is_seen_by_whoever_captures_lines(stream: io.StringIO) -> None:
    with structlog.testing.capture_logs() as seen:
        info_in_own_words("request", status=200)
    assert seen == [{"event": "request", "status": 200, "log_level": "info"}]
    assert stream.getvalue() == ""


async def test_lines_in_our_own_words_are_written_in_the_next_round_of_the_loop(stream: io.StringIO) -> None:
    for status in (200, 201):
        info_in_own_words("request", status=status)
    assert stream.getvalue() == ""
    await asyncio.sleep(0)
    assert [orjson.loads(line)["status"] for line in stream.getvalue().splitlines()] == [200, 201]


def test_lines_of_a_loop_that_ended_are_written_with_the_next_ones(stream: io.StringIO) -> None:
    loop = asyncio.new_event_loop()
    loop.call_soon(lambda: (info_in_own_words("request", status=200), loop.stop()))
    loop.run_forever()
    loop.close()
    assert stream.getvalue() == "", "its next round never came"

    async def log_another() -> None:
        info_in_own_words("request", status=201)
        await asyncio.sleep(0)

    asyncio.run(log_another())
    assert [orjson.loads(line)["status"] for line in stream.getvalue().splitlines()] == [200, 201]


async def test_lines_that_a_stream_cannot_write_are_escaped_each_by_itself() -> None:
    raw = io.BytesIO()
    configure_logging("INFO", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    for name in ("办电", "用电"):
        info_in_own_words(name)
    await asyncio.sleep(0)
    assert [orjson.loads(line)["event"] for line in raw.getvalue().splitlines()] == ["办电", "用电"]
