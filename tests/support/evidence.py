"""A small application with everything that a bundle may hold, in one process; bundles written anew after changes."""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations, count
from pathlib import Path
from typing import Any

from adapters.departments import discover
from gateway.applications.rule_book import published_rules
from gateway.approvals.outcomes import OutcomeIntake
from gateway.approvals.review_requests import GatewayNames
from gateway.approvals.single_window import SingleWindow
from gateway.caller import Role
from gateway.crypto.jwk import SigningKey, export_jwk
from gateway.crypto.jws import sign_jws
from gateway.delivery.backoff import Backoff
from gateway.delivery.cloud_events import encode_cloud_event
from gateway.delivery.ports import ChannelKind, Event, Receipt
from gateway.delivery.relay import Relay
from gateway.evidence.archive import write_archive
from gateway.evidence.service import EvidenceService
from gateway.evidence.verify_evidence import MANIFEST, Anchors, read_archive
from gateway.identity.model import VerifiedApplicant
from gateway.partners.model import KeyUse
from gateway.records.checkpoints import Checkpoint, NoteSigner, cosign, cosignatures_of, sign_checkpoint
from gateway.records.entries import RecordEntry, digest, encode_entry
from gateway.records.growth import LogGrowth
from gateway.records.merkle import leaf_hash
from gateway.records.notes import COSIGNATURE_TYPE, Note, VerifierKey
from gateway.records.record_proof import RecordProof
from gateway.records.stored_tree import StoredTree
from gateway.records.super_log import SUPER_LOG, SuperLeaf, encode_leaf
from gateway.records.views import log_growth_view, proof_view
from schemas.ecertificates import TYPE_CODES
from schemas.partner_api import JointReviewRequest, StageEventRequest
from schemas.wire import Typ
from tests.support.anchoring import LOG_KEY, LOG_SIGNER, ORIGIN, anchoring
from tests.support.approvals import LIGHT_MODES, ROAD, FixedDirectory, intake, road_claims
from tests.support.approvals import utility_caller as reviewing_caller
from tests.support.licences import PLANT, UTILITY, LicencesRoom, an_applicant, licences_room, province
from tests.support.partners import ISSUER, ed25519_key, es256_key
from tests.support.storage import DIGESTS

IDENTITY_ISSUER = "https://identity.example"
DECLARED = {"document": "project_approval", "sha256": "ab" * 32, "file_name": "pifu.pdf"}
AUDIENCE = "bandian"
PAUSED_FOR = "等候张三补交材料"
SESSION = "ses_0000000000000000000001"


@dataclass
class Keys:
    """Everybody's keys but the province's and the record's."""

    answer: SigningKey = field(default_factory=lambda: es256_key("answer-20260101-test"))
    identity: SigningKey = field(default_factory=lambda: es256_key("identity-1"))
    utility: SigningKey = field(default_factory=lambda: ed25519_key("receipts-1"))
    road: SigningKey = field(default_factory=lambda: ed25519_key("road-1"))
    witness: SigningKey = field(default_factory=lambda: ed25519_key("witness-1"))

    @property
    def witness_key(self) -> VerifierKey:
        public = self.witness.private_key.public_key().public_bytes_raw()  # type: ignore[union-attr]
        return VerifierKey("witness.example", COSIGNATURE_TYPE, public)

    def cosigned(self, note: Note, at: datetime) -> Note:
        """What the witness makes of a checkpoint, whatever it is."""
        private: Any = self.witness.private_key
        return note.also_signed([cosign(note.text, NoteSigner(self.witness_key, private.sign), at)])


class SigningChannel:
    """A utility that signs for whatever it gets; a department that answers without a signature."""

    def __init__(self, key: SigningKey, clock: Any) -> None:
        self._key, self._clock, self._numbers = key, clock, count(1)

    async def send(self, event: Event, at: datetime) -> Receipt:
        if event.channel is ChannelKind.DEPARTMENT:
            return Receipt('{"accepted": true}', duplicate=False)
        claims = {
            "iss": event.destination,
            "aud": ISSUER,
            "jti": f"r-{next(self._numbers)}",
            "iat": int(at.timestamp()),
            "event_id": event.event_id,
            "body_sha256": digest(encode_cloud_event(event, ISSUER)),
            "status": "accepted",
        }
        return Receipt(sign_jws(claims, self._key, Typ.DELIVERY_RECEIPT), duplicate=False)

    async def find_receipt(self, event: Event, at: datetime) -> Receipt | None:
        return None


