"""The counts of what a relay has in hand are those of its claims, whatever happens in which order."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.hand_over import HandOver, Left
from gateway.delivery.in_hand import AHEAD_TIMES, AHEAD_TIMES_IN_ALL, UNSETTLED_TIMES, InHand, Key
from gateway.delivery.ports import ChannelKind, ClaimedDelivery, ClaimRoom, Event
from tests.support.storage import NOON, SetClock

MOST, EACH = 4, 2
SLOW, AHEAD_S = 1000.0, 5.0
"""Seconds that a send took, and within which what waits has to be sent."""
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "begin", "withdrawn", "sent", "settled"]), st.integers(0, 5)), max_size=60
)


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
    hand, waiting, sending, unsettled = InHand(MOST, EACH), [], [], []
    for number, (step, which) in enumerate(steps):
        if step == "take" and hand.free > 0:
            taken = claim(number)
            hand.taken(taken)
            waiting.append(taken)
        elif step == "begin" and waiting and hand.may_begin(waiting[which % len(waiting)].event.destination):
            begun = waiting.pop(which % len(waiting))
            hand.begun(begun)
            sending.append(begun)
        elif step == "withdrawn" and waiting:
            put_back = waiting.pop(which % len(waiting))
            hand.withdrawn(put_back)
            unsettled.append(put_back)
        elif step == "sent" and sending:
            ended = sending.pop(which % len(sending))
            hand.sent(ended, SLOW)
            unsettled.append(ended)
        elif step == "settled" and unsettled:
            hand.settled(unsettled.pop(which % len(unsettled)), handed=True)
        to_send, in_hand = [*waiting, *sending], [*waiting, *sending, *unsettled]
        held, to = (Counter(each.event.destination for each in some) for some in (to_send, sending))
        assert hand.free == min(MOST - len(to_send), UNSETTLED_TIMES * MOST - len(in_hand))
        assert set(hand.ids) == {each.event.event_id for each in in_hand}
        for code in ("utility-0", "utility-1", "utility-2"):
            assert hand.free_for(code) == hand.sends_for(code) == max(0, EACH - held[code])
            assert hand.may_begin(code) == (len(sending) < MOST and to[code] < EACH)
        rooms = hand.free_by_receiver()
        assert {code: rooms[code] for code in held} == {code: max(0, EACH - count) for code, count in held.items()}


def test_to_a_receiver_that_answers_quickly_more_is_taken_than_may_be_sent_at_once() -> None:
    hand = InHand(MOST, EACH, AHEAD_S)
    assert hand.free_for("utility-0") == EACH
    for took, ahead in ((SLOW, 0), (AHEAD_S / 2, EACH), (0.001, AHEAD_TIMES * EACH), (SLOW, 0)):
        answered = claim(0)
        hand.taken(answered)
        hand.begun(answered)
        hand.sent(answered, took)
        hand.settled(answered, handed=True)
        assert hand.free_for("utility-0") == EACH + ahead
        assert hand.sends_for("utility-0") == EACH
        assert hand.free_for("utility-1") == EACH
        assert hand.free == MOST + min(ahead * MOST // EACH, AHEAD_TIMES_IN_ALL * MOST)


def test_somebody_looks_after_an_event_that_another_was_left_behind() -> None:
    hand, first, other = InHand(MOST, EACH), claim(0), claim(2)
    sent_at_once(hand, first, other)
    assert not hand.leave([("utility-0", "app-0")], hand.looks)
    assert not hand.sent(first, SLOW)
    assert not hand.settled(other, handed=True)
    assert hand.settled(first, handed=True)


def test_somebody_looks_once_there_is_room_for_what_found_none() -> None:
    hand, first = InHand(MOST, EACH), claim(0)
    sent_at_once(hand, first)
    assert hand.leave([("utility-0", "app-7")], hand.looks)
    assert hand.is_behind("utility-0")
    assert not hand.is_behind("utility-1")
    assert hand.sent(first, SLOW)
    hand.looking()
    hand.looked([], ClaimRoom(MOST, EACH))
    assert not hand.is_behind("utility-0")
    assert not hand.settled(first, handed=True)


def test_what_is_left_while_a_look_is_under_way_is_looked_for_again() -> None:
    hand = InHand(MOST, EACH)
    hand.leave([("utility-0", "app-7")], hand.looks)
    hand.looking()
    assert not hand.is_behind("utility-0")
    assert hand.leave([("utility-0", "app-8")], hand.looks)
    hand.looked([], ClaimRoom(MOST, EACH))
    assert hand.is_behind("utility-0")


def test_what_was_left_before_a_look_needs_no_other() -> None:
    hand = InHand(MOST, EACH)
    before = hand.looks
    hand.looking()
    assert not hand.leave([("utility-0", "app-7")], before)
    assert not hand.is_behind("utility-0")


def test_nobody_looks_for_one_or_two_while_enough_waits_for_its_turn() -> None:
    hand, waiting = InHand(MOST, EACH), [claim(number) for number in (0, 2, 4, 6)]
    for each in waiting:
        hand.taken(each)
    assert not hand.leave([("utility-0", "app-7")], hand.looks)
    hand.begun(waiting[0])
    hand.begun(waiting[1])
    assert not hand.sent(waiting[0], SLOW)
    hand.begun(waiting[2])
    assert hand.sent(waiting[1], SLOW)


def test_a_receiver_is_behind_while_a_look_had_no_room_for_it_or_found_as_much_as_it_had_room_for() -> None:
    hand = InHand(MOST, EACH)
    hand.looked([], ClaimRoom(MOST, EACH, {"utility-1": 0}))
    assert [hand.is_behind(f"utility-{number}") for number in range(3)] == [False, True, False]
    hand.looked([claim(0), claim(2)], ClaimRoom(MOST, EACH))
    assert [hand.is_behind(f"utility-{number}") for number in range(3)] == [True, False, False]
    hand.looked([claim(0), claim(2)], ClaimRoom(2, EACH, {"utility-0": 5}))
    assert [hand.is_behind(f"utility-{number}") for number in range(3)] == [True, True, True]


def test_what_was_claimed_may_have_anything_behind_it() -> None:
    hand, first = InHand(MOST, EACH), claim(0)
    sent_at_once(hand, first)
    hand.sent(first, SLOW)
    assert hand.settled(first, handed=False)


def sent_at_once(hand: InHand, *claims: ClaimedDelivery) -> None:
    for each in claims:
        hand.taken(each)
        hand.begun(each)


def test_nothing_is_promised_before_it_is_open_and_after_it_is_closed() -> None:
    hand_over = HandOver("relay", SetClock(), NOON - NOON)
    assert not hand_over.promise(claim(1).event)
    hand_over.close()
    assert not hand_over.promise(claim(1).event)
    hand_over.broken_off(["evt-1"])
    assert list(hand_over.promised) == []


class Taking:
    """A relay with room, in whose hand something may follow the events of ``last``."""

    def __init__(self, *last: int) -> None:
        self.last, self.looks = last, 0
        self.came: list[str] = []

    def has_room(self, destination: str, promised: int, promised_in_all: int) -> bool:
        return True

    def may_follow(self, key: Key, sequence: int) -> bool:
        return sequence in self.last

    def take(self, claims: Sequence[ClaimedDelivery], left: Left, looks: int) -> None:
        self.came += [each.event.event_id for each in claims]


async def test_what_follows_is_promised_only_behind_what_is_in_hand_or_on_its_way_there() -> None:
    hand_over, taker = HandOver("relay", SetClock(), NOON - NOON), Taking(1)
    hand_over.open(asyncio.get_running_loop(), taker)
    second, third, fourth = (replace(claim(number), behind=number - 1) for number in (2, 3, 4))
    second, third, fourth = (
        replace(each, event=replace(each.event, destination="utility", subject="app", sequence=each.behind + 1))
        for each in (second, third, fourth)
    )
    assert not hand_over.promise(third.event, third.behind)
    assert hand_over.promise(second.event, second.behind)
    assert hand_over.promise(third.event, third.behind)
    hand_over.broken_off([third.event.event_id])
    assert not hand_over.promise(fourth.event, fourth.behind)
    hand_over.handed([second], [])
    await asyncio.sleep(0)
    assert (taker.came, list(hand_over.promised)) == ([second.event.event_id], [])
    assert not hand_over.promise(third.event, third.behind), "it came, and is not where something may follow it"
