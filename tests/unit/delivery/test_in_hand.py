"""The counts of what a relay has in hand are those of its claims, whatever happens in which order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.hand_over import HandOver
from gateway.delivery.in_hand import UNSETTLED_TIMES, InHand
from gateway.delivery.ports import ChannelKind, ClaimedDelivery, ClaimRoom, Event
from tests.support.storage import NOON, SetClock

MOST, EACH = 4, 2
STEPS = st.lists(st.tuples(st.sampled_from(["begin", "sent", "settled"]), st.integers(0, 5)), max_size=60)


def claim(number: int) -> ClaimedDelivery:
    event = Event(
        f"evt-{number}",
        f"utility-{number % 2}",
        ChannelKind.WEBHOOK,
        "test",
        f"app-{number % 3}",
        1,
        number,
        NOON,
        {},
    )
    return ClaimedDelivery(event, 1, NOON)


@given(STEPS)
def test_room_is_what_is_not_under_way(steps: list[tuple[str, int]]) -> None:
    hand, sending, unsettled = InHand(MOST, EACH), [], []
    for number, (step, which) in enumerate(steps):
        if step == "begin" and hand.free > 0:
            begun = claim(number)
            hand.begun(begun)
            sending.append(begun)
        elif step == "sent" and sending:
            ended = sending.pop(which % len(sending))
            hand.sent(ended)
            unsettled.append(ended)
        elif step == "settled" and unsettled:
            hand.settled(unsettled.pop(which % len(unsettled)), handed=True)
        to = Counter(each.event.destination for each in sending)
        assert hand.free == min(MOST - len(sending), UNSETTLED_TIMES * MOST - len(sending) - len(unsettled))
        assert set(hand.ids) == {each.event.event_id for each in (*sending, *unsettled)}
        for code in ("utility-0", "utility-1", "utility-2"):
            assert hand.free_for(code) == max(0, EACH - to[code])
        assert hand.free_by_receiver() == {code: max(0, EACH - count) for code, count in to.items()}


def test_somebody_looks_after_an_event_that_another_was_left_behind() -> None:
    hand, first, other = InHand(MOST, EACH), claim(0), claim(2)
    hand.begun(first)
    hand.begun(other)
    assert not hand.leave([("utility-0", "app-0")])
    assert not hand.sent(first)
    assert not hand.settled(other, handed=True)
    assert hand.settled(first, handed=True)


def test_somebody_looks_once_there_is_room_for_what_found_none() -> None:
    hand, first = InHand(MOST, EACH), claim(0)
    hand.begun(first)
    assert hand.leave([("utility-0", "app-7")])
    assert hand.sent(first)
    hand.looked([], ClaimRoom(MOST, EACH))
    assert not hand.settled(first, handed=True)


def test_what_was_claimed_may_have_anything_behind_it() -> None:
    hand, first = InHand(MOST, EACH), claim(0)
    hand.begun(first)
    hand.sent(first)
    assert hand.settled(first, handed=False)


def test_nothing_is_promised_before_it_is_open_and_after_it_is_closed() -> None:
    hand_over = HandOver("relay", SetClock(), NOON - NOON)
    assert not hand_over.promise("evt-1", "utility")
    hand_over.close()
    assert not hand_over.promise("evt-1", "utility")
    hand_over.broken_off(["evt-1"])
    assert list(hand_over.promised) == []
