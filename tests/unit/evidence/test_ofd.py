"""OFD envelopes in a bundle, against the gateway's own judgement, which shares no line: who proves less may differ."""

import random
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.certificates.errors import OfdRefused
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.crypto import sm2
from gateway.evidence.verify_evidence import PROVED, Anchors
from gateway.evidence.verify_evidence.certificates import Certificate
from gateway.evidence.verify_evidence.checks.envelopes import prove_certificate
from gateway.evidence.verify_evidence.errors import NotProved, Refused
from gateway.evidence.verify_evidence.examination import Examination
from gateway.evidence.verify_evidence.ofd.document import licence_date, read_document
from mock_services.authorities import AUTHORITIES
from mock_services.pki import ProvincialPki, spki_digest
from mock_services.population import Trouble, build_population
from mock_services.provincial_platform.certificates import Record
from mock_services.provincial_platform.ofd_licences import seal_licence
from mock_services.provincial_platform.registry import Registry
from schemas.ecertificates import TYPE_CODES
from schemas.status_lists import StatusListReference
from tests.support import ofd_writer as writer
from tests.support.ecertificates import AT, LIST_URI
from tests.support.ofd_licence import SEALED_AT, OfdProvince
from tests.support.ofd_writer import PAGE, SIGNATURE_XML, VALUE
from tests.vectors.test_vectors import ABOUT, OFDS

pytestmark = pytest.mark.skipif(sm2.self_test() is None, reason="no library here speaks SM2")
UNJUDGED = {"v1", "cms"}
"""Good ones of forms that this verifier leaves open, as docs/evidence.md says."""
LEFT_OPEN = {"cut", "trailing", "not-an-archive", "bomb"}
NOT_THE_DOCUMENT = {"signed-tomorrow", "signer-expired", "stranger"}
"""Whole in itself: who signed, and when, is wrong."""


def outcome(work: Callable[[], object]) -> str:
    try:
        work()
    except NotProved:
        return "indeterminate"
    except Refused:
        return "invalid"
    return "valid"


@pytest.mark.parametrize("case", ABOUT["ofd"]["cases"], ids=lambda case: case["name"])
def test_documents_of_every_kind(case: dict[str, Any]) -> None:
    document, name = (OFDS / f"{case['name']}.ofd").read_bytes(), case["name"]
    expected = {"refused": "invalid"}.get(case["verdict"], case["verdict"])
    if name in UNJUDGED | LEFT_OPEN:
        expected = "indeterminate"
    elif name in NOT_THE_DOCUMENT:
        expected = "valid"
    assert outcome(lambda: read_document(document)) == expected, case["why"]


@pytest.fixture(scope="module")
def province() -> OfdProvince:
    return OfdProvince()


def proof(
    province: OfdProvince,
    envelope: bytes,
    evidence: StatusEvidence | None = None,
    at: datetime = AT,
    issuers: Any = None,
    roots: tuple[bytes, ...] = (),
) -> str:
    """What the verifier makes of a licence that the gateway judged valid on ``evidence``."""
    evidence = evidence or province.evidence()
    ca = load_signing_certificate(province.pki.ca.certificate).key_digest()
    departments = province.jws.pki.departments
    entitled = [
        {
            "authority_code": each.code,
            "kinds": list(each.kinds),
            "issuing_ca": [ca, spki_digest(departments[each.department].certificate)],
        }
        for each in AUTHORITIES
    ]
    anchors = [Certificate.read(each) for each in roots or (province.jws.root, province.pki.root.certificate)]
    trusted = Anchors(tuple(anchors), tuple(entitled if issuers is None else issuers))
    examined = Examination(replace(trusted, kinds={province.kind: frozenset({TYPE_CODES[province.kind]})}))
    name = f"certificates/{digest(envelope)}.ofd"
    examined.files = {name: envelope}
    for suffix, documents in (("crl", evidence.crls), ("jwt", evidence.status_lists.values())):
        examined.files |= {f"status/{digest(each)}.{suffix}": each for each in documents}
    judgement = {
        "kind": province.kind,
        "envelope_sha256": digest(envelope),
        "judged_at": at.isoformat(),
        "status_lists": {uri: digest(each) for uri, each in evidence.status_lists.items()},
        "crls": [digest(each) for each in evidence.crls],
        "ocsp": [],
    }
    found = outcome(lambda: prove_certificate(examined, judgement, name, [province.pki.ca.certificate]))
    assert (found == "valid") == ([each.mark for each in examined.findings] == [PROVED])
    return found


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def test_a_good_licence_is_proved_as_of_then(province: OfdProvince) -> None:
    for changes in ({}, {"version": 5}, {"digest_listed": True}, {"raw_signatures": True}, {"with_seal_file": False}):
        envelope = province.licence(province.recipe(**changes))
        assert province.judge(envelope).verdict is Verdict.VALID
        assert proof(province, envelope) == "valid", changes


