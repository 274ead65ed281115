"""What is fuzzed: every parser that bytes from outside reach, and the verifiers behind them.

A target takes any bytes and may refuse them with an error of ours, and in no other way. Where a signature would keep
changed bytes out, the target signs them itself, so that what lies behind the signature is fuzzed too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.certificates.envelopes.ofd import verify_ofd
from gateway.certificates.envelopes.ofd.cms import parse_cms
from gateway.certificates.envelopes.ofd.safe_xml import XmlRefused, parse_xml
from gateway.certificates.envelopes.ofd.seal import parse_sealed_value
from gateway.certificates.registry import KindRegistry
from gateway.certificates.status_lists import StatusEvidence
from gateway.certificates.verification import HolderExpectation
from gateway.certificates.x509.chain import verify_chain
from gateway.certificates.x509.crls import load_crl
from gateway.certificates.x509.ocsp import load_response
from gateway.certificates.x509.signing_certificates import load_signing_certificate
from gateway.crypto.der import Element, parse
from gateway.crypto.errors import DerMalformed
from gateway.crypto.jwk import SigningKey, algorithms_of, export_jwk, parse_jwk, thumbprint
from gateway.crypto.jws import JwsPolicy, read_claims, read_jws, verify_jws
from gateway.crypto.schemes import Scheme, scheme_of
from gateway.crypto.signatures import load_public_key, verify_signature
from gateway.crypto.strict_json import parse_object
from gateway.errors import GatewayError
from gateway.records.checkpoints import parse_checkpoint
from gateway.records.notes import NoteInvalid, parse_note
from gateway.records.super_log import decode_leaf, encode_leaf
from tests.fuzz import seeds
from tests.support import ofd_writer, x509_writer
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, x5c
from tests.support.tokens import make_token

OURS = (GatewayError, XmlRefused, NoteInvalid)
"""What may be raised. ``XmlRefused`` and ``NoteInvalid`` are of OFD and of the record, and never leave them."""
KIB = 1024


@dataclass(frozen=True)
class Target:
    """``run`` takes any bytes up to ``max_bytes``; ``seeds`` are good inputs; ``words`` are worth trying in them."""

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    max_bytes: int = 16 * KIB
    words: tuple[bytes, ...] = ()

    def attempt(self, data: bytes) -> None:
        """Run it; a refusal of ours is an answer, anything else that is raised is a find."""
        try:
            self.run(data[: self.max_bytes])
        except OURS:
            return


def der(data: bytes) -> None:
    waiting: list[Element] = [parse(data)]
    while waiting:
        element = waiting.pop()
        for read in (element.integer, element.bits, element.octets, element.oid, element.time, element.text):
            try:
                read()
            except DerMalformed:
                continue
        try:
            waiting.extend(element.children())
        except DerMalformed:
            continue


def jwk(data: bytes) -> None:
    key = parse_jwk(data)
    assert key.algorithms <= algorithms_of(key.public_key)
    assert thumbprint(parse_jwk(export_jwk(key)).public_key) == thumbprint(key.public_key)


@cache
def token_key() -> SigningKey:
    return SigningKey("k1", "ES256", ec.generate_private_key(ec.SECP256R1()))


PLAIN = JwsPolicy(typ=frozenset({"at+jwt"}), audience=frozenset({"gateway"}), issuer="utility")
PROOF = JwsPolicy(typ=frozenset({"dpop+jwt"}), proof_key=True)
SEALED = JwsPolicy(typ=frozenset({"ecert+jwt"}), x5c=True)


def jws(data: bytes) -> None:
    """A token of any spelling, for three uses."""
    for policy in (PLAIN, PROOF):
        try:
            verify_jws(data, [token_key().public()], policy, AT)
        except GatewayError:
            continue
    read_claims(read_jws(data, SEALED), AT)


def jws_signed(data: bytes) -> None:
    """Header and payload, a line each, properly signed."""
    header, _, payload = data.partition(b"\n")
    jws(make_token(header, payload, token_key().private_key))


def public_key(data: bytes) -> None:
    for scheme in Scheme:
        try:
            load_public_key(scheme, data)
        except GatewayError:
            continue


def signature(data: bytes) -> None:
    for scheme, (key, message) in seeds.signers().items():
        for encoding in (None, "der", "raw"):
            try:
                verify_signature(scheme, key, message, data, encoding=encoding)  # type: ignore[arg-type]
            except GatewayError:
                continue


def certificate(data: bytes) -> None:
    read = load_signing_certificate(data)
    _ = (read.subject_text, read.issuer_text, read.is_ca, read.valid_at(AT), read.purposes(), read.crl_addresses())
    _ = (read.ocsp_addresses(), read.key_digest(), read.authority_key_id, read.key_usage(), read.basic_constraints())


def chain(data: bytes) -> None:
    """A certificate, its tbsCertificate anything, properly signed by the CA: as a leaf, and as a CA above the leaf."""
    pki = seeds.pki()
    made = x509_writer.signed(data, pki.ca.key)
    verify_chain(made, [pki.ca.certificate], [pki.root.certificate], AT, crls=[pki.crl], status=[pki.ocsp])
    above = x509_writer.signed(data, pki.root.key)
    verify_chain(pki.leaf.certificate, [above, made], [pki.root.certificate], AT, policies=["1.2.3"])


def crl(data: bytes) -> None:
    """A list as it comes, and as the body of one that is properly signed."""
    pki = seeds.pki()
    verify_chain(
        pki.leaf.certificate,
        [pki.ca.certificate],
        [pki.root.certificate],
        AT,
        crls=[data, x509_writer.signed(data, pki.ca.key), pki.root_crl],
    )
    load_crl(data)


def note(data: bytes) -> None:
    """A signed note has one spelling, and so has the checkpoint in it."""
    read = parse_note(data)
    assert str(read).encode() == data
    assert parse_checkpoint(read.text).text() == read.text


def record_leaf(data: bytes) -> None:
    """A leaf of the super log has one spelling."""
    try:
        read = decode_leaf(data)
    except ValueError:
        raise NoteInvalid("no leaf") from None
    assert encode_leaf(read) == data


def ocsp(data: bytes) -> None:
    """A response as it comes, and as the body of one that is properly signed."""
    pki = seeds.pki()
    method, value = x509_writer.signature(pki.ca.key, data)
    basic = x509_writer.seq(data, method, value)
    responded = x509_writer.seq(
        x509_writer.encode(0x0A, b"\0"),
        x509_writer.encode(0xA0, x509_writer.seq(x509_writer.oid("1.3.6.1.5.5.7.48.1.1"), x509_writer.octets(basic))),
    )
    verify_chain(
        pki.leaf.certificate,
        [pki.ca.certificate],
        [pki.root.certificate],
        AT,
        crls=[pki.root_crl],
        status=[data, responded],
    )
    load_response(data)


def _judge(envelope: bytes, status_list: bytes) -> None:
    province, evidence = seeds.province(), seeds.province_evidence()
    province.verifier().verify(
        envelope,
        KindRegistry.discover().get("business_licence"),
        AT,
        HolderExpectation(ENTERPRISE),
        StatusEvidence({LIST_URI: status_list}, evidence.crls),
    )


def status_list(data: bytes) -> None:
    """A status list's payload, properly signed, and a status list as it comes."""
    holder = seeds.province().jws.pki.seals["status-lists"]
    made = make_token({"alg": "ES256", "typ": "statuslist+jwt", "x5c": x5c(holder)}, data, holder.key)
    for token in (made, data):
        _judge(seeds.envelope(), token)


