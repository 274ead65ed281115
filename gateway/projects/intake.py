"""An approval platform pushes a project, and the utility of its region learns of it with no human step (第（七）条).

1. The path's code names a platform that takes part: a partner of the role ``source``.
2. The raw bytes are authenticated: a key that the platform registered for projects, ``typ``, ``aud``, ``iss``, age.
3. The claims are read in the words of the V3 exchange.
4. One unit of work: the project is held; the same version again gets the same answer; the highest version counts; push,
   project, leads, record entries and the utilities' events are committed together.

The push proves itself as a department's outcome does, and needs no token: what a platform said can then be shown later
without trust in the gateway. A refusal is recorded once the signature proved who said it; what anybody may send is only
logged and counted.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError

from gateway.applications.utilities import utilities_of
from gateway.caller import Role
from gateway.clock import Clock
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jws import JwsPolicy, VerifiedJws, verify_jws
from gateway.crypto.keyed_digest import KeyedDigest, Use
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import Directory, DirectorySnapshot
from gateway.partners.model import KeyUse
from gateway.projects.errors import PlatformUnknown, PushContradicts, PushNotAuthentic, PushUnreadable
from gateway.projects.model import Project, Said
from gateway.projects.ports import KeptPush, ProjectsTransaction, WaitingProject
from gateway.projects.reading import read_push
from gateway.projects.rules import Step, assign, is_waiting, take, with_steps
from gateway.projects.telling import entry_of, event_of
from gateway.records.entries import Fact, RecordEntry, digest
from gateway.records.refusals import refusals_recorded
from gateway.transaction import Transactions
from gateway.wording.phrases import Phrase
from schemas.leads import LEADS_CLAUSE
from schemas.project_push import MAX_PUSH_BYTES, ProjectAcknowledged, ProjectPush
from schemas.wire import Typ

log = structlog.get_logger()

MAX_AGE = timedelta(days=30)
"""How long ago a push may have been signed: it outlasts an outage, and a repetition has no second effect anyway."""
PAGE = 100
_TYP = frozenset({Typ.PROJECT_PUSH.value})
_ALGORITHMS = frozenset({"ES256", "EdDSA", "SM2-SM3"})
_REQUIRED = frozenset({"iss", "aud", "iat"})
_SIGNING_TIMES = ("iat", "nbf", "exp")


@dataclass(frozen=True)
class _Pushed:
    """A push whose signature was verified and whose claims were read. ``serving`` are its region's utilities."""

    platform: str
    project_code: str
    works_code: str
    said: Said
    serving: tuple[str, ...]
    content_digest: str
    signed: bytes
    signed_digest: str


