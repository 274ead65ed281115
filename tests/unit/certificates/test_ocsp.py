"""OCSP responses: whose, about whom, how old, and how they stand beside lists (RFC 6960)."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as pyca
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.certificates.freshness import BasisState, FreshnessLimit
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.ocsp import MAX_RESPONSE_BYTES, load_response, make_request, questions
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.crypto import sm2
from gateway.crypto.errors import DerMalformed
from tests.support import x509_writer as x
from tests.support.x509_writer import (
    AT,
    DAY,
    GOOD,
    HOUR,
    NO_CHECK,
    UNKNOWN,
    certificate_id,
    ocsp,
    revoked_since,
    root,
    single,
)

OCSP_SIGNING = x.purposes("1.3.6.1.5.5.7.3.9")
ROOT = root()
CA = ROOT.issue_ca("CA", x.ocsp_at("http://ocsp.example/root"))
SEAL = CA.issue("章", x.SEAL, x.ocsp_at("http://ocsp.example/ca"))
ABOUT, ABOVE = certificate_id(SEAL, CA), certificate_id(CA, ROOT)
UPPER = ocsp(ROOT, single(ABOVE))
OPEN, REVOKED, HELD = "chain.revocation_unknown", "chain.revoked", "chain.suspended"


def ask(*responses, crls=None, leaf=SEAL, given=(), at=AT, **more):
    result = verify_chain(
        leaf.certificate,
        [each.certificate for each in (CA, *given)],
        [ROOT.certificate],
        at,
        crls=crls,
        status=[UPPER, *responses],
        **more,
    )
    if result.check == OPEN:
        assert result.verdict is Verdict.INDETERMINATE
    return result


def check(*responses, **more):
    return ask(*responses, **more).check


def answer(status=GOOD, responder=CA, about=ABOUT, **more):
    times = {key: more.pop(key) for key in ("this_update", "next_update", "extensions") if key in more}
    return ocsp(responder, single(about, status, **times), **more)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (GOOD, None),
        (UNKNOWN, OPEN),
        (revoked_since(), REVOKED),
        (revoked_since(AT), REVOKED),
        (revoked_since(AT + HOUR), OPEN),
        (revoked_since(reason=1), REVOKED),
        (revoked_since(reason=6), HELD),
    ],
    ids=["good", "unknown", "revoked", "revoked now", "revoked later", "key compromise", "on hold"],
)
def test_what_the_issuer_says(status, expected):
    assert check(answer(status)) == expected
    assert check(answer(status, by_key=True)) == expected


def test_an_answer_is_demanded_for_every_certificate_below_the_anchor():
    given = [CA.certificate]
    for responses, expected in (([], OPEN), ([answer()], OPEN), ([UPPER], OPEN), ([UPPER, answer()], None)):
        result = verify_chain(SEAL.certificate, given, [ROOT.certificate], AT, status=responses)
        assert result.check == expected
    revoked = [answer(), ocsp(ROOT, single(ABOVE, revoked_since()))]
    assert verify_chain(SEAL.certificate, given, [ROOT.certificate], AT, status=revoked).check == REVOKED


def test_an_answer_is_about_one_certificate_of_one_issuer():
    assert check(answer(about=certificate_id(SEAL, CA, serial=SEAL.serial + 1))) == OPEN
    renewed = ROOT.issue_ca("CA")
    assert check(answer(about=certificate_id(SEAL, renewed))) == OPEN
    assert check(answer(about=certificate_id(SEAL, ROOT))) == OPEN
    several = ocsp(CA, single(certificate_id(SEAL, CA, serial=1), revoked_since()), single(ABOUT))
    assert check(several) is None


def test_answers_that_a_standard_library_makes_are_read():
    # It writes the time of the machine into them, so this issuer lives in it.
    now = datetime.now(UTC)
    span = {"not_before": now - DAY, "not_after": now + DAY}
    top = root("今日根", **span)
    seal = top.issue("章", **span)
    subject, issuer = (x509.load_der_x509_certificate(each.certificate) for each in (seal, top))
    for algorithm in (hashes.SHA1(), hashes.SHA256()):
        builder = pyca.OCSPResponseBuilder().add_response(
            subject, issuer, algorithm, pyca.OCSPCertStatus.GOOD, now - HOUR, now + HOUR, None, None
        )
        for encoding in pyca.OCSPResponderEncoding:
            built = builder.responder_id(encoding, issuer).sign(top.key, hashes.SHA256())
            response = built.public_bytes(serialization.Encoding.DER)
            result = verify_chain(seal.certificate, [], [top.certificate], now, status=[response])
            assert result.verdict is Verdict.VALID
    refused = pyca.OCSPResponseBuilder.build_unsuccessful(pyca.OCSPResponseStatus.TRY_LATER)
    with pytest.raises(DerMalformed):
        load_response(refused.public_bytes(serialization.Encoding.DER))


def test_the_question_is_one_that_a_standard_library_reads():
    seal, authority = (load_signing_certificate(each.certificate) for each in (SEAL, CA))
    request = pyca.load_der_ocsp_request(make_request(seal, authority))
    assert request.serial_number == SEAL.serial
    built = pyca.OCSPRequestBuilder().add_certificate(
        *(x509.load_der_x509_certificate(each.certificate) for each in (SEAL, CA)), hashes.SHA1()
    )
    assert (request.issuer_key_hash, request.issuer_name_hash) == (
        built.build().issuer_key_hash,
        built.build().issuer_name_hash,
    )
    path = tuple(load_signing_certificate(each.certificate) for each in (SEAL, CA, ROOT))
    assert [each.uri for each in questions(path)] == ["http://ocsp.example/ca", "http://ocsp.example/root"]


# Whose


def test_nobody_elses_answer_counts():
    assert check(answer(key=x.p256())) == OPEN
    assert check(answer(revoked_since(), key=x.p256())) == OPEN
    assert check(answer(responder=ROOT)) == OPEN
    stranger = root("CA")
    assert check(answer(responder=stranger, certificates=[stranger])) == OPEN


def test_the_answer_names_who_made_it():
    posing = x.Entity(x.name("别人"), CA.key, b"", 0)
    assert check(answer(responder=posing)) == OPEN
    assert check(answer(about=certificate_id(SEAL, posing))) == OPEN
    responder = delegate()
    other = x.Entity(x.name("另一应答者"), responder.key, b"", 0)
    assert check(answer(responder=other, certificates=[responder])) == OPEN


def delegate(*extensions, issuer=CA, **more):
    return issuer.issue("应答者", *(extensions or (x.SEAL, OCSP_SIGNING, NO_CHECK)), **more)


def told_by(responder, *given, status=GOOD, by_key=False, **more):
    response = answer(status, responder, certificates=[responder], by_key=by_key)
    return check(response, given=given, **more)


def test_a_responder_certified_by_the_very_issuer_counts():
    assert told_by(delegate()) is None
    assert told_by(delegate(), by_key=True) is None
    assert told_by(delegate(), status=revoked_since()) == REVOKED
    assert check(answer(responder=delegate())) == OPEN


DELEGATES = {
    "no purpose": lambda: delegate(x.SEAL, NO_CHECK),
    "another purpose": lambda: delegate(x.SEAL, x.purposes("1.3.6.1.5.5.7.3.36"), NO_CHECK),
    "any purpose is not this one": lambda: delegate(x.SEAL, x.purposes("2.5.29.37.0"), NO_CHECK),
    "may not sign": lambda: delegate(x.usage(5), OCSP_SIGNING, NO_CHECK),
    "expired": lambda: delegate(not_after=AT - HOUR),
    "not yet valid": lambda: delegate(not_before=AT + HOUR),
    "certified by the root": lambda: delegate(issuer=ROOT),
    "certified by another key of the same name": lambda: delegate(issuer=ROOT.issue_ca("CA")),
    "an unknown critical extension": lambda: delegate(
        x.SEAL, OCSP_SIGNING, NO_CHECK, x.extension("1.2.3.4", b"", critical=True)
    ),
    "its own revocation unknown": lambda: delegate(x.SEAL, OCSP_SIGNING),
}


@pytest.mark.parametrize("build", DELEGATES.values(), ids=DELEGATES)
@pytest.mark.parametrize("status", [GOOD, revoked_since()], ids=["good", "revoked"])
def test_a_responder_that_is_not_rightly_certified_is_not_believed(build, status):
    assert told_by(build(), status=status) == OPEN


def test_a_responders_own_revocation_is_asked_in_lists():
    responder = delegate(x.SEAL, OCSP_SIGNING)
    below = x.crl(CA)
    assert told_by(responder, crls=[below]) is None
    # The list answers for the seal as well, so only what the responder alone says shows whether it is believed.
    revoked = x.crl(CA, x.Revoked(responder.serial))
    assert told_by(responder, crls=[revoked], status=revoked_since()) is None
    assert told_by(responder, crls=[below], status=revoked_since()) == REVOKED


def test_certificates_may_be_named_by_sm3():
    def sm3(data):
        context = hashes.Hash(hashes.SM3())
        context.update(data)
        return x.octets(context.finalize())

    key = x.parse(x.key_info(CA.key)).children()[-1].bits()
    about = x.seq(x.seq(x.oid("1.2.156.10197.1.401")), sm3(CA.subject), sm3(key), x.integer(SEAL.serial))
    assert check(answer(about=about)) is None
    assert check(answer(about=x.seq(x.seq(x.oid("1.2.3.4")), *about_parts(about)))) == OPEN


def about_parts(about):
    return (each.raw for each in x.parse(about).children()[1:])


def test_sm2_responders_answer_for_sm2_certificates():
    top = root("国密根", key=sm2.generate_private_key())
    seal = top.issue("章", key=sm2.generate_private_key())
    for status, expected in ((GOOD, None), (revoked_since(), REVOKED)):
        response = ocsp(top, single(certificate_id(seal, top), status))
        assert verify_chain(seal.certificate, [], [top.certificate], AT, status=[response]).check == expected
    response = ocsp(top, single(certificate_id(seal, top)), key=sm2.generate_private_key())
    assert verify_chain(seal.certificate, [], [top.certificate], AT, status=[response]).check == OPEN


# How old


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"this_update": AT, "next_update": AT}, None),
        ({"next_update": AT - timedelta(seconds=1)}, OPEN),
        ({"this_update": AT + HOUR}, OPEN),
        ({"produced_at": AT + HOUR}, OPEN),
        ({"this_update": AT + HOUR, "next_update": AT - HOUR}, OPEN),
        ({"next_update": None}, OPEN),
        ({"this_update": AT - timedelta(minutes=9), "next_update": None}, None),
    ],
)
def test_an_answer_holds_for_its_time(times, expected):
    assert check(answer(**times)) == expected
    assert check(answer(revoked_since(), **times)) == (REVOKED if expected is None else OPEN)


def test_a_limit_says_how_old_an_answer_may_be():
    limit = FreshnessLimit(HOUR, 2 * DAY)
    stale = {"this_update": AT - DAY, "next_update": AT - HOUR}
    result = ask(answer(**stale), crl_limit=limit)
    assert (result.check, result.basis[0].name, result.basis[0].state) == (None, "ocsp", BasisState.STALE_PERMITTED)
    assert check(answer(this_update=AT - DAY, next_update=None), crl_limit=limit) is None
    assert check(answer(this_update=AT - 3 * DAY, next_update=None), crl_limit=limit) == OPEN


def test_a_verdict_lasts_as_long_as_its_answers():
    assert ask(answer(next_update=AT + HOUR)).valid_until == AT + HOUR


# Several sources


def test_revoked_wins_over_good_within_and_between_responses():
    assert check(ocsp(CA, single(ABOUT), single(ABOUT, revoked_since()))) == REVOKED
    assert check(answer(), answer(revoked_since(), this_update=AT - 2 * HOUR)) == REVOKED
    assert check(answer(), answer(revoked_since(), next_update=AT - HOUR)) is None
    assert check(answer(UNKNOWN), answer(this_update=AT - 2 * HOUR)) == OPEN


def test_a_list_and_a_responder_each_suffice_and_either_may_revoke():
    upper, good, bad = x.crl(ROOT), x.crl(CA), x.crl(CA, x.Revoked(SEAL.serial))
    assert check(crls=[upper, good]) is None
    assert check(answer(), crls=[]) is None
    assert check(answer(), crls=[upper, bad]) == REVOKED
    assert check(answer(revoked_since()), crls=[upper, good]) == REVOKED
    assert check(answer(revoked_since(), key=x.p256()), crls=[upper, good]) is None
    assert check(answer(UNKNOWN), crls=[upper, good]) is None


def test_a_source_that_was_silent_stands_in_the_basis_and_never_revokes():
    def basis(result):
        return [(each.name, each.state.value) for each in result.basis]

    lists = [x.crl(ROOT), x.crl(CA)]
    given = [CA.certificate]
    result = verify_chain(SEAL.certificate, given, [ROOT.certificate], AT, crls=lists, status=[])
    assert result.verdict is Verdict.VALID
    assert basis(result) == [("crl", "fresh"), ("ocsp", "missing")] * 2
    assert basis(ask(answer(), crls=[])) == [("ocsp", "fresh")] * 2
    silent = verify_chain(SEAL.certificate, given, [ROOT.certificate], AT, crls=[], status=[])
    assert (silent.verdict, silent.check) == (Verdict.INDETERMINATE, OPEN)
    assert basis(silent) == [("crl", "missing"), ("ocsp", "missing")]
    pointed = CA.issue("章", x.SEAL, x.crl_points(x.point([x.uri("http://x.example/a.crl")])))
    assert basis(ask(answer(about=certificate_id(pointed, CA)), crls=[], leaf=pointed))[0] == ("crl", "missing")


# Form


STRANGE = x.extension("1.2.3.4", b"", critical=True)


def test_critical_extensions_that_are_not_understood_make_an_answer_none():
    assert check(answer(extensions=[x.extension("1.2.3.4", b"")])) is None
    assert check(answer(extensions=[STRANGE])) == OPEN
    assert check(ocsp(CA, single(ABOUT), extensions=[STRANGE])) == OPEN
    assert check(ocsp(CA, single(ABOUT), extensions=[x.extension("1.3.6.1.5.5.7.48.1.2", b"\x04\x00")])) is None


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"\x30\x03\x0a\x01\x06", b"\x30\x03\x0a\x01\x00", b"\x00" * 10])
def test_what_is_no_answer_is_refused_by_our_own_error(data):
    with pytest.raises(DerMalformed):
        load_response(data)
    with pytest.raises(DerMalformed):
        load_response(bytes(MAX_RESPONSE_BYTES + 1))
    assert check(data) == OPEN
    assert check(data, answer()) is None


WHOLE = answer(revoked_since(reason=1), responder=delegate(), certificates=[delegate()], extensions=[NO_CHECK])


@settings(max_examples=1500, deadline=None)
@given(position=st.integers(0, len(WHOLE) - 1), replacement=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_a_damaged_answer_raises_nothing_but_malformed(position, replacement, cut):
    data = WHOLE[:position] + replacement + WHOLE[position + (0 if cut else len(replacement)) :]
    with suppress(DerMalformed):
        load_response(data)


HONEST = answer()


@settings(max_examples=400, deadline=None)
@given(position=st.integers(0, len(HONEST) - 1), byte=st.integers(0, 255))
def test_no_changed_byte_of_an_answer_is_believed(position, byte):
    data = HONEST[:position] + bytes([byte]) + HONEST[position + 1 :]
    if data != HONEST:
        assert check(data) == OPEN
