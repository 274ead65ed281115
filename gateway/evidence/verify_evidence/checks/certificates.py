"""Certificates: which judgements there are, on what they rested, and which documents nobody judged."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..examination import Examination
from ..reading import members_of
from ..texts import STATED, UNKNOWN
from .envelopes import prove_certificate


def check_certificates(examined: Examination) -> None:
    """Each judgement anew as of then; each document that nobody judged, and why."""
    account = examined.object("certificates.json") or {}
    others = [examined.files[each] for each in sorted(examined.files) if each.startswith("chain/")]
    judgements = [each for each in members_of(account, "judgements") if isinstance(each, dict)]
    examined.seen |= {each for each in examined.files if each.startswith("chain/")}
    examined.seen |= {name for each in judgements for name in _rested_on(each)}
    covered: set[tuple[str, str]] = set()
    missing: dict[tuple[str, str], str] = {}
    for judgement in judgements:
        kind, digest = str(judgement.get("kind")), str(judgement.get("envelope_sha256"))
        facts = {"kind": kind, "at": str(judgement.get("judged_at"))}
        if (kind, digest) not in _spoken_of(examined):
            examined.say(UNKNOWN, "certificate.unbound", "certificates.json", kind=kind)
        elif judgement.get("verdict") != "valid":
            judged = {"verdict": judgement.get("verdict"), "check": judgement.get("check")}
            examined.say(STATED, "certificate.verdict", "certificates.json", kind=kind, **judged)
        elif (name := _envelope(examined, digest)) is None:
            missing.setdefault((kind, digest), "certificates.json")
        else:
            covered.add((kind, digest))
            work = lambda j=judgement, n=name: prove_certificate(examined, j, n, others)  # noqa: E731
            examined.attempt(work, "certificate.wrong", name, "certificate.unknown", **facts)
    for kind, verdict, digest, where in _documents(examined):
        if verdict == "self_declared":
            examined.say(STATED, "declared", where, kind=kind)
        else:
            missing[kind, digest] = where
    for (kind, digest), where in missing.items():
        if (kind, digest) not in covered:
            mark, why = examined.why_absent("envelope", digest)
            examined.say(mark, "certificate.absent", where, kind=kind, why=why, digest=digest)


def _rested_on(judgement: Mapping[str, Any]) -> Iterator[str]:
    """The files that a judgement names, whatever it has in place of texts."""
    lists = judgement.get("status_lists")
    named = [*(lists.values() if isinstance(lists, dict) else ()), *members_of(judgement, "crls")]
    for digest in (*named, *members_of(judgement, "ocsp")):
        yield from (f"status/{digest}.{suffix}" for suffix in ("jwt", "crl", "ocsp"))
    yield from (f"certificates/{judgement.get('envelope_sha256')}.{suffix}" for suffix in ("jws", "ofd"))


def _envelope(examined: Examination, digest: str) -> str | None:
    return next(
        (each for suffix in ("jws", "ofd") if (each := f"certificates/{digest}.{suffix}") in examined.files), None
    )


def _documents(examined: Examination) -> Iterator[tuple[str, str, str, str]]:
    """Kind, verdict and digest of each document that the application rests on, and the entry that says so."""
    for entry in examined.entries_of("application.submitted"):
        for each in entry.facts.get("documents") or ():
            parts = str(each).split(":")
            if len(parts) == 3:
                yield parts[0], parts[1], parts[2], entry.where


def _spoken_of(examined: Examination) -> set[tuple[str, str]]:
    spoken = {(kind, digest) for kind, _, digest, _ in _documents(examined)}
    for entry in examined.entries_of("licence.disclosed", "certificate.changed"):
        spoken.add((str(entry.facts.get("kind")), str(entry.facts.get("envelope_sha256"))))
    return spoken
