"""A verdict that says how long it stands is the verdict that would be found at any instant until then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.certificates.freshness import BasisState, FreshnessLimit
from gateway.certificates.registry import KindRegistry
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CopyProvenance, HolderExpectation, Verification
from gateway.certificates.verifier import Verifier
from gateway.clock import date_in_china
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, Province

AUTHORITIES = ("root", "market-supervision", "data-administration")
FETCHED = AT - timedelta(hours=2)


@cache
def world() -> tuple[Province, Verifier, tuple[bytes, bytes], StatusEvidence]:
    """The second envelope is in force for this day alone."""
    province = Province()
    crls = tuple(province.pki.authority(name).crl(AT) for name in AUTHORITIES)
    evidence = StatusEvidence({LIST_URI: province.status_list(issued_at=AT - timedelta(minutes=1))}, crls)
    today = date_in_china(AT).isoformat()
    envelopes = province.envelope(), province.envelope(ZZYXQJZRQ=today)
    return province, province.verifier(), envelopes, evidence


def verified(at: datetime, verifier: Verifier | None = None, *, ends_today: bool = False) -> Verification:
    _, kept, envelopes, evidence = world()
    return (verifier or kept).verify(
        envelopes[ends_today],
        KindRegistry.discover().get("business_licence"),
        at,
        HolderExpectation(ENTERPRISE),
        evidence,
        CopyProvenance("gd-platform", FETCHED, "440000", from_copy=True),
    )


def test_it_ends_with_the_day_at_the_latest() -> None:
    verdict = verified(AT)
    assert verdict.verdict is Verdict.VALID, verdict.failed_check
    assert verdict.stands_until is not None
    assert AT < verdict.stands_until <= AT + timedelta(days=1)
    assert date_in_china(verdict.stands_until - timedelta(microseconds=1)) == date_in_china(AT)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1) | st.just(1.0), st.booleans())
def test_until_then_it_is_what_would_be_found(first: float, second: float, ends_today: bool) -> None:
    """The first instant anywhere around midnight, expiries and limits of age; the second before the verdict's end."""
    at = AT + timedelta(hours=30) * first
    verdict = verified(at, ends_today=ends_today)
    if verdict.stands_until is None:
        assert verdict.verdict is not Verdict.VALID
        return
    later = at + (verdict.stands_until - at) * second
    if later >= verdict.stands_until:
        later = verdict.stands_until - timedelta(microseconds=1)
    province = world()[0]
    assert verdict.judged_again(later) == _without_end(
        verified(later, province.verifier(), ends_today=ends_today), verdict
    )


def _without_end(found: Verification, verdict: Verification) -> Verification:
    """When it ends is found later or at the same time: the first one was careful."""
    assert found.stands_until is not None
    assert verdict.stands_until is not None
    assert found.stands_until >= verdict.stands_until
    return replace(found, stands_until=verdict.stands_until)


@given(
    st.timedeltas(timedelta(), timedelta(days=3)),
    st.timedeltas(timedelta(), timedelta(days=3)),
    st.timedeltas(timedelta(), timedelta(days=6)),
    st.none() | st.timedeltas(timedelta(), timedelta(days=6)),
    st.floats(0, 1),
)
def test_a_basis_says_until_when_it_is_judged_the_same(
    fresh: timedelta, more: timedelta, age: timedelta, expires_in: timedelta | None, part: float
) -> None:
    limit, at = FreshnessLimit(fresh, fresh + more), datetime(2026, 11, 29, tzinfo=UTC)
    as_of = at - age
    expires_at = None if expires_in is None else as_of + expires_in
    basis = limit.judge("copy", as_of, at, expires_at=expires_at)
    ends = limit.stands_until(basis, expires_at=expires_at)
    if basis.state in (BasisState.REFUSED, BasisState.MISSING):
        assert ends is None
        return
    assert ends is not None
    assert ends >= at
    for instant in (at + (ends - at) * part, ends):
        assert limit.judge("copy", as_of, instant, expires_at=expires_at) == basis


def test_the_very_same_bases_are_dated_anew() -> None:
    verdict = verified(AT)
    later = AT + timedelta(minutes=5)
    dated = {each.name: each.as_of for each in verdict.judged_again(later).basis}
    assert dated["chain"] == dated["status_list.chain"] == later
    assert dated["certificate"] == FETCHED
