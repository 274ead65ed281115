"""Utilities: they take events, fetch what they may (and ask for what they may not), and go from stage to stage."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.applications.lifecycle import LifecycleStatus
from gateway.caller import Caller, Role
from gateway.crypto.jws import JwsPolicy, verify_jws
from gateway.delivery.ports import Event
from gateway.identity.model import VerifiedApplicant
from schemas.departments import ReviewMode
from schemas.events import EventType
from schemas.partner_api import (
    EndingRequest,
    JointReviewRequest,
    StageEventRequest,
    VerifiedLicence,
    VerifiedLicenceRequest,
)
from schemas.wire import Typ
from tests.simulation.database import ISSUER
from tests.simulation.gateway import ANSWER_KEY
from tests.simulation.model import STAGES, Known, documents_at
from tests.simulation.province import Answer, Province
from tests.simulation.weather import office_hours
from tests.simulation.world import Violated

PURPOSE = "grid_connection"
POLICY = JwsPolicy(typ=frozenset({Typ.VERIFIED_LICENCE}), issuer=ISSUER)
PERMITS = {
    "planning": "construction_planning",
    "road": "road_occupation",
    "greenery": "greenery_occupation",
    "traffic": "traffic_works",
    "water": "river_works",
}
STALLED = 0.1
"""Of applications: the utility stops at some stage and never goes on."""
MISCHIEF = 0.15
"""Of stages: the utility tries something that it may not do."""
NEVER = ("authorisation.", "requirements.", "application.", "licence.closed")
"""Checks that refuse nobody who is authorised."""
OFFICES = ("440000", "440100", "440300")
"""Where departments have one: for the province, and for the two cities that go by themselves."""
LOW_MODES = (ReviewMode.FULL, ReviewMode.FILING, ReviewMode.EXEMPT, ReviewMode.COMMITMENT)
STATUSES = {
    "pending": LifecycleStatus.WAITING,
    "under_way": LifecycleStatus.UNDER_WAY,
    "paused": LifecycleStatus.PAUSED,
}


@dataclass
class Work:
    """What a utility still does for an application: ``steps`` in order, the first is next."""

    known: Known
    region: str
    voltage_v: int
    steps: list[tuple[str, ...]] = field(default_factory=list)
    events: int = 0
    tries: int = 0


class Utilities:
    """All of the province's."""

    def __init__(self, province: Province) -> None:
        self.province = province
        self._claimed: dict[str, datetime] = {}
        self.stage_moved: Callable[[], None] = lambda: None
        self.verified_of: Callable[[Known], VerifiedApplicant] | None = None
        """Answers who stands behind an application."""

    def takes(self, event: Event) -> None:
        """An event had its effect at its utility."""
        if event.type == EventType.APPLICATION_SUBMITTED:
            self._plan(event)
        elif event.type == EventType.REVIEW_OPENED:
            self._commitments(event)

    # what is planned ------------------------------------------------------------------------------------------------

    def _plan(self, event: Event) -> None:
        known, weather = self.province.model.applications[event.subject], self.province.weather
        demand = event.data["demand"]
        work = Work(known, demand["region"], demand["voltage_v"])
        stages = STAGES[known.customer_class]
        ends_at = weather.rng.randrange(len(stages)) if weather.chance(0.1) else None
        stops_at = weather.rng.randrange(len(stages)) if weather.chance(STALLED) else None
        for number, stage in enumerate(stages):
            kinds = sorted(documents_at(known.customer_class, stage, resident=known.resident))
            work.steps += [("licence", kind) for kind in kinds if weather.chance(0.8)]
            work.steps.append(("stage", stage, "started"))
            if weather.chance(0.1):
                work.steps += [("stage", stage, "paused"), ("stage", stage, "resumed")]
            if weather.chance(MISCHIEF):
                work.steps.append(("mischief",))
            if number == stops_at:
                break
            if number == ends_at:
                work.steps.append(("end",))
                break
            if number == 0 and (known.customer_class.startswith("hv") or weather.chance(0.3)):
                work.steps.append(("review",))
            work.steps.append(("stage", stage, "completed"))
        self._next(work)

    def _next(self, work: Work, least: float = 600, most: float = 260_000) -> None:
        if not work.steps:
            return
        province = self.province
        when = province.now + timedelta(seconds=province.weather.between(least, most))
        when = office_hours(when, province.rng) if most > 3600 else when
        name = f"{work.known.utility} {work.steps[0][0]} {work.known.application_id}"
        province.agenda.at(when, name, lambda: self._do(work))

    async def _do(self, work: Work) -> str:
        step = work.steps[0]
        match step[0]:
            case "licence":
                answer = await self.licence(work.known, work.known.utility, step[1])
            case "stage":
                answer = await self._stage(work, step[1], step[2])
            case "review":
                answer = await self._review(work)
            case "end":
                answer = await self._end(work)
            case _:
                return await self._mischief(work)
        if answer.again and work.tries < 20:
            work.tries += 1
            self._next(work, 2, 900)
        else:
            work.steps.pop(0)
            work.events, work.tries = work.events + 1, 0
            if work.known.closed and not work.known.unsure:
                work.steps.clear()
            self._next(work)
        return f"{' '.join(step[1:])} {answer}"

    # licences -------------------------------------------------------------------------------------------------------

    async def licence(self, known: Known | None, utility: str, kind: str, application_id: str = "") -> Answer:
        """Ask, whether or not it is allowed; the books say which."""
        province, model = self.province, self.province.model
        allowed = model.may_have(known, utility, kind, province.now)
        holder = self._third_party(kind)
        if allowed and known is not None:
            model.asking = {holder or known.holder}
        request = VerifiedLicenceRequest(
            application_id=known.application_id if known else application_id,
            kind=kind,
            purpose=PURPOSE,
            holder_code=holder,
        )
        answer = await province.ask(province.gateway.licences.answer(caller(utility), request))
        if answer.done:
            claims = verify_jws(answer.value, [ANSWER_KEY.public()], POLICY, province.now).claims
            licence = VerifiedLicence(**claims)
            model.disclosed(licence, known, utility, province.now)
            model.records.append((licence.record_id, "licence.disclosed"))
            failed = licence.failed_check.check if licence.failed_check else ""
            return Answer("done", None) if not failed else Answer(f"done {licence.verdict} {failed}")
        if (
            answer.how == "refused"
            and allowed
            and known is not None
            and not known.unsure
            and answer.check.startswith(NEVER)
        ):
            raise Violated("disclosure", f"{kind} of {known.application_id}: {answer}, and it was authorised")
        return answer

    def _third_party(self, kind: str) -> str | None:
        units = [each for each in self.province.population.qualifications if each.kind == kind]
        return self.province.rng.choice(units).enterprise.code if units else None

    # stages ---------------------------------------------------------------------------------------------------------

    async def _stage(self, work: Work, stage: str, action: str, event_id: str | None = None) -> Answer:
        known, province, weather = work.known, self.province, self.province.weather
        event_id = event_id or f"{known.application_id}:{work.events}"
        claimed_at = province.now
        if work.tries == 0 and weather.strikes("time claimed wrongly", 0.05):
            claimed_at += timedelta(hours=weather.between(-60, 5))
        elif work.tries:
            claimed_at = self._claimed[event_id]
        self._claimed[event_id] = claimed_at
        reason = "待客户缴费" if action == "paused" else None
        request = StageEventRequest(event_id=event_id, stage=stage, action=action, claimed_at=claimed_at, reason=reason)
        legal = province.model.legal(known, stage, action, reason)
        answer = await province.ask(province.gateway.stages.hear(known.utility, known.application_id, request))
        if answer.how == "died":
            known.unsure = True
        elif answer.done:
            province.model.records.append((answer.value.record_id, f"stage.{action}"))
            if not legal:
                raise Violated(
                    "lifecycle", f"{known.application_id} took {action} of {stage} at {known.stage} {known.status}"
                )
            province.model.moved(known, action)
            known.unsure = False
            self.stage_moved()
            self._compare(known, None if answer.value.duplicate else province.now)
            if weather.strikes("stage event repeated", 0.05):
                await self._repeat(known, request)
        elif answer.how == "refused" and legal and not known.unsure:
            raise Violated("lifecycle", f"{known.application_id} refused {action} of {stage}: {answer}")
        return answer

    async def _repeat(self, known: Known, request: StageEventRequest) -> None:
        again = await self.province.ask(self.province.gateway.stages.hear(known.utility, known.application_id, request))
        if again.how == "refused" or (again.done and not again.value.duplicate):
            raise Violated("twice", f"{request.event_id} of {known.application_id} again: {again}")
        self._compare(known)

    def _compare(self, known: Known, heard_at: datetime | None = None) -> None:
        """What the gateway keeps is what it took, the last at ``heard_at``, and its times run forwards."""
        kept = self.province.database.look(lambda tx: tx.applications.find(known.application_id)).lifecycle
        if len(kept.steps) != known.steps:
            raise Violated("lifecycle", f"{known.application_id} has {len(kept.steps)} steps, and took {known.steps}")
        status = LifecycleStatus.COMPLETED if known.closed else STATUSES[known.status]
        if kept.status is not status:
            raise Violated("lifecycle", f"{known.application_id} stands at {kept.status}, not {status}")
        counted = [kept.received_at, *(step.counted_at for step in kept.steps)]
        heard = [kept.received_at, *(step.heard_at for step in kept.steps)]
        if counted != sorted(counted) or heard != sorted(heard) or heard_at not in (None, heard[-1]):
            raise Violated("clock", f"times of {known.application_id} run backwards")
        if any(step.counted_at > step.heard_at for step in kept.steps):
            raise Violated("clock", f"{known.application_id} counts a time that is still to come")

    async def _end(self, work: Work) -> Answer:
        known, province = work.known, self.province
        event_id = f"{known.application_id}:{work.events}"
        claimed_at = self._claimed.setdefault(event_id, province.now)
        request = EndingRequest(event_id=event_id, reason="客户用电工程取消", claimed_at=claimed_at)
        before = known.closed
        answer = await province.ask(province.gateway.stages.end(known.utility, known.application_id, request))
        if answer.how == "died":
            known.unsure = True
        elif answer.done:
            if before:
                raise Violated("lifecycle", f"{known.application_id} was ended after its end")
            known.closed, known.unsure, known.steps = True, False, known.steps + 1
            province.model.records.append((answer.value.record_id, "application.ended"))
        elif answer.how == "refused" and not before and not known.unsure:
            raise Violated("lifecycle", f"{known.application_id} was not ended: {answer}")
        return answer

    # the single window ----------------------------------------------------------------------------------------------

    async def _review(self, work: Work) -> Answer:
        province, weather, known = self.province, self.province.weather, work.known
        low = work.voltage_v <= 380
        city = work.region[:4] + "00"
        office = city if city in OFFICES else OFFICES[0]
        chosen = sorted(weather.rng.sample(sorted(PERMITS), weather.rng.randrange(1, 4)))
        permits = [
            {
                "department": f"{prefix}-{office}",
                "permit": PERMITS[prefix],
                "mode": weather.rng.choice(LOW_MODES) if low else ReviewMode.FULL,
            }
            for prefix in chosen
        ]
        line = {
            "description": "电缆线路",
            "voltage_v": work.voltage_v,
            "length_m": 80.0 if low else 420.5,
            "from_point": "开关站",
            "to_point": "红线",
        }
        request = JointReviewRequest.model_validate({"line": line, "permits": permits})
        call = province.gateway.window.open(caller(known.utility), known.application_id, request, province.now)
        answer = await province.ask(call)
        if answer.done and answer.value.view.record_id:
            province.model.records.append((answer.value.view.record_id, "review.opened"))
        return answer

    def _commitments(self, event: Event) -> None:
        """告知承诺: the applicant gives them some day."""
        province = self.province
        for permit in event.data["permits"]:
            if permit["mode"] == ReviewMode.COMMITMENT and province.weather.chance(0.8):
                name = f"applicant commits {permit['permit_id']}"
                known, permit_id = province.model.applications[event.subject], permit["permit_id"]
                seconds = province.weather.between(600, 400_000)
                province.agenda.after(name, lambda k=known, p=permit_id: self._commit(k, p), seconds=seconds)

    async def _commit(self, known: Known, permit_id: str) -> str:
        province = self.province
        assert self.verified_of is not None
        who = self.verified_of(known)
        call = province.gateway.commitments.give(who, known.application_id, permit_id, province.now)
        return str(await province.ask(call))

    # mischief -------------------------------------------------------------------------------------------------------

    async def _mischief(self, work: Work) -> str:
        """Something that must be refused; the books tell whether it was."""
        work.steps.pop(0)
        known, rng, model = work.known, self.province.rng, self.province.model
        what = rng.randrange(4)
        if what == 0:
            others = [each for each in model.applications.values() if each.utility != known.utility]
            other = rng.choice(others) if others else None
            kind = "property_certificate"
            answer = await self.licence(other, known.utility, kind, "app_unknown")
        elif what == 1:
            answer = await self.licence(
                known,
                known.utility,
                rng.choice(["construction_qualification", "design_qualification", "project_approval", "resident_id"]),
            )
        elif what == 2:
            stage = rng.choice(STAGES[known.customer_class])
            action = rng.choice(["started", "completed", "resumed"])
            if model.legal(known, stage, action, None):
                answer = Answer("left out")
            else:
                answer = await self._stage(work, stage, action, f"{known.application_id}:x{work.events}")
        else:
            answer = await self.province.ask(
                self.province.gateway.window.open(
                    caller(known.utility),
                    known.application_id,
                    JointReviewRequest.model_validate(
                        {
                            "line": {
                                "description": "线",
                                "voltage_v": 10_000,
                                "length_m": 5.0,
                                "from_point": "a",
                                "to_point": "b",
                            },
                            "permits": [{"department": "road-999900", "permit": "road_occupation"}],
                        }
                    ),
                    self.province.now,
                )
            )
            if answer.done:
                raise Violated("lifecycle", f"{known.application_id} has a review by a department that is none")
        self._next(work)
        return f"{what} {answer}"


def caller(code: str) -> Caller:
    """The utility, as the door would have found it out."""
    city = code.removeprefix("csg-")
    return Caller(code, Role.UTILITY, "thumbprint", frozenset({"licences", "stages", "reviews", "events"}), (city,))
