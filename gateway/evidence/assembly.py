"""From what was collected to the files of a bundle (``docs/evidence.md``). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from gateway.applications.submission import grant_statement, renewal_statement
from gateway.certificates.proofs import EvidenceRole
from gateway.crypto.strict_json import decode_base64url
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import ChannelKind, DeliveryView
from gateway.evidence.collection import SUBMITTED, Collected
from gateway.evidence.contracts import add_contract
from gateway.records.entries import digest
from gateway.records.views import log_growth_view, proof_view, stamped_view
from schemas.events import EventType
from schemas.wire import format_instant

VERSION = 1
"""Of each account."""
MANIFEST_VERSION = 2
"""Of the bundle as a whole: since 2 it holds the signed contract."""
RECEIPTED = "delivery.receipted"
IMPERSONAL_BODIES = frozenset(
    event.value
    for event in (
        EventType.APPLICATION_WITHDRAWN,
        EventType.AUTHORISATION_WITHDRAWN,
        EventType.REVIEW_OPENED,
        EventType.REVIEW_CHANGED,
        EventType.CERTIFICATE_CHANGED,
    )
)
"""Events that hold nothing that anybody wrote. Any other one stays out of a redacted bundle."""
UNGUESSABLE_BODIES = IMPERSONAL_BODIES | {EventType.PERMIT_OUTCOME.value}
"""Events whose receipt may be shown without them: it states a digest of the content, by which what somebody wrote
could be tried out word by word – but for an outcome's, which has a department's signature in it.
"""
_SUFFIXES = {EvidenceRole.STATUS_LIST: "jwt", EvidenceRole.CRL: "crl", EvidenceRole.OCSP: "ocsp"}


@dataclass(frozen=True)
class Scope:
    """For whom a bundle is: ``redacted`` without personal data; ``destination`` only that partner's deliveries."""

    redacted: bool = False
    destination: str | None = None


@dataclass(frozen=True)
class Assembled:
    """The files by name, and what was left out, by digest and reason."""

    files: Mapping[str, bytes]
    left_out: Sequence[Mapping[str, Any]]


def assemble(
    collected: Collected, scope: Scope, gateway_name: str, issuer: str, intermediates: Sequence[bytes]
) -> Assembled:
    """The bundle's files. ``intermediates`` are CA certificates that envelopes do not carry, in DER."""
    files: dict[str, bytes] = {}
    left: list[dict[str, Any]] = []
    files["application.json"] = _json(_account(collected))
    words = _authorisation(collected, gateway_name)
    if words is not None:
        files["authorisation.json"] = _json(words)
    _add_certificates(files, left, collected, scope, intermediates)
    _add_identity(files, left, collected, scope)
    _add_outcomes(files, left, collected, scope)
    _add_contracts(files, left, collected, scope)
    _add_deliveries(files, left, collected, scope, issuer)
    _add_reasons(files, left, collected, scope)
    for entry in collected.entries:
        files[f"record/{entry.record_id}.json"] = _json(proof_view(entry.proof, entry.stamps).model_dump(mode="json"))
    if collected.stamped is not None:
        stamped = stamped_view(collected.stamped.note, collected.stamped.stamps).model_dump(mode="json")
        files["checkpoints.json"] = _json({"v": VERSION, "checkpoints": [stamped]})
    growth = [log_growth_view(each).model_dump(mode="json") for each in collected.growth]
    files["consistency.json"] = _json({"v": VERSION, "growth": growth})
    return Assembled(files, left)


def manifest(
    assembled: Assembled, collected: Collected, scope: Scope, *, issuer: str, jti: str, at: datetime
) -> dict[str, Any]:
    """The claims that the gateway signs: what the bundle is about, and each of its files."""
    return {
        "iss": issuer,
        "iat": int(at.timestamp()),
        "jti": jti,
        "v": MANIFEST_VERSION,
        "application": collected.application.application_id,
        "redacted": scope.redacted,
        "for": scope.destination,
        "files": {
            name: {"sha256": sha256(body).hexdigest(), "size": len(body)}
            for name, body in sorted(assembled.files.items())
        },
        "left_out": list(assembled.left_out),
    }


