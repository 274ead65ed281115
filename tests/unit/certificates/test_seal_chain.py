"""Certificate paths under SM2: what a link demands, and that the search ends whatever the forest looks like."""

from datetime import UTC, datetime

import pytest

from gateway.certificates import seal_chain
from gateway.certificates.seal_chain import NO_TRUST_ANCHOR, PathResult, parse_anchors, walk_path
from gateway.certificates.verdicts import Verdict
from gateway.certificates.x509_tlv import TlvCertificate, name_text, parse_certificate
from gateway.crypto import sm2
from gateway.crypto.der import Tag, encode
from gateway.crypto.errors import DerMalformed
from tests.support.ofd_writer import NOW, Identity, extension, issue


def read(identity: Identity) -> TlvCertificate:
    return parse_certificate(identity.certificate)


def walk(leaf: Identity, anchor: Identity, *intermediates: Identity, at: datetime = NOW) -> PathResult:
    return walk_path(read(leaf), [read(anchor)], at, [read(item) for item in intermediates])


ROOT = issue("根", ca=True)
CA = issue("机构", ROOT, issuer_name="根", ca=True)
LEAF = issue("签章者", CA, issuer_name="机构")


def test_a_path_through_an_intermediate() -> None:
    result = walk(LEAF, ROOT, CA)
    assert result.verdict is Verdict.VALID
    assert [certificate.der for certificate in result.path] == [item.certificate for item in (LEAF, CA, ROOT)]


def test_an_anchor_may_be_the_issuer_or_the_leaf_itself() -> None:
    assert walk(LEAF, CA).verdict is Verdict.VALID
    assert walk(LEAF, LEAF).verdict is Verdict.VALID


def test_without_the_intermediate_nothing_is_known() -> None:
    assert (walk(LEAF, ROOT).verdict, walk(LEAF, ROOT).reason) == (Verdict.INDETERMINATE, NO_TRUST_ANCHOR)


def test_a_leaf_marked_as_able_to_sign_certificates_is_still_no_authority() -> None:
    """keyCertSign with CA:FALSE, as it stands in real seal certificates."""
    almost = issue("签章者", CA, issuer_name="机构", usage=0x84)
    under = issue("冒名", almost, issuer_name="签章者")
    result = walk(under, ROOT, CA, almost)
    assert (result.verdict, result.reason) == (Verdict.INVALID, "issuer is not a certificate authority")


def test_path_length_is_kept() -> None:
    flat = issue("机构", ROOT, issuer_name="根", ca=True, path_length=0)
    below = issue("下级机构", flat, issuer_name="机构", ca=True)
    result = walk(issue("签章者", below, issuer_name="下级机构"), ROOT, flat, below)
    assert (result.verdict, result.reason) == (Verdict.INVALID, "path length exceeded")
    assert walk(issue("签章者", flat, issuer_name="机构"), ROOT, flat).verdict is Verdict.VALID


@pytest.mark.parametrize("at", [datetime(2024, 12, 31, tzinfo=UTC), datetime(2035, 1, 2, tzinfo=UTC)])
def test_issuers_must_be_valid_at_the_time_asked(at: datetime) -> None:
    result = walk(LEAF, ROOT, CA, at=at)
    assert (result.verdict, result.reason) == (Verdict.INVALID, "issuer certificate not valid at that time")


def test_a_second_issuer_of_the_name_is_tried() -> None:
    """A renewed CA has the old one's name and another key; the order in which they are given does not matter."""
    renewed = issue("机构", ROOT, issuer_name="根", ca=True)
    assert walk(LEAF, ROOT, renewed, CA).verdict is Verdict.VALID
    assert walk(LEAF, ROOT, CA, renewed).verdict is Verdict.VALID


def test_an_issuer_with_another_key_identifier_is_not_asked() -> None:
    """The root was rolled over: same name, new key, and the key identifiers say so. Not a forgery, only unknown."""

    def subject_key(value: bytes) -> bytes:
        return extension("551d0e", encode(Tag.OCTET_STRING, value), critical=False)

    def authority_key(value: bytes) -> bytes:
        return extension("551d23", encode(Tag.SEQUENCE, encode(0x80, value)), critical=False)

    new = issue("根", ca=True, extra_extension=subject_key(b"new"))
    leaf = issue("签章者", ROOT, issuer_name="根", extra_extension=authority_key(b"old"))
    assert (walk(leaf, new).verdict, walk(leaf, new).reason) == (Verdict.INDETERMINATE, NO_TRUST_ANCHOR)


def test_an_issuers_unknown_critical_extension_leaves_it_open() -> None:
    odd = issue("机构", ROOT, issuer_name="根", ca=True, extra_extension=extension("2a0304", b"\x05\x00"))
    assert walk(issue("签章者", odd, issuer_name="机构"), ROOT, odd).verdict is Verdict.INDETERMINATE


def test_a_cross_signed_forest_is_given_up_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six CAs of one name have all signed one another, and none leads to the anchor."""
    tried = []
    verify = seal_chain.verify_signature
    monkeypatch.setattr(seal_chain, "verify_signature", lambda *a, **k: (tried.append(1), verify(*a, **k))[1])
    keys = [Identity(sm2.generate_private_key(), b"") for _ in range(6)]
    forest = [issue("林", by, ca=True, key=of.key) for by in keys for of in keys if by is not of]
    leaf = issue("签章者", keys[0], issuer_name="林")
    result = walk(leaf, ROOT, *forest)
    assert result.verdict is not Verdict.VALID
    assert len(tried) <= seal_chain.MAX_LINKS_TRIED


def test_a_wrong_anchor_is_refused() -> None:
    with pytest.raises(DerMalformed):
        parse_anchors([ROOT.certificate, b""])


def test_malformed_names_are_shown_as_such() -> None:
    assert name_text(b"\x30\x03\x31\x01\x00") == "（名称编码异常）"
    assert name_text(read(LEAF).subject) == "CN=签章者"
