"""Certificate policies by the graph of RFC 9618: what a demand means, and that no mapping makes it grow."""

import time

import pytest

from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.anchors import TrustAnchor, anchors_digest
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.extensions import ANY_POLICY, PathExtensions, PolicyConstraints
from gateway.certificates.x509.policies import MAX_POLICIES, PolicyDemand, PolicyWalk
from tests.support import x509_writer as x
from tests.support.x509_writer import AT

A, B, C, D = "1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4"


def judge(*levels, demand=None, anchor=None, names=None):
    """A path below a root, one tuple of extensions for each certificate from the top; the last is the seal's."""
    root = x.root()
    issuer, given = root, []
    for number, extensions in enumerate(levels[:-1]):
        issuer = issuer.issue_ca((names or {}).get(number, f"CA{number}"), *extensions)
        given.append(issuer.certificate)
    seal = issuer.issue("a", x.SEAL, *levels[-1])
    result = verify_chain(seal.certificate, given, [TrustAnchor(root.certificate, anchor)], AT, policies=demand)
    assert result.check in (None, "chain.policy", "chain.work_limit")
    return result.verdict is Verdict.VALID


def states(*policies):
    return (x.policies(*policies),)


def test_without_a_demand_policies_bind_nobody():
    assert judge((), ())
    assert judge(states(A), ())
    assert judge(states(A), states(B))


@pytest.mark.parametrize(
    ("levels", "demand", "good"),
    [
        ((states(A), states(A)), {A}, True),
        ((states(A), states(A)), {A, B}, True),
        ((states(A), states(A)), {B}, False),
        ((states(A), states(A)), set(), False),
        ((states(A, B), states(B)), {A}, False),
        ((states(A, B), states(B)), {B}, True),
        ((states(A), states(B)), {A, B}, False),
        ((states(A), states(A, B)), {B}, False),
        ((states(A), ()), {A}, False),
        (((), states(A)), {A}, False),
        ((states(ANY_POLICY), states(A)), {A}, True),
        ((states(A), states(ANY_POLICY)), {A}, True),
        ((states(A), states(ANY_POLICY)), {B}, False),
        ((states(ANY_POLICY), states(ANY_POLICY)), {A}, True),
        ((states(ANY_POLICY), ()), {A}, False),
        ((states(ANY_POLICY), states(ANY_POLICY)), set(), False),
        ((states(A), states(A)), {ANY_POLICY}, True),
        ((states(A), states(B)), {ANY_POLICY}, False),
    ],
)
def test_a_demanded_policy_must_hold_all_the_way(levels, demand, good):
    assert judge(*levels, demand=demand) == good


def test_an_anchors_demand_counts_for_its_paths_and_the_callers_too():
    both = (states(A, B), states(A, B))
    assert judge(*both, anchor={A})
    assert not judge(*both, anchor={C})
    assert judge(*both, anchor={A, B}, demand={B, C})
    assert not judge(*both, anchor={A}, demand={B})


def test_a_path_to_an_anchor_that_demands_nothing_is_found_beside_one_that_does():
    strict, lax = x.root(), x.root()
    shared = strict.issue_ca("CA")
    crossed = lax.issue_ca("CA", key_of=shared)
    seal = shared.issue("a").certificate
    given = [shared.certificate, crossed.certificate]
    demanding = TrustAnchor(strict.certificate, frozenset({A}))
    assert verify_chain(seal, given, [demanding], AT).check == "chain.policy"
    assert verify_chain(seal, given, [demanding, lax.certificate], AT).verdict is Verdict.VALID


def test_a_ca_may_demand_an_explicit_policy_at_once_or_later():
    explicit = (x.policy_constraints(explicit=0),)
    assert not judge((*states(A), *explicit), ())
    assert judge((*states(A), *explicit), states(A))
    assert judge((*states(A), *explicit), states(A), demand={A})
    later = (x.policy_constraints(explicit=2),)
    assert judge((*states(A), *later), ())
    assert not judge((*states(A), *later), states(B), ())
    assert not judge((), (x.policy_constraints(explicit=0),))


def test_self_issued_cas_do_not_count_against_what_a_ca_demands():
    later = (*states(A), x.policy_constraints(explicit=2))
    assert not judge(later, (), ())
    assert judge(later, (), (), names={1: "CA0"})


def test_the_demands_of_anchors_are_part_of_their_digest():
    plain = b"der"
    assert anchors_digest([plain]) == anchors_digest([TrustAnchor(plain)])
    digests = {anchors_digest([TrustAnchor(plain, policies)]) for policies in (None, frozenset(), frozenset({A}))}
    assert len(digests) == 3


def test_anchors_constrain_too():
    root = x.root("根", x.policy_constraints(explicit=0))
    for stated, check in ((states(A), None), ((), "chain.policy")):
        seal = root.issue("a", x.SEAL, *stated)
        assert verify_chain(seal.certificate, [], [root.certificate], AT).check == check


