"""Time stamps of checkpoints, each once however many entries bring it."""

from collections.abc import Mapping
from typing import Any

from ..errors import Refused
from ..examination import Examination
from ..reading import members_of, told, unbase64
from ..record import Checkpoint
from ..texts import PROVED, STATED
from ..time_stamps import TimeStamp


def take_stamps(examined: Examination, note: str, brought: Mapping[str, Any]) -> None:
    """Those that are brought beside the checkpoint ``note``. Raises ``Refused``."""
    for each in members_of(brought, "time_stamps"):
        if not isinstance(each, dict):
            raise Refused("a time stamp that is none")
        examined.stamps.setdefault(note, set()).add(unbase64(each.get("token")))


def check_stamps(examined: Examination, note: str, checkpoint: Checkpoint) -> None:
    """Who of those that DIR names saw the checkpoint, and when."""
    where = examined.held_by.get(note, "checkpoints.json")
    tokens = sorted(examined.stamps.get(note, ()))
    if tokens and not examined.anchors.time_stamping:
        examined.say(STATED, "stamp.unjudged", where, size=checkpoint.size, count=len(tokens))
        return
    for token in tokens:

        def judge(token: bytes = token) -> None:
            stamp = TimeStamp.read(token, checkpoint.text)
            stamp.require_authority(examined.anchors.time_stamping)
            who = stamp.signer.attribute("2.5.4.3") or "?"
            examined.seen_at.append((checkpoint, who, stamp.at))
            examined.say(PROVED, "stamp", where, who=who, at=told(stamp.at), size=checkpoint.size)

        examined.attempt(judge, "stamp.wrong", where, size=checkpoint.size)
