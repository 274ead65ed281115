"""Tokens for one policy, one case a file: RFC 8725's attacks and what JOSE libraries commonly let through."""

import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.crypto import sm2
from gateway.crypto.jwk import SigningKey, VerificationKey, export_jwk
from tests.support.tokens import AT, NOW, b64, make_token, malleable_twin, unb64

HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}
CLAIMS = {"iss": "issuer", "aud": "gateway", "iat": NOW, "exp": NOW + 60, "jti": "1"}
Case = tuple[str, bytes, str | None, str]


def about() -> tuple[dict[str, Any], list[Case]]:
    """What all cases share, and the cases: name, token, failed check (None: good), what is wrong."""
    key, ed, national = (
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        sm2.generate_private_key(),
    )
    keys = [
        SigningKey("k1", "ES256", key).public(),
        SigningKey("k2", "EdDSA", ed).public(),
        VerificationKey("k3", national.public_key.spki, frozenset({"SM2-SM3"})),
    ]
    shared = {
        "at": AT.isoformat(),
        "typ": "at+jwt",
        "audience": "gateway",
        "issuer": "issuer",
        "algorithms": ["ES256", "EdDSA", "SM2-SM3"],
        "keys": [export_jwk(each) for each in keys],
    }
    return shared, [*_algorithms(key, ed, national), *_headers(key), *_spellings(key), *_claims(key)]


def _made(key: Any, head: Any = None, **changes: object) -> bytes:
    return make_token({**HEADER, **(head or {})}, {**CLAIMS, **changes}, key)


def _algorithms(key: Any, ed: Any, national: Any) -> list[Case]:
    good = _made(key)
    head, payload, signature = good.split(b".")
    raw = unb64(signature)
    none = b64(b'{"alg":"none","typ":"at+jwt"}').encode()
    hs = b64(json.dumps(HEADER | {"alg": "HS256"}).encode()).encode()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = b64(hmac.digest(pem, hs + b"." + payload, hashlib.sha256)).encode()
    der = b64(encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))).encode()
    by_ed = make_token(HEADER | {"alg": "EdDSA", "kid": "k2"}, CLAIMS, ed, "EdDSA")
    by_sm2 = make_token(HEADER | {"alg": "SM2-SM3", "kid": "k3"}, CLAIMS, national, "SM2-SM3")
    sm2_head = by_sm2.rsplit(b".", 1)[0]
    sm2_der = b64(national.sign(sm2_head)).encode()
    crossed = make_token(HEADER | {"kid": "k2"}, CLAIMS, key)
    stranger = ec.generate_private_key(ec.SECP256R1())
    return [
        ("good", good, None, "Nothing is wrong with it."),
        ("good-eddsa", by_ed, None, "Nothing is wrong with it."),
        ("good-sm2", by_sm2, None, "Nothing is wrong with it."),
        ("malleable", malleable_twin(good.decode()).encode(), None, "r and n − s verify too; it is a replay of good by its jti."),
        ("none", none + b"." + payload + b".", "jose.algorithm", "alg is none and the signature is empty."),
        ("none-signed", none + b"." + payload + b"." + signature, "jose.algorithm", "alg is none beside a signature."),
        ("hmac", hs + b"." + payload + b"." + mac, "jose.algorithm", "The public key in PEM is the secret of an HMAC."),
        ("rs384", _made(key, {"alg": "RS384"}), "jose.algorithm", "An algorithm of certificates, not of tokens."),
        ("es256-small", _made(key, {"alg": "es256"}), "jose.algorithm", "alg in lower case."),
        ("alg-list", _made(key, {"alg": ["ES256"]}), "jose.algorithm", "alg is a list."),
        ("der", head + b"." + payload + b"." + der, "jose.signature_length", "The signature is DER."),
        ("short", good[:-2], "jose.signature_length", "The signature lacks a byte."),
        ("empty-signature", head + b"." + payload + b".", "jose.signature_length", "There is no signature."),
        ("zero-signature", head + b"." + payload + b"." + b64(bytes(64)).encode(), "jose.signature", "r and s are 0."),
        ("sm2-der", sm2_head + b"." + sm2_der, "jose.signature_length", "An SM2 signature in DER."),
        ("other-key", make_token(HEADER, CLAIMS, stranger), "jose.signature", "Another key than k1 signed it."),
        ("kid-of-another", crossed, "jose.key_unknown", "kid names a key of another algorithm."),
        ("kid-unknown", _made(key, {"kid": "k9"}), "jose.key_unknown", "kid names no registered key."),
        ("kid-path", _made(key, {"kid": "../../dev/null"}), "jose.key_unknown", "kid is a path."),
        ("kid-number", _made(key, {"kid": 1}), "jose.kid", "kid is a number."),
    ]  # fmt: skip


