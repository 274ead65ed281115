"""Departments: each takes its requests, decides on working days, and pushes that until it is acknowledged."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import sign_jws
from gateway.delivery.ports import Event
from schemas.departments import OutcomeKind
from schemas.project_exchange import STATUS_OF_OUTCOME, HandlingStatus
from schemas.wire import Typ
from tests.simulation.database import ISSUER
from tests.simulation.province import Province
from tests.simulation.weather import office_hours
from tests.simulation.world import Violated

RECEIVED = "received"
"""接件: a handling step and no outcome; only planning departments tell it."""


def department_key(code: str) -> SigningKey:
    return SigningKey(f"{code}-1", "EdDSA", Ed25519PrivateKey.from_private_bytes(code.encode().ljust(32, b".")[:32]))


@dataclass
class Push:
    """One outcome on its way, signed once; ``tries`` counts how often it was pushed."""

    department: str
    outcome_id: str
    kind: str
    claims: dict[str, Any]
    signed: bytes
    tries: int = 0


class Departments:
    """All of the province's."""

    def __init__(self, province: Province) -> None:
        self.province = province
        self._requests: set[str] = set()

    def takes(self, event: Event) -> None:
        """A review request came, for the first time."""
        weather, rng = self.province.weather, self.province.rng
        department, permit_id = event.destination, event.data["permit_id"]
        planning = department.startswith("planning")
        kinds: list[str] = [RECEIVED] if planning else []
        kinds.append(OutcomeKind.ACCEPTED)
        if weather.chance(0.2):
            kinds += [OutcomeKind.CORRECTION_REQUESTED, OutcomeKind.CORRECTION_RECEIVED]
        if weather.chance(0.1):
            kinds += [OutcomeKind.SPECIAL_PROCEDURE_STARTED, OutcomeKind.SPECIAL_PROCEDURE_ENDED]
        kinds.append(OutcomeKind.APPROVED if weather.chance(0.85) else OutcomeKind.REJECTED)
        supersedes = None
        if weather.chance(0.1):
            kinds.append(OutcomeKind.APPROVED)
            supersedes = f"{department}:{permit_id}:{len(kinds) - 1}"
        at, last = self.province.now, len(kinds)
        for number, kind in enumerate(kinds, 1):
            at = office_hours(at + timedelta(hours=weather.between(0.2, 60)), rng)
            sent_at = at
            if weather.strikes("outcome overtaken", 0.08):
                sent_at = at + timedelta(hours=weather.between(1, 90))
            replaced = supersedes if number == last else None
            self._plan(department, permit_id, number, kind, at, sent_at, replaced)

    def _plan(
        self,
        department: str,
        permit_id: str,
        number: int,
        kind: str,
        decided_at: datetime,
        at: datetime,
        supersedes: str | None,
    ) -> None:
        outcome_id = f"{department}:{permit_id}:{number}"

        async def push() -> str:
            claims = self._claims(department, permit_id, number, kind, decided_at, supersedes)
            signed = sign_jws(claims, department_key(department), Typ.APPROVAL_OUTCOME.value).encode()
            return await self._push(Push(department, outcome_id, kind, claims, signed))

        self.province.agenda.at(at, f"{department} pushes {outcome_id} {kind}", push)

    def _claims(
        self, department: str, permit_id: str, number: int, kind: str, decided_at: datetime, supersedes: str | None
    ) -> dict[str, Any]:
        own: dict[str, Any] = {
            "iss": department,
            "aud": ISSUER,
            "jti": f"{department}:{permit_id}:{number}",
            "iat": int(self.province.now.timestamp()),
        }
        reason = (
            "请补充材料" if kind in (OutcomeKind.CORRECTION_REQUESTED, OutcomeKind.SPECIAL_PROCEDURE_STARTED) else None
        )
        if department.startswith("planning"):
            status = HandlingStatus.RECEIVED if kind == RECEIVED else STATUS_OF_OUTCOME[OutcomeKind(kind)]
            own |= {
                "spsxslbm": permit_id,
                "xh": number,
                "blzt": int(status),
                "blsj": (decided_at + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S"),
                "blyj": reason,
                "x_tdjg": supersedes,
            }
        else:
            own |= {
                "permit_id": permit_id,
                "sequence": number,
                "outcome": str(kind),
                "decided_at": decided_at.isoformat(),
                "reason": reason,
                "supersedes": supersedes,
            }
        return {name: value for name, value in own.items() if value is not None}

    async def _push(self, push: Push) -> str:
        province, weather, model = self.province, self.province.weather, self.province.model
        if weather.down(push.department, province.now):
            return self._again(push, "is out", 1, 6)
        await self._push_rubbish(push)
        model.pushed.add(push.outcome_id)
        answer = await province.ask(province.gateway.outcomes.receive(push.department, push.signed, province.now))
        if answer.again:
            return self._again(push, str(answer), 0.01, 2)
        if not answer.done:
            raise Violated("lost", f"{push.outcome_id} was refused: {answer}")
        acknowledged = answer.value
        if push.kind != RECEIVED:
            if acknowledged.duplicate is not (push.outcome_id in model.outcomes):
                raise Violated("twice", f"{push.outcome_id} is told to be a duplicate: {acknowledged.duplicate}")
            model.acknowledges(push.outcome_id, province.now)
        action = "outcome.noted" if push.kind == RECEIVED else "outcome.received"
        model.records.append((acknowledged.record_id, action))
        if weather.strikes("outcome repeated", 0.08):
            self._again(push, "repeats", 0.01, 100)
        return f"{answer} duplicate={acknowledged.duplicate}"

    def _again(self, push: Push, why: str, least_h: float, most_h: float) -> str:
        push.tries += 1
        hours = self.province.weather.between(least_h, most_h)
        self.province.agenda.after(
            f"{push.department} pushes {push.outcome_id} again", lambda: self._push(push), hours=hours
        )
        return why

    async def _push_rubbish(self, push: Push) -> None:
        """What must be refused, and have no effect."""
        weather = self.province.weather
        if weather.strikes("outcome with a bad signature", 0.02):
            await self._refused(push, push.signed[:-6] + b"AAAAAA")
        if weather.strikes("schema drift of an outcome", 0.02):
            claims = {**push.claims, "jti": push.outcome_id + ":v2"}
            claims = {
                {"outcome": "result_v2", "blzt": "blzt_v2"}.get(name, name): value for name, value in claims.items()
            }
            await self._refused(push, self._signed(push, claims))
        if weather.strikes("outcome of another's permit", 0.01):
            name = "spsxslbm" if "spsxslbm" in push.claims else "permit_id"
            await self._refused(push, self._signed(push, {**push.claims, "jti": push.outcome_id + ":x", name: "prm_0"}))
        if weather.strikes("outcome signed long ago", 0.01):
            iat = push.claims["iat"] - 40 * 86_400
            await self._refused(push, self._signed(push, {**push.claims, "iat": iat}))

    def _signed(self, push: Push, claims: dict[str, Any]) -> bytes:
        return sign_jws(claims, department_key(push.department), Typ.APPROVAL_OUTCOME.value).encode()

    async def _refused(self, push: Push, signed: bytes) -> None:
        answer = await self.province.ask(
            self.province.gateway.outcomes.receive(push.department, signed, self.province.now)
        )
        if answer.done:
            raise Violated("twice", f"rubbish beside {push.outcome_id} was taken in")
