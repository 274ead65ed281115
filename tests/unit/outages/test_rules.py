"""What stands of an outage whatever order it is told in, and what may not stand in public words."""

from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outages.errors import OutageContradicts, OutageUnsound
from gateway.outages.model import Outage, OutageState
from gateway.outages.rules import after, flags_of, looks_personal, outage_of, require_sound
from schemas.identifiers import make_resident_identity_number
from schemas.outages import OutageKind, OutageRequest
from tests.support.storage import NOON

HOUR = timedelta(hours=1)


def told(kind: OutageKind = OutageKind.FAULT, event: int = 1, **changes: object) -> OutageRequest:
    own = {
        "outage_id": "o-1",
        "event_id": f"e-{event}",
        "kind": kind,
        "region": "440106",
        "area": "天河北路 1 至 99 号",
        "begins_at": NOON - HOUR,
        "expected_end_at": NOON + HOUR,
        "said_at": NOON,
        "text": "抢修中。",
    }
    return OutageRequest.model_validate(own | changes)


def heard(request: OutageRequest) -> Outage:
    return outage_of("csg", request, NOON + 9 * HOUR)


def folded(tellings: tuple[OutageRequest, ...]) -> Outage:
    stands = heard(tellings[0])
    for each in tellings[1:]:
        try:
            stands = after(stands, heard(each))
        except OutageContradicts:
            assert stands.ended_at is not None
    return stands


TELLINGS = st.lists(st.tuples(st.sampled_from(OutageKind), st.integers(0, 3)), min_size=1, max_size=4)


@given(TELLINGS)
def test_in_whatever_order_it_arrives_the_same_stands(said: list[tuple[OutageKind, int]]) -> None:
    tellings = [told(kind, event, said_at=NOON + hours * HOUR) for event, (kind, hours) in enumerate(said)]
    ends = {(each.event_id, each.kind, each.ended_at) for each in map(folded, permutations(tellings))}
    assert len(ends) == 1
    over = sorted((each.said_at, each.event_id) for each in tellings if each.kind is OutageKind.RESTORED)
    latest = max((each.said_at, each.event_id) for each in tellings)
    assert ends.pop()[0] == (over[0] if over else latest)[1]


def test_a_planned_one_that_became_a_fault_is_a_fault() -> None:
    planned, fault, progress = (heard(told(kind)) for kind in list(OutageKind)[:3])
    assert after(progress, planned).cause is OutageKind.PLANNED
    assert after(after(planned, fault), progress).cause is after(after(fault, planned), progress).cause is fault.cause
    assert progress.cause is None


def test_how_it_stands_and_how_long_it_is_shown() -> None:
    fault, restored = heard(told()), heard(told(OutageKind.RESTORED))
    assert [fault.state(fault.begins_at + wait) for wait in (-HOUR, 0 * HOUR)] == [
        OutageState.PLANNED,
        OutageState.UNDER_WAY,
    ]
    assert fault.shown_until == NOON + HOUR + timedelta(days=7)
    assert (restored.state(NOON), restored.shown_until) == (OutageState.ENDED, NOON + 24 * HOUR)


def test_the_time_of_telling_is_judged_and_none_is_later_than_hearing() -> None:
    ahead, late = told(said_at=NOON + HOUR), told(said_at=NOON - 25 * HOUR)
    assert outage_of("csg", ahead, NOON).counted_at == NOON
    assert flags_of(told(), None, NOON) == ()
    assert flags_of(ahead, None, NOON) == ("later_than_now",)
    assert flags_of(late, heard(told()), NOON) == ("earlier_than_previous_step", "beyond_tolerance")


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"expected_end_at": NOON - HOUR}, "outage.expected_end_at"),
        ({"kind": OutageKind.PLANNED, "expected_end_at": None}, "outage.expected_end_at"),
        ({"begins_at": NOON + timedelta(minutes=1)}, "outage.begins_at"),
        ({"area": "找王师傅１３８ 0013 8000"}, "outage.personal"),
        ({"text": "详询 020-3812-3456"}, "outage.personal"),
        ({"text": "户号所属 91440101MA5ABCDE1X"}, "outage.personal"),
        ({"text": "请打一三八〇〇一三八〇〇〇"}, "outage.personal"),
    ],
)
def test_what_cannot_be_is_refused_and_not_repeated(changed: dict[str, object], check: str) -> None:
    with pytest.raises(OutageUnsound) as caught:
        require_sound(told(**changed), NOON)
    assert caught.value.check == check
    assert not [word for word in ("王师傅", "一三八", "3812") if word in str(vars(caught.value))]
    require_sound(told(), NOON)


@pytest.mark.parametrize(
    "words",
    [
        "天河北路1001-1099号、10kV天河线F12开关",
        "2026-12-05 08:00-18:00，遇雨顺延至2026/12/06 8:00",
        "报修请拨打95598，投诉12398",
        "12月5日8时至18时，影响约1200户，三十二个台区",
    ],
)
def test_places_days_and_hotlines_are_no_numbers_of_persons(words: str) -> None:
    assert not looks_personal(words)


MARKS = st.sampled_from(["", " ", "-", "·", ".", " - "])


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.lists(MARKS, min_size=10, max_size=10), st.booleans())
def test_a_mobile_number_is_seen_however_it_is_written(number: str, marks: list[str], wide: bool) -> None:
    written = "".join(digit + mark for digit, mark in zip(number, [*marks, ""], strict=True))
    if wide:
        written = "".join(chr(ord(each) + 0xFEE0) if each.isdigit() else each for each in written)
    assert looks_personal(f"联系{written}。")


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(0, 998))
def test_a_resident_number_is_seen_also_with_its_date_apart(born_on: date, sequence: int) -> None:
    number = make_resident_identity_number("440106", born_on, sequence)
    assert looks_personal("户主" + number)
    assert looks_personal(f"户主{number[:6]} {born_on} {number[14:]}。")