def envelope(data: bytes) -> None:
    """An e-certificate's payload, properly sealed, and an envelope as it comes (of any form)."""
    holder = seeds.province().jws.pki.seals["market-supervision"]
    made = make_token({"alg": holder.algorithm, "typ": "ecert+jwt", "x5c": x5c(holder)}, data, holder.key)
    for sealed in (made, data):
        _judge(sealed, seeds.status_list())


def ofd(data: bytes) -> None:
    verify_ofd(data, [seeds.ofd_pki().root.certificate], ofd_writer.NOW, intermediates=[seeds.ofd_pki().ca.certificate])


def ofd_entry(data: bytes) -> None:
    """One file of an e-licence, named by the first byte, becomes the rest."""
    files = seeds.licence_files()
    if data:
        path = sorted(files)[data[0] % len(files)]
        changed = ofd_writer.pack(files | {path: data[1:]})
        ofd(changed)
        _judge(changed, seeds.status_list())


def seal(data: bytes) -> None:
    for read in (parse_sealed_value, parse_cms):
        try:
            read(data)
        except GatewayError:
            continue


_JSON = (b"\\u0000", b"\\ud800", b'"alg":"none"', b"1e400", b"NaN", b"\xef\xbb\xbf", b'"exp":', b'"crit":["exp"]')
_XML = (
    b"<!DOCTYPE a>",
    b"<!ENTITY a 'b'>",
    b"&#0;",
    b"&a;",
    b"<![CDATA[",
    b"xmlns:a=''",
    b"../",
    b"</",
    b"<?a?>",
    b"\0",
)
TARGETS = {
    target.name: target
    for target in (
        Target("der", der, seeds.der),
        Target("json", lambda data: parse_object(data, max_bytes=16 * KIB), seeds.json_texts, words=_JSON),
        Target("jwk", jwk, seeds.jwks, words=_JSON),
        Target("jws", jws, seeds.tokens, words=(b".", b"=", b"eyJ")),
        Target("jws-signed", jws_signed, seeds.token_parts, words=_JSON),
        Target("public-key", public_key, seeds.public_keys),
        Target("algorithm", scheme_of, seeds.algorithms),
        Target("signature", signature, seeds.signatures),
        Target("certificate", certificate, seeds.certificates),
        Target("chain", chain, seeds.certificate_bodies),
        Target("crl", crl, seeds.crls, max_bytes=64 * KIB),
        Target("ocsp", ocsp, seeds.ocsp_responses),
        Target("note", note, seeds.notes, words=(b"\n\n", b"\xe2\x80\x94 ", b"=")),
        Target("record-leaf", record_leaf, seeds.record_leaves, words=_JSON),
        Target("status-list", status_list, seeds.status_lists, words=_JSON),
        Target("envelope", envelope, seeds.envelopes, max_bytes=256 * KIB, words=_JSON),
        Target("xml", parse_xml, seeds.xml_texts, words=_XML),
        Target("seal", seal, seeds.sealed_values),
        Target("ofd", ofd, seeds.ofds, max_bytes=256 * KIB, words=(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")),
        Target("ofd-entry", ofd_entry, seeds.ofd_entries, max_bytes=64 * KIB, words=_XML),
    )
}
