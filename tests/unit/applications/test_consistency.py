"""Which choice among several certificates can be confirmed at all, also where a source gives its most."""

import time
from dataclasses import replace

from gateway.applications.consistency import candidates_of, passable
from gateway.applications.found_documents import Candidate, DocumentState, FoundDocument
from gateway.applications.reconciliation.reconcile import reconcile_choices
from gateway.applications.requirements import REQUIREMENTS, Document
from gateway.certificates.claims import ECertificateClaims
from gateway.certificates.verdicts import Verdict
from tests.support.reconciliation import OTHER_CODE, facts, licence, project, right

MOST = 50
"""Certificates of a kind that a source's answer may hold (adapters.provincial_platform)."""


def choices(**certificates: list[ECertificateClaims]) -> dict[str, dict[str, ECertificateClaims]]:
    return {kind: {f"{kind}-{at}": each for at, each in enumerate(found)} for kind, found in certificates.items()}


def can_be_confirmed(**certificates: list[ECertificateClaims]) -> bool:
    candidates = choices(business_licence=[licence()], **certificates)
    return passable(candidates, reconcile_choices(replace(facts(), certificates={}), candidates))


def test_one_good_combination_suffices() -> None:
    theirs, there = right("他人", OTHER_CODE), project(KZ_JSDD="深圳市南山区科技路1号")
    elsewhere = right(KZ_ZL="深圳市南山区科技路1号")
    assert can_be_confirmed(property_certificate=[theirs, right()], project_approval=[there, project()])
    assert not can_be_confirmed(property_certificate=[theirs], project_approval=[project()])
    assert not can_be_confirmed(property_certificate=[theirs, right()], project_approval=[there])
    assert not can_be_confirmed(property_certificate=[theirs, elsewhere], project_approval=[project()])
    assert can_be_confirmed(property_certificate=[], project_approval=[project()])


def test_the_most_there_can_be_is_judged_at_once() -> None:
    places = [right(KZ_ZL=f"天河区示例路{at}号") for at in range(MOST)]
    projects = [project(KZ_JSDD=f"深圳市南山区科技路{at}号") for at in range(MOST)]
    began = time.process_time()
    assert not can_be_confirmed(property_certificate=places, project_approval=projects)
    assert time.process_time() - began < 3


def test_only_a_certificate_that_stands_is_compared() -> None:
    row = next(each for each in REQUIREMENTS.rows if each.document is Document.BUSINESS_LICENCE)
    blank = Candidate("", Verdict.VALID, {}, None, None, None, None, None, None, "", None, claims=licence())
    found = tuple(replace(blank, choice=verdict.value, verdict=verdict) for verdict in Verdict)
    candidates = candidates_of([FoundDocument(row, DocumentState.CHOOSE, found)])
    assert list(candidates["business_licence"]) == ["valid"]
