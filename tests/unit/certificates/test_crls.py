"""Revocation lists: scope, age, signer, entries and deltas (RFC 5280 §5 and §6.3); none is too large to ask."""

import pytest

from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from gateway.crypto import sm2
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, CA_USAGE, DAY, HOUR, Revoked, bits, ca, crl, root, scope, seq

HERE = "http://x.example/ca.crl"
ROOT = root()
CA = ROOT.issue_ca("CA")
SEAL = CA.issue("章", x.SEAL, x.crl_points(x.point([x.uri(HERE)])))
PLAIN = CA.issue("章")
CLEAR, UNKNOWN, REVOKED, HELD = None, "chain.revocation_unknown", "chain.revoked", "chain.suspended"


def judge(*lists, leaf=SEAL, given=(), at=AT, authority=CA, anchor=ROOT, **more):
    intermediates = [each.certificate for each in (authority, *given)]
    result = verify_chain(leaf.certificate, intermediates, [anchor.certificate], at, crls=[crl(anchor), *lists], **more)
    if result.check == UNKNOWN:
        assert result.verdict is Verdict.INDETERMINATE
    return result.check


def listed(reason=None, at=AT - DAY, *extensions, serial=None):
    return Revoked(SEAL.serial if serial is None else serial, at, reason, None, extensions)


def test_a_complete_list_answers():
    assert judge(crl(CA)) is CLEAR
    assert judge(crl(CA, listed())) == REVOKED
    assert judge(crl(CA, listed(serial=SEAL.serial + 1))) is CLEAR
    assert judge() == UNKNOWN
    assert judge(b"rubbish") == UNKNOWN


@pytest.mark.parametrize(
    ("entry", "check"),
    [
        (listed(1), REVOKED),
        (listed(4), REVOKED),
        (listed(6), HELD),
        (listed(8), UNKNOWN),
        (listed(None, AT), REVOKED),
        (listed(None, AT + HOUR), UNKNOWN),
        (listed(None, AT - DAY, x.extension("1.2.3.4", b"")), REVOKED),
        (listed(None, AT - DAY, x.extension("2.5.29.24", x.generalized(AT - 9 * DAY))), REVOKED),
        (listed(None, AT - DAY, x.extension("1.2.3.4", b"", critical=True)), UNKNOWN),
        (listed(None, AT - DAY, x.extension("2.5.29.21", b"rubbish")), UNKNOWN),
    ],
    ids=[
        "key compromise",
        "superseded",
        "on hold",
        "removed, in a complete list",
        "from now on",
        "dated ahead",
        "unknown extension",
        "invalidity date",
        "unknown critical extension",
        "broken reason",
    ],
)
def test_what_an_entry_says(entry, check):
    assert judge(crl(CA, entry)) == check


def test_the_worst_of_two_entries_for_one_certificate_counts():
    assert judge(crl(CA, listed(6), listed(1))) == REVOKED
    assert judge(crl(CA, listed(None, AT + HOUR), listed(1))) == REVOKED


def test_a_complete_list_that_says_removed_leaves_it_open_whatever_another_says():
    assert judge(crl(CA, listed(8)), crl(CA, extensions=[scope(users=True)])) == UNKNOWN


def test_a_critical_extension_in_anybodys_entry_makes_a_list_unusable():
    strange = x.extension("1.2.3.4", b"", critical=True)
    assert judge(crl(CA, listed(None, AT - DAY, strange, serial=1))) == UNKNOWN
    assert judge(crl(CA, listed(None, AT - DAY, strange, serial=1), listed())) == UNKNOWN
    # Bytes that only look like a critical mark (here: in a serial number) do no harm.
    assert judge(crl(CA, listed(serial=0x0101FF040101FF04))) is CLEAR


def test_a_list_needs_a_signature_by_a_key_that_may_sign_lists():
    assert judge(crl(CA, key=x.p256())) == UNKNOWN
    for usage, check in ((x.usage(5), UNKNOWN), (CA_USAGE, CLEAR)):
        authority = x.make("CA", ca(), usage, issuer=ROOT)
        assert judge(crl(authority), leaf=authority.issue("章"), authority=authority) == check
    bare = x.make("CA", ca(), issuer=ROOT)
    assert judge(crl(bare), leaf=bare.issue("章"), authority=bare) is CLEAR


