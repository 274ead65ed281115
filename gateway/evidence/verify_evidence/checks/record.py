"""The record: each entry's place in it, and who signed for the whole."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime

from ..errors import NotProved, Refused
from ..examination import Examination
from ..reading import SKEW, epoch, members_of, read_object, text_of, told
from ..record import Checkpoint, Entry, entry_of
from ..texts import PROVED, STATED, UNKNOWN, WRONG
from .growth import check_growth
from .stamps import check_stamps, take_stamps

CHECKPOINTS = "checkpoints.json"
Bound = tuple[datetime, str]
"""When an entry was there at the latest, and by whom that is known."""


def check_record(examined: Examination) -> None:
    """Which entries there are, each proved to be in a checkpoint, and who signed the checkpoints."""
    for more in members_of(examined.object(CHECKPOINTS) or {}, "checkpoints"):
        work = lambda m=more: _take_checkpoint(examined, m)  # noqa: E731
        examined.attempt(work, "file.format", CHECKPOINTS)
    for name in sorted(each for each in examined.files if each.startswith("record/")):
        examined.seen.add(name)
        examined.attempt(lambda name=name: _take_entry(examined, name), "record.wrong", name, entry=name[7:-5])  # type: ignore[misc]
    roots: dict[int, set[bytes]] = {}
    for checkpoint in examined.checkpoints.values():
        roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
    for note, checkpoint in sorted(examined.checkpoints.items()):
        if len(roots[checkpoint.size]) > 1:
            examined.say(WRONG, "checkpoint.forked", examined.held_by.get(note, CHECKPOINTS), size=checkpoint.size)
        else:
            _checkpoint(examined, note, checkpoint)
            check_stamps(examined, note, checkpoint)
    if examined.checkpoints and not examined.anchors.witnesses:
        examined.say(STATED, "record.nowitness")
    _entries(examined, _bounds(examined, one_record=check_growth(examined)))


def _take_checkpoint(examined: Examination, more: object) -> None:
    """One that no entry is proved in: others saw it, and it may tell when entries were there already."""
    if not isinstance(more, dict):
        raise Refused("not an object")
    note = text_of(more, "checkpoint")
    examined.checkpoints[note] = Checkpoint.read(note)
    take_stamps(examined, note, more)


def _take_entry(examined: Examination, name: str) -> None:
    proof = read_object(examined.files[name])
    entry, checkpoint = entry_of(proof, name)
    if name != f"record/{entry.entry_id}.json":
        raise Refused("the file is named after another entry")
    log, size, root = entry.head
    if examined.heads.setdefault((log, size), root) != root:
        raise Refused("the record has two roots of one log over as many entries")
    examined.take(entry)
    examined.checkpoints.setdefault(entry.note, checkpoint)
    examined.held_by.setdefault(entry.note, name)
    take_stamps(examined, entry.note, proof)


def _entries(examined: Examination, bound_of: Callable[[Entry], Bound]) -> None:
    """Each entry: is it about this application, and can it be as old as it says?"""
    own, identities = _own_subjects(examined), identity_digests(examined)
    for entry in sorted(examined.entries.values(), key=lambda each: (each.at, each.entry_id)):
        facts = {"entry": entry.entry_id, "at": told(entry.at)}
        latest, who = bound_of(entry)
        if entry.subject not in own and not is_identity(entry, identities):
            examined.say(WRONG, "record.other", entry.where, entry=entry.entry_id)
        elif entry.at > latest + SKEW:
            examined.say(WRONG, "record.time", entry.where, **facts, who=who, seen=told(latest))
        else:
            named = {"actor": entry.actor, "action": entry.action, "result": entry.result}
            examined.say(PROVED, "record", entry.where, **facts, **named)


def _bounds(examined: Examination, *, one_record: bool) -> Callable[[Entry], Bound]:
    """Until when an entry was written: whoever saw a checkpoint that holds it saw it there.

    Where all checkpoints are of ``one_record``, a smaller one that is large enough holds it as well as its own does.
    """
    made: Bound = epoch(examined.claims.get("iat")), "the manifest"
    earliest: dict[int, Bound] = {}
    for checkpoint, who, at in examined.seen_at:
        earliest[checkpoint.size] = min((at, who), earliest.get(checkpoint.size, made))
    sizes = sorted(earliest)
    from_here = [earliest[size] for size in sizes]
    for i in range(len(sizes) - 2, -1, -1):
        from_here[i] = min(from_here[i], from_here[i + 1])

    def bound_of(entry: Entry) -> Bound:
        if not one_record:
            return earliest.get(examined.checkpoints[entry.note].size, made)
        i = bisect_right(sizes, entry.place)
        return from_here[i] if i < len(sizes) else made

    return bound_of


def _own_subjects(examined: Examination) -> set[str | None]:
    """The application, the intake it came from, and the review that it passed."""
    own: set[object] = {examined.application}
    own |= {_text(each, "intake_id") for each in examined.entries_of("application.submitted")}
    named = (("intake.previewed", "session"), ("review.opened", "task"))
    found = {
        _text(each, fact)
        for action, fact in named
        for each in examined.entries.values()
        if each.action == action and each.subject in own
    }
    return {each for each in own | found if isinstance(each, str)}


def identity_digests(examined: Examination) -> frozenset[str]:
    """Of the assertions that the application was submitted with."""
    found = {_text(each, "identity_sha256") for each in examined.entries_of("application.submitted")}
    return frozenset(each for each in found if each is not None)


def is_identity(entry: Entry, identities: frozenset[str]) -> bool:
    """Whether it is the verification of who applied, by one of the assertions ``identities``."""
    return entry.action == "identity.verified" and _text(entry, "assertion_sha256") in identities


def _text(entry: Entry, fact: str) -> str | None:
    found = entry.facts.get(fact)
    return found if isinstance(found, str) else None


def _checkpoint(examined: Examination, note: str, checkpoint: Checkpoint) -> None:
    where = examined.held_by.get(note, CHECKPOINTS)
    signed = False
    cosigned = False
    for name, hint, signature in checkpoint.lines:
        for key in (*examined.anchors.checkpoints, *examined.anchors.witnesses):
            if (key.name, key.hint) != (name, hint):
                continue
            try:
                at = key.verify(signature, checkpoint.text)
            except NotProved:
                continue
            except Refused:
                examined.say(WRONG, "checkpoint.wrong", where, key=name)
                continue
            if key in examined.anchors.witnesses and at is not None:
                cosigned = True
                examined.seen_at.append((checkpoint, name, at))
                examined.say(PROVED, "witness", where, key=name, at=told(at), size=checkpoint.size)
            elif key in examined.anchors.checkpoints and name == checkpoint.origin:
                signed = True
                examined.say(PROVED, "checkpoint", where, key=name, size=checkpoint.size)
    if note not in examined.held_by:  # no entry rests on it alone
        return
    if not signed:
        examined.say(UNKNOWN, "checkpoint.unsigned", where)
    if examined.anchors.witnesses and not cosigned:
        examined.say(UNKNOWN, "witness.none", where)
