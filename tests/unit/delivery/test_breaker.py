"""The circuit breaker, driven by any history of sends, ends and waits."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.delivery.breaker import Breaker, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(failures=3, probes=2, wait_s=2.0, longest_wait_s=30.0)
FREE = 8


class AnyHistory(RuleBasedStateMachine):
    """Sends begin only where there is room, end in any order, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(POLICY), 0.0
        self.sends: list[bool] = []
        self.in_a_row = 0

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.room(self.now, FREE - len(self.sends)) > 0)
    @rule()
    def begin(self) -> None:
        probe = self.breaker.state(self.now) is not BreakerState.CLOSED
        self.sends.append(probe)
        if probe:
            self.breaker = self.breaker.probe_began()

    @precondition(lambda self: self.sends)
    @rule(data=st.data(), end=st.sampled_from(["works", "fails", "untold"]))
    def end(self, data: st.DataObject, end: str) -> None:
        probe = self.sends.pop(data.draw(st.integers(0, len(self.sends) - 1)))
        before = self.breaker.state(self.now)
        if end == "works":
            self.breaker, self.in_a_row = self.breaker.succeeded(probe=probe), 0
            assert self.breaker.state(self.now) is BreakerState.CLOSED
        elif end == "fails":
            self.breaker = self.breaker.failed_once(self.now, probe=probe)
            self.in_a_row += 1
            if probe and before is not BreakerState.CLOSED:
                assert self.breaker.state(self.now) is BreakerState.OPEN
        else:
            self.breaker = self.breaker.said_nothing(probe=probe)
            assert self.breaker.state(self.now) is before

    @invariant()
    def only_probes_leave_while_it_is_not_closed(self) -> None:
        assert self.breaker.probing == sum(self.sends) <= POLICY.probes
        room = self.breaker.room(self.now, FREE)
        match self.breaker.state(self.now):
            case BreakerState.CLOSED:
                assert room == FREE
            case BreakerState.OPEN:
                assert room == 0
            case BreakerState.HALF_OPEN:
                assert room == POLICY.probes - self.breaker.probing

    @invariant()
    def failures_in_a_row_open_it_and_fewer_do_not(self) -> None:
        opened = self.breaker.state(self.now) is not BreakerState.CLOSED
        assert opened == (self.in_a_row >= POLICY.failures)

    @invariant()
    def it_never_waits_longer_than_it_may(self) -> None:
        assert self.breaker.state(self.breaker.opened_at + POLICY.longest_wait_s) is not BreakerState.OPEN


TestAnyHistory = AnyHistory.TestCase


@given(openings=st.integers(1, 10_000))
def test_each_failed_probe_doubles_the_wait_up_to_the_longest(openings: int) -> None:
    wait = Breaker(POLICY, openings=openings).wait_s
    assert wait == min(2.0 * 2 ** min(openings - 1, 10), 30.0)


def test_what_was_sent_before_it_opened_does_not_prolong_the_wait() -> None:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker = breaker.failed_once(10.0, probe=False)
    assert breaker.failed_once(11.0, probe=False) == breaker
    assert breaker.state(11.9) is BreakerState.OPEN
    assert breaker.state(12.0) is BreakerState.HALF_OPEN


def test_it_is_over_at_the_instant_that_it_names_whatever_floats_make_of_it() -> None:
    """98.72… + 30 - 98.72… is less than 30."""
    opened_at = 98.72019056114904
    policy = BreakerPolicy(failures=3, probes=2, wait_s=30.0, longest_wait_s=30.0)
    breaker = Breaker(policy, failed=3, openings=1, opened_at=opened_at)
    assert breaker.state(opened_at + breaker.wait_s) is BreakerState.HALF_OPEN
