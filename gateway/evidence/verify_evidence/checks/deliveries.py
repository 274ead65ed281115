"""Deliveries: what each receiver signed for, and what is missing between."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import Refused
from ..examination import Examination
from ..jose import Jws, verify_by_one
from ..reading import SKEW, epoch, members_of, number_of, read_object, sha256_hex, text_of
from ..record import Entry
from ..texts import PROVED, STATED, UNKNOWN, WITHHELD, WRONG

EPOCH: Final = 1_000_000_000_000
"""Numbers of each epoch: a gateway that was restored uses none of before again."""
Receipted = Mapping[tuple[str, str], Sequence[Entry]]
"""The entries of receipts by event and receiver."""


def check_deliveries(examined: Examination) -> None:
    """Each receiver's own signature for each event, and holes in the sequence."""
    account = examined.object("deliveries.json") or {}
    utilities = _utilities(examined)
    receipted: dict[tuple[str, str], list[Entry]] = {}
    for entry in examined.entries_of("delivery.receipted"):
        receipted.setdefault(_delivered(entry), []).append(entry)
    counted: dict[str, list[int]] = {}
    listed: set[tuple[str, str]] = set()
    for event in members_of(account, "events"):
        if not isinstance(event, dict):
            examined.say(WRONG, "file.format", "deliveries.json", why="not an object")
            continue
        named = {"destination": str(event.get("destination")), "event": str(event.get("event_id"))}
        key = named["event"], named["destination"]
        if key in listed:
            examined.say(WRONG, "receipt.wrong", "deliveries.json", **named, why="it is listed twice")
            continue
        listed.add(key)
        sequence = event.get("sequence")
        counted.setdefault(named["destination"], []).append(sequence if isinstance(sequence, int) else 0)
        where = f"deliveries/{named['event']}.jws"
        work = lambda e=event: _delivery(examined, e, utilities, receipted)  # noqa: E731
        examined.attempt(work, "receipt.wrong", where, **named)
        attempts = event.get("attempts")
        examined.say(
            STATED, "attempts", "deliveries.json", **named, count=len(attempts) if isinstance(attempts, list) else 0
        )
    _require_listed(examined, listed, utilities)
    for destination, sequences in sorted(counted.items()):
        for missing in _holes(sequences):
            examined.say(UNKNOWN, "delivery.hole", "deliveries.json", destination=destination, sequence=missing)


def _holes(sequences: Sequence[int]) -> list[int]:
    """Numbers that are missing before others: from 1 on, and after a restore from the first of the next epoch on."""
    epochs: dict[int, set[int]] = {}
    for each in sequences:
        epochs.setdefault(each // EPOCH, set()).add(each)
    first = {epoch: epoch * EPOCH + 1 for epoch in epochs}
    return sorted(
        missing
        for epoch, numbers in epochs.items()
        for missing in {*range(first[epoch], first[epoch] + len(numbers))} - numbers
    )


def _without_content(examined: Examination, named: Mapping[str, str], digest: str) -> None:
    """A receipt alone proves that something was signed for; of what, must be left out for a reason."""
    where = f"deliveries/{named['event']}.jws"
    mark, why = examined.why_absent("event", digest)
    if mark == WITHHELD:
        examined.say(PROVED, "receipt", where, **named)
    else:
        examined.say(mark, "receipt.nobody", where, **named, why=why)


def _require_listed(examined: Examination, listed: set[tuple[str, str]], utilities: set[str]) -> None:
    """What the record has of deliveries is told of – but a redacted bundle for one utility may keep to its own."""
    reader = examined.claims.get("for") if examined.redacted else None
    for entry in (*examined.entries_of("delivery.receipted"), *examined.entries_of("delivery.dead", result="refused")):
        event, destination = _delivered(entry)
        if (event, destination) not in listed:
            others = isinstance(reader, str) and reader in utilities and destination != reader
            mark = WITHHELD if others else UNKNOWN
            examined.say(mark, "delivery.unlisted", entry.where, event=event, destination=destination)


def _delivered(entry: Entry) -> tuple[str, str]:
    return str(entry.facts.get("event")), str(entry.facts.get("destination"))


def _utilities(examined: Examination) -> set[str]:
    """Of the application, as its submission was recorded: they sign for what they get."""
    return {str(each.facts.get("utility")) for each in examined.entries_of("application.submitted")}


def _delivery(examined: Examination, event: Mapping[str, Any], utilities: set[str], known: Receipted) -> None:
    event_id, destination, sequence = (
        text_of(event, "event_id"),
        text_of(event, "destination"),
        number_of(event, "sequence"),
    )
    named = {"event": event_id, "destination": destination}
    receipted = known.get((event_id, destination))
    by_department = event.get("channel") == "department" and destination not in utilities
    if not by_department:
        examined.seen |= {f"deliveries/{event_id}.{suffix}" for suffix in ("json", "jws")}
    if not receipted:
        examined.say(UNKNOWN, "delivery.open", "deliveries.json", **named, state=event.get("state"))
        return
    body, receipt = (examined.files.get(f"deliveries/{event_id}.{suffix}") for suffix in ("json", "jws"))
    if by_department:
        examined.say(STATED, "receipt.unsigned", receipted[0].where, **named)
        return
    if receipt is None:
        mark, why = examined.why_absent("receipt", str(receipted[-1].facts.get("receipt_sha256")))
        examined.say(mark, "receipt.absent", receipted[-1].where, **named, why=why)
        return
    digest = sha256_hex(receipt)
    entry = next((each for each in receipted if each.facts.get("receipt_sha256") == digest), None)
    if entry is None:
        raise Refused("it is not the one whose digest was recorded")
    token = Jws.read(receipt, "delivery-receipt+jwt")
    claims = token.claims()
    audience = claims.get("aud")
    if examined.issuer not in (audience if isinstance(audience, list) else [audience]):
        raise Refused("it is for somebody else than this gateway")
    if (claims.get("iss"), claims.get("event_id")) != (destination, event_id):
        raise Refused("it is for another event, or another receiver's")
    if claims.get("status") not in ("accepted", "duplicate"):
        raise Refused("it does not say that the event was accepted")
    verify_by_one(token, examined.anchors.partners.get(destination, ()), "receipt", entry.at, destination)
    if epoch(claims.get("iat")) > entry.at + SKEW:
        raise Refused("it was signed later than the record says that it came")
    if body is None:
        _without_content(examined, named, str(claims.get("body_sha256")))
        return
    if claims.get("body_sha256") != sha256_hex(body):
        raise Refused("it is for another content than the bundle's")
    said = read_object(body)
    if (said.get("id"), said.get("subject"), said.get("sequence")) != (event_id, examined.application, sequence):
        raise Refused("the event is another one")
    if said.get("type") != event.get("type") or said.get("position", event.get("position")) != event.get("position"):
        raise Refused("the event is of another type, or in another place")
    examined.say(PROVED, "receipt.body", f"deliveries/{event_id}.jws", **named, sequence=sequence)
