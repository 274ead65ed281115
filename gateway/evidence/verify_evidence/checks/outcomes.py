"""What was disclosed to whom, when stages began and ended, and what departments decided."""

from datetime import timedelta

from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws, verify_by_one
from ..reading import SKEW, epoch, instant_of, members_of, sha256_hex, text_of, told
from ..texts import PROVED, UNKNOWN

TAKEN = ("outcome.received", "outcome.noted")
"""The entries of what departments said: decisions, and steps on the way to one."""


def check_disclosures(examined: Examination) -> None:
    """Stages and disclosures: the record's entries of them."""
    for entry in examined.entries_of("stage.started", "stage.completed"):
        said = {name: entry.facts.get(name) for name in ("stage", "claimed_at", "counted_at")}
        action = entry.action.removeprefix("stage.")
        times = {"claimed": said["claimed_at"], "counted": said["counted_at"]}
        examined.say(PROVED, "stage", entry.where, stage=said["stage"], action=action, **times)
    for entry in examined.entries_of("licence.disclosed"):
        facts, fields = entry.facts, entry.facts.get("fields")
        names = "、".join(map(str, fields)) if isinstance(fields, list) and fields else "—"
        told_of = {"kind": facts.get("kind"), "verdict": facts.get("verdict"), "fields": names}
        examined.say(PROVED, "disclosed", entry.where, at=told(entry.at), who=entry.actor, **told_of)


def check_outcomes(examined: Examination) -> None:
    """Each department's own signature over its outcome."""
    account = examined.object("outcomes.json") or {}
    kept: set[str] = set()
    for outcome in members_of(account, "outcomes"):
        said = outcome if isinstance(outcome, dict) else {"department": "", "outcome_id": ""}
        facts = {"department": str(said.get("department")), "outcome": str(said.get("outcome_id"))}
        work = lambda o=outcome: kept.add(_outcome(examined, o))  # noqa: E731
        examined.attempt(work, "outcome.wrong", "outcomes.json", **facts)
    for entry in examined.entries_of(*TAKEN):
        digest = str(entry.facts.get("signed_sha256"))
        examined.seen.add(f"outcomes/{digest}.jws")
        if digest not in kept:
            mark, why = examined.why_absent("outcome", digest)
            if f"outcomes/{digest}.jws" in examined.files:
                mark, why = UNKNOWN, "the document is there, and outcomes.json does not say whose, or it does not hold"
            named = {"department": entry.actor, "outcome": entry.facts.get("outcome")}
            examined.say(mark, "outcome.absent", entry.where, why=why, **named)


def _outcome(examined: Examination, outcome: object) -> str:
    if not isinstance(outcome, dict):
        raise Refused("not an object")
    digest, department = text_of(outcome, "sha256"), text_of(outcome, "department")
    entry = examined.entries.get(text_of(outcome, "record_id"))
    if entry is None or entry.subject != examined.application or entry.facts.get("signed_sha256") != digest:
        raise Refused("the record does not speak of it")
    if entry.action not in TAKEN or entry.result != "done":
        raise Refused("the record does not say that it was taken")
    if entry.actor != department or entry.facts.get("outcome") != outcome.get("outcome_id"):
        raise Refused("the record says it of another department or outcome")
    if any(entry.facts.get(fact) != outcome.get(name) for fact, name in (("permit", "permit_id"), ("sequence",) * 2)):
        raise Refused("the record says it of another permit, or under another number")
    if abs(instant_of(outcome, "received_at") - entry.at) > timedelta(seconds=1):
        raise Refused("received_at is another")
    name = f"outcomes/{digest}.jws"
    if name not in examined.files:
        return ""
    if sha256_hex(examined.files[name]) != digest:
        raise Refused("the document is not the one whose digest was recorded")
    token = Jws.read(examined.files[name].strip(), "approval-outcome+jwt")
    claims = token.claims()
    if claims.get("iss") != department:
        raise Refused("it is another department's")
    if claims.get("jti") != outcome["outcome_id"]:
        raise Refused("it is another outcome")
    if entry.facts.get("permit") not in [each for each in claims.values() if isinstance(each, str)]:
        raise NotProved("it does not name the permit that the record names")
    verify_by_one(token, examined.anchors.partners.get(department, ()), "outcome", entry.at, department)
    if epoch(claims.get("iat")) > entry.at + SKEW:
        raise Refused("it was signed later than the record says that it was received")
    examined.say(PROVED, "outcome", name, department=department, outcome=outcome["outcome_id"], at=told(entry.at))
    return digest