def test_forms_that_are_not_judged_are_said_to_be_open(province: OfdProvince) -> None:
    stamped = province.recipe(timestamped=True)
    for recipe in (province.recipe(version=1), province.recipe(cms="attributes"), stamped):
        assert proof(province, province.licence(recipe)) == "indeterminate"


def test_who_may_be_believed(province: OfdProvince) -> None:
    envelope, pki = province.licence(), province.pki
    for revoked in (pki.signer, pki.maker):
        assert province.judge(envelope, evidence=province.evidence(revoked)).verdict is Verdict.INVALID
        assert proof(province, envelope, province.evidence(revoked)) == "invalid"
    without = StatusEvidence(province.evidence().status_lists, province.jws.crls())
    assert proof(province, envelope, without) == "indeterminate", "no list of the SM2 CA"
    assert proof(province, envelope, replace(province.evidence(), status_lists={})) == "indeterminate"
    assert proof(province, envelope, roots=(province.jws.root,)) == "indeterminate", "its root is no anchor"
    assert proof(province, envelope, issuers=[]) == "invalid"
    pinned = [{"authority_code": each.code, "kinds": list(each.kinds), "issuing_ca": "00"} for each in AUTHORITIES]
    assert proof(province, envelope, issuers=pinned) == "invalid", "another CA is pinned"


@pytest.mark.parametrize(
    "changes",
    [
        {"ZZYXQJZRQ": "2026-11-22"},
        {"ZZYXQQSRQ": "2026/11/24"},
        {"ZZYXQJZRQ": "22.11.2026"},
        {"ZZBFJGDM": AUTHORITIES[1].code},
        {"index": None},
        {"index": "-1"},
        {"index": "999"},
        {"ZZYXQJZRQ": "2026年11月23日"},
        {"ZZYXQJZRQ": "长期"},
    ],
)
def test_the_sealed_fields_decide(province: OfdProvince, changes: dict[str, Any]) -> None:
    envelope = province.licence(**changes)
    judged = province.judge(envelope).verdict
    assert (proof(province, envelope) == "valid") is (judged is Verdict.VALID)


def test_times(province: OfdProvince) -> None:
    late = province.recipe(signed_at=AT + timedelta(days=1))
    over = province.recipe(seal_valid=(SEALED_AT - timedelta(days=9), SEALED_AT - timedelta(days=1)))
    for recipe in (late, over):
        assert province.judge(province.licence(recipe)).verdict is Verdict.INVALID
        assert proof(province, province.licence(recipe)) == "invalid"
    old = OfdProvince(signer_options={"not_after": SEALED_AT - timedelta(days=1)})
    assert proof(old, old.licence()) == "invalid", "the signer's certificate was over when it sealed"
    since = OfdProvince(signer_options={"not_after": SEALED_AT + timedelta(days=1)})
    assert since.judge(since.licence()).verdict is Verdict.VALID
    assert proof(since, since.licence()) == "valid", "it was in force when it sealed"