def test_any_policy_may_be_inhibited_save_for_self_issued_cas():
    inhibited = (*states(A), x.inhibit_any(0))
    assert judge(inhibited, states(A), demand={A})
    assert not judge(inhibited, states(ANY_POLICY), demand={A})
    assert judge((*states(A), x.inhibit_any(1)), states(ANY_POLICY), demand={A})
    assert not judge((*states(A), x.inhibit_any(1)), states(A), states(ANY_POLICY), demand={A})
    assert judge(inhibited, states(ANY_POLICY), states(A), demand={A}, names={1: "CA0"})


def maps(*pairs):
    return (x.mappings(*pairs),)


def test_mappings_translate_and_may_be_inhibited():
    assert judge((*states(A), *maps((A, B))), states(B), demand={A})
    assert not judge((*states(A), *maps((A, B))), states(B), demand={B})
    assert not judge((*states(A), *maps((A, B))), states(A), demand={A})
    assert judge((*states(A), *maps((A, B), (A, C))), states(C), demand={A})
    assert judge((*states(ANY_POLICY), *maps((A, B))), states(B), demand={A})
    inhibited = (*states(A), x.policy_constraints(mapping=0))
    assert not judge(inhibited, (*states(A), *maps((A, B))), states(B), demand={A})
    assert judge(inhibited, states(A), states(A), demand={A})
    assert judge((*states(A), *maps((A, B))), (*states(B), *maps((B, D))), states(D), demand={A})


@pytest.mark.parametrize("pair", [(ANY_POLICY, A), (A, ANY_POLICY)])
def test_any_policy_is_never_mapped(pair):
    assert not judge((*states(A), *maps(pair)), states(A))


def test_mappings_that_would_make_the_tree_of_rfc_5280_explode_cost_a_stated_amount():
    """CVE-2023-0464: every policy mapped to every other, level upon level."""
    many = [f"1.2.3.{number}" for number in range(22)]
    level = (x.policies(*many), x.mappings(*((one, other) for one in many for other in many)))
    started = time.process_time()
    assert judge(*[level] * 6, states(*many), demand={many[0]})
    assert time.process_time() - started < 1.0


def test_more_policies_or_mappings_than_stated_are_refused():
    many = [f"1.2.{number}" for number in range(3, 4 + MAX_POLICIES)]
    assert not judge((x.policies(*many),), states(A), demand={A})
    assert not judge((*states(A), x.mappings(*((A, each) for each in many))), states(A), demand={A})
    bomb = [f"1.2.{number}" for number in range(3, 10_003)]
    started = time.process_time()
    root = x.root()
    authority = root.issue_ca("CA", *states(A), x.mappings(*((A, each) for each in bomb)))
    seal = authority.issue("a", x.SEAL, *states(A))
    result = verify_chain(seal.certificate, [authority.certificate], [root.certificate], AT, policies={A})
    assert result.verdict is Verdict.INVALID
    assert time.process_time() - started < 1.0


def walk(demand, *stated):
    found = PolicyWalk(demand, len(stated))
    for position, extensions in enumerate(stated):
        last = position + 1 == len(stated)
        if not found.enter(extensions, self_issued=False, last=last):
            return False
        if not last and not found.leave(extensions, self_issued=False):
            return False
    return found.accepted(stated[-1])


def policy_set(*policies, **more):
    return PathExtensions(policies=frozenset(policies), **more)


def test_the_initial_flags_of_rfc_5280():
    one = policy_set(A)
    mapped = policy_set(A, policy_mappings=((A, B),))
    assert walk(PolicyDemand(), PathExtensions())
    assert not walk(PolicyDemand(explicit=True), PathExtensions())
    assert walk(PolicyDemand(frozenset({A}), explicit=True), mapped, policy_set(B))
    inhibited = PolicyDemand(frozenset({A}), explicit=True, inhibit_mapping=True)
    assert not walk(inhibited, mapped, policy_set(B))
    assert not walk(PolicyDemand(explicit=True, inhibit_any=True), policy_set(ANY_POLICY), one)
    assert walk(PolicyDemand(explicit=True), policy_set(ANY_POLICY), one)


def test_the_leaf_itself_may_demand_explicitly():
    leaf = PathExtensions(policy_constraints=PolicyConstraints(0, None))
    assert not walk(PolicyDemand(), leaf)


def test_demands_are_put_together():
    assert PolicyDemand.one_of(None, None) == PolicyDemand()
    assert PolicyDemand.one_of({A}, None) == PolicyDemand(frozenset({A}), explicit=True)
    assert PolicyDemand.one_of({A, B}, {B, C}).accepted == {B}
    assert PolicyDemand.one_of({ANY_POLICY}, {A}).accepted == {A}
    assert PolicyDemand.one_of({ANY_POLICY}, None) == PolicyDemand(None, explicit=True)
