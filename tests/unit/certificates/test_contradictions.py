"""Evidence that contradicts itself, is forged, crowded or dated absurdly: what is proved revoked is never valid."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from tests.support import x509_writer as x
from tests.support.x509_writer import (
    AT,
    DAY,
    GOOD,
    HOUR,
    Entity,
    Revoked,
    certificate_id,
    crl,
    encode,
    integer,
    make,
    ocsp,
    octets,
    oid,
    revoked_since,
    root,
    seq,
    single,
)

ROOT = root()
CA = ROOT.issue_ca("CA")
SEAL = CA.issue("章")
STRANGER = Entity(CA.subject, x.p256(), b"", 0)
MINUTE = timedelta(minutes=1)
LIMIT = FreshnessLimit(DAY, 3 * DAY)
FIRST, LAST = b"00010101000000Z", b"99991231235959Z"


def judge(leaf=SEAL, given=(CA,), anchors=(ROOT,), at=AT, **more):
    return verify_chain(
        leaf.certificate, [each.certificate for each in given], [each.certificate for each in anchors], at, **more
    )


def written(issuer, *, entries=b"", extensions=b"", times=None):
    """A list byte by byte, for what the writer does not write."""
    body = seq(
        integer(1),
        x.algorithm(issuer.key),
        issuer.subject,
        times or x.utc(AT - HOUR) + x.utc(AT + DAY),
        seq(entries) if entries else b"",
        encode(0xA0, seq(extensions)) if extensions else b"",
    )
    return x.signed(body, issuer.key)


def dated(responder, this_update, produced_at=b"20261123000000Z"):
    answer = seq(certificate_id(SEAL, CA), GOOD, encode(0x18, this_update))
    body = seq(encode(0xA1, responder.subject), encode(0x18, produced_at), seq(answer))
    method, value = x.signature(responder.key, body)
    basic = octets(seq(body, method, value))
    return seq(b"\x0a\x01\x00", encode(0xA0, seq(oid("1.3.6.1.5.5.7.48.1.1"), basic)))


# One certificate, several paths


TOP, OTHER_TOP = root("一根"), root("二根")
SILENT = make("CA", x.ca(), x.usage(5), issuer=TOP)
LISTING = make("CA", x.ca(), x.usage(5, 6), issuer=OTHER_TOP, key_of=SILENT)
TWICE = SILENT.issue("章")
WAYS = list(itertools.product(itertools.permutations((SILENT, LISTING)), itertools.permutations((TOP, OTHER_TOP))))


def good(certificate, issuer):
    return ocsp(issuer, single(certificate_id(certificate, issuer)))


STANDING = [good(TWICE, SILENT), good(SILENT, TOP), good(LISTING, OTHER_TOP)]


@pytest.mark.parametrize(("given", "anchors"), WAYS)
def test_a_leaf_revoked_on_one_of_its_paths_is_revoked_whichever_is_found_first(given, anchors):
    """Only the path by `LISTING` can believe the list; the responder's "good" is believed on both."""
    lists = [crl(TOP), crl(OTHER_TOP)]
    result = judge(TWICE, given, anchors, crls=[crl(LISTING), *lists], status=STANDING)
    assert result.verdict is Verdict.VALID
    result = judge(TWICE, given, anchors, crls=[crl(LISTING, Revoked(TWICE.serial)), *lists], status=STANDING)
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.revoked")


@pytest.mark.parametrize(("given", "anchors"), WAYS)
def test_a_ca_revoked_on_one_path_stands_on_none_of_them(given, anchors):
    below = SILENT.issue_ca("下级CA")
    seal = below.issue("章")
    status = [*STANDING, good(below, SILENT), good(seal, below)]
    lists = [crl(TOP), crl(OTHER_TOP), crl(LISTING, Revoked(below.serial))]
    result = judge(seal, (*given, below), anchors, crls=lists, status=status)
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.revoked")


@pytest.mark.parametrize(("given", "anchors"), WAYS)
def test_one_revoked_cross_certificate_leaves_the_other_path_open(given, anchors):
    lists = [crl(TOP, Revoked(SILENT.serial)), crl(OTHER_TOP), crl(LISTING)]
    result = judge(TWICE, given, anchors, crls=lists)
    assert result.verdict is Verdict.VALID
    assert result.path[-1].subject == OTHER_TOP.subject