def test_sm2_lists_are_believed_like_others():
    top = root("国密根", key=sm2.generate_private_key())
    authority = top.issue_ca("国密CA", key=sm2.generate_private_key())
    seal = authority.issue("章", key=sm2.generate_private_key())
    more = {"leaf": seal, "authority": authority, "anchor": top}
    assert judge(crl(authority), **more) is CLEAR
    assert judge(crl(authority, Revoked(seal.serial)), **more) == REVOKED


def test_names_of_issuers_are_compared_and_not_their_bytes():
    assert judge(crl(CA, issuer_name=x.name("ca"))) is CLEAR
    assert judge(crl(CA, issuer_name=x.name("CB"))) == UNKNOWN


# Age


@pytest.mark.parametrize(
    ("times", "check"),
    [
        ({"this_update": AT, "next_update": AT}, CLEAR),
        ({"this_update": AT - DAY, "next_update": AT - HOUR}, UNKNOWN),
        ({"this_update": AT + HOUR, "next_update": AT + DAY}, UNKNOWN),
        ({"next_update": None}, UNKNOWN),
        ({"this_update": AT + DAY, "next_update": AT - DAY}, UNKNOWN),
    ],
)
def test_a_list_holds_from_this_update_to_next_update(times, check):
    assert judge(crl(CA, **times)) == check
    assert judge(crl(CA, listed(), **times)) == (REVOKED if check is CLEAR else UNKNOWN)


def test_the_newest_list_of_a_scope_counts():
    older = {"this_update": AT - 5 * HOUR}
    assert judge(crl(CA, listed(6), **older), crl(CA)) is CLEAR
    assert judge(crl(CA, **older), crl(CA, listed())) == REVOKED
    assert judge(crl(CA, **older), crl(CA, this_update=AT + HOUR)) is CLEAR


def test_a_limit_lets_a_stale_list_speak_and_without_an_end_none_does():
    limit = FreshnessLimit(HOUR, 3 * DAY)
    stale = {"this_update": AT - 2 * DAY, "next_update": AT - DAY}
    assert judge(crl(CA, **stale), crl_limit=limit) is CLEAR
    assert judge(crl(CA, listed(None, AT - 3 * DAY), **stale), crl_limit=limit) == REVOKED
    assert judge(crl(CA, next_update=None), crl_limit=limit) == UNKNOWN
    assert judge(crl(CA, this_update=AT - HOUR, next_update=AT - 2 * HOUR), crl_limit=limit) == UNKNOWN


# Scope


SCOPES = {
    "users": (scope(users=True), CLEAR),
    "authorities": (scope(authorities=True), UNKNOWN),
    "attribute certificates": (scope(attributes=True), UNKNOWN),
    "indirect": (scope(indirect=True), UNKNOWN),
    "this point": (scope([x.uri(HERE)]), CLEAR),
    "another point": (scope([x.uri("http://x.example/other.crl")]), UNKNOWN),
    "one of two points": (scope([x.uri("http://x.example/other.crl"), x.uri(HERE)]), CLEAR),
    "some reasons": (scope(reasons=bits(1, 2)), UNKNOWN),
    "all reasons by name": (scope(reasons=bits(*range(1, 9))), CLEAR),
    "unknown extension": (x.extension("1.2.3.4", b""), CLEAR),
    "unknown critical extension": (x.extension("1.2.3.4", b"", critical=True), UNKNOWN),
    "rubbish as scope": (x.extension("2.5.29.28", b"rubbish", critical=True), UNKNOWN),
}


@pytest.mark.parametrize(("extension", "check"), SCOPES.values(), ids=SCOPES)
def test_a_list_speaks_only_of_what_it_covers(extension, check):
    assert judge(crl(CA, extensions=[extension])) == check


