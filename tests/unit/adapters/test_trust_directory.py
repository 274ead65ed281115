"""The trust directory: intermediates that help and are not believed, policies that an anchor demands, odd names."""

import base64
import json

import pytest

from adapters.trust_directory import TrustDirectoryError, read_trust_directory
from gateway.certificates.chain_cache import ChainVerifier
from gateway.crypto import sm2
from gateway.crypto.der import encode
from tests.support import x509_writer as x
from tests.support.x509_writer import AT, root, seq

ROOT = root()
CA = ROOT.issue_ca("CA", x.policies("1.2.3.4"))
SEAL = CA.issue("章", x.SEAL, x.policies("1.2.3.4")).certificate


def pem(*certificates):
    blocks = (base64.encodebytes(each.certificate).decode() for each in certificates)
    return "".join(f"-----BEGIN CERTIFICATE-----\n{block}-----END CERTIFICATE-----\n" for block in blocks)


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "anchors").mkdir()
    (tmp_path / "anchors" / "root.pem").write_text(pem(ROOT))
    (tmp_path / "issuers.json").write_text("[]")
    return tmp_path


def judged(directory):
    return ChainVerifier(read_trust_directory(directory)).verify(SEAL, (), AT, None).check


def test_intermediates_complete_a_path_and_are_not_believed_by_themselves(directory):
    assert judged(directory) == "chain.no_anchor"
    (directory / "intermediates").mkdir()
    (directory / "intermediates" / "ca.pem").write_text(pem(root("无关"), CA))
    assert judged(directory) is None
    (directory / "anchors" / "root.pem").write_text(pem(root("别根")))
    assert judged(directory) == "chain.no_anchor"


def test_an_anchor_may_demand_policies(directory):
    (directory / "intermediates").mkdir()
    (directory / "intermediates" / "ca.pem").write_text(pem(CA))
    for policies, check in ((["1.2.3.4"], None), (["1.2.3.5", "1.2.3.4"], None), (["1.2.3.5"], "chain.policy")):
        (directory / "anchors.json").write_text(json.dumps({"root.pem": {"policies": policies}}))
        assert judged(directory) == check


@pytest.mark.parametrize(
    "terms",
    [
        "[]",
        "{",
        '{"root.pem": {}}',
        '{"root.pem": {"policies": []}}',
        '{"root.pem": {"policies": ["1.2.x"]}}',
        '{"root.pem": {"policies": ["1.2.3"], "more": 1}}',
        '{"other.pem": {"policies": ["1.2.3"]}}',
    ],
)
def test_terms_that_cannot_be_kept_stop_the_start(directory, terms):
    (directory / "anchors.json").write_text(terms)
    with pytest.raises(TrustDirectoryError, match=r"anchors\.json"):
        read_trust_directory(directory)


@pytest.mark.parametrize("folder", ["anchors", "intermediates"])
@pytest.mark.parametrize(
    "text",
    ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", pem(ROOT).replace("M", "!", 1)],
)
def test_a_file_without_a_readable_certificate_is_named(directory, folder, text):
    (directory / folder).mkdir(exist_ok=True)
    (directory / folder / "bad.pem").write_text(text)
    with pytest.raises(TrustDirectoryError, match=rf"{folder}/bad\.pem"):
        read_trust_directory(directory)


def test_sm2_roots_and_malformed_names_are_no_obstacle(directory):
    odd = root(seq(encode(0x31, b"\x30\x7f")), key=sm2.generate_private_key())
    (directory / "anchors" / "odd.pem").write_text("Subject: whatever\n" + pem(odd))
    trust = read_trust_directory(directory)
    assert {anchor.certificate for anchor in trust.anchors} == {ROOT.certificate, odd.certificate}
    seal = odd.issue("章")
    assert ChainVerifier(trust).verify(seal.certificate, (), AT, None).check is None
