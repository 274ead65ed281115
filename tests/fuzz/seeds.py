"""Good inputs to start from, written by the suite's own writers; keys are made afresh in each process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.certificates.status_lists import StatusEvidence
from gateway.crypto import sm2
from gateway.crypto.der import parse
from gateway.crypto.jwk import VerificationKey, algorithms_of, export_jwk
from gateway.crypto.schemes import Scheme
from gateway.records.super_log import SuperLeaf, encode_leaf
from tests.support import ofd_writer, x509_writer
from tests.support.ofd_licence import OfdProvince
from tests.support.ofd_writer import Recipe
from tests.support.tokens import NOW, make_token, raw_signature, unb64
from tests.support.x509_writer import AT, DAY, Entity, Revoked

MESSAGE = b"message"
CLAIMS = {"iss": "utility", "aud": "gateway", "exp": NOW + 60, "iat": NOW, "nbf": NOW, "jti": "1"}


@dataclass(frozen=True)
class Pki:
    """A root, a CA, a leaf, and what says that neither is revoked."""

    root: Entity
    ca: Entity
    leaf: Entity
    root_crl: bytes
    crl: bytes
    ocsp: bytes


@cache
def pki() -> Pki:
    top = x509_writer.root()
    ca = top.issue_ca("中间机构", path_length=0)
    leaf = ca.issue(
        "签章者", x509_writer.SEAL, x509_writer.crl_points(x509_writer.point([x509_writer.uri("http://a.example/1")]))
    )
    answer = x509_writer.single(x509_writer.certificate_id(leaf, ca))
    return Pki(top, ca, leaf, x509_writer.crl(top), x509_writer.crl(ca, Revoked(7)), x509_writer.ocsp(ca, answer))


@cache
def keys() -> dict[str, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey]:
    return {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "RS256": rsa.generate_private_key(65537, 2048),
    }


@cache
def sm2_key() -> sm2.Sm2PrivateKey:
    return sm2.generate_private_key()


@cache
def signers() -> Mapping[Scheme, tuple[bytes, bytes]]:
    """A public key in DER and a message for every scheme."""
    of = {scheme: spki(keys()["RS256"]) for scheme in Scheme if scheme.startswith(("RS", "PS"))}
    of |= {scheme: spki(keys()["ES256"]) for scheme in Scheme if scheme.startswith("ecdsa")}
    of |= {Scheme.ES256: spki(keys()["ES256"]), Scheme.ES384: spki(keys()["ES384"])}
    of |= {Scheme.EDDSA: spki(keys()["EdDSA"]), Scheme.SM2_SM3: sm2_key().public_key.spki}
    return {scheme: (key, MESSAGE) for scheme, key in of.items()}


def spki(private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_keys() -> list[bytes]:
    pem = keys()["ES256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return [*(spki(key) for key in keys().values()), sm2_key().public_key.spki, pem]


def signatures() -> list[bytes]:
    made = [raw_signature(key, name, MESSAGE) for name, key in keys().items()]
    der = sm2_key().sign(MESSAGE)
    return [*made, der, sm2.signature_to_raw(der), sm2.signature_to_der(sm2.signature_to_raw(der))]


def algorithms() -> list[bytes]:
    pss = (
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108"
        "300d06096086480165030402010500a203020120"
    )
    return [bytes.fromhex(text) for text in (pss, "300d06092a864886f70d01010b0500", "300a06082a811ccf55018375")]


def json_texts() -> list[bytes]:
    deep = {"a": [{"b": [1, 2.5, None, True, "文本", "\U0001f600"]}] * 2, "c": '\\"[[{{'}
    return [json.dumps(CLAIMS).encode(), json.dumps(deep).encode(), b"{}"]


def jwks() -> list[bytes]:
    public = [key.public_key() for key in keys().values()]
    found = [VerificationKey("k", key, algorithms_of(key)) for key in (*public, sm2_key().public_key.spki)]
    return [json.dumps(export_jwk(key) | {"key_ops": ["verify"]}).encode() for key in found]


def token_parts() -> list[bytes]:
    """Header and payload, a line each."""
    public = keys()["ES256"].public_key()
    jwk = export_jwk(VerificationKey("k", public, algorithms_of(public)))
    heads = ({"typ": "at+jwt", "kid": "k1"}, {"typ": "dpop+jwt", "jwk": jwk}, {"typ": "ecert+jwt", "x5c": ["AA=="]})
    return [json.dumps({"alg": "ES256"} | head).encode() + b"\n" + json.dumps(CLAIMS).encode() for head in heads]


def tokens() -> list[bytes]:
    return [make_token(*part.split(b"\n", 1), keys()["ES256"]) for part in token_parts()]


def certificates() -> list[bytes]:
    """A root, a CA with constraints of all kinds, a leaf that names much, one of SM2."""
    made = pki()
    w = x509_writer
    rich = made.root.issue_ca(
        "限制",
        w.name_constraints(permitted=[w.dns("example.cn"), w.directory(w.name("测试"))], excluded=[w.ip(bytes(8))]),
        w.policies("1.2.3", "2.5.29.32.0"),
        w.mappings(("1.2.3", "1.2.4")),
        w.policy_constraints(1, 0),
        w.inhibit_any(0),
        path_length=2,
    )
    named = made.ca.issue(
        w.name("签章者", o="测试局", code="11440000000000000A", email="a@example.cn"),
        w.SEAL,
        w.purposes("1.3.6.1.5.5.7.3.36"),
        w.alternative_names(w.dns("a.example.cn"), w.uri("https://a.example.cn/x"), w.mail("a@example.cn")),
        w.ocsp_at("http://ocsp.example/1"),
        w.crl_points(w.point([w.uri("http://a.example/1")], reasons=w.bits(1, 2))),
    )
    national = ofd_pki()
    found = [made.root, made.ca, made.leaf, rich, named]
    return [each.certificate for each in found] + [national.root.certificate, national.signer.certificate]


def certificate_bodies() -> list[bytes]:
    """tbsCertificates: of the CA and of leaves under it."""
    return [parse(each).children()[0].raw for each in certificates()]


def crls() -> list[bytes]:
    made, w = pki(), x509_writer
    entries = [Revoked(number, AT - DAY, reason=1) for number in range(40)]
    lists = [made.crl, w.crl(made.ca, *entries, extensions=[w.scope([w.uri("http://a.example/1")])])]
    lists += [
        w.crl(made.ca, Revoked(3, issuer=made.root.subject), extensions=[w.scope(indirect=True)]),
        w.crl(made.ca, base=1),
    ]
    return lists + [parse(each).children()[0].raw for each in lists]


def notes() -> list[bytes]:
    line = "— gateway.example/record 1gTATrEBDbnLN0DT/8nFo7RcR0MSkn2pQjKSYBSrgVhoyV5V\n"
    root = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    texts = (f"gateway.example/record\n7\n{root}\n", "a\n\nb\n")
    return [f"{text}\n{line * count}".encode() for text in texts for count in (1, 2)]


def record_leaves() -> list[bytes]:
    return [encode_leaf(SuperLeaf("4f0c5d1e2a3b", last, 1, bytes(32))) for last in (1, 300)]


def ocsp_responses() -> list[bytes]:
    made, w = pki(), x509_writer
    about = w.certificate_id(made.leaf, made.ca)
    responder = made.ca.issue("应答者", w.SEAL, w.purposes("1.3.6.1.5.5.7.3.9"), w.NO_CHECK)
    found = [
        made.ocsp,
        w.ocsp(made.ca, w.single(about, w.revoked_since(reason=1)), w.single(about, w.UNKNOWN)),
        w.ocsp(responder, w.single(about), certificates=[responder], by_key=True),
    ]
    basics = [parse(each).children()[1].children()[0].children()[1].octets() for each in found]
    return found + [parse(each).children()[0].raw for each in basics]


def der() -> list[bytes]:
    return [*certificates(), *public_keys()[:5], *sealed_values()]


@cache
def ofd_pki() -> ofd_writer.Pki:
    return ofd_writer.Pki()


def recipes() -> list[Recipe]:
    return [
        Recipe(),
        Recipe(version=1),
        Recipe(version=5),
        Recipe(cms="attributes"),
        Recipe(cms="content"),
        Recipe(relative_paths=True),
    ]


def ofds() -> list[bytes]:
    return [ofd_writer.build(ofd_pki(), recipe) for recipe in recipes()]


def ofd_entries() -> list[bytes]:
    """A file of an e-licence, behind the octet that says which."""
    files = licence_files()
    return [bytes([number]) + files[path] for number, path in enumerate(sorted(files))]


def sealed_values() -> list[bytes]:
    return [ofd_writer.build_files(ofd_pki(), recipe)[ofd_writer.VALUE] for recipe in recipes()]


def xml_texts() -> list[bytes]:
    return [data for path, data in licence_files().items() if path.endswith(".xml")]


@cache
def province() -> OfdProvince:
    return OfdProvince()


@cache
def province_evidence() -> StatusEvidence:
    return province().evidence()


@cache
def envelope() -> bytes:
    return province().jws.envelope()


@cache
def licence() -> bytes:
    return province().licence()


@cache
def licence_files() -> dict[str, bytes]:
    return ofd_writer.unpack(licence())


@cache
def status_list() -> bytes:
    return province().jws.status_list()


def envelopes() -> list[bytes]:
    return [unb64(envelope().split(b".")[1]), envelope(), licence()]


def status_lists() -> list[bytes]:
    return [unb64(status_list().split(b".")[1]), status_list()]