class ProjectIntake:
    """Takes projects in. ``issuer`` is what platforms name in ``aud``."""

    def __init__(
        self,
        transactions: Transactions[ProjectsTransaction],
        directory: Directory,
        issuer: str,
        make_id: MakeId,
        digests: KeyedDigest,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._issuer = issuer
        self._make_id = make_id
        self._digests = digests
        self._clock = clock

    async def receive(self, code: str, signed: bytes, at: datetime) -> ProjectAcknowledged:
        """Take in the JWS ``signed`` that was pushed for platform ``code``; answers once it is durable.

        Raises ``PlatformUnknown``, ``PushNotAuthentic``, ``PushUnreadable``, ``PushContradicts``,
        ``AlgorithmUnavailable``.
        """
        partners = await self._directory.snapshot()
        partner = partners.active_partner(code)
        if partner is None or partner.role is not Role.SOURCE:
            raise PlatformUnknown(
                check="platform.unknown",
                owner=Owner.GOVERNMENT,
                remedy="请核对平台代码；平台须已接入且处于启用状态。",
            )
        verified = self._authenticate(code, signed, partners, at)
        facts: dict[str, Fact] = {"signed_sha256": digest(signed)}
        async with refusals_recorded(self._transactions, "project.refused", lambda: at, code, None, facts):
            pushed = self._read(code, verified.claims, signed, partners)
            return await self._transactions.write(lambda tx: self._take(tx, pushed, at))

    async def assign_waiting(self) -> int:
        """Offer the projects that no utility served when they were pushed, where one does now; answers how many."""
        partners, offered, after = await self._directory.snapshot(), 0, ""
        while page := await self._waiting(after):
            for each in page:
                if serving := utilities_of(partners, each.region):
                    offered += await self._assign_one(each, serving)
            after = page[-1].project_id
        return offered

    async def _waiting(self, after: str) -> Sequence[WaitingProject]:
        return await self._transactions.read(lambda tx: tx.projects.waiting(after, PAGE))

    async def _assign_one(self, each: WaitingProject, serving: list[str]) -> int:
        return await self._transactions.write(lambda tx: self._assign(tx, each, serving))

    def _authenticate(self, code: str, signed: bytes, partners: DirectorySnapshot, at: datetime) -> VerifiedJws:
        policy = JwsPolicy(
            typ=_TYP,
            algorithms=_ALGORITHMS,
            max_bytes=MAX_PUSH_BYTES,
            audience=frozenset({self._issuer}),
            issuer=code,
            required=_REQUIRED,
            max_age=MAX_AGE,
            leeway=timedelta(seconds=60),
        )
        try:
            return verify_jws(signed, partners.verification_keys(code, KeyUse.PROJECT, at), policy, at)
        except JoseRefused as refusal:
            log.warning("project.not_authentic", platform=code, check=refusal.check)
            raise PushNotAuthentic(
                check=f"project.{refusal.check}", owner=Owner.GOVERNMENT, remedy=refusal.remedy
            ) from None

    def _read(self, code: str, claims: dict[str, Any], signed: bytes, partners: DirectorySnapshot) -> _Pushed:
        try:
            push = ProjectPush.model_validate(claims)
        except ValidationError as error:
            # Names of ours and numbers of rows: a member that the models do not know is ignored, so never named.
            where = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
            raise PushUnreadable(
                check="project.claims",
                owner=Owner.GOVERNMENT,
                remedy=Phrase("推送内容不符合交换字段约定，请核对 {where} 后重新推送。", where=where),
            ) from None
        said = read_push(push)
        return _Pushed(
            platform=code,
            project_code=push.xmjbxxb.xmdm,
            works_code=push.xmjbxxb.gcdm,
            said=said,
            serving=tuple(utilities_of(partners, said.lead.region)) if said.lead else (),
            content_digest=self._digests.of(Use.PROJECT_PUSH, _content_digest(claims)),
            signed=signed,
            signed_digest=digest(signed),
        )

    def _take(self, tx: ProjectsTransaction, pushed: _Pushed, at: datetime) -> ProjectAcknowledged:
        project = tx.projects.hold(pushed.platform, pushed.project_code, pushed.works_code, self._make_id("prj"), at)
        known = tx.projects.find_push(project.project_id, pushed.said.version)
        if known is not None:
            return _same_again(project, known, pushed)
        taken = take(project, pushed.said, pushed.serving, lambda: self._make_id("lead"), at)
        facts: dict[str, Fact] = {
            "version": pushed.said.version,
            "effect": taken.effect.value,
            "holds": pushed.said.lead is not None,
            "leads": [f"{step.lead.lead_id} {step.move.value}" for step in taken.steps],
            "content_digest": pushed.content_digest,
            "signed_sha256": pushed.signed_digest,
        }
        record_id = tx.records.append(
            RecordEntry("project.received", at, pushed.platform, project.project_id, facts=facts)
        )
        tx.projects.put(taken.project, at, heard=True)
        tx.projects.add_push(
            KeptPush(
                project_id=project.project_id,
                version=pushed.said.version,
                content_digest=pushed.content_digest,
                signed=pushed.signed,
                signed_digest=pushed.signed_digest,
                effect=taken.effect.value,
                record_id=record_id,
                received_at=at,
            )
        )
        self._tell(tx, taken.steps, pushed.platform, at)
        return ProjectAcknowledged(
            project_id=project.project_id,
            version=pushed.said.version,
            effect=taken.effect.value,
            duplicate=False,
            waiting=is_waiting(taken.project),
            record_id=record_id,
        )

    def _assign(self, tx: ProjectsTransaction, waiting: WaitingProject, serving: list[str]) -> int:
        """1 where it was offered; 0 where it moved on, or was offered, in the meantime."""
        project, at = tx.projects.hold_known(waiting.project_id), self._clock()
        told = project.said.lead if project is not None and project.said is not None else None
        if project is None or told is None or told.region != waiting.region:
            return 0
        steps = assign(project, serving, lambda: self._make_id("lead"), at)
        if not steps:
            return 0
        tx.projects.put(with_steps(project, steps), at)
        self._tell(tx, steps, "gateway", at)
        return 1

    def _tell(self, tx: ProjectsTransaction, steps: tuple[Step, ...], actor: str, at: datetime) -> None:
        for step in steps:
            tx.records.append(entry_of(step, actor, at))
            tx.outbox.append(event_of(self._make_id("evt"), step, at))


def _content_digest(claims: dict[str, Any]) -> str:
    """SHA-256 over what a platform says, whatever the order of its members; when it was signed is left out."""
    said = {name: claim for name, claim in claims.items() if name not in _SIGNING_TIMES}
    return digest(json.dumps(said, sort_keys=True, separators=(",", ":")))


def _same_again(project: Project, known: KeptPush, pushed: _Pushed) -> ProjectAcknowledged:
    if known.content_digest != pushed.content_digest:
        raise PushContradicts(
            check="project.contradicts",
            owner=Owner.GOVERNMENT,
            remedy="该项目的此序号（xh）已用于另一内容；更正请以更大的序号重新推送。",
            clause=LEADS_CLAUSE,
        )
    return ProjectAcknowledged(
        project_id=known.project_id,
        version=known.version,
        effect=known.effect,
        duplicate=True,
        waiting=is_waiting(project),
        record_id=known.record_id,
    )