def _account(collected: Collected) -> dict[str, Any]:
    """The application as the gateway has it: nothing of what somebody wrote, and no value of a certificate."""
    application = collected.application
    return {
        "v": VERSION,
        "application_id": application.application_id,
        "utility": application.utility,
        "region": application.region,
        "customer_class": application.customer_class.value,
        "clause": application.derivation.clause,
        "intake": application.intake.value,
        "applicant_kind": application.applicant_kind.value,
        "received_at": format_instant(application.received_at),
        "status": application.lifecycle.status.value,
        "closed_at": _instant(application.lifecycle.closed_at),
        "documents": [
            {
                "kind": each.document,
                "title": each.title,
                "verdict": each.verdict.value if each.verdict else "self_declared",
                "check": each.check,
                "source": each.source,
                "as_of": _instant(each.as_of),
                "content_digest": each.content_digest,
            }
            for each in application.documents
        ],
    }


def _authorisation(collected: Collected, gateway_name: str) -> dict[str, Any] | None:
    """As it was given, in the words that were agreed to – those whose digest was recorded."""
    own, application_id = collected.authorisation, collected.application.application_id
    if own is None:
        return None
    statements = []
    for entry in collected.of("authorisation.granted", "authorisation.renewed"):
        if entry.said["result"] != "done":
            continue
        wording = grant_statement if entry.said["action"] == "authorisation.granted" else renewal_statement
        until = datetime.fromisoformat(entry.facts["until"])
        text = wording(gateway_name, application_id, own.utility, own.kinds, until)
        if digest(text) == entry.facts.get("statement_sha256"):
            statements.append({"record_id": entry.record_id, "text": text})
    return {
        "authorisation_id": own.authorisation_id,
        "application_id": application_id,
        "utility": own.utility,
        "kinds": sorted(own.kinds),
        "purposes": sorted(own.purposes),
        "granted_at": format_instant(own.granted_at),
        "until": format_instant(own.until),
        "withdrawn_at": _instant(own.withdrawn_at),
        "statements": statements,
    }


def _add_certificates(
    files: dict[str, bytes],
    left: list[dict[str, Any]],
    collected: Collected,
    scope: Scope,
    intermediates: Sequence[bytes],
) -> None:
    kept = {each.digest: each for each in collected.documents}
    forms = {each.proof.envelope_digest: each.proof.form or "bin" for each in collected.proofs}
    judgements = []
    for each in collected.proofs:
        proof = each.proof
        judgements.append(
            {
                "kind": proof.kind,
                "envelope_sha256": proof.envelope_digest,
                "judged_at": format_instant(proof.judged_at),
                "verdict": proof.verdict,
                "check": proof.check,
                "cause": each.cause.value,
                "status_lists": dict(proof.status_lists),
                "crls": list(proof.crls),
                "ocsp": list(proof.ocsp),
            }
        )
    files["certificates.json"] = _json({"v": VERSION, "judgements": judgements})
    rested = {**forms, **{each.content_digest: "" for each in _certificates_of(collected) if each.content_digest}}
    for envelope in sorted(rested):
        document = kept.get(envelope)
        if scope.redacted or document is None or document.role is not EvidenceRole.ENVELOPE:
            left.append({"what": "envelope", "sha256": envelope, "why": _why(collected, scope)})
        else:
            files[f"certificates/{envelope}.{forms.get(envelope, 'bin')}"] = document.body
    if scope.redacted:
        return
    for name, document in sorted(kept.items()):
        if document.role in _SUFFIXES:
            files[f"status/{name}.{_SUFFIXES[document.role]}"] = document.body
    for certificate in intermediates:
        files[f"chain/{sha256(certificate).hexdigest()}.der"] = certificate


def _certificates_of(collected: Collected) -> Iterator[Any]:
    return (each for each in collected.application.documents if each.verdict is not None)


def _add_identity(files: dict[str, bytes], left: list[dict[str, Any]], collected: Collected, scope: Scope) -> None:
    named = [each.facts.get("identity_sha256") for each in collected.of(SUBMITTED)]
    wanted = next((each for each in named if each), None)
    kept = next((each for each in collected.documents if each.digest == wanted), None)
    if kept is not None and not scope.redacted:
        files["identity/assertion.jws"] = kept.body
    else:
        why = _why(collected, scope) if wanted or scope.redacted else "never_kept"
        left.append({"what": "assertion", "sha256": wanted or "", "why": why})