def test_a_list_that_may_not_be_used_still_casts_doubt_on_what_it_lists():
    strange = [x.extension("1.2.3.4", b"", critical=True)]
    assert judge(crl(CA), crl(CA, listed(), extensions=strange)) == UNKNOWN
    assert judge(crl(CA), crl(CA, extensions=strange)) is CLEAR
    assert judge(crl(CA), crl(CA, listed(), extensions=[scope(indirect=True)])) == UNKNOWN


def test_a_certificate_that_names_no_point_is_covered_by_no_list_for_one():
    assert judge(crl(CA, extensions=[scope([x.uri(HERE)])]), leaf=PLAIN) == UNKNOWN
    assert judge(crl(CA, extensions=[scope([x.directory(CA.subject)])]), leaf=PLAIN) is CLEAR


def test_a_list_for_cas_is_not_one_for_seals():
    users, authorities = crl(ROOT, extensions=[scope(users=True)]), crl(ROOT, extensions=[scope(authorities=True)])
    given = [CA.certificate]

    def check(upper):
        return verify_chain(SEAL.certificate, given, [ROOT.certificate], AT, crls=[upper, crl(CA)]).check

    assert (check(users), check(authorities)) == (UNKNOWN, CLEAR)


def test_relative_point_names_are_completed_from_the_issuer():
    relative = x.rdn("2.5.4.3", "吊销一")[2:]
    seal = CA.issue("章", x.SEAL, x.crl_points(x.point(relative=relative)))
    assert judge(crl(CA, extensions=[scope(relative=relative)]), leaf=seal) is CLEAR
    whole = seq(CA.subject[2:], x.rdn("2.5.4.3", "吊销一"))
    assert judge(crl(CA, extensions=[scope([x.directory(whole)])]), leaf=seal) is CLEAR
    assert judge(crl(CA, extensions=[scope(relative=x.rdn("2.5.4.3", "吊销二")[2:])]), leaf=seal) == UNKNOWN


def test_lists_by_reason_make_an_answer_between_them():
    first, rest = scope(reasons=bits(1, 2)), scope(reasons=bits(3, 4, 5, 6, 7, 8))
    assert judge(crl(CA, extensions=[first]), crl(CA, extensions=[rest])) is CLEAR
    assert judge(crl(CA, extensions=[first]), crl(CA, listed(), extensions=[rest])) == REVOKED
    assert judge(crl(CA, listed(1), extensions=[first])) == REVOKED
    assert judge(crl(CA, extensions=[first]), crl(CA, extensions=[rest], next_update=AT - HOUR)) == UNKNOWN
    by_point = CA.issue("章", x.SEAL, x.crl_points(x.point([x.uri(HERE)], reasons=bits(1))))
    assert judge(crl(CA, extensions=[scope([x.uri(HERE)])]), leaf=by_point) == UNKNOWN
    assert judge(crl(CA), leaf=by_point) is CLEAR


def test_a_point_with_an_issuer_of_its_own_asks_for_an_indirect_list():
    seal = CA.issue("章", x.SEAL, x.crl_points(x.point([x.uri(HERE)], issuer=[x.directory(x.name("别人"))])))
    other = ROOT.issue_ca("别人")
    indirect = crl(other, extensions=[scope([x.uri(HERE)], indirect=True)])
    assert judge(indirect, leaf=seal, given=[other]) == UNKNOWN
    assert judge(crl(CA), leaf=seal) is CLEAR
    own = CA.issue("章", x.SEAL, x.crl_points(x.point([x.uri(HERE)], issuer=[x.directory(CA.subject)])))
    assert judge(crl(CA, extensions=[scope([x.uri(HERE)])]), leaf=own) == UNKNOWN


def test_entries_about_another_issuers_certificates_make_a_list_unusable():
    assert judge(crl(CA, Revoked(1, issuer=x.name("别人")))) == UNKNOWN
    unmarked = x.extension("2.5.29.29", seq(x.directory(x.name("别人"))))
    assert judge(crl(CA, Revoked(1, extensions=(unmarked,)))) == UNKNOWN


# Deltas


