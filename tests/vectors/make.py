"""Writes the committed vectors anew: ``python -m tests.vectors.make``. Keys are fresh and thrown away at the end.

Run it only to add cases: the value of the committed bytes is that they do not follow later changes of our own code.
"""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.crypto.jwk import SigningKey, export_jwk
from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, Province, b64, seal, x5c

HERE = Path(__file__).parent
_UNKNOWABLE = {"status.out_of_range", "chain.no_anchor"}


def ecertificates() -> None:
    """Envelopes with their trust and evidence; one case a file."""
    folder = HERE / "ecertificates"
    province = Province()
    province.statuses[2], province.statuses[3] = 1, 2
    (folder / "root.der").write_bytes(province.root)
    issuers = [item.model_dump(mode="json", by_alias=True) for item in province.trust().issuers]
    (folder / "issuers.json").write_text(json.dumps(issuers, ensure_ascii=False, indent=1), "utf-8")
    (folder / "status-list.jwt").write_bytes(province.status_list())
    for number, crl in enumerate(province.crls()):
        (folder / f"list-{number}.crl").write_bytes(crl)
    good = province.envelope()
    head, payload, signature = good.split(b".")
    middle = len(payload) // 2
    flipped = payload[:middle] + (b"A" if payload[middle : middle + 1] != b"A" else b"B") + payload[middle + 1 :]
    duplicated = json.dumps({"alg": "ES256", "typ": "ecert+jwt", "x5c": x5c(province.pki.seals["market-supervision"])})
    twice = b64(duplicated.replace("{", '{"alg": "EdDSA", ', 1).encode()).encode()
    cases: list[tuple[str, bytes, str | None, str]] = [
        ("good", good, None, "Nothing is wrong with it."),
        (
            "flipped-payload",
            b".".join((head, flipped, signature)),
            "envelope.signature",
            "One payload character was changed.",
        ),
        ("padded", good + b"=", "jose.base64url", "The signature carries base64 padding."),
        (
            "duplicate-alg",
            b".".join((twice, payload, signature)),
            "jose.duplicate_member",
            "The header says alg twice.",
        ),
        ("wrong-typ", province.envelope(header={"typ": "JWT"}), "jose.typ", "typ is JWT, not ecert+jwt."),
        (
            "jku",
            province.envelope(header={"jku": "https://evil.example"}),
            "jose.header_key",
            "The header names a key address.",
        ),
        ("crit", province.envelope(header={"crit": ["exp"]}), "jose.crit", "The header demands an unknown extension."),
        ("no-chain", province.envelope(header={"x5c": []}), "jose.x5c", "x5c is empty."),
        ("expired", province.envelope(ZZYXQJZRQ="2026-11-22"), "validity.expired", "Its last day was the day before."),
        ("not-yet", province.envelope(ZZYXQQSRQ="2026-11-24"), "validity.not_yet", "Its first day is the day after."),
        ("revoked", province.envelope(index=2), "status.revoked", "The status list says revoked."),
        ("suspended", province.envelope(index=3), "status.suspended", "The status list says suspended."),
        (
            "past-the-list",
            province.envelope(index=99),
            "status.out_of_range",
            "Its index lies outside the status list.",
        ),
        ("unknown-root", province.envelope(holder=province.pki.rogue), "chain.no_anchor", "Its root is no anchor."),
        (
            "other-seal",
            province.envelope(holder=province.pki.seals["housing"]),
            "issuer.mismatch",
            "The seal belongs to another authority.",
        ),
        (
            "other-key",
            province.envelope(signer=province.pki.seals["natural-resources"].key),
            "envelope.signature",
            "Another key than the seal's signed it.",
        ),
        (
            "other-holder",
            province.envelope(CZZTDM="914403001922038216"),
            "holder.mismatch",
            "It belongs to someone else.",
        ),
        ("other-jti", province.envelope(payload={"jti": "1"}), "identifier.mismatch", "jti differs from ZZBS."),
    ]
    index = []
    for name, data, check, why in cases:
        (folder / f"{name}.jws").write_bytes(data)
        verdict = "valid" if check is None else "indeterminate" if check in _UNKNOWABLE else "invalid"
        index.append({"name": name, "verdict": verdict, "check": check, "why": why})
    about = {"at": AT.isoformat(), "kind": "business_licence", "holder": ENTERPRISE, "status_list": LIST_URI}
    (folder / "index.json").write_text(json.dumps({**about, "cases": index}, ensure_ascii=False, indent=1), "utf-8")


def tokens() -> None:
    """Access tokens for one policy; one case a file."""
    folder = HERE / "tokens"
    key = SigningKey("k1", "ES256", ec.generate_private_key(ec.SECP256R1()))
    now = int(AT.timestamp())
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}
    claims = {"iss": "issuer", "aud": "gateway", "iat": now, "exp": now + 60, "jti": "1"}

    def made(head: object = None, **changes: object) -> bytes:
        return seal({**header, **(head or {})}, {**claims, **changes}, key.private_key, "ES256")  # type: ignore[dict-item]

    good = made()
    parts = good.split(b".")
    none = b64(b'{"alg":"none","typ":"at+jwt"}').encode()
    cases = [
        ("good", good, None, "Nothing is wrong with it."),
        ("none", none + b"." + parts[1] + b".", "jose.algorithm", "alg is none and the signature is empty."),
        ("hmac", made({"alg": "HS256"}), "jose.algorithm", "alg is HS256 where a public key is expected."),
        ("dpop-as-access", made({"typ": "dpop+jwt"}), "jose.typ", "A DPoP proof is no access token."),
        ("string-exp", made(exp=str(now + 60)), "jose.time", "exp is a string."),
        ("bool-exp", made(exp=True), "jose.time", "exp is true, which Python counts as 1."),
        ("expired", made(exp=now - 31), "jose.expired", "exp lies further back than the leeway."),
        ("future-iat", made(iat=now + 31), "jose.issued_in_future", "iat lies further ahead than the leeway."),
        ("other-audience", made(aud="other"), "jose.audience", "It was issued for someone else."),
        ("b64-false", made({"b64": False}), "jose.header_key", "b64 changes what is signed."),
        ("jwk", made({"jwk": export_jwk(key.public())}), "jose.header_key", "It brings its own key."),
        ("padding", good + b"=", "jose.base64url", "The signature is padded."),
        ("trailing-bits", _sibling(good), "jose.base64url", "The last character has non-zero unused bits."),
        ("line-end", good + b"\n", "jose.base64url", "A line end follows the token."),
        ("short", good[:-2], "jose.signature_length", "The signature lacks a byte."),
        ("four-parts", good + b".", "jose.compact", "It has four parts."),
    ]
    index = []
    for name, data, check, why in cases:
        (folder / f"{name}.jwt").write_bytes(data)
        index.append({"name": name, "check": check, "why": why})
    about = {"at": AT.isoformat(), "typ": "at+jwt", "audience": "gateway", "issuer": "issuer"}
    content = {**about, "key": export_jwk(key.public()), "cases": index}
    (folder / "index.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def _sibling(token: bytes) -> bytes:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + bytes([alphabet[alphabet.index(token[-1]) ^ 1]])


if __name__ == "__main__":
    ecertificates()
    tokens()
