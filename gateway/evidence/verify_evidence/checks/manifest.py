"""The manifest: which files there are, by the gateway's signature, and which of them nobody looked at."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from ..errors import NotProved, Refused
from ..examination import BUNDLES, Examination
from ..jose import Jws, verify_by_one
from ..reading import epoch, number_of, sha256_hex, text_of, told
from ..texts import PROVED, STATED, UNKNOWN, WITHHELD, WRONG

MANIFEST: Final = "manifest.jws"
ACCOUNTS: Final = ("application.json", "certificates.json", "deliveries.json", "outcomes.json", "reasons.json")
"""What every bundle has, however little there is to tell."""
SINCE_2: Final = ("contracts.json",)
BY_DIGEST: Final = ("certificates/", "chain/", "contracts/", "outcomes/", "status/")
"""Folders whose files are named after their SHA-256."""


def check_manifest(examined: Examination) -> bool:
    """Whether the files are those of a manifest that can be read; its signature is told in any case."""
    examined.seen.add(MANIFEST)
    if MANIFEST not in examined.files:
        examined.say(WRONG, "file.missing", MANIFEST)
        return False
    if not examined.attempt(lambda: _read_manifest(examined), "manifest.wrong", MANIFEST):
        return False
    return _files_are_listed(examined)


def _read_manifest(examined: Examination) -> None:
    token = Jws.read(examined.files[MANIFEST], "evidence-manifest+jwt")
    examined.claims = token.claims()
    examined.version = number_of(examined.claims, "v")
    if examined.version not in BUNDLES:
        raise Refused("a version that this verifier does not know")
    examined.application, examined.issuer = text_of(examined.claims, "application"), text_of(examined.claims, "iss")
    at = epoch(examined.claims.get("iat"))
    listed = examined.claims.get("files")
    if not isinstance(listed, dict) or not isinstance(examined.claims.get("redacted"), bool):
        raise Refused("it is incomplete")
    answering = [key for key in examined.anchors.gateway if key.kid.startswith("answer-")]
    facts = {"at": told(at), "files": len(listed)}
    try:
        kid = verify_by_one(token, answering, "any", at, "the gateway")
    except NotProved as doubt:
        examined.say(UNKNOWN, "manifest.wrong", MANIFEST, why=str(doubt))
    else:
        examined.say(PROVED, "manifest", MANIFEST, key=kid, **facts)


def _files_are_listed(examined: Examination) -> bool:
    listed: Mapping[str, Any] = examined.claims["files"]
    whole = True
    for name in sorted({*listed, *examined.files} - {MANIFEST}):
        if name not in examined.files:
            examined.say(WRONG, "file.missing", name)
        elif name not in listed:
            examined.say(WRONG, "file.extra", name)
        else:
            digest = sha256_hex(examined.files[name])
            if listed[name] != {"sha256": digest, "size": len(examined.files[name])}:
                examined.say(WRONG, "file.digest", name)
            elif name.startswith(BY_DIGEST) and name.partition("/")[2].partition(".")[0] != digest:
                examined.say(WRONG, "file.name", name)
            else:
                continue
        whole = False
    return whole


def check_rest(examined: Examination) -> None:
    """What was left out, what no check knows, and what no bundle can prove."""
    accounts = {*ACCOUNTS, *(SINCE_2 if examined.version > 1 else ())}
    for name in sorted(accounts - examined.files.keys()):
        examined.say(UNKNOWN, "file.absent", name)
    redacted = Counter(what for (what, _), why in examined.left_out.items() if why == "redacted")
    mark, code = (WITHHELD, "withheld") if examined.redacted else (UNKNOWN, "withheld.whole")
    for what, count in sorted(redacted.items()):
        examined.say(mark, code, "", what=what, count=count)
    for name in sorted(examined.files.keys() - examined.seen):
        examined.say(UNKNOWN, "file.unused", name)
    examined.say(STATED, "limits")
