"""Afterwards: what was acknowledged is compared with what the utility's own store holds.

It shares no code with the gateway (nothing of ``gateway``, ``adapters``, ``schemas`` or ``mock_services``). It reads
four sources that do not know of one another: the departments' and the applicants' logs, the utility's store, and the
gateway's database – the last only for the record, and for which receipt the gateway says it has for which event.
"""

import base64
import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.prove.record_check import Record, check_record, opened, seal_keys
from tests.prove.super_log_check import check_super_log

SUBMITTED, OPENED = "cn.bandian.application.submitted.v1", "cn.bandian.review.opened.v1"
FAULTS = ("lost", "duplicated", "out_of_order", "gaps", "altered", "invented", "receipts_missing")
"""What a sound run has none of."""


@dataclass(frozen=True)
class Evidence:
    """Where everything lies. ``gateway_keys`` is a JWK set, ``roster`` what the partners registered."""

    departments: Path
    applicants: Path
    utility: Path
    roster: Path
    gateway_keys: Path
    database_url: str
    utility_code: str


@dataclass
class Report:
    """``counts`` holds how much was seen and how much of ``FAULTS`` was found; ``findings`` names each."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    record_intact: bool = False

    @property
    def sound(self) -> bool:
        """No fault of any kind."""
        return not any(self.counts[fault] for fault in FAULTS)

    def find(self, fault: str, what: str) -> None:
        """One fault more."""
        self.counts[fault] += 1
        self.findings.append(f"{fault}: {what}")


def check(evidence: Evidence) -> Report:
    """Compare everything with everything."""
    report = Report()
    report.counts.update(dict.fromkeys(FAULTS, 0))
    said = _lines(evidence.departments)
    claimed = _lines(evidence.applicants)
    with closing(sqlite3.connect(f"file:{evidence.utility.absolute()}?mode=ro", uri=True)) as utility:
        utility.row_factory = sqlite3.Row
        events = utility.execute("SELECT * FROM events ORDER BY arrival").fetchall()
        effects = utility.execute("SELECT * FROM effects ORDER BY effect").fetchall()
        receipts = utility.execute("SELECT event_id, document, sha256 FROM receipts").fetchall()
        (arrivals,) = utility.execute("SELECT count(*) FROM arrivals").fetchone()
    report.counts["repeated_deliveries"] = arrivals - len(events)
    _check_outcomes(report, said, effects)
    _check_applications(report, claimed, said, events)
    _check_order(report, events, effects)
    with opened(evidence.database_url) as database:
        keys = seal_keys(evidence.gateway_keys.read_bytes())
        record = check_record(database, keys)
        check_super_log(database, record, keys)
        outbox = database.execute(
            "SELECT event_id, destination, state FROM outbox WHERE channel <> 'department'"
        ).fetchall()
    report.findings += [f"record: {what}" for what in record.broken]
    report.counts.update(
        record_logs=record.logs,
        record_seals=record.seals,
        record_entries=len(record.entries),
        checkpoints=record.checkpoints,
    )
    _check_acknowledgements(report, said, record)
    _check_receipts(report, evidence, record, [tuple(row) for row in outbox], events, receipts)
    report.record_intact = not any(finding.startswith("record:") for finding in report.findings)
    return report


def _check_outcomes(report: Report, said: list[dict[str, Any]], effects: list[sqlite3.Row]) -> None:
    """Every outcome acknowledged had its effect, once, in the department's own words; and no other had one."""
    decided = {line["outcome"]: line["token"] for line in said if line["what"] == "outcome"}
    acknowledged = {line["outcome"] for line in said if line["what"] == "acknowledged"}
    taken = Counter(row["outcome_id"] for row in effects)
    report.counts["outcomes"] = len(acknowledged)
    for outcome in sorted(acknowledged - taken.keys()):
        report.find("lost", f"outcome {outcome} was acknowledged and never reached the utility")
    for outcome, times in sorted(taken.items()):
        if times > 1:
            report.find("duplicated", f"outcome {outcome} had its effect {times} times")
    for row in effects:
        if row["outcome_id"] not in decided:
            report.find("invented", f"outcome {row['outcome_id']} was never decided")
        elif row["signed_outcome"] != decided[row["outcome_id"]]:
            report.find("altered", f"outcome {row['outcome_id']} is not as the department signed it")


def _check_applications(
    report: Report, claimed: list[dict[str, Any]], said: list[dict[str, Any]], events: list[sqlite3.Row]
) -> None:
    """Every application and joint review acknowledged reached the utility once, and every department its permit."""
    arrived = Counter((row["type"], row["subject"]) for row in events if row["type"] in (SUBMITTED, OPENED))
    permits = Counter(line["permit"] for line in said if line["what"] == "permit")
    for line in claimed:
        kind = SUBMITTED if line["what"] == "application" else OPENED
        report.counts["applications" if kind == SUBMITTED else "reviews"] += 1
        if not arrived[kind, line["application"]]:
            report.find("lost", f"{line['what']} of {line['application']} never reached the utility")
        for permit in line.get("permits", ()):
            if not permits[permit]:
                report.find("lost", f"permit {permit} never reached its department")
    report.counts["permits"] = len(permits)
    for (kind, subject), times in arrived.items():
        if times > 1:
            report.find("duplicated", f"{kind} of {subject} came as {times} events")
    for permit, times in permits.items():
        if times > 1:
            report.find("duplicated", f"permit {permit} was asked for {times} times")


