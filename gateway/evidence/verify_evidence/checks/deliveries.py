"""Deliveries: what each receiver signed for, and what is missing between."""

from collections.abc import Mapping
from typing import Any

from ..errors import Refused
from ..examination import Examination
from ..jose import Jws, verify_by_one
from ..reading import members_of, number_of, read_object, sha256_hex, text_of
from ..texts import PROVED, STATED, UNKNOWN, WITHHELD, WRONG


def check_deliveries(examined: Examination) -> None:
    """Each receiver's own signature for each event, and holes in the sequence."""
    account = examined.object("deliveries.json") or {}
    examined.seen |= {each for each in examined.files if each.startswith("deliveries/")}
    counted: dict[str, list[int]] = {}
    for event in members_of(account, "events"):
        if not isinstance(event, dict):
            examined.say(WRONG, "file.format", "deliveries.json", why="not an object")
            continue
        named = {"destination": str(event.get("destination")), "event": str(event.get("event_id"))}
        sequence = event.get("sequence")
        counted.setdefault(named["destination"], []).append(sequence if isinstance(sequence, int) else 0)
        where = f"deliveries/{named['event']}.jws"
        examined.attempt(lambda e=event: _delivery(examined, e), "receipt.wrong", where, **named)  # type: ignore[misc]
        attempts = event.get("attempts")
        examined.say(
            STATED, "attempts", "deliveries.json", **named, count=len(attempts) if isinstance(attempts, list) else 0
        )
    _require_listed(examined, account)
    for destination, sequences in sorted(counted.items()):
        for missing in sorted({*range(1, len(sequences) + 1)} - {*sequences}):
            examined.say(UNKNOWN, "delivery.hole", "deliveries.json", destination=destination, sequence=missing)


def _require_listed(examined: Examination, account: Mapping[str, Any]) -> None:
    """What the record has of deliveries is told of – but a redacted bundle for one utility may keep to its own."""
    listed = {(each.get("event_id"), each.get("destination")) for each in members_of(account, "events") if _named(each)}
    reader = examined.claims.get("for") if examined.claims["redacted"] is True else None
    for entry in examined.entries_of("delivery.receipted", "delivery.dead"):
        event, destination = entry.facts.get("event"), entry.facts.get("destination")
        if (event, destination) not in listed:
            others = isinstance(reader, str) and reader in _utilities(examined) and destination != reader
            mark = WITHHELD if others else UNKNOWN
            examined.say(mark, "delivery.unlisted", entry.where, event=event, destination=destination)


def _named(event: object) -> bool:
    return isinstance(event, dict) and all(isinstance(event.get(each), str) for each in ("event_id", "destination"))


def _utilities(examined: Examination) -> set[object]:
    """Of the application, as its submission was recorded: they sign for what they get."""
    return {each.facts.get("utility") for each in examined.entries_of("application.submitted")}


def _delivery(examined: Examination, event: Mapping[str, Any]) -> None:
    event_id, destination, sequence = (
        text_of(event, "event_id"),
        text_of(event, "destination"),
        number_of(event, "sequence"),
    )
    named = {"event": event_id, "destination": destination}
    receipted = [
        each
        for each in examined.entries_of("delivery.receipted")
        if each.facts.get("event") == event_id and each.facts.get("destination") == destination
    ]
    if not receipted:
        examined.say(UNKNOWN, "delivery.open", "deliveries.json", **named, state=event.get("state"))
        return
    digests = {each.facts.get("receipt_sha256"): each for each in receipted}
    body, receipt = (examined.files.get(f"deliveries/{event_id}.{suffix}") for suffix in ("json", "jws"))
    if event.get("channel") == "department" and destination not in _utilities(examined):
        examined.say(STATED, "receipt.unsigned", receipted[0].where, **named)
        return
    if receipt is None:
        mark, why = examined.why_absent("receipt", str(receipted[-1].facts.get("receipt_sha256")))
        examined.say(mark, "receipt.absent", receipted[-1].where, **named, why=why)
        return
    entry = digests.get(sha256_hex(receipt))
    if entry is None:
        raise Refused("it is not the one whose digest was recorded")
    token = Jws.read(receipt, "delivery-receipt+jwt")
    claims = token.claims()
    if (claims.get("iss"), claims.get("aud"), claims.get("event_id")) != (destination, examined.issuer, event_id):
        raise Refused("it is for another event, or another receiver's")
    if claims.get("status") not in ("accepted", "duplicate"):
        raise Refused("it does not say that the event was accepted")
    verify_by_one(token, examined.anchors.partners.get(destination, ()), "receipt", entry.at, destination)
    if body is None:
        examined.say(PROVED, "receipt", f"deliveries/{event_id}.jws", **named)
        return
    if claims.get("body_sha256") != sha256_hex(body):
        raise Refused("it is for another content than the bundle's")
    said = read_object(body)
    if (said.get("id"), said.get("subject"), said.get("sequence")) != (event_id, examined.application, sequence):
        raise Refused("the event is another one")
    examined.say(PROVED, "receipt.body", f"deliveries/{event_id}.jws", **named, sequence=sequence)
