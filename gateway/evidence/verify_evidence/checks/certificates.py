"""Certificates: which judgements there are, on what they rested, and which documents nobody judged."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from ..errors import Refused
from ..examination import Examination
from ..reading import SKEW, instant_of, members_of, told
from ..record import Entry
from ..texts import STATED, UNKNOWN
from ..work import spend
from .envelopes import prove_certificate

MAX_JUDGEMENTS: Final = 256
"""Each may take hundreds of signatures."""
BEFORE_SUBMISSION: Final = timedelta(days=31)
"""An intake may wait that long for its applicant or an officer after its certificates were judged."""
BEFORE_ANSWER: Final = timedelta(days=2)
"""The same verdict on the same evidence is kept once; a status list serves a day."""


def check_certificates(examined: Examination) -> None:
    """Each judgement anew as of then; each document that nobody judged, and why."""
    account = examined.object("certificates.json") or {}
    others = [examined.files[each] for each in sorted(examined.files) if each.startswith("chain/")]
    judgements = [each for each in members_of(account, "judgements") if isinstance(each, dict)]
    if len(judgements) > MAX_JUDGEMENTS:
        examined.say(UNKNOWN, "certificate.many", "certificates.json", count=len(judgements))
        judgements = judgements[:MAX_JUDGEMENTS]
    examined.seen |= {each for each in examined.files if each.startswith("chain/")}
    examined.seen |= {name for each in judgements for name in _rested_on(each)}
    spoken = _spoken_of(examined)
    covered: dict[tuple[str, str], list[datetime]] = {}
    missing: dict[tuple[str, str], str] = {}
    for judgement in judgements:
        kind, digest = str(judgement.get("kind")), str(judgement.get("envelope_sha256"))
        facts = {"kind": kind, "at": str(judgement.get("judged_at"))}
        if (kind, digest) not in spoken:
            examined.say(UNKNOWN, "certificate.unbound", "certificates.json", kind=kind)
        elif judgement.get("verdict") != "valid":
            judged = {"verdict": judgement.get("verdict"), "check": judgement.get("check")}
            examined.say(STATED, "certificate.verdict", "certificates.json", kind=kind, **judged)
        elif (name := _envelope(examined, digest)) is None:
            missing.setdefault((kind, digest), "certificates.json")
        else:
            covered.setdefault((kind, digest), []).extend(_time_of(judgement))
            work = lambda j=judgement, n=name: prove_certificate(examined, j, n, others)  # noqa: E731
            examined.attempt(work, "certificate.wrong", name, "certificate.unknown", **facts)
    for entry in _unclear(examined):
        examined.say(UNKNOWN, "certificate.unclear", entry.where, entry=entry.entry_id)
    for entry, kind, verdict, digest in _documents(examined):
        if verdict == "self_declared":
            examined.say(STATED, "declared", entry.where, kind=kind)
        else:
            missing[kind, digest] = entry.where
    for entry, kind, digest, within in _used(examined):
        times = covered.get((kind, digest))
        if times is None:
            missing.setdefault((kind, digest), entry.where)
        elif not any(-SKEW <= entry.at - at <= within for at in times):
            examined.say(UNKNOWN, "certificate.otherwhen", entry.where, kind=kind, at=told(entry.at))
    for (kind, digest), where in missing.items():
        if (kind, digest) not in covered:
            mark, why = examined.why_absent("envelope", digest)
            examined.say(mark, "certificate.absent", where, kind=kind, why=why, digest=digest)


def _time_of(judgement: Mapping[str, Any]) -> Iterator[datetime]:
    with suppress(Refused):  # which is told where the judgement is made anew
        yield instant_of(judgement, "judged_at")


def _used(examined: Examination) -> Iterator[tuple[Entry, str, str, timedelta]]:
    """Where the record says that a certificate was valid, its digest, and how much earlier it may have been judged."""
    for entry, kind, verdict, digest in _documents(examined):
        if verdict == "valid":
            yield entry, kind, digest, BEFORE_SUBMISSION
    for entry in examined.entries_of("licence.disclosed"):
        if entry.facts.get("verdict") == "valid":
            yield entry, str(entry.facts.get("kind")), str(entry.facts.get("envelope_sha256")), BEFORE_ANSWER


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


def _documents(examined: Examination) -> Iterator[tuple[Entry, str, str, str]]:
    """Kind, verdict and digest of each document that the application rests on, after the entry that says so."""
    for entry in examined.entries_of("application.submitted"):
        for each in members_of(entry.facts, "documents"):
            spend("documents")
            parts = _parts(each)
            if parts is not None:
                yield entry, *parts


def _parts(document: object) -> tuple[str, str, str] | None:
    parts = document.split(":") if isinstance(document, str) else ()
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def _unclear(examined: Examination) -> Iterator[Entry]:
    """Submissions that list a document in another way: nobody knows what is asked of it."""
    for entry in examined.entries_of("application.submitted"):
        listed = entry.facts.get("documents")
        if not isinstance(listed, list) or any(_parts(each) is None for each in listed):
            yield entry


def _spoken_of(examined: Examination) -> set[tuple[str, str]]:
    spoken = {(kind, digest) for _, kind, _, digest in _documents(examined)}
    for entry in examined.entries_of("licence.disclosed", "certificate.changed"):
        spoken.add((str(entry.facts.get("kind")), str(entry.facts.get("envelope_sha256"))))
    return spoken
