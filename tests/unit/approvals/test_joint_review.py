"""Outcomes combine to one state whatever order they arrive in, and later words replace earlier ones openly."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.claimed_times import BackdatedReason
from gateway.approvals.errors import (
    OutcomeContradicts,
    OutcomeUnsound,
    PermitExempt,
    PermitNotFound,
    ReviewUnsound,
)
from gateway.approvals.joint_review import (
    Commitment,
    JointReview,
    Outcome,
    Permit,
    commitment_permit,
    note_step,
    open_review,
    record_outcome,
    replace_permit,
)
from gateway.approvals.permit_states import (
    DECISIONS,
    FindingKind,
    PermitStatus,
    ReviewStatus,
    permit_state,
    review_status,
)
from gateway.approvals.storage_form import from_json, to_json
from schemas.departments import OutcomeKind, ReviewMode

OPENED_AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


GIVEN = Commitment("承诺", "0" * 64, OPENED_AT, "rec_1")


def review_of(*modes, commitment=None):
    permits = [
        Permit(f"p{n}", f"department{n}", "road_occupation", mode, OPENED_AT, commitment=commitment)
        for n, mode in enumerate(modes, 1)
    ]
    return open_review(JointReview("r1", OPENED_AT, date(2026, 11, 23), "440103", 10_000, tuple(permits)))


def outcome_of(sequence, kind, supersedes=None, *, permit="p1", reason="缺少图纸", hours=None):
    return Outcome(
        outcome_id=f"{permit}-o{sequence}",
        permit_id=permit,
        sequence=sequence,
        outcome=OutcomeKind(kind),
        decided_at=OPENED_AT + HOUR * (sequence if hours is None else hours),
        supersedes=f"{permit}-o{supersedes}" if supersedes else None,
        reason=reason,
    )


def heard(review, *outcomes):
    for outcome in outcomes:
        review = record_outcome(review, outcome, outcome.decided_at)
    return review


def state_after(*kinds, mode=ReviewMode.FULL, commitment=None):
    """Each kind is a word, or (word, the sequence it supersedes)."""
    outcomes = [outcome_of(n, *([kind] if isinstance(kind, str) else kind)) for n, kind in enumerate(kinds, 1)]
    review = heard(review_of(mode, commitment=commitment), *outcomes)
    return permit_state(review.permits[0])


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([], "submitted"),
        (["accepted"], "accepted"),
        (["correction_requested"], "waiting_on_applicant"),
        (["correction_requested", "correction_received"], "submitted"),
        (["accepted", "correction_requested", "correction_received"], "accepted"),
        (["accepted", "special_procedure_started"], "special_procedure"),
        (["accepted", "special_procedure_started", "correction_requested"], "waiting_on_applicant"),
        (["accepted", "special_procedure_started", "special_procedure_ended"], "accepted"),
        (["accepted", "approved"], "approved"),
        (["approved"], "approved"),
        (["accepted", "rejected"], "rejected"),
        (["accepted", "rejected", ("approved", 2)], "approved"),
        (["accepted", "approved", "revoked"], "revoked"),
        (["accepted", "approved", ("revoked", 2)], "revoked"),
        (["accepted", "approved", ("rejected", 2), ("approved", 3)], "approved"),
        (["accepted", "rejected", ("accepted", 2)], "accepted"),
        (["accepted", "correction_requested", "rejected", ("approved", 3)], "approved"),
    ],
)
def test_the_state_of_a_permit_without_anything_odd(kinds, status):
    state = state_after(*kinds)
    assert state.status is PermitStatus(status)
    assert state.findings == ()


@pytest.mark.parametrize(
    ("kinds", "status", "finding"),
    [
        (["rejected", "approved"], "approved", FindingKind.DECISION_NOT_SUPERSEDED),
        (["approved", "rejected"], "rejected", FindingKind.DECISION_NOT_SUPERSEDED),
        (["approved", "correction_requested"], "approved", FindingKind.AFTER_DECISION),
        (["correction_requested", "correction_requested"], "waiting_on_applicant", FindingKind.PAUSE_REPEATED),
        (["accepted", "correction_received"], "accepted", FindingKind.PAUSE_NEVER_BEGAN),
        (["accepted", "special_procedure_ended"], "accepted", FindingKind.PAUSE_NEVER_BEGAN),
        (["accepted", "revoked"], "revoked", FindingKind.REVOKED_UNGRANTED),
        (["approved", "revoked", "approved"], "approved", FindingKind.DECISION_NOT_SUPERSEDED),
    ],
)
def test_what_makes_no_sense_is_a_finding_and_the_departments_last_decision_stands(kinds, status, finding):
    state = state_after(*kinds)
    assert state.status is PermitStatus(status)
    assert [found.kind for found in state.findings] == [finding]


@pytest.mark.parametrize(
    ("mode", "commitment", "kinds", "status"),
    [
        (ReviewMode.COMMITMENT, None, [], "waiting_on_applicant"),
        (ReviewMode.COMMITMENT, GIVEN, [], "approved_on_commitment"),
        (ReviewMode.COMMITMENT, GIVEN, ["accepted"], "approved_on_commitment"),
        (ReviewMode.COMMITMENT, GIVEN, ["approved"], "approved"),
        (ReviewMode.COMMITMENT, GIVEN, ["revoked"], "revoked"),
        (ReviewMode.FILING, None, [], "submitted"),
        (ReviewMode.FILING, None, ["accepted"], "accepted"),
        (ReviewMode.FILING, None, ["correction_requested"], "waiting_on_applicant"),
        (ReviewMode.FILING, None, ["accepted", "approved"], "filed"),
        (ReviewMode.FILING, None, ["approved", "revoked"], "revoked"),
        (ReviewMode.FILING, None, ["rejected"], "rejected"),
        (ReviewMode.EXEMPT, None, [], "exempt"),
    ],
)
def test_the_modes_of_clause_4(mode, commitment, kinds, status):
    assert state_after(*kinds, mode=mode, commitment=commitment).status is PermitStatus(status)


def test_revoking_a_commitment_found_untrue_is_nothing_odd():
    assert state_after("revoked", mode=ReviewMode.COMMITMENT, commitment=GIVEN).findings == ()


def test_a_commitment_is_approved_the_moment_it_is_signed():
    review = review_of(ReviewMode.COMMITMENT)
    assert review_status(review) is ReviewStatus.WAITING_ON_APPLICANT
    given = replace(commitment_permit(review, "p1"), commitment=GIVEN)
    assert review_status(replace_permit(review, given)) is ReviewStatus.APPROVED
    for permit_id in ("p1", "p9"):
        with pytest.raises(PermitNotFound):
            commitment_permit(review_of(ReviewMode.FULL), permit_id)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (["approved"], ["approved"], "approved"),
        (["approved"], ["accepted"], "under_way"),
        (["approved"], ["rejected"], "rejected"),
        (["approved", "revoked"], ["approved"], "rejected"),
        (["rejected"], ["correction_requested"], "rejected"),
        (["accepted"], ["correction_requested"], "waiting_on_applicant"),
        (["approved"], ["special_procedure_started"], "under_way"),
        (["rejected", ("approved", 1)], ["approved"], "approved"),
        ([], [], "under_way"),
    ],
)
def test_the_combination_of_two_permits_beside_a_filed_and_an_exempt_one(first, second, status):
    review = review_of(ReviewMode.FULL, ReviewMode.FULL, ReviewMode.FILING, ReviewMode.EXEMPT)
    review = heard(review, outcome_of(1, "approved", permit="p3"))
    for permit, kinds in (("p1", first), ("p2", second)):
        for n, kind in enumerate(kinds, 1):
            word = [kind] if isinstance(kind, str) else kind
            review = heard(review, outcome_of(n, *word, permit=permit))
    assert review_status(review) is ReviewStatus(status)


def test_a_review_needs_permits_and_each_only_once():
    with pytest.raises(ReviewUnsound):
        review_of()
    one = review_of(ReviewMode.FULL)
    with pytest.raises(ReviewUnsound):
        open_review(replace(one, permits=one.permits * 2))


def test_the_same_outcome_again_changes_nothing():
    review = heard(review_of(ReviewMode.FULL), outcome_of(1, "approved"))
    assert record_outcome(review, outcome_of(1, "approved"), OPENED_AT + 9 * HOUR) is review


@pytest.mark.parametrize(
    "other",
    [
        replace(outcome_of(1, "rejected"), outcome_id="another"),
        replace(outcome_of(1, "approved"), sequence=2),
        replace(outcome_of(1, "approved"), reason="另一理由"),
    ],
)
def test_an_id_or_a_sequence_used_for_something_else_is_refused(other):
    review = heard(review_of(ReviewMode.FULL), outcome_of(1, "approved"))
    with pytest.raises(OutcomeContradicts):
        heard(review, other)


@pytest.mark.parametrize(
    "unsound",
    [
        outcome_of(1, "correction_requested", reason=None),
        outcome_of(1, "special_procedure_started", reason="  "),
        outcome_of(2, "approved", supersedes=2),
        outcome_of(0, "approved"),
    ],
)
def test_an_outcome_that_cannot_stand_is_refused(unsound):
    with pytest.raises(OutcomeUnsound):
        heard(review_of(ReviewMode.FULL), unsound)


def test_unknown_and_exempt_permits_take_no_outcome():
    with pytest.raises(PermitNotFound):
        heard(review_of(ReviewMode.FULL), outcome_of(1, "approved", permit="p9"))
    with pytest.raises(PermitExempt):
        heard(review_of(ReviewMode.EXEMPT), outcome_of(1, "approved"))


def test_an_outcome_may_arrive_before_the_one_it_supersedes():
    rejected, approved = outcome_of(2, "rejected"), outcome_of(3, "approved", supersedes=2)
    early = heard(review_of(ReviewMode.FULL), approved)
    state = permit_state(early.permits[0])
    assert (state.status, state.missing_sequences) == (PermitStatus.APPROVED, (1, 2))
    late = heard(early, rejected)
    state = permit_state(late.permits[0])
    assert (state.status, state.superseded, state.missing_sequences) == (
        PermitStatus.APPROVED,
        frozenset({"p1-o2"}),
        (1,),
    )


def test_an_earlier_outcome_cannot_supersede_a_later_one():
    state = state_after(("approved", 2), "rejected")
    assert (state.status, state.superseded) == (PermitStatus.REJECTED, frozenset())
    assert state.findings_of("p1-o1") == ["supersedes_later"]


def test_what_replaces_an_outcome_that_nobody_heard_of_is_a_finding_until_that_one_arrives():
    approved, rejected = outcome_of(3, "approved", supersedes=2), outcome_of(2, "rejected")
    early = heard(review_of(ReviewMode.FULL), outcome_of(1, "accepted"), approved)
    assert permit_state(early.permits[0]).findings_of("p1-o3") == ["supersedes_unknown"]
    assert permit_state(heard(early, rejected).permits[0]).findings == ()


def test_handling_steps_use_up_numbers_and_leave_no_gap():
    review = note_step(note_step(review_of(ReviewMode.FULL), "p1", 4), "p1", 1)
    review = heard(review, outcome_of(2, "accepted"))
    state = permit_state(review.permits[0])
    assert (state.status, state.missing_sequences) == (PermitStatus.ACCEPTED, (3,))
    assert from_json(orjson.loads(orjson.dumps(to_json(review)))) == review
    for sequence in (1, 2):
        with pytest.raises(OutcomeContradicts):
            note_step(review, "p1", sequence)
    with pytest.raises(OutcomeContradicts):
        heard(review, outcome_of(4, "approved"))
    with pytest.raises(PermitNotFound):
        note_step(review, "p9", 1)


def test_a_time_that_cannot_be_believed_is_told_with_its_reason():
    review = record_outcome(review_of(ReviewMode.FULL), outcome_of(1, "approved", hours=9999), OPENED_AT + HOUR)
    state = permit_state(review.permits[0])
    assert (state.status, state.findings_of("p1-o1")) == (PermitStatus.APPROVED, ["backdated.later_than_now"])


def test_pauses_have_both_ends_and_their_reasons():
    state = state_after("accepted", "correction_requested", "special_procedure_started", "correction_received")
    assert [(pause.from_at, pause.until_at) for pause in state.pauses] == [
        (OPENED_AT + 2 * HOUR, OPENED_AT + 4 * HOUR),
        (OPENED_AT + 3 * HOUR, None),
    ]
    assert {pause.reason for pause in state.pauses} == {"缺少图纸"}


def test_a_decision_ends_open_pauses():
    [pause] = state_after("accepted", "correction_requested", "rejected").pauses
    assert pause.until_at == OPENED_AT + 3 * HOUR


def test_the_clock_ends_with_the_first_decision_unless_it_was_taken_back():
    assert state_after("rejected", ("approved", 1)).clock_ended_at == OPENED_AT + HOUR
    assert state_after("approved", "revoked").clock_ended_at == OPENED_AT + HOUR
    assert state_after("rejected", ("accepted", 1)).clock_ended_at is None
    assert state_after("rejected", ("accepted", 1), "approved").clock_ended_at == OPENED_AT + 3 * HOUR


@pytest.mark.parametrize(
    ("decided", "heard_after", "flag", "counted"),
    [
        (5, 3, BackdatedReason.LATER_THAN_NOW, 3),
        (-2, 3, BackdatedReason.EARLIER_THAN_PREVIOUS_STEP, 3),
        (1, 40, BackdatedReason.BEYOND_TOLERANCE, 40),
    ],
)
def test_a_claimed_time_that_cannot_be_believed_is_kept_flagged_and_does_not_count(decided, heard_after, flag, counted):
    outcome = outcome_of(1, "approved", hours=decided)
    review = record_outcome(review_of(ReviewMode.FULL), outcome, OPENED_AT + HOUR * heard_after)
    state = permit_state(review.permits[0])
    assert [(found.kind, found.flags) for found in state.findings] == [(FindingKind.BACKDATED, (flag,))]
    assert state.standing.decided_at == OPENED_AT + HOUR * decided
    assert state.clock_ended_at == OPENED_AT + HOUR * counted


def test_an_outcome_that_comes_late_behind_its_successor_is_not_late_itself():
    requested, received = outcome_of(1, "correction_requested"), outcome_of(2, "correction_received")
    review = record_outcome(review_of(ReviewMode.FULL), received, OPENED_AT + 2 * HOUR)
    review = record_outcome(review, requested, OPENED_AT + 90 * HOUR)
    state = permit_state(review.permits[0])
    assert state.findings == ()
    assert [(pause.from_at, pause.until_at) for pause in state.pauses] == [(OPENED_AT + HOUR, OPENED_AT + 2 * HOUR)]


@st.composite
def histories(draw):
    """Outcomes of two permits with unique sequences, superseding anything, possibly with gaps."""
    outcomes = []
    for permit in ("p1", "p2"):
        sequences = draw(st.lists(st.integers(1, 9), unique=True, max_size=7))
        for sequence in sequences:
            kind = draw(st.sampled_from(OutcomeKind))
            supersedes = draw(st.none() | st.integers(1, 9).filter(lambda n, own=sequence: n != own))
            hours = draw(st.integers(-2, 60))
            outcomes.append(outcome_of(sequence, kind, supersedes, permit=permit, hours=hours))
    return outcomes


@given(history=histories())
def test_what_is_known_of_a_review_is_never_of_one_before(history):
    """State and written form are kept with a review: asked for at each step they are what one read anew tells."""
    review = review_of(ReviewMode.FULL, ReviewMode.FULL)
    for outcome in history:
        review = heard(review, outcome)
        written = orjson.dumps(to_json(review))
        read_anew = from_json(orjson.loads(written))
        assert read_anew == review
        assert review_status(review) == review_status(read_anew)
        assert list(map(permit_state, review.permits)) == list(map(permit_state, read_anew.permits))
        assert orjson.dumps(to_json(read_anew)) == written


def test_a_permit_that_nobody_changes_keeps_what_a_later_release_wrote_of_it():
    stored = orjson.loads(orjson.dumps(to_json(review_of(ReviewMode.FULL, ReviewMode.FULL))))
    stored["permits"][1]["of a later release"] = "kept"
    review = heard(from_json(stored), outcome_of(1, "accepted"))
    for _ in range(2):
        written = orjson.loads(orjson.dumps(to_json(review)))
        assert written["permits"][1] == stored["permits"][1]
        review = heard(from_json(written), outcome_of(2, "approved"))


@given(history=histories(), data=st.data())
def test_any_order_of_arrival_ends_in_the_same_state(history, data):
    """The very same review when each was heard of at the same time; the same verdicts even when it was not."""
    shuffled = data.draw(st.permutations(history))
    start = review_of(ReviewMode.FULL, ReviewMode.FULL)
    one, other = heard(start, *history), heard(start, *shuffled)
    assert one == other
    assert from_json(orjson.loads(orjson.dumps(to_json(one)))) == one

    later = start
    for n, outcome in enumerate(shuffled):
        later = record_outcome(later, outcome, OPENED_AT + HOUR * n)
    assert review_status(later) is review_status(one)
    for a, b in zip(one.permits, later.permits, strict=True):
        first, second = permit_state(a), permit_state(b)
        assert (first.status, first.standing, first.superseded) == (second.status, second.standing, second.superseded)
        assert first.missing_sequences == second.missing_sequences


@given(history=histories())
def test_the_highest_decision_not_superseded_always_stands(history):
    review = heard(review_of(ReviewMode.FULL, ReviewMode.FULL), *history)
    for permit in review.permits:
        state = permit_state(permit)
        decisions = [
            known.outcome
            for known in permit.heard
            if known.outcome.outcome in DECISIONS and known.outcome.outcome_id not in state.superseded
        ]
        assert state.standing == (decisions[-1] if decisions else None)
        assert len(permit.heard) == sum(1 for outcome in history if outcome.permit_id == permit.permit_id)
        for pause in state.pauses:
            assert pause.until_at is None or pause.until_at >= pause.from_at >= OPENED_AT
