"""What counts as a change: pure decisions over real verifications."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.applications.model import ApplicationDocument
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.identifier_digests import IdentifierDigests
from gateway.certificates.kinds.business_licence import KIND
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import CheckResult, CopyProvenance, Verification
from gateway.errors import Owner
from gateway.rechecks.judgement import is_decided, judge_change, updated
from gateway.rechecks.model import NO_LONGER_HELD, CertificateState, ChangeKind, NotHeld
from tests.support.ecertificates import AT, Province
from tests.support.licences import DIGESTS
from tests.support.rechecks import LICENCE, identifier

PROVINCE = Province()
VERIFIER = PROVINCE.verifier()
D = IdentifierDigests(DIGESTS)
EARLIER = AT - timedelta(days=3)
FROM_SOURCE = CopyProvenance("gd-platform", AT, "440000")


def seen(status: int = 0, **changes: Any) -> Verification:
    """A licence as the source gives it now, under this entry of the status list."""
    PROVINCE.statuses[1] = status
    made = VERIFIER.verify(PROVINCE.envelope(**changes), KIND, AT, None, PROVINCE.evidence(), FROM_SOURCE)
    PROVINCE.statuses[1] = 0
    return made


def resting_on(found: Verification, **changes: Any) -> ApplicationDocument:
    """What an application has that was confirmed with ``found``."""
    blank = ApplicationDocument(LICENCE, "营业执照", Verdict.VALID, "gd-platform", EARLIER, None, None)
    return replace(updated(blank, found, D), **changes)


GOOD = seen()
assert GOOD.verdict is Verdict.VALID, GOOD.failed_check
BEFORE = resting_on(GOOD)


def judged(before: ApplicationDocument, found: Verification | NotHeld) -> tuple[ChangeKind | None, Any]:
    change = judge_change(before, found, D)
    return (None, None) if change is None else (change.kind, change.document.check)


def test_the_same_document_again_is_no_change() -> None:
    assert judge_change(BEFORE, GOOD, D) is None


@pytest.mark.parametrize(
    ("found", "kind", "check"),
    [
        (seen(1), ChangeKind.REVOKED, "status.revoked"),
        (seen(2), ChangeKind.SUSPENDED, "status.suspended"),
        (seen(ZZYXQJZRQ="2026-11-22"), ChangeKind.EXPIRED, "validity.expired"),
        (NotHeld(AT, "gd-platform"), ChangeKind.TRANSFERRED, NO_LONGER_HELD),
    ],
    ids=["revoked", "suspended", "expired", "gone"],
)
def test_what_no_longer_holds_is_told_once(found: Verification | NotHeld, kind: ChangeKind, check: str) -> None:
    change = judge_change(BEFORE, found, D)
    assert change is not None
    assert (change.kind, change.document.verdict, change.document.check) == (kind, Verdict.INVALID, check)
    assert change.document.as_of == AT
    assert change.owner is not None
    assert change.remedy
    assert change.document.content_digest == BEFORE.content_digest, "what was confirmed stays known"
    assert judge_change(change.document, found, D) is None


def test_another_holder_is_a_transfer_and_a_revoked_seal_is_neither_revoked_nor_expired() -> None:
    other = CheckResult("holder", Verdict.INVALID, "holder.mismatch", Owner.APPLICANT, "…")
    seal = CheckResult("chain", Verdict.INVALID, "chain.revoked", Owner.GOVERNMENT, "…")
    for failed, kind in ((other, ChangeKind.TRANSFERRED), (seal, ChangeKind.REFUSED)):
        found = replace(GOOD, verdict=Verdict.INVALID, checks=(failed,), claims=None)
        assert judged(BEFORE, found) == (kind, failed.check)


def test_from_bad_to_worse_is_told_and_good_again_is_a_reinstatement() -> None:
    suspended = judge_change(BEFORE, seen(2), D)
    assert suspended is not None
    assert judged(suspended.document, seen(1)) == (ChangeKind.REVOKED, "status.revoked")
    again = judge_change(suspended.document, GOOD, D)
    assert again is not None
    assert (again.kind, again.document.verdict, again.document.check) == (ChangeKind.REINSTATED, Verdict.VALID, None)
    assert again.document == replace(BEFORE, as_of=AT)


def test_another_version_or_other_words_are_a_new_version_and_new_bytes_alone_are_not() -> None:
    newer = seen(ZZBS=identifier(LICENCE, "002"))
    change = judge_change(BEFORE, newer, D)
    assert change is not None
    assert (change.kind, change.document.version, change.document.as_of) == (ChangeKind.NEW_VERSION, "002", AT)
    assert change.document.content_digest == newer.envelope_digest
    assert judged(BEFORE, seen(KZ_ZS="广州市示例路9号"))[0] is ChangeKind.NEW_VERSION
    sealed_anew = seen(payload={"iat": int(AT.timestamp()) - 60})
    assert sealed_anew.envelope_digest != GOOD.envelope_digest
    assert judge_change(BEFORE, sealed_anew, D) is None
    assert judge_change(updated(BEFORE, sealed_anew, D), GOOD, D) is None


def test_a_renewed_certificate_heals_an_expired_one_as_a_new_version() -> None:
    expired = judge_change(BEFORE, seen(ZZYXQJZRQ="2026-11-22"), D)
    assert expired is not None
    renewed = judge_change(expired.document, seen(ZZBS=identifier(LICENCE, "002"), ZZYXQJZRQ="2040-01-01"), D)
    assert renewed is not None
    assert (renewed.kind, renewed.state) == (ChangeKind.NEW_VERSION, CertificateState.GOOD)
    assert renewed.document.expires_on == date(2040, 1, 1)


@pytest.mark.parametrize("before", [BEFORE, replace(BEFORE, verdict=Verdict.INVALID, check="status.revoked")])
def test_what_cannot_be_known_changes_nothing_neither_way(before: ApplicationDocument) -> None:
    unknown = VERIFIER.verify(PROVINCE.envelope(), KIND, AT, None, replace(PROVINCE.evidence(), status_lists={}), None)
    assert unknown.verdict is Verdict.INDETERMINATE
    assert judge_change(before, unknown, D) is None


def test_a_seal_damaged_on_the_way_is_no_revocation() -> None:
    broken = PROVINCE.envelope()[:-8] + b"AAAAAAAA"
    found = VERIFIER.verify(broken, KIND, AT, None, PROVINCE.evidence(), FROM_SOURCE)
    assert (found.verdict, found.identifier) == (Verdict.INVALID, None)
    assert not is_decided(BEFORE, found)
    assert judge_change(BEFORE, found, D) is None
    assert judged(replace(BEFORE, content_digest=found.envelope_digest), found)[0] is ChangeKind.REFUSED


CHECKS = ["status.revoked", "status.suspended", "validity.expired", "holder.mismatch", "chain.revoked", None]
STATES = st.builds(
    lambda check: replace(BEFORE, check=check, verdict=Verdict.INVALID if check else Verdict.VALID),
    st.sampled_from(CHECKS),
)
LOOKS = st.one_of(
    st.builds(
        lambda verdict, check: replace(
            GOOD,
            verdict=verdict,
            checks=(CheckResult("x", verdict, check or "x", Owner.GOVERNMENT, "…"),),
            claims=GOOD.claims if verdict is Verdict.VALID else None,
        ),
        st.sampled_from(Verdict),
        st.sampled_from(CHECKS),
    ),
    st.just(NotHeld(AT, None)),
)


@given(before=STATES, look=LOOKS)
def test_a_look_is_told_at_most_once_and_only_what_is_proved(before: ApplicationDocument, look: Any) -> None:
    change = judge_change(before, look, D)
    if isinstance(look, Verification) and look.verdict is Verdict.INDETERMINATE:
        assert change is None
    if change is not None:
        assert judge_change(change.document, look, D) is None
        assert change.state is not CertificateState.of(before.verdict, before.check)
        bad = change.document.verdict is Verdict.INVALID
        assert bad == (change.kind not in (ChangeKind.REINSTATED, ChangeKind.NEW_VERSION))


def test_the_digest_of_what_it_says_tells_nothing_and_is_the_same_for_the_same_words() -> None:
    claims = GOOD.claims
    assert isinstance(claims, ECertificateClaims)
    assert D.facts(claims) == D.facts(claims.model_copy())
    assert D.facts(claims) != D.facts(claims.model_copy(update={"holder": "另一公司"}))


def test_the_very_same_bytes_are_no_change_where_nothing_else_of_them_was_kept() -> None:
    """As of an application that was confirmed before the words of its certificates were digested."""
    for kept in ({"facts_digest": None}, {"facts_digest": None, "identifier_digest": None, "series_digest": None}):
        assert judge_change(resting_on(GOOD, **kept), GOOD, D) is None
