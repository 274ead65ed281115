from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.certificates.freshness import Basis, FreshnessLimit
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.chain import verify_chain
from mock_services.pki import CertificateAuthority, _issue, distinguished_name, generate_key

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOT = CertificateAuthority.root()
CA = ROOT.issue_ca("ca", "部门CA", crl_uri="https://x.example/root.crl")
SEAL = CA.issue_seal("机构", "11440000TDMB00011X", crl_uri="https://x.example/ca.crl")


def der(*certificates):
    return [item.public_bytes(Encoding.DER) for item in certificates]


def judge(leaf=SEAL.certificate, given=(CA.certificate,), anchors=(ROOT.certificate,), at=AT, **more):
    (encoded,) = der(leaf)
    return verify_chain(encoded, der(*given), der(*anchors), at, **more)


def crls(at=AT - HOUR, *authorities, **more):
    return [authority.crl(at, **more) for authority in authorities or (ROOT, CA)]


def test_a_good_chain_is_valid_until_the_first_thing_ends():
    result = judge(crls=crls())
    assert (result.verdict, result.check) == (Verdict.VALID, None)
    assert [item.authority_code for item in result.path] == ["11440000TDMB00011X", None, None]
    assert result.valid_until == AT + 23 * HOUR
    assert judge().valid_until == SEAL.certificate.not_valid_after_utc


def test_order_duplicates_and_strangers_in_the_bag_do_not_matter():
    stranger = CertificateAuthority.root("别的根").issue_ca("x", "别的", crl_uri="https://x.example/x.crl")
    assert judge(given=(stranger.certificate, CA.certificate, CA.certificate)).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("check", "make"),
    [
        ("chain.expired", lambda: CA.issue_seal("a", "b", crl_uri="x", valid_until=AT - HOUR)),
        ("chain.not_yet_valid", lambda: CA.issue_seal("a", "b", crl_uri="x", valid_from=AT + HOUR)),
        ("chain.key_usage", lambda: CA.issue_seal("a", "b", crl_uri="x", digital_signature=False)),
    ],
)
def test_a_leaf_outside_its_time_or_use_is_invalid(check, make):
    result = judge(make().certificate)
    assert (result.verdict, result.check) == (Verdict.INVALID, check)


def test_an_intermediate_that_is_expired_no_ca_or_too_deep_is_invalid():
    late = ROOT.issue_ca("late", "过期CA", crl_uri="x", valid_until=AT - HOUR)
    assert judge(late.issue_seal("a", "b", crl_uri="x").certificate, (late.certificate,)).check == "chain.expired"
    posing = CertificateAuthority("p", SEAL.key, SEAL.certificate, SEAL.chain)
    forged = posing.issue_seal("a", "b", crl_uri="x")
    result = judge(forged.certificate, (SEAL.certificate, CA.certificate))
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.not_a_ca")
    below = CA.issue_ca("below", "下级CA", crl_uri="x")
    deep = below.issue_seal("a", "b", crl_uri="x")
    assert judge(deep.certificate, (below.certificate, CA.certificate)).check == "chain.path_length"


def test_an_unknown_root_is_indeterminate_a_bad_signature_is_invalid():
    assert judge(anchors=()).check == "chain.no_anchor"
    assert judge(given=()).verdict is Verdict.INDETERMINATE
    namesake = CertificateAuthority.root()
    result = judge(anchors=(namesake.certificate,))
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.signature")
    # A second anchor of the same name, as during a change of root, does not disturb the first.
    assert judge(anchors=(namesake.certificate, ROOT.certificate)).verdict is Verdict.VALID


def test_an_expired_anchor_is_our_own_trouble():
    result = judge(at=datetime(2050, 6, 1, tzinfo=UTC), leaf=CA.issue_seal("a", "b", crl_uri="x").certificate)
    assert result.check == "chain.expired"
    key = generate_key("ES256")
    name = distinguished_name("短根")
    root = CertificateAuthority("r", key, _issue(name, key, name, key, None, until=AT - HOUR, ca=True))
    result = judge(root.issue_seal("a", "b", crl_uri="x").certificate, (), (root.certificate,))
    assert (result.verdict, result.check) == (Verdict.INDETERMINATE, "chain.anchor_expired")


def custom(*extensions):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name("机构", "1"))
        .issuer_name(CA.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(AT - HOUR)
        .not_valid_after(AT + HOUR)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(CA.key, hashes.SHA256())


def test_critical_extensions_that_no_rule_here_applies_are_refused():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    names = x509.NameConstraints([x509.DNSName("example")], None)
    assert judge(custom((unknown, True))).check == "chain.critical_extension"
    assert judge(custom((names, False))).check == "chain.critical_extension"
    assert judge(custom((names, True))).check == "chain.name_constraints"
    assert judge(custom((unknown, False))).verdict is Verdict.VALID


SERVER, CLIENT, MAIL = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"
SIGNING, ANY = "1.3.6.1.5.5.7.3.36", "2.5.29.37.0"


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize(
    ("purposes", "seals"),
    [
        ([SERVER], False),
        ([SERVER, CLIENT], False),
        ([MAIL], False),
        ([SIGNING], True),
        ([ANY], True),
        ([SERVER, SIGNING], True),
    ],
)
def test_a_key_for_other_purposes_does_not_seal_even_where_its_purposes_are_not_critical(purposes, seals, critical):
    usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in purposes])
    result = judge(custom((usage, critical)))
    expected = (Verdict.VALID, None) if seals else (Verdict.INVALID, "chain.extended_key_usage")
    assert (result.verdict, result.check) == expected


