"""One bundle under examination: what is in it, what was read of it so far, and what was found."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from .anchors import Anchors
from .errors import NotProved, Refused
from .reading import members_of, read_object
from .record import Checkpoint, Entry
from .texts import UNKNOWN, WITHHELD, WRONG, Finding
from .work import spend

VERSION: Final = 1
"""Of every account."""
BUNDLES: Final = (1, 2)
"""Versions of a bundle as a whole: since 2 it holds the contract that was signed."""


class Examination:
    """What the checks of all subjects share. ``seen`` names the files that one of them knows."""

    def __init__(self, anchors: Anchors) -> None:
        self.anchors = anchors
        self.files: dict[str, bytes] = {}
        self.findings: list[Finding] = []
        self.claims: dict[str, Any] = {}
        self.version = max(BUNDLES)
        self.application, self.issuer = "", ""
        self.entries: dict[str, Entry] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.heads: dict[tuple[str, int], str] = {}
        """The root of each log over so many entries."""
        self.held_by: dict[str, str] = {}
        """The first file with each checkpoint."""
        self.stamps: dict[str, set[bytes]] = {}
        """The time stamps over each checkpoint."""
        self.seen_at: list[tuple[Checkpoint, str, datetime]] = []
        """Which checkpoints others than the gateway saw, who, and when: no entry in one is younger."""
        self.seen: set[str] = set()
        self._own: dict[tuple[str, str], list[Entry]] = {}
        self.holders: set[str] = set()
        """The numbers of whom the identity provider vouched for; empty where its assertion is not proved."""
        self.applicant = ""
        """The number of who applied: the enterprise's, or the resident's; empty as above."""

    def say(self, mark: str, code: str, where: str = "", **facts: object) -> None:
        """Note a statement."""
        spend("statements")
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
            found = read_object(self.files[name])
            if found.get("v", VERSION) != VERSION:
                raise Refused("a version that this verifier does not know")
            return found
        except Refused as flaw:
            self.say(WRONG, "file.format", name, why=str(flaw))
            return None

    def take(self, entry: Entry) -> None:
        """An entry that is proved to be in the record."""
        self.entries[entry.entry_id] = entry
        self._own.clear()

    def entries_of(self, *actions: str, result: str = "done") -> list[Entry]:
        """This application's own entries of some actions that ended so, oldest first."""
        if not self._own:
            for entry in self.entries.values():
                if entry.subject == self.application:
                    self._own.setdefault((entry.action, entry.result), []).append(entry)
        found = [entry for action in actions for entry in self._own.get((action, result), ())]
        return sorted(found, key=lambda each: (each.at, each.entry_id))

    @cached_property
    def left_out(self) -> Mapping[tuple[str, str], str]:
        """Why each document is not there, by what it is and its digest, as the manifest says."""
        return {
            (str(each.get("what")), str(each.get("sha256"))): str(each.get("why"))
            for each in members_of(self.claims, "left_out")
            if isinstance(each, dict)
        }

    @property
    def redacted(self) -> bool:
        """Whether the bundle is said to be without personal data."""
        return self.claims["redacted"] is True

    def why_absent(self, what: str, digest: str) -> tuple[str, str]:
        """The mark and the reason for a document that is not there."""
        why = self.left_out.get((what, digest))
        if why is None:
            return UNKNOWN, "the manifest does not say why"
        return (WITHHELD if why == "redacted" and self.redacted else UNKNOWN), why