def _add_outcomes(files: dict[str, bytes], left: list[dict[str, Any]], collected: Collected, scope: Scope) -> None:
    listed = []
    for outcome in sorted(collected.outcomes, key=lambda each: (each.received_at, each.department, each.outcome_id)):
        listed.append(
            {
                "department": outcome.department,
                "outcome_id": outcome.outcome_id,
                "permit_id": outcome.permit_id,
                "sequence": outcome.sequence,
                "received_at": format_instant(outcome.received_at),
                "record_id": outcome.record_id,
                "sha256": outcome.signed_digest,
            }
        )
        if scope.redacted:
            left.append({"what": "outcome", "sha256": outcome.signed_digest, "why": "redacted"})
        else:
            files[f"outcomes/{outcome.signed_digest}.jws"] = outcome.signed
    files["outcomes.json"] = _json({"v": VERSION, "outcomes": listed})


def _add_contracts(files: dict[str, bytes], left: list[dict[str, Any]], collected: Collected, scope: Scope) -> None:
    lines = [add_contract(files, left, each, redacted=scope.redacted) for each in collected.contracts]
    files["contracts.json"] = _json({"v": VERSION, "contracts": [each for each in lines if each is not None]})


def _add_deliveries(
    files: dict[str, bytes], left: list[dict[str, Any]], collected: Collected, scope: Scope, issuer: str
) -> None:
    listed = []
    for view in collected.deliveries:
        event = view.event
        if scope.destination not in (None, event.destination):
            continue
        listed.append(_delivery(view))
        if event.channel is ChannelKind.DEPARTMENT:
            continue
        receipt = _recorded_receipt(collected, view)
        if receipt is not None:
            if scope.redacted and event.type not in UNGUESSABLE_BODIES:
                left.append({"what": "receipt", "sha256": digest(receipt), "why": "redacted"})
                continue
            files[f"deliveries/{event.event_id}.jws"] = receipt.encode()
        told = not event.erased and (not scope.redacted or event.type in IMPERSONAL_BODIES)
        if receipt is not None and not told:
            why = "redacted" if scope.redacted else "retention"
            left.append({"what": "event", "sha256": _content_digest(receipt), "why": why})
        if told:
            files[f"deliveries/{event.event_id}.json"] = encode_cloud_event(event, issuer)
    files["deliveries.json"] = _json({"v": VERSION, "events": listed})


def _delivery(view: DeliveryView) -> dict[str, Any]:
    event = view.event
    return {
        "event_id": event.event_id,
        "destination": event.destination,
        "channel": event.channel.value,
        "type": event.type,
        "sequence": event.sequence,
        "position": event.position,
        "at": format_instant(event.at),
        "state": view.state.value,
        "attempts": [
            {
                "attempt": each.attempt,
                "started_at": format_instant(each.started_at),
                "finished_at": _instant(each.finished_at),
                "outcome": each.outcome.value,
                "reason": each.reason,
                "status": each.status,
            }
            for each in view.history
        ],
    }


def _recorded_receipt(collected: Collected, view: DeliveryView) -> str | None:
    """The last receipt whose digest is in the record; None where there is none."""
    recorded = {each.facts.get("receipt_sha256") for each in collected.of(RECEIPTED)}
    receipts = [each.receipt.document for each in view.history if each.receipt is not None]
    return next((each for each in reversed(receipts) if digest(each) in recorded), None)


def _content_digest(receipt: str) -> str:
    """Of the content that a kept receipt is for, as the receiver signed it; the receipt was verified when it came."""
    payload = decode_base64url(receipt.split(".")[1].encode())
    return str(orjson.loads(payload)["body_sha256"])


def _add_reasons(files: dict[str, bytes], left: list[dict[str, Any]], collected: Collected, scope: Scope) -> None:
    told = []
    for reason in collected.reasons:
        if scope.redacted or reason.text is None:
            why = "redacted" if scope.redacted else "never_kept"
            left.append({"what": "reason", "sha256": reason.digest, "why": why})
        else:
            told.append({"record_id": reason.record_id, "text": reason.text, "opening": reason.opening.hex()})
    files["reasons.json"] = _json({"v": VERSION, "reasons": told})


def _why(collected: Collected, scope: Scope) -> str:
    """Why a document that tells of the applicant is not there."""
    if scope.redacted:
        return "redacted"
    return "never_kept" if collected.personal else "retention"


def _instant(at: datetime | None) -> str | None:
    return format_instant(at) if at else None


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