def test_what_the_seal_leaves_out_and_who_else_made_it(province: OfdProvince) -> None:
    uncovered = province.recipe(covered=(PAGE, "Doc_0/Document.xml"))
    assert proof(province, province.licence(uncovered)) == "indeterminate"
    licence = province.licence()
    root = writer.unpack(licence)["OFD.xml"].replace("示例有限公司".encode(), "冒名有限公司".encode())
    assert root != writer.unpack(licence)["OFD.xml"]
    assert proof(province, writer.rewrite(licence, "OFD.xml", root)) == "invalid"
    unlisted = province.recipe(listed_certificate=province.pki.maker.certificate)
    assert proof(province, province.licence(unlisted)) == "invalid"
    for who in ("signer", "maker"):
        other = copy(province.pki)
        setattr(other, who, replace(getattr(other, who), key=sm2.generate_private_key()))
        forged = writer.build(other, province.recipe())
        assert province.judge(forged).verdict is Verdict.INVALID
        assert proof(province, forged) == "invalid", f"by a key that is not the {who}'s"
    twice = province.recipe(custom=[*province.fields(), ("zzmc", "冒名")])
    assert proof(province, province.licence(twice)) == "invalid"


def test_no_changed_byte_is_proved_that_the_gateway_refuses(province: OfdProvince) -> None:
    """Of the archive, whose headers nobody signs, and of what stands in it."""
    envelope, chance = province.licence(), random.Random(5)
    files = writer.unpack(envelope)
    changed = [(envelope, at) for at in chance.sample(range(len(envelope)), 25)]
    for name in (VALUE, SIGNATURE_XML, "OFD.xml"):
        for at in chance.sample(range(len(files[name])), 6):
            body = files[name][:at] + bytes([files[name][at] ^ 1]) + files[name][at + 1 :]
            assert proof(province, writer.rewrite(envelope, name, body)) != "valid", f"{name} {at}"
    for whole, at in changed:
        flipped = whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        if proof(province, flipped) == "valid":
            assert province.judge(flipped).verdict is Verdict.VALID, at


@pytest.fixture(scope="module")
def platform() -> tuple[ProvincialPki, Record]:
    pki = ProvincialPki.build("http://platform.test")
    return pki, next(iter(Registry(build_population(40, 20, seed=7), pki, "http://platform.test").all()))


OF_THE_SEAL = (
    Trouble.BROKEN_SIGNATURE,
    Trouble.UNKNOWN_ISSUER,
    Trouble.PAGE_CHANGED,
    Trouble.UNCOVERED,
    Trouble.SEAL_EXPIRED,
)


@pytest.mark.parametrize("trouble", [None, *OF_THE_SEAL])
def test_licences_of_the_platform(platform: tuple[ProvincialPki, Record], trouble: Trouble | None) -> None:
    pki, record = platform
    document = seal_licence(
        replace(record, trouble=trouble), StatusListReference(uri=LIST_URI, idx=record.status_index), pki
    )
    found = outcome(lambda: read_document(document))
    try:
        authorities = [pki.sm2.root, *(pki.authority(f"sm2-{slug}") for slug in pki.departments)]
        anchors, others = [pki.sm2.root.holder.certificate], [each.holder.certificate for each in authorities]
        judged = verify_ofd(document, anchors, AT, intermediates=others).verdict.value
    except OfdRefused:
        judged = "invalid"
    if trouble is Trouble.UNKNOWN_ISSUER:
        assert (found, judged) == ("valid", "invalid"), "whole; that nobody vouches for it is the path's to say"
    else:
        assert found == judged
    if found == "valid":
        assert read_document(document).fields()["x_ZTLB_URI"] == LIST_URI


def test_dates_as_issuers_write_them() -> None:
    for text in ("2025-01-02", "2025/1/2", "20250102", "2025年1月2日", "2025-01-02 00:00:00"):
        assert licence_date(text) == "2025-01-02"
    assert licence_date("长期", ends=True) == "9999-12-31"
    for text in ("长期", "02.01.2025", "2025-13-01", "2025-1/2", ""):
        assert licence_date(text) is None