def _headers(key: Any) -> list[Case]:
    public = export_jwk(SigningKey("k1", "ES256", key).public())
    return [
        ("dpop-as-access", _made(key, {"typ": "dpop+jwt"}), "jose.typ", "A DPoP proof is no access token."),
        ("typ-jwt", _made(key, {"typ": "JWT"}), "jose.typ", "typ says nothing of the use."),
        ("no-typ", make_token({"alg": "ES256", "kid": "k1"}, CLAIMS, key), "jose.typ", "typ is missing."),
        ("crit", _made(key, {"crit": ["exp"]}), "jose.crit", "crit names something unknown."),
        ("crit-empty", _made(key, {"crit": []}), "jose.crit", "crit is empty."),
        ("crit-twice", _made(key, {"crit": ["b64", "b64"], "b64": True}), "jose.crit", "crit names the same twice."),
        ("b64-false", _made(key, {"b64": False}), "jose.header_key", "b64 changes what is signed."),
        ("jwk", _made(key, {"jwk": public}), "jose.header_key", "It brings its own key."),
        ("jku", _made(key, {"jku": "https://evil.example/keys"}), "jose.header_key", "It names where its key is."),
        ("x5u", _made(key, {"x5u": "https://evil.example/chain"}), "jose.header_key", "It names where its chain is."),
        ("x5c", _made(key, {"x5c": ["AA=="]}), "jose.header_key", "It brings a chain."),
        ("x5t", _made(key, {"x5t#S256": b64(bytes(32))}), "jose.header_key", "It names a certificate."),
        ("zip", _made(key, {"zip": "DEF"}), "jose.header_key", "It asks for unpacking."),
        ("claim-in-header", _made(key, {"iss": "other"}), "jose.header_key", "The header says a claim too."),
    ]