@dataclass
class EvidenceRoom:
    """A room with an application whose every trace is there."""

    room: LicencesRoom
    keys: Keys
    service: EvidenceService
    application_id: str = ""

    async def live(self) -> None:
        """Verify, apply, be asked, reviewed, decided, delivered; then the record is anchored."""
        assertion = self.assertion(an_applicant())
        applicant = replace(an_applicant(), assertion=assertion, session_id=SESSION)
        facts = {"assertion_sha256": digest(assertion), "method": "e_licence"}
        entry = RecordEntry("identity.verified", self.room.clock(), "applicant", SESSION, facts=facts)
        await self.room.transactions.write(lambda tx: tx.records.append(entry))
        self.application_id = (await self.room.apply(PLANT, applicant, declared=[DECLARED])).application.application_id
        await self.room.ask(self.application_id)
        await self.paused()
        await self.anchored()
        await self.reviewed()
        await self.delivered()
        await self.anchored()

    def assertion(self, applicant: VerifiedApplicant) -> str:
        now = int(self.room.clock().timestamp())
        claims = {
            "iss": IDENTITY_ISSUER,
            "sub": "pairwise-1",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": "n",
            "jti": "assertion-1",
            "amr": ["e_licence"],
            "person": {"name": applicant.person_name, "resident_identity_number": applicant.person_code},
            "enterprise": {"name": applicant.holder_name, "unified_social_credit_code": applicant.holder_code},
        }
        return sign_jws(claims, self.keys.identity, Typ.IDENTITY_ASSERTION)

    async def paused(self) -> None:
        """The utility begins a stage and pauses it, with its reason."""
        for action, reason in (("started", None), ("paused", PAUSED_FOR)):
            event = StageEventRequest(
                event_id=f"ev-{action}",
                stage="acceptance",
                action=action,
                claimed_at=self.room.clock.advance(minutes=1),
                reason=reason,
            )
            await self.room.stages.hear(UTILITY, self.application_id, event)

    async def reviewed(self) -> None:
        """A joint review, and what a department decided in it."""
        directory, clock = FixedDirectory(), self.room.clock
        directory.add(UTILITY, Role.UTILITY, "440100")
        directory.add(ROAD, Role.DEPARTMENT, "440100")
        directory.add_key(ROAD, self.keys.road, KeyUse.OUTCOME)
        names, numbers, departments = GatewayNames(ISSUER, f"{ISSUER}/"), count(1), discover()
        common = (published_rules, names, lambda kind: f"{kind}_r{next(numbers):04d}")
        window = SingleWindow(self.room.transactions, directory, departments, *common, LIGHT_MODES, DIGESTS)
        request: JointReviewRequest = intake({"department": ROAD, "permit": "road_occupation"})
        opened = await window.open(reviewing_caller(), self.application_id, request, clock())
        claims = road_claims(opened.view.permits[0].permit_id, 1, "approved", clock(), reason="同意张三占道")
        signed = sign_jws(claims, self.keys.road, Typ.APPROVAL_OUTCOME.value).encode()
        outcomes = OutcomeIntake(self.room.transactions, directory, departments, ISSUER, common[2], DIGESTS)
        await outcomes.receive(ROAD, signed, clock())

    async def delivered(self) -> None:
        channel = SigningChannel(self.keys.utility, self.room.clock)
        channels = dict.fromkeys((ChannelKind.WEBHOOK, ChannelKind.DEPARTMENT), channel)
        relay = Relay("one", self.room.transactions, channels, self.room.clock, Backoff())
        while await relay.pass_once():
            await relay.drain()

    async def given(self) -> bytes:
        """The applicant's own bundle."""
        return (await self.service.for_applicant(self.application_id, an_applicant(), redacted=False)).archive

    async def noted(self) -> None:
        """One more entry about the application."""
        entry = RecordEntry("test.noted", self.room.clock(), "gateway", self.application_id)
        await self.room.transactions.write(lambda tx: tx.records.append(entry))

    async def growth(self, *bundles: bytes) -> bytes:
        """A ``consistency.json`` for entries out of several bundles: every size of every log to every larger one."""
        sizes: dict[str, set[int]] = {}
        for bundle in bundles:
            for name, body in read_archive(bundle).items():
                if name.startswith("record/"):
                    proof = json.loads(body)
                    sizes.setdefault(proof["log"], set()).add(proof["log_size"])
                    sizes.setdefault(SUPER_LOG, set()).add(proof["super_leaf"]["size"])

        def read(tx: Any) -> list[LogGrowth]:
            return [
                LogGrowth(log, old, new, StoredTree(tx.super_log, log, new).consistency_proof(old))
                for log, known in sizes.items()
                for old, new in combinations(sorted(known), 2)
            ]

        proofs = await self.room.transactions.read(read)
        return json.dumps({"v": 1, "growth": [log_growth_view(each).model_dump() for each in proofs]}).encode()

    async def anchored(self, seen_at: datetime | None = None, *, cosigned: bool = True) -> None:
        """A checkpoint that a witness cosigned, at ``seen_at`` or now."""
        checkpoint = await anchoring(self.room.transactions, self.room.clock).anchor_once()
        assert checkpoint is not None
        if cosigned:
            note = self.keys.cosigned(checkpoint.note, seen_at or self.room.clock())
            found = cosignatures_of(note, [self.keys.witness_key])
            await self.room.transactions.write(lambda tx: tx.super_log.add_cosignatures(checkpoint.size, found))

    def write_anchors(self, directory: Path) -> None:
        """DIR, as an auditor has it from everybody."""
        pki = province()
        (directory / "anchors").mkdir(parents=True)
        pem = base64.encodebytes(pki.root)
        (directory / "anchors" / "root.pem").write_bytes(
            b"-----BEGIN CERTIFICATE-----\n" + pem + b"-----END CERTIFICATE-----\n"
        )
        issuers = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in pki.trust().issuers]
        for name, content in {
            "issuers.json": issuers,
            "kinds.json": {kind: [code] for kind, code in TYPE_CODES.items()},
            "gateway.jwks.json": {"keys": [export_jwk(self.keys.answer.public())]},
            "partners.json": {
                UTILITY: [{"jwk": export_jwk(self.keys.utility.public()), "use": "receipt"}],
                ROAD: [{"jwk": export_jwk(self.keys.road.public()), "use": "outcome"}],
            },
            "identity-provider.json": {
                "issuer": IDENTITY_ISSUER,
                "audience": AUDIENCE,
                "keys": [export_jwk(self.keys.identity.public())],
            },
        }.items():
            (directory / name).write_text(json.dumps(content), "utf-8")
        (directory / "checkpoints.vkeys").write_text(f"{LOG_KEY}\n", "utf-8")
        (directory / "witnesses.vkeys").write_text(f"# chosen by the auditor\n{self.keys.witness_key}\n", "utf-8")


