"""Of one receiver and subject nothing goes before what is before it, two never go at once, and nothing is forgotten."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.ports import ChannelKind, ClaimedDelivery, Event
from gateway.delivery.turns import MOST_BEHIND, Turn, Turns
from tests.support.storage import NOON

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["handed", "handed", "looked", "next", "next", "late", "withdrawn", "failed", "settled"]),
        st.integers(0, 5),
    ),
    max_size=80,
)


def claim(sequence: int, subject: str = "app-0", behind: int = 0) -> ClaimedDelivery:
    destination = "utility" if subject < "app-3" else "other"
    event = Event(
        f"{subject}-{sequence}", destination, ChannelKind.WEBHOOK, "test", subject, sequence, sequence, NOON, {}
    )
    return ClaimedDelivery(event, 1, NOON, behind=behind)


def turn(sequence: int, subject: str = "app-0", behind: int = 0, since: float = 0.0) -> Turn:
    return Turn(claim(sequence, subject, behind), since, handed=True)


@dataclass
class Subject:
    """What a database would say of one: its ``pending`` events that are leased, in order, and what is ``out``."""

    made: int = 0
    pending: list[int] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    """Pending ones that nobody has leased."""


@dataclass
class Model:
    """Drives ``turns`` as relay and writer do, and holds what it answers to what each subject allows."""

    turns: Turns = field(default_factory=Turns)
    subjects: dict[str, Subject] = field(default_factory=lambda: {f"app-{n}": Subject() for n in range(6)})
    waiting: dict[str, Turn] = field(default_factory=dict)
    out: dict[str, Turn] = field(default_factory=dict)
    now: float = 0.0

    def step(self, name: str, which: int) -> None:
        self.now += 1
        subject = f"app-{which}"
        getattr(self, name)(subject, self.subjects[subject])
        assert set(self.turns._waiting) == set(self.waiting)

    def handed(self, name: str, subject: Subject) -> None:
        """One more is committed; it is handed over only where all before it are leased and it may follow them."""
        subject.made += 1
        behind = max(subject.pending, default=0)
        key = ("utility" if name < "app-3" else "other", name)
        if subject.free or (behind and not self.turns.may_follow(key, behind)):
            subject.free.append(subject.made)
            return
        subject.pending.append(subject.made)
        assert self.add(turn(subject.made, name, behind, self.now)), "what may follow is taken"

    def looked(self, name: str, subject: Subject) -> None:
        """The oldest is claimed, where nobody has it and nothing is before it."""
        if subject.free and not subject.pending:
            sequence = subject.free.pop(0)
            subject.pending.append(sequence)
            self.add(turn(sequence, name, since=self.now))

    def add(self, added: Turn) -> bool:
        if not self.turns.add(added):
            self.back(added)
            return False
        self.waiting[added.claim.event.event_id] = added
        return True

    def next(self, name: str, subject: Subject) -> None:
        begun = self.turns.next(lambda _: True)
        ready = {each.claim.event.subject for each in self.waiting.values()} - set(self.out)
        assert (begun is None) == (not ready)
        if begun is not None:
            about = begun.claim.event.subject
            assert about not in self.out, "two at once"
            assert begun.sequence == min(self.subjects[about].pending), "before another"
            del self.waiting[begun.claim.event.event_id]
            self.out[about] = begun

    def late(self, name: str, subject: Subject) -> None:
        late = list(self.turns.late(self.now - 10))
        assert {each.claim.event.event_id for each in late} >= {
            event_id for event_id, each in self.waiting.items() if each.since <= self.now - 10
        }
        self.gone(late)

    def withdrawn(self, name: str, subject: Subject) -> None:
        gone = list(self.turns.withdrawn("utility"))
        assert len(gone) == sum(each.destination == "utility" for each in self.waiting.values())
        self.gone(gone)

    def failed(self, name: str, subject: Subject) -> None:
        if (out := self.out.pop(name, None)) is not None:
            self.gone(self.turns.failed(out.claim))
            self.gone(self.turns.settled(out.claim, for_good=False))
            self.back(out)

    def settled(self, name: str, subject: Subject) -> None:
        if (out := self.out.pop(name, None)) is not None:
            subject.pending.remove(out.sequence)
            assert list(self.turns.settled(out.claim, for_good=True)) == []

    def gone(self, turns: "list[Turn] | tuple[Turn, ...]") -> None:
        """They are put back, and that is settled at once."""
        for each in turns:
            del self.waiting[each.claim.event.event_id]
        for each in turns:
            assert list(self.turns.settled(each.claim, for_good=False)) == []
            self.back(each)

    def back(self, turn: Turn) -> None:
        subject = self.subjects[turn.claim.event.subject]
        subject.pending.remove(turn.sequence)
        subject.free = sorted([*subject.free, turn.sequence])


@given(STEPS)
def test_whatever_happens_in_which_order(steps: list[tuple[str, int]]) -> None:
    model = Model()
    for name, which in steps:
        model.step(name, which)
    for _ in range(len(steps) * 10):
        model.step("next", 0)
        for number in range(6):
            model.step("settled", number)
            model.step("looked", number)
    assert not model.waiting
    assert not any(subject.pending or subject.free for subject in model.subjects.values()), "something was forgotten"


def test_what_follows_goes_once_what_is_before_it_is_settled_for_good() -> None:
    turns, first, second = Turns(), turn(1), turn(2, behind=1)
    assert turns.add(first)
    assert turns.add(second)
    assert turns.next(lambda _: True) is first
    assert turns.next(lambda _: True) is None
    assert turns.settled(first.claim, for_good=True) == ()
    assert turns.next(lambda _: True) is second


def test_nothing_follows_what_will_be_due_again() -> None:
    turns, first, second = Turns(), turn(1), turn(2, behind=1)
    turns.add(first)
    turns.add(second)
    turns.next(lambda _: True)
    assert list(turns.failed(first.claim)) == [second]
    assert not turns.may_follow(("utility", "app-0"), 1)
    assert not turns.add(turn(3, behind=2))
    assert list(turns.settled(first.claim, for_good=False)) == []
    assert not turns.add(turn(4, behind=3)), "what it is to follow is not there"
    assert turns.add(turn(1)), "it is due again, and was found by a look"


def test_what_waits_behind_one_that_is_late_is_put_back_with_it() -> None:
    turns = Turns()
    first, other, second, third = turn(1), turn(1, "app-1", since=1.0), turn(2, behind=1, since=1.0), turn(3, behind=2)
    for each in (first, other, second, third):
        assert turns.add(each)
    assert list(turns.late(-1.0)) == []
    assert list(turns.late(0.0)) == [first, second, third]
    assert turns.next(lambda _: True) is other


def test_one_that_is_late_leaves_those_before_it() -> None:
    turns, first, second, third = Turns(), turn(1, since=5.0), turn(2, behind=1), turn(3, behind=2, since=5.0)
    for each in (first, second, third):
        turns.add(each)
    assert list(turns.late(0.0)) == [second, third]
    assert turns.may_follow(("utility", "app-0"), 1)
    assert turns.next(lambda _: True) is first


def test_one_that_is_sent_anew_goes_before_those_that_wait_behind_what_is_under_way() -> None:
    turns, second, third, first = Turns(), turn(2), turn(3, behind=2), turn(1)
    for each in (second, third, first):
        assert turns.add(each)
    assert turns.may_follow(("utility", "app-0"), 3)
    for each in (second, first, third):
        assert turns.next(lambda _: True) is each
        turns.settled(each.claim, for_good=True)


def test_no_more_than_so_many_wait_behind_one() -> None:
    turns = Turns()
    turns.add(turn(1))
    for sequence in range(2, MOST_BEHIND + 2):
        assert turns.may_follow(("utility", "app-0"), sequence - 1)
        turns.add(turn(sequence, behind=sequence - 1))
    assert not turns.may_follow(("utility", "app-0"), MOST_BEHIND + 1)