def _spellings(key: Any) -> list[Case]:
    good = _made(key)
    text = json.dumps(HEADER).encode()

    def headed(head: bytes) -> bytes:
        return make_token(head, CLAIMS, key)

    def saying(payload: bytes) -> bytes:
        return make_token(HEADER, payload, key)

    claims = json.dumps(CLAIMS).encode()
    return [
        ("padding", good + b"=", "jose.base64url", "The signature is padded."),
        ("trailing-bits", _sibling(good), "jose.base64url", "The last character has non-zero unused bits."),
        ("line-end", good + b"\n", "jose.base64url", "A line end follows the token."),
        ("space-before", b" " + good, "jose.base64url", "A space stands before the token."),
        ("standard-alphabet", good[:-3] + b"+/" + good[-1:], "jose.base64url", "+ and / of the other base64."),
        ("four-parts", good + b".", "jose.compact", "It has four parts."),
        ("two-parts", good.rsplit(b".", 1)[0], "jose.compact", "It has two parts."),
        ("json-serialization", json.dumps({"payload": "e30", "signatures": []}).encode(), "jose.compact", "JSON serialization."),
        ("duplicate-alg", headed(b'{"alg":"none",' + text[1:]), "jose.duplicate_member", "The header says alg twice."),
        ("duplicate-escaped", headed(b'{"\\u0061lg":"none",' + text[1:]), "jose.duplicate_member", "alg twice, once escaped."),
        ("duplicate-nested", saying(claims[:-1] + b',"a":[{"b":1,"b":2}]}'), "jose.duplicate_member", "A nested member twice."),
        ("duplicate-exp", saying(b'{"exp":1,' + claims[1:]), "jose.duplicate_member", "exp twice."),
        ("bom", headed(b"\xef\xbb\xbf" + text), "jose.json", "A byte order mark."),
        ("utf-16", headed(text.decode().encode("utf-16-le")), "jose.json", "The header is UTF-16."),
        ("not-utf-8", saying(claims[:-1] + b',"a":"\xff"}'), "jose.encoding", "A byte that is no UTF-8."),
        ("surrogate", saying(claims[:-1] + b',"a":"\\ud800"}'), "jose.encoding", "A lone surrogate."),
        ("nul", saying(claims[:-1] + b',"a":"\\u0000"}'), "jose.encoding", "A NUL in a text."),
        ("deep", saying(claims[:-1] + b',"a":' + b"[" * 40 + b"]" * 40 + b"}"), "jose.depth", "Forty lists in one another."),
        ("array", saying(b"[]"), "jose.json", "The payload is a list."),
        ("comment", headed(text + b"/**/"), "jose.json", "A comment follows the header."),
        ("trailing-comma", headed(text[:-1] + b",}"), "jose.json", "A comma too many."),
        ("oversize", make_token(HEADER, CLAIMS | {"a": "x" * 16_000}, key), "jose.oversize", "More than 16 KiB."),
    ]  # fmt: skip


def _claims(key: Any) -> list[Case]:
    huge = json.dumps(CLAIMS).replace(str(NOW + 60), "1e400").encode()
    nan = json.dumps(CLAIMS).replace(str(NOW + 60), "NaN").encode()
    return [
        ("string-exp", _made(key, exp=str(NOW + 60)), "jose.time", "exp is a string."),
        ("bool-exp", _made(key, exp=True), "jose.time", "exp is true, which Python counts as 1."),
        ("null-exp", _made(key, exp=None), "jose.time", "exp is null."),
        ("list-iat", _made(key, iat=[NOW]), "jose.time", "iat is a list."),
        ("millisecond-exp", _made(key, exp=NOW * 1000), "jose.time", "exp counts milliseconds, past the year 9999."),
        ("endless-exp", make_token(HEADER, huge, key), "jose.json", "exp is 1e400."),
        ("nan-exp", make_token(HEADER, nan, key), "jose.json", "exp is NaN."),
        ("negative-iat", _made(key, iat=-1), "jose.time", "iat lies before 1970."),
        ("expired", _made(key, exp=NOW - 31), "jose.expired", "exp lies further back than the leeway."),
        ("future-iat", _made(key, iat=NOW + 31), "jose.issued_in_future", "iat lies further ahead than the leeway."),
        ("future-nbf", _made(key, nbf=NOW + 31), "jose.not_yet_valid", "nbf lies further ahead than the leeway."),
        ("other-issuer", _made(key, iss="other"), "jose.issuer", "Someone else issued it."),
        ("other-audience", _made(key, aud="other"), "jose.audience", "It was issued for someone else."),
        ("prefix-audience", _made(key, aud="gateway.evil.example"), "jose.audience", "aud only begins like ours."),
        ("number-audience", _made(key, aud=["gateway", 1]), "jose.audience", "A number among the audiences."),
        ("list-issuer", _made(key, iss=["issuer"]), "jose.claim_type", "iss is a list."),
        ("number-jti", _made(key, jti=1), "jose.claim_type", "jti is a number."),
    ]


def _sibling(token: bytes) -> bytes:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + bytes([alphabet[alphabet.index(token[-1]) ^ 1]])