def _check_order(report: Report, events: list[sqlite3.Row], effects: list[sqlite3.Row]) -> None:
    """Numbers rise one by one: a permit's outcomes, an application's events, the utility's positions."""
    report.counts["events"] = len(events)
    by_permit: dict[str, list[int]] = defaultdict(list)
    for row in effects:
        if row["outcome_sequence"] not in by_permit[row["permit_id"]]:
            by_permit[row["permit_id"]].append(row["outcome_sequence"])
    by_application: dict[str, list[int]] = defaultdict(list)
    for row in events:
        by_application[row["subject"]].append(row["sequence"])
    for permit, numbers in by_permit.items():
        _check_rising(report, f"outcomes of permit {permit}", numbers)
    for application, numbers in by_application.items():
        _check_rising(report, f"events of application {application}", numbers)
    positions = sorted(row["position"] for row in events if row["position"] is not None)
    if positions:
        _check_rising(report, "positions of the utility", positions)


def _check_rising(report: Report, what: str, numbers: list[int]) -> None:
    highest = 0
    for number in numbers:
        if number <= highest:
            report.find("out_of_order", f"{what}: {number} came after {highest}")
        highest = max(highest, number)
    for missing in sorted(set(range(1, highest + 1)) - set(numbers)):
        report.find("gaps", f"{what}: {missing} is missing")


def _check_acknowledgements(report: Report, said: list[dict[str, Any]], record: Record) -> None:
    """Each acknowledgement named a record entry: it is there and is about that outcome."""
    for line in said:
        if line["what"] != "acknowledged":
            continue
        entry = record.entries.get(line["record"])
        if entry is None or entry.get("facts", {}).get("outcome") != line["outcome"]:
            report.findings.append(f"record: entry {line['record']} is not that of outcome {line['outcome']}")


def _check_receipts(
    report: Report,
    evidence: Evidence,
    record: Record,
    outbox: Iterable[tuple[str, str, str]],
    events: list[sqlite3.Row],
    receipts: list[sqlite3.Row],
) -> None:
    """Each event the gateway calls delivered rests on a receipt that the utility signed for what it holds."""
    keys = _keys_of(evidence)
    signed: dict[tuple[str, str], str] = {(row["event_id"], row["sha256"]): row["document"] for row in receipts}
    recorded: dict[str, list[str]] = defaultdict(list)
    for entry in record.entries.values():
        if entry.get("action") == "delivery.receipted":
            recorded[entry["facts"]["event"]].append(entry["facts"]["receipt_sha256"])
    held = {row["event_id"]: row for row in events}
    for event_id, destination, state in outbox:
        if destination != evidence.utility_code:
            continue
        if state != "delivered":
            report.find("lost", f"event {event_id} is {state}")
            continue
        documents = [signed[event_id, digest] for digest in recorded[event_id] if (event_id, digest) in signed]
        body = bytes(held[event_id]["body"]) if event_id in held else b""
        if documents and all(_receipt_holds(document, keys, event_id, body) for document in documents):
            report.counts["receipts_matched"] += 1
        else:
            report.find("receipts_missing", f"event {event_id} is delivered without a receipt that holds")
    for event_id in held.keys() - {event_id for event_id, _, _ in outbox}:
        report.find("invented", f"event {event_id} is at the utility and not in the gateway's outbox")


def _receipt_holds(document: str, keys: dict[str, ec.EllipticCurvePublicKey], event_id: str, body: bytes) -> bool:
    """Whether a key of the utility signed (ES256, RFC 7518 §3.4) that it holds ``body`` as ``event_id``."""
    head, payload, signature = document.split(".")
    header, claims, raw = json.loads(_decoded(head)), json.loads(_decoded(payload)), _decoded(signature)
    key = keys.get(header.get("kid"))
    if key is None or header.get("alg") != "ES256" or len(raw) != 64:
        return False
    numbers = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        key.verify(numbers, f"{head}.{payload}".encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return (claims.get("event_id"), claims.get("body_sha256")) == (event_id, hashlib.sha256(body).hexdigest())


def _keys_of(evidence: Evidence) -> dict[str, ec.EllipticCurvePublicKey]:
    roster = json.loads(evidence.roster.read_bytes())
    (utility,) = (partner for partner in roster["partners"] if partner["code"] == evidence.utility_code)
    found = {}
    for registered in utility["keys"]:
        jwk = registered["jwk"]
        numbers = (int.from_bytes(_decoded(jwk[name]), "big") for name in ("x", "y"))
        found[jwk["kid"]] = ec.EllipticCurvePublicNumbers(*numbers, ec.SECP256R1()).public_key()
    return found


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _lines(path: Path) -> list[dict[str, Any]]:
    """A JSON-lines log; a last line that was not written whole never happened."""
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