@asynccontextmanager
async def evidence_room(database_url: str) -> AsyncIterator[EvidenceRoom]:
    """The room, before anything happened in it."""
    with licences_room(database_url) as room:
        keys, numbers = Keys(), count(1)
        service = EvidenceService(
            room.transactions,
            lambda: keys.answer,
            room.clock,
            lambda kind: f"{kind}_{next(numbers):04d}",
            DIGESTS,
            issuer=ISSUER,
            gateway_name="共享平台",
            intermediates=(),
            wait_s=10,
        )
        yield EvidenceRoom(room, keys, service)


def lone_entry(keys: Keys, entry: RecordEntry, *seen_at: datetime, log: str = "lone") -> dict[str, bytes]:
    """The proof of an entry in a record of its own, signed and cosigned as any other, as a file of a bundle."""
    leaf = encode_entry(entry)
    head = encode_leaf(SuperLeaf(log, 1, 1, leaf_hash(leaf)))
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(head)), [LOG_SIGNER])
    for at in seen_at:
        note = keys.cosigned(note, at)
    proof = RecordProof(log, 1, leaf, 1, [], head, 0, [], note)
    return {f"record/{log}-1.json": proof_view(proof).model_dump_json().encode()}


def anew(bundle: bytes, changes: Mapping[str, bytes | None], key: SigningKey | None = None, **claimed: object) -> bytes:
    """The bundle with files changed, added or (None) taken away; with ``key`` its manifest lists and signs them, and
    says ``claimed`` too.
    """
    files = {**read_archive(bundle), **{name: body for name, body in changes.items() if body is not None}}
    files = {name: body for name, body in files.items() if changes.get(name, b"") is not None}
    if key is not None:
        part = files[MANIFEST].split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + b"=="))
        claims |= claimed
        listed = {name: body for name, body in files.items() if name != MANIFEST}
        claims["files"] = {name: {"sha256": digest(body), "size": len(body)} for name, body in sorted(listed.items())}
        files[MANIFEST] = sign_jws(claims, key, Typ.EVIDENCE_MANIFEST).encode()
    return write_archive(files)


def without(anchors: Anchors, **changes: Any) -> Anchors:
    """Anchors with something else in their place."""
    return replace(anchors, **changes)


def contents(bundle: bytes) -> Iterator[bytes]:
    """Every file, and whatever is packed in it in base64: leaves of the record, payloads of signed documents."""
    for name, body in read_archive(bundle).items():
        yield name.encode() + b"\0" + body
        for part in body.replace(b"\n", b" ").replace(b'"', b" ").replace(b".", b" ").split():
            for decode in (base64.b64decode, base64.urlsafe_b64decode):
                try:
                    yield decode(part + b"=" * (-len(part) % 4))
                except ValueError:
                    continue
