"""One bundle under examination: what is in it, what was read of it so far, and what was found."""

from collections.abc import Callable, Mapping
from typing import Any

from .anchors import Anchors
from .errors import NotProved, Refused
from .reading import read_object
from .record import Checkpoint, Entry
from .texts import UNKNOWN, WITHHELD, WRONG, Finding


class Examination:
    """What the checks of all subjects share. ``seen`` names the files that one of them knows."""

    def __init__(self, anchors: Anchors) -> None:
        self.anchors = anchors
        self.files: dict[str, bytes] = {}
        self.findings: list[Finding] = []
        self.claims: dict[str, Any] = {}
        self.application, self.issuer = "", ""
        self.entries: dict[str, Entry] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.heads: dict[tuple[str, int], str] = {}
        """The root of each log over so many entries."""
        self.held_by: dict[str, str] = {}
        """The first file with each checkpoint."""
        self.seen: set[str] = set()
        self.holders: set[str] = set()
        """The numbers of whom the identity provider vouched for; empty where its assertion is not proved."""

    def say(self, mark: str, code: str, where: str = "", **facts: object) -> None:
        """Note a statement."""
        self.findings.append(Finding(mark, code, where, facts))

    def attempt(
        self, work: Callable[[], None], wrong: str, where: str, unknown: str | None = None, **facts: object
    ) -> bool:
        """Do ``work``; what it refuses is told under ``wrong``, what it cannot prove under ``unknown`` or the same."""
        try:
            work()
        except NotProved as doubt:
            self.say(UNKNOWN, unknown or wrong, where, why=str(doubt), **facts)
        except Refused as flaw:
            self.say(WRONG, wrong, where, why=str(flaw), **facts)
        else:
            return True
        return False

    def object(self, name: str) -> dict[str, Any] | None:
        """The JSON object in a file; None where the file is not there, or (which is told) is not one."""
        if name not in self.files:
            return None
        self.seen.add(name)
        try:
            return read_object(self.files[name])
        except Refused as flaw:
            self.say(WRONG, "file.format", name, why=str(flaw))
            return None

    def entries_of(self, *actions: str) -> list[Entry]:
        """This application's own entries of some actions, oldest first."""
        own = (each for each in self.entries.values() if each.action in actions and each.subject == self.application)
        return sorted(own, key=lambda each: (each.at, each.entry_id))

    def left_out(self) -> list[Mapping[str, Any]]:
        """What the manifest says is not there."""
        found = self.claims.get("left_out")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def why_absent(self, what: str, digest: str) -> tuple[str, str]:
        """The mark and the reason for a document that is not there."""
        for each in self.left_out():
            if each.get("what") == what and each.get("sha256") == digest:
                why = str(each.get("why"))
                redacted = why == "redacted" and self.claims["redacted"] is True
                return (WITHHELD if redacted else UNKNOWN), why
        return UNKNOWN, "the manifest does not say why"