def test_an_accusation_that_nobody_proves_changes_nothing():
    lists = [crl(ROOT), crl(CA), crl(STRANGER, Revoked(SEAL.serial))]
    assert judge(crls=lists, status=[ocsp(STRANGER, single(certificate_id(SEAL, CA), revoked_since()))]).check is None


def test_an_accusation_that_cannot_be_looked_into_for_want_of_work_is_not_valid():
    crossed = [make(f"根{number}", x.ca(), x.CA_USAGE) for number in range(12)]
    given = [make("CA", x.ca(), x.CA_USAGE, issuer=each, key_of=CA) for each in crossed]
    lists = [crl(ROOT), crl(CA), *map(crl, crossed)]
    assert judge(given=(CA, *given), anchors=(ROOT, *crossed), crls=lists).verdict is Verdict.VALID
    result = judge(given=(CA, *given), anchors=(ROOT, *crossed), crls=[*lists, crl(STRANGER, Revoked(SEAL.serial))])
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.work_limit")


def test_what_one_source_calls_revoked_another_does_not_make_suspended():
    about, held = certificate_id(SEAL, CA), Revoked(SEAL.serial, AT - DAY, 6)
    for entry, status, check in (
        (Revoked(SEAL.serial), revoked_since(reason=6), "chain.revoked"),
        (held, revoked_since(), "chain.revoked"),
        (held, revoked_since(reason=6), "chain.suspended"),
    ):
        assert judge(crls=[crl(ROOT), crl(CA, entry)], status=[ocsp(CA, single(about, status))]).check == check


# Many lists and responses


def test_forged_lists_do_not_crowd_out_the_one_that_revokes():
    forged = [crl(STRANGER, this_update=AT - number * MINUTE) for number in range(1, 11)]
    status = [good(SEAL, CA)]
    assert judge(crls=[crl(ROOT), *forged, crl(CA, Revoked(SEAL.serial))], status=status).check == "chain.revoked"
    assert judge(crls=[crl(ROOT), *forged, crl(CA)]).check is None


def test_forged_responses_do_not_crowd_out_the_one_that_revokes():
    about = certificate_id(SEAL, CA)
    forged = [ocsp(STRANGER, single(about, this_update=AT - number * MINUTE)) for number in range(1, 11)]
    lists = [crl(ROOT), crl(CA)]
    revoked = ocsp(CA, single(about, revoked_since()))
    assert judge(crls=lists, status=[*forged, revoked]).check == "chain.revoked"
    assert judge(crls=[crl(ROOT)], status=[*forged, good(SEAL, CA)]).check is None


def test_past_the_stated_work_forged_evidence_leaves_nothing_valid():
    forged = [crl(STRANGER, number=number) for number in range(80)]
    result = judge(crls=[crl(ROOT), *forged, crl(CA)], status=[good(SEAL, CA)])
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.work_limit")


def test_older_lists_of_the_same_key_and_scope_cost_nothing():
    for history in (
        [crl(CA, this_update=AT - number * HOUR, number=100 - number) for number in range(1, 90)],
        [crl(CA, number=number) for number in range(90)],
    ):
        assert judge(crls=[crl(ROOT), *history]).check is None


def test_another_ca_cannot_hide_by_a_namesake_what_the_issuing_key_revoked():
    other = ROOT.issue_ca("另一CA")
    namesake = other.issue(CA.subject, x.usage(6))
    lists = [crl(ROOT), crl(other), crl(CA, Revoked(SEAL.serial)), crl(namesake, this_update=AT - MINUTE, number=9)]
    assert judge(given=(CA, other, namesake), crls=lists).check == "chain.revoked"


def test_a_newer_list_of_the_issuing_key_takes_nothing_back_that_another_key_of_its_name_revoked():
    lister = ROOT.issue(CA.subject, x.usage(6))
    lists = [crl(ROOT), crl(CA, this_update=AT - MINUTE, number=9)]
    assert judge(given=(CA, lister), crls=[*lists, crl(lister)]).check is None
    assert judge(given=(CA, lister), crls=[*lists, crl(lister, Revoked(SEAL.serial))]).check == "chain.revoked"