def delta(*entries, number=3, base=2, **more):
    return crl(CA, *entries, number=number, base=base, **more)


def test_a_delta_list_alone_is_no_answer_but_may_revoke():
    assert judge(delta()) == UNKNOWN
    assert judge(delta(listed(8))) == UNKNOWN
    assert judge(delta(listed())) == REVOKED


def test_what_a_current_delta_list_revokes_is_revoked_although_its_complete_list_is_out_of_date():
    stale = crl(CA, this_update=AT - 3 * DAY, next_update=AT - 2 * DAY, number=2)
    assert judge(stale, delta()) == UNKNOWN
    assert judge(stale, delta(listed())) == REVOKED
    assert judge(stale, delta(listed(6))) == HELD


def test_a_delta_list_changes_the_complete_one_that_it_is_built_upon():
    complete, held = crl(CA, number=2), crl(CA, listed(6), number=2)
    assert judge(complete, delta()) is CLEAR
    assert judge(complete, delta(listed())) == REVOKED
    assert judge(held, delta()) == HELD
    assert judge(held, delta(listed(8))) is CLEAR
    assert judge(held, delta(listed(8), number=5, base=4)) == HELD
    assert judge(held, delta(listed(8), number=2, base=1)) == HELD
    assert judge(held, delta(listed(8), next_update=AT - HOUR)) == HELD
    assert judge(held, delta(listed(8), key=x.p256())) == HELD
    assert judge(held, delta(listed(8), extensions=[scope(users=True)])) == HELD
    assert judge(complete, delta(listed(None, AT + HOUR))) == UNKNOWN


# Another key of the same name


def test_a_list_by_another_key_of_the_ca_counts_when_that_key_stands_under_the_same_anchor():
    renewed = ROOT.issue_ca("CA")
    assert judge(crl(renewed), given=[renewed]) is CLEAR
    assert judge(crl(renewed, listed()), given=[renewed]) == REVOKED
    assert judge(crl(renewed)) == UNKNOWN
    signer = x.make("CA", x.usage(6), issuer=ROOT)
    assert judge(crl(signer), given=[signer]) is CLEAR
    for wrong in (x.make("CA", x.usage(0), issuer=ROOT), x.make("CA", CA_USAGE, issuer=ROOT, not_after=AT - DAY)):
        assert judge(crl(wrong), given=[wrong]) == UNKNOWN


def test_a_signer_under_another_anchor_or_revoked_itself_is_not_believed():
    elsewhere = root("别根")
    stranger = elsewhere.issue_ca("CA")
    lists = [crl(ROOT), crl(elsewhere), crl(stranger)]
    anchors = [ROOT.certificate, elsewhere.certificate]
    given = [CA.certificate, stranger.certificate]
    assert verify_chain(SEAL.certificate, given, anchors, AT, crls=lists).check == UNKNOWN
    renewed = ROOT.issue_ca("CA")
    given = [CA.certificate, renewed.certificate]
    for entries, check in (([], CLEAR), ([Revoked(renewed.serial)], UNKNOWN)):
        lists = [crl(ROOT, *entries), crl(renewed)]
        assert verify_chain(SEAL.certificate, given, [ROOT.certificate], AT, crls=lists).check == check


def test_a_signer_whose_own_standing_rests_on_its_own_list_is_not_believed():
    signer = x.make("CA", x.usage(6), issuer=CA)
    assert judge(crl(signer), given=[signer]) == UNKNOWN
    assert judge(crl(signer), crl(CA, this_update=AT - 5 * HOUR, next_update=AT - HOUR), given=[signer]) == UNKNOWN


def test_only_so_many_lists_are_tried():
    forged = [crl(CA, key=x.p256(), this_update=AT - HOUR, number=n) for n in range(70)]
    assert judge(crl(CA, this_update=AT - 2 * HOUR), *forged) == "chain.work_limit"
    assert judge(crl(CA, this_update=AT - 2 * HOUR), *forged[:30]) is CLEAR
    assert judge(crl(CA), *[crl(CA, key=x.p256(), this_update=AT - DAY) for _ in range(30)]) is CLEAR
