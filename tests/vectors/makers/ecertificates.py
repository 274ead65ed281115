"""Envelopes of e-certificates with their trust and evidence; one case a file."""

import json
from pathlib import Path

from tests.support.ecertificates import AT, ENTERPRISE, LIST_URI, Province, b64, x5c
from tests.support.tokens import malleable_twin

_UNKNOWABLE = {"status.out_of_range", "chain.no_anchor"}


def write(folder: Path) -> None:
    """The files of one run into ``folder``."""
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
        (
            "malleable",
            malleable_twin(good.decode()).encode(),
            None,
            "r and n − s verify too; what it says is the same.",
        ),
        (
            "other-digest",
            province.envelope(header={"x5t#S256": b64(bytes(32))}),
            "jose.x5c",
            "The header names another certificate than it brings.",
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