def test_an_old_list_of_another_key_or_scope_does_not_make_a_current_one_doubtful():
    stale = {"this_update": AT - 9 * DAY, "next_update": AT - 8 * DAY}
    older = ROOT.issue_ca("CA")
    users = crl(CA, extensions=[x.scope(users=True)], **stale)
    assert judge(crls=[crl(ROOT), crl(CA), users]).check is None
    assert judge(given=(CA, older), crls=[crl(ROOT), crl(CA), crl(older, **stale)]).check is None
    assert judge(given=(CA, older), crls=[crl(ROOT), crl(older, **stale), users]).check == "chain.revocation_unknown"


# Lists that are not what they should be


@pytest.mark.parametrize(
    "serial",
    [b"\x02\x81" + integer(SEAL.serial)[1:], b"\x02\x82\x00" + integer(SEAL.serial)[1:]],
    ids=["length in two octets", "length in three"],
)
def test_a_serial_number_whose_length_is_not_in_its_shortest_form_is_not_passed_over(serial):
    found = written(CA, entries=seq(serial, x.utc(AT - DAY)))
    assert judge(crls=[crl(ROOT), found]).check == "chain.revocation_unknown"


@pytest.mark.parametrize(
    "value",
    [b"", seq(b"\x82\x01\xff\x82\x01\x00"), seq(b"\x84\x01\x00\x82\x01\x00"), b"\x04\x00", seq(b"\x86\x01\x00")],
    ids=["empty", "a field twice", "another order", "no sequence", "an unknown field"],
)
def test_a_scope_that_cannot_be_read_is_not_the_whole_scope(value):
    found = written(CA, extensions=x.extension("2.5.29.28", value, critical=True))
    assert judge(crls=[crl(ROOT), found]).check == "chain.revocation_unknown"


# Absurd times


@pytest.mark.parametrize("limit", [None, LIMIT, FreshnessLimit(DAY, timedelta(days=3_000_000))])
@pytest.mark.parametrize("who", [CA, STRANGER])
@pytest.mark.parametrize("time", [FIRST, LAST])
def test_lists_and_responses_from_the_ends_of_time_raise_nothing(limit, who, time):
    lists = [crl(ROOT), crl(CA)]
    for times in (encode(0x18, time), encode(0x18, time) * 2, encode(0x18, FIRST) + encode(0x18, LAST)):
        assert judge(crls=[*lists, written(who, times=times)], crl_limit=limit).verdict is not None
    for produced in (time, b"20261123000000Z"):
        judge(crls=lists, status=[dated(who, time, produced)], crl_limit=limit)
        judge(crls=lists[:1], status=[dated(who, time, produced)], crl_limit=limit)


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
@pytest.mark.parametrize("limit", [None, LIMIT])
def test_the_ends_of_time_may_be_asked_for(at, limit):
    always = seq(encode(0x18, FIRST), encode(0x18, LAST))
    top = root("古今", validity=always)
    seal = top.issue("章", x.SEAL, validity=always)
    assert judge(seal, (), (top,), at).verdict is Verdict.VALID
    judge(seal, (), (top,), at, crls=[crl(top)], status=[good(seal, top)], crl_limit=limit)


def test_namesakes_in_a_document_do_not_crowd_out_the_key_that_signs_lists():
    """The CA's own key signs no lists; another key of its name does, and six strangers claim to be that one."""
    authority = make("CA", x.ca(), x.usage(5), issuer=ROOT)
    lister = make("CA", x.usage(6), issuer=ROOT)
    seal = authority.issue("章")
    claimed = x.extension("2.5.29.14", octets(x.key_id(lister.key)))
    strangers = [make("CA", x.ca(), x.CA_USAGE, claimed, identifiers=False) for _ in range(6)]
    about = [good(seal, authority), good(authority, ROOT)]
    for entries, expected in (((), None), ((Revoked(seal.serial),), "chain.revoked")):
        lists = [crl(ROOT), crl(lister, *entries)]
        assert judge(seal, (*strangers, authority, lister), crls=lists, status=about).check == expected
