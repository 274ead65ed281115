"""An agreement comes into force by two persons; whatever is tried, in whatever order."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.partners.agreement_steps import AgreementStep, advanced, open_steps
from gateway.partners.errors import PartnerConflict, SecondPersonRequired
from gateway.partners.model import AgreementStatus, Grant, SharingAgreement

A, B, C = "officer:off_a", "officer:off_b", "officer:off_c"
DRAFT = SharingAgreement(
    agreement_id="agr_1",
    partner_code="csg-guangzhou",
    purpose="grid_connection",
    grants=(Grant("business_licence", frozenset({"name"})),),
    regions=("440100",),
    stages=None,
    valid_from=date(2026, 1, 1),
    valid_until=date(2030, 12, 31),
    clause="第（七）条",
    status=AgreementStatus.DRAFT,
    drafted_by=A,
)
STEPS = st.lists(st.tuples(st.sampled_from(AgreementStep), st.sampled_from([A, B, C])), max_size=12)


def test_the_road_of_two_persons() -> None:
    tested = advanced(DRAFT, AgreementStep.TEST, A)
    with pytest.raises(SecondPersonRequired):
        advanced(tested, AgreementStep.APPROVE, A)
    approved = advanced(tested, AgreementStep.APPROVE, B)
    live = advanced(approved, AgreementStep.GO_LIVE, A)
    assert live.status is AgreementStatus.ACTIVE
    assert (live.drafted_by, live.tested_by, live.approved_by, live.activated_by) == (A, A, B, A)


def test_who_tested_it_does_not_approve_it_either() -> None:
    with pytest.raises(SecondPersonRequired):
        advanced(advanced(DRAFT, AgreementStep.TEST, B), AgreementStep.APPROVE, B)


def test_what_was_sent_back_is_approved_anew() -> None:
    approved = advanced(advanced(DRAFT, AgreementStep.TEST, A), AgreementStep.APPROVE, B)
    again = advanced(approved, AgreementStep.SEND_BACK, B)
    assert (again.status, again.tested_by, again.approved_by) == (AgreementStatus.DRAFT, None, None)
    with pytest.raises(PartnerConflict):
        advanced(again, AgreementStep.GO_LIVE, A)


@pytest.mark.parametrize("status", AgreementStatus)
def test_a_machine_needs_one_step_and_an_officer_has_none_such(status: AgreementStatus) -> None:
    agreement = replace(DRAFT, status=status)
    if status is AgreementStatus.ENDED:
        with pytest.raises(PartnerConflict):
            advanced(agreement, AgreementStep.FORCE, "cli:root")
    else:
        assert advanced(agreement, AgreementStep.FORCE, "cli:root").status is AgreementStatus.ACTIVE
        with pytest.raises(PartnerConflict):
            advanced(agreement, AgreementStep.FORCE, A)


@given(STEPS)
def test_officers_bring_nothing_into_force_that_another_did_not_approve(steps: list[tuple[AgreementStep, str]]) -> None:
    agreement, ended = DRAFT, False
    for step, actor in steps:
        offered = open_steps(agreement, actor)
        try:
            agreement = advanced(agreement, step, actor)
        except GatewayError:
            assert step not in offered
            continue
        assert step in offered or step is AgreementStep.END
        ended = ended or step is AgreementStep.END
        if agreement.status is AgreementStatus.ACTIVE:
            assert agreement.approved_by not in (None, agreement.drafted_by, agreement.tested_by)
        assert (agreement.status is AgreementStatus.ENDED) == ended