def test_revocation_below_and_above_counts_and_one_dated_ahead_leaves_it_open():
    root = CertificateAuthority.root()
    ca = root.issue_ca("ca", "部门CA", crl_uri="x")
    seal = ca.issue_seal("机构", "1", crl_uri="x")

    def check(at=AT):
        lists = crls(at - HOUR, root, ca)
        return judge(seal.certificate, (ca.certificate,), (root.certificate,), at, crls=lists).check

    assert check() is None
    ca.revoke(seal.certificate, AT - timedelta(days=1))
    assert check() == "chain.revoked"
    assert check(AT - timedelta(days=2)) == "chain.revocation_unknown"
    root.revoke(ca.certificate, AT - timedelta(days=9))
    ca.revoked.clear()
    assert check(AT - timedelta(days=2)) == "chain.revoked"


@pytest.mark.parametrize(
    "lists",
    [
        [],
        crls(AT - HOUR, CA),
        crls(AT - HOUR, ROOT),
        crls(AT - timedelta(days=2)),
        crls(AT + HOUR),
        [ROOT.crl(AT - HOUR), CA.crl(AT - HOUR, key=generate_key("ES256"))],
        [ROOT.crl(AT - HOUR), b"rubbish"],
    ],
    ids=["none", "no root list", "no ca list", "past nextUpdate", "from the future", "forged", "rubbish"],
)
def test_a_missing_stale_or_forged_list_is_indeterminate(lists):
    result = judge(crls=lists)
    assert (result.verdict, result.check) == (Verdict.INDETERMINATE, "chain.revocation_unknown")


def signed_crl(*extensions):
    builder = x509.CertificateRevocationListBuilder().issuer_name(CA.certificate.subject)
    builder = builder.last_update(AT - HOUR).next_update(AT + HOUR).add_extension(x509.CRLNumber(1), critical=False)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(CA.key, hashes.SHA256()).public_bytes(Encoding.DER)


def scope(**parts):
    given = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**given | parts)


def test_delta_indirect_partial_and_unknown_lists_are_not_taken_for_whole_ones():
    point = [x509.UniformResourceIdentifier("https://other.example/ca.crl")]
    own = [x509.UniformResourceIdentifier("https://x.example/ca.crl")]
    for extension in (
        (x509.DeltaCRLIndicator(1), True),
        (scope(indirect_crl=True), True),
        (scope(only_contains_ca_certs=True), True),
        (scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), True),
        (scope(full_name=point), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
    ):
        lists = [ROOT.crl(AT - HOUR), signed_crl(extension)]
        assert judge(crls=lists).check == "chain.revocation_unknown"
    for extension in ((scope(only_contains_user_certs=True), True), (scope(full_name=own), True)):
        assert judge(crls=[ROOT.crl(AT - HOUR), signed_crl(extension)]).verdict is Verdict.VALID


def test_a_limit_lets_a_stale_list_through_up_to_its_age():
    limit = FreshnessLimit(timedelta(days=1), timedelta(days=3))
    ages = [(0, "fresh"), (2, "stale_permitted"), (4, "refused")]
    for days, state in ages:
        result = judge(crls=crls(AT - timedelta(days=days)), crl_limit=limit)
        assert result.basis[0].state == state
        assert (result.verdict is Verdict.VALID) == (state != "refused")


def changed(data, position, byte):
    position %= len(data)
    return data[:position] + bytes([byte]) + data[position + 1 :]


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
@example(position=12, byte=0x07)
def test_no_changed_byte_of_a_leaf_is_valid_and_nothing_is_raised(position, byte):
    (good,) = der(SEAL.certificate)
    bad = changed(good, position, byte)
    if bad != good:
        assert verify_chain(bad, der(CA.certificate), der(ROOT.certificate), AT).verdict is not Verdict.VALID


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_changed_byte_of_a_crl_is_believed_and_nothing_is_raised(position, byte):
    upper, good = crls()
    bad = changed(good, position, byte)
    if bad != good:
        assert judge(crls=[upper, bad]).check == "chain.revocation_unknown"


def test_a_signature_says_its_length_in_one_way():
    """BIT STRING with unused bits: the same signature in another spelling, wherever its last bits happen to be zero."""
    for _ in range(8):
        seal = CA.issue_seal("a", "b", crl_uri="x")
        (good,) = der(seal.certificate)
        position = len(good) - len(seal.certificate.signature) - 1
        assert good[position] == 0
        result = verify_chain(changed(good, position, 1), der(CA.certificate), der(ROOT.certificate), AT)
        assert (result.verdict, result.check) == (Verdict.INVALID, "chain.malformed")


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"\x30\x80", b"-----BEGIN CERTIFICATE-----", b"\x30" * 20_000])
def test_rubbish_is_malformed(data):
    assert verify_chain(data, [], der(ROOT.certificate), AT).check == "chain.malformed"


def test_freshness_runs_in_three_steps_and_takes_no_wrong_order():
    limit = FreshnessLimit(HOUR, 3 * HOUR)

    def state(age, **more):
        return limit.judge("x", AT - age, AT, **more).state

    assert [state(age * HOUR) for age in (0, 1, 2, 3, 4)] == ["fresh"] * 2 + ["stale_permitted"] * 2 + ["refused"]
    assert state(HOUR / 2, expires_at=AT - HOUR / 4) == "stale_permitted"
    assert state(-HOUR) == "refused"
    assert FreshnessLimit(HOUR, HOUR).judge("x", AT, AT, expires_at=AT - HOUR).state == "refused"
    assert isinstance(limit.missing("x"), Basis)
    assert not limit.missing("x").usable
    with pytest.raises(ValueError, match="freshness"):
        FreshnessLimit(2 * HOUR, HOUR)
