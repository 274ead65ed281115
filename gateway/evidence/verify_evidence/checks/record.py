"""The record: each entry's place in it, and who signed for the whole."""

from ..errors import NotProved, Refused
from ..examination import Examination
from ..reading import number_of, read_object, text_of, told, unbase64
from ..record import Checkpoint, Entry, entry_of
from ..texts import PROVED, STATED, UNKNOWN, WRONG


def check_record(examined: Examination) -> None:
    """Which entries there are, each proved to be in a checkpoint, and who signed the checkpoints."""
    for name in sorted(each for each in examined.files if each.startswith("record/")):
        examined.seen.add(name)
        examined.attempt(lambda name=name: _take_entry(examined, name), "record.wrong", name, entry=name[7:-5])  # type: ignore[misc]
    own = _own_subjects(examined)
    for entry in sorted(examined.entries.values(), key=lambda each: (each.at, each.entry_id)):
        if entry.subject not in own and not is_identity(examined, entry):
            examined.say(WRONG, "record.other", entry.where, entry=entry.entry_id)
            continue
        facts = {"entry": entry.entry_id, "at": told(entry.at), "actor": entry.actor}
        examined.say(PROVED, "record", entry.where, **facts, action=entry.action, result=entry.result)
    for note, checkpoint in sorted(examined.checkpoints.items()):
        _checkpoint(examined, note, checkpoint)
    if examined.checkpoints and not examined.anchors.witnesses:
        examined.say(STATED, "record.nowitness")


def _take_entry(examined: Examination, name: str) -> None:
    proof = read_object(examined.files[name])
    entry, checkpoint = entry_of(proof, name)
    if name != f"record/{entry.entry_id}.json":
        raise Refused("the file is named after another entry")
    examined.entries[entry.entry_id] = entry
    head = (text_of(proof, "log"), number_of(proof, "log_size"))
    above = read_object(unbase64(proof["super_leaf"]["leaf"]))
    if examined.heads.setdefault(head, str(above["root"])) != above["root"]:
        raise Refused("the record has two roots of one log over as many entries")
    note = text_of(proof, "checkpoint")
    examined.checkpoints.setdefault(note, checkpoint)
    examined.held_by.setdefault(note, name)


def _own_subjects(examined: Examination) -> set[str | None]:
    """The application, the intake it came from, and the review that it passed."""
    own: set[str | None] = {examined.application}
    own |= {each.facts.get("intake_id") for each in examined.entries_of("application.submitted")}
    mine = [each for each in examined.entries.values() if each.action == "intake.previewed" and each.subject in own]
    own |= {each.facts.get("session") for each in mine}
    own |= {
        each.facts.get("task")
        for each in examined.entries.values()
        if each.action == "review.opened" and each.subject in own
    }
    return own - {None}


def is_identity(examined: Examination, entry: Entry) -> bool:
    """Whether it is the verification of who applied."""
    named = {each.facts.get("identity_sha256") for each in examined.entries_of("application.submitted")} - {None}
    return entry.action == "identity.verified" and entry.facts.get("assertion_sha256") in named


def _checkpoint(examined: Examination, note: str, checkpoint: Checkpoint) -> None:
    where = examined.held_by[note]
    others = [each for each in examined.checkpoints.values() if each.size == checkpoint.size]
    if any(each.root != checkpoint.root for each in others):
        examined.say(WRONG, "checkpoint.wrong", where, key=checkpoint.origin)
        return
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
                examined.say(PROVED, "witness", where, key=name, at=told(at), size=checkpoint.size)
            elif key in examined.anchors.checkpoints and name == checkpoint.origin:
                signed = True
                examined.say(PROVED, "checkpoint", where, key=name, size=checkpoint.size)
    if not signed:
        examined.say(UNKNOWN, "checkpoint.unsigned", where)
    if examined.anchors.witnesses and not cosigned:
        examined.say(UNKNOWN, "witness.none", where)
