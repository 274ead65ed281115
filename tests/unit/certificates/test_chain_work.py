"""The work of one chain is bounded: forests, loops and hostile bags end within what is stated."""

import time

import pytest

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509 import chain as chain_module
from gateway.certificates.x509 import links
from gateway.certificates.x509.chain import (
    MAX_INTERMEDIATE_BYTES,
    MAX_INTERMEDIATES,
    MAX_LINKS,
    MAX_PATH,
    MAX_PATHS_JUDGED,
    TrustAnchor,
    verify_chain,
)
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, Entity, make, name, root

ROOT = root()
CA = ROOT.issue_ca("CA")
SEAL = CA.issue("章")


def judge(leaf, *given, anchors=(ROOT,), **more):
    started = time.process_time()
    given, anchors = ([each.certificate for each in group] for group in (given, anchors))
    result = verify_chain(leaf.certificate, given, anchors, AT, **more)
    assert time.process_time() - started < 2.0
    return result


def chain(length):
    issuer, given = ROOT, []
    for number in range(length):
        issuer = issuer.issue_ca(f"CA{number}")
        given.append(issuer)
    return issuer.issue("章"), given


def counted(monkeypatch):
    tried = []
    verify = links.verify_signature
    monkeypatch.setattr(links, "verify_signature", lambda *a, **k: (tried.append(1), verify(*a, **k))[1])
    return tried


@pytest.mark.parametrize("identifiers", [True, False])
def test_a_forest_of_twelve_namesakes_that_signed_one_another_ends(monkeypatch, identifiers):
    tried = counted(monkeypatch)
    keys = [Entity(name("林"), x.p256(), b"", 0) for _ in range(12)]
    forest = [
        make("林", x.ca(), issuer=by, key=of.key, identifiers=identifiers) for by in keys for of in keys if by is not of
    ]
    leaf = make("章", issuer=keys[0], identifiers=identifiers)
    result = judge(leaf, *forest)
    assert (result.verdict, result.check) == (Verdict.INVALID, "chain.work_limit")
    assert len(tried) <= MAX_LINKS


def test_no_more_signatures_than_stated_are_tried(monkeypatch):
    tried = counted(monkeypatch)
    forest = [ROOT.issue_ca("林", identifiers=False) for _ in range(MAX_LINKS + 20)]
    leaf = make("章", issuer=Entity(name("林"), x.p256(), b"", 0), identifiers=False)
    assert judge(leaf, *forest).check == "chain.work_limit"
    assert len(tried) == MAX_LINKS


def layers(count, copies):
    """``count`` layers of a CA each, every CA with several certificates for one key: copies ** count ways up."""
    given, key = [], ROOT
    for number in range(count):
        below = Entity(name(f"层{number}"), x.p256(), b"", 0)
        given += [make(f"层{number}", x.ca(), issuer=key, key=below.key) for _ in range(copies)]
        key = below
    return make("章", x.SEAL, issuer=key), given


def test_ways_that_lead_nowhere_are_counted_too(monkeypatch):
    tried = counted(monkeypatch)
    leaf, given = layers(8, 4)
    assert judge(leaf, *given, anchors=(root("别根"),)).check == "chain.work_limit"
    assert len(tried) < MAX_LINKS


def test_a_way_out_of_the_forest_is_found_by_its_key_identifiers(monkeypatch):
    tried = counted(monkeypatch)
    decoys = [ROOT.issue_ca("CA") for _ in range(50)]
    authority = ROOT.issue_ca("CA")
    assert judge(authority.issue("章"), *decoys, authority).verdict is Verdict.VALID
    assert len(tried) == 2


def test_a_loop_of_two_cas_ends():
    one, other = Entity(name("甲"), x.p256(), b"", 0), Entity(name("乙"), x.p256(), b"", 0)
    first = make("甲", x.ca(), issuer=other, key=one.key)
    second = make("乙", x.ca(), issuer=one, key=other.key)
    assert judge(first.issue("章"), first, second).check == "chain.no_anchor"
    same = make("甲", x.ca(), issuer=Entity(name("甲"), other.key, b"", 0), key=one.key)
    back = make("甲", x.ca(), issuer=Entity(name("甲"), one.key, b"", 0), key=other.key)
    assert judge(same.issue("章"), same, back).verdict is not Verdict.VALID


def test_cross_signed_roots_with_one_trusted_are_found():
    """CVE-2024-0567: A, B and C signed one another; only A is an anchor."""
    tops = [root(text) for text in ("A", "B", "C")]
    crossed = [by.issue_ca(of.subject, key_of=of) for by in tops for of in tops if by is not of]
    below = tops[0].issue_ca("A1")
    assert judge(below.issue("章"), *crossed, below, anchors=(tops[0],)).verdict is Verdict.VALID


def test_of_many_broken_paths_few_are_judged(monkeypatch):
    judged = []
    real = chain_module.judge_path
    monkeypatch.setattr(chain_module, "judge_path", lambda *a: (judged.append(1), real(*a))[1])
    leaf, given = layers(6, 2)
    assert judge(leaf, *given, policies={"1.2.9"}).check == "chain.policy"
    assert len(judged) == MAX_PATHS_JUDGED


def test_a_path_that_might_be_good_counts_before_one_that_is_bad():
    strict, lax = root(), root()
    shared = strict.issue_ca("CA")
    crossed = lax.issue_ca("CA", key_of=shared)
    seal = shared.issue("章").certificate
    anchors = [TrustAnchor(strict.certificate, frozenset({"1.2.3"})), lax.certificate]
    given = [shared.certificate, crossed.certificate]
    result = verify_chain(seal, given, anchors, AT, crls=[])
    assert (result.verdict, result.check) == (Verdict.INDETERMINATE, "chain.revocation_unknown")


def test_a_leaf_revoked_on_one_path_is_not_saved_by_another():
    one, other = root("甲根"), root("乙根")
    signs_lists = make("CA", x.ca(), x.CA_USAGE, issuer=one)
    does_not = make("CA", x.ca(), x.usage(5), issuer=other, key_of=signs_lists)
    seal = signs_lists.issue("章")
    lists = [x.crl(one), x.crl(other), x.crl(signs_lists, x.Revoked(seal.serial))]
    status = [x.ocsp(signs_lists, x.single(x.certificate_id(seal, signs_lists)))]
    for anchors, check in (((other,), None), ((one, other), "chain.revoked")):
        assert judge(seal, signs_lists, does_not, anchors=anchors, crls=lists, status=status).check == check


def test_a_path_may_have_ten_certificates_and_no_more():
    seal, given = chain(length=MAX_PATH - 2)
    assert judge(seal, *given).verdict is Verdict.VALID
    seal, given = chain(length=MAX_PATH - 1)
    assert judge(seal, *given).check == "chain.no_anchor"


def test_more_certificates_than_stated_are_refused_unread():
    result = verify_chain(SEAL.certificate, [CA.certificate] * (MAX_INTERMEDIATES + 1), [ROOT.certificate], AT)
    assert result.check == "chain.work_limit"
    heavy = ROOT.issue_ca("CA", x.extension("1.2.3.9", bytes(60_000))).certificate
    given = [heavy] * (MAX_INTERMEDIATE_BYTES // len(heavy) + 1)
    assert verify_chain(SEAL.certificate, given, [ROOT.certificate], AT).check == "chain.work_limit"
