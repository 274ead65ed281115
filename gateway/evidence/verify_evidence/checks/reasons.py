"""Reasons that somebody wrote, of which the record has a digest that only its opening ties to the words."""

import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Refused
from ..examination import Examination
from ..reading import members_of, text_of, utf8
from ..record import Entry
from ..texts import PROVED, WRONG

NAME = "reasons.json"


def check_reasons(examined: Examination) -> None:
    """Each reason on record: these very words, or left out."""
    given: dict[str, Mapping[str, Any]] = {}
    for each in members_of(examined.object(NAME) or {}, "reasons"):
        said = each if isinstance(each, dict) else {}
        entry_id = str(said.get("record_id"))
        if given.setdefault(entry_id, said) is not said:
            examined.say(WRONG, "reason.wrong", NAME, entry=entry_id, why="it stands there twice")
    for entry, digest in _with_reasons(examined):
        told = given.pop(entry.entry_id, None)
        if told is None:
            mark, why = examined.why_absent("reason", digest)
            examined.say(mark, "reason.absent", entry.where, entry=entry.entry_id, why=why)
        else:
            work = lambda e=entry, d=digest, t=told: _open(examined, e, d, t)  # noqa: E731
            examined.attempt(work, "reason.wrong", NAME, entry=entry.entry_id)
    for entry_id in given:
        examined.say(WRONG, "reason.wrong", NAME, entry=entry_id, why="the record has no digest of it")


def _with_reasons(examined: Examination) -> Iterator[tuple[Entry, str]]:
    """Of entries about this application or its review: others are told of as such."""
    for entry in examined.entries.values():
        digest = entry.facts.get("reason_digest")
        if isinstance(digest, str):
            yield entry, digest


def _open(examined: Examination, entry: Entry, digest: str, told: Mapping[str, Any]) -> None:
    """HMAC-SHA256 of the words under the opening (RFC 2104)."""
    try:
        opening = bytes.fromhex(text_of(told, "opening"))
    except ValueError:
        raise Refused("its opening cannot be read") from None
    text = text_of(told, "text")
    if len(opening) != 32 or hmac.digest(opening, utf8(text), "sha256").hex() != digest:
        raise Refused("these words under this opening do not have the digest that was recorded")
    examined.say(PROVED, "reason", NAME, entry=entry.entry_id, actor=entry.actor, text=text)
