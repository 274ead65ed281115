"""Works through each application's plan: fetch licences, post stage events, open the joint review.

Every call carries an id made from application and step, and a stage event the time that was claimed at its first try,
so a step that was cut short is simply taken again: the gateway sees the same request.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mock_services.utility.client import GatewayClient, GatewayRefused, GatewayUnavailable
from mock_services.utility.contracts import a_contract
from mock_services.utility.store import Store, Work
from schemas.partner_api import StageEventRequest, VerifiedLicenceRequest

IDLE = 0.02
"""Seconds between looks at the store."""
MAX_LICENCE_ATTEMPTS = 6
"""A licence that cannot be had for some 15 seconds is gone without; officers look at it by hand later."""
AWAIT_PAUSE = timedelta(milliseconds=200)
FIRST_BACKOFF = timedelta(milliseconds=250)
LONGEST_BACKOFF = timedelta(seconds=15)


class NothingToDo(Exception):
    """The application is not known, its plan has ended, or its authorisation was withdrawn."""


@dataclass
class Driver:
    """One per process."""

    client: GatewayClient
    store: Store
    clock: Callable[[], datetime]
    _busy: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def run(self) -> None:
        """Until cancelled. An application whose call hangs keeps no other waiting."""
        async with asyncio.TaskGroup() as group:
            while True:
                for application_id in self.store.plans.due(self.clock()):
                    if not self._busy[application_id].locked():
                        group.create_task(self._advance_if_due(application_id))
                await asyncio.sleep(IDLE)

    async def advance(self, application_id: str) -> dict[str, Any]:
        """Take the next step now, due or not; answers what came of it. Raises ``NothingToDo``."""
        async with self._busy[application_id]:
            work = self.store.plans.next_work(application_id)
            if work is None:
                raise NothingToDo
            return await self._take(work)

    async def _advance_if_due(self, application_id: str) -> None:
        async with self._busy[application_id]:
            if application_id not in self.store.plans.due(self.clock()):
                return
            work = self.store.plans.next_work(application_id)
            if work is not None:
                await self._take(work)

    async def _take(self, work: Work) -> dict[str, Any]:
        step = work.step.model_dump(mode="json", exclude_none=True)
        try:
            result = await self._do(work)
        except GatewayUnavailable as error:
            if work.step.do == "licence" and work.attempts + 1 >= MAX_LICENCE_ATTEMPTS:
                self.store.plans.step_done(work, self.clock())
                return {"step": step, "done": False, "unavailable": str(error)}
            wait = min(FIRST_BACKOFF * (1 << min(work.attempts, 10)), LONGEST_BACKOFF)
            if error.retry_after is not None:
                wait = max(wait, timedelta(seconds=min(error.retry_after, 60)))
            self.store.plans.step_postponed(work, self.clock() + wait, {"unavailable": str(error)})
            return {"step": step, "done": False, "unavailable": str(error)}
        except GatewayRefused as error:
            return self._refused(work, step, error)
        if result is None:
            self.store.plans.step_postponed(work, self.clock() + AWAIT_PAUSE, None)
            return {"step": step, "done": False, "waiting": True}
        self.store.plans.step_done(work, self.clock())
        return {"step": step, "done": True, "result": result}

    def _refused(self, work: Work, step: dict[str, Any], error: GatewayRefused) -> dict[str, Any]:
        """A licence that may not be had is gone without; a stage or a review that is refused halts the plan."""
        problem = error.problem.model_dump(mode="json", exclude_none=True)
        if work.step.do == "licence":
            self.store.plans.step_done(work, self.clock())
        else:
            self.store.plans.step_postponed(work, None, problem)
        return {"step": step, "done": False, "problem": problem}

    async def _do(self, work: Work) -> dict[str, Any] | None:
        """Take one step; None means: not yet."""
        step, application_id = work.step, work.application_id
        match step.do:
            case "licence" if step.kind and step.purpose:
                return await self.fetch_licence(
                    VerifiedLicenceRequest(
                        application_id=application_id,
                        kind=step.kind,
                        purpose=step.purpose,
                        holder_code=step.holder_code,
                    )
                )
            case "stage" if step.stage and step.action:
                event = StageEventRequest(
                    event_id=f"{application_id}:{step.stage}:{step.action}",
                    stage=step.stage,
                    action=step.action,
                    claimed_at=self.store.plans.claimed_at(work, self.clock()),
                )
                return (await self.client.stage_event(application_id, event)).model_dump(mode="json")
            case "joint_review" if step.review is not None:
                key = f"{application_id}:joint-review"
                view = await self.client.open_joint_review(application_id, step.review, idempotency_key=key)
                return view.model_dump(mode="json")
            case "contract":
                contract = a_contract(application_id, self.store.plans.claimed_at(work, self.clock()))
                return (await self.client.send_contract(application_id, contract)).model_dump(mode="json")
            case "await_contract":
                return {"signed": True} if self.store.decisions.contract_signed(application_id) else None
            case "await_permits":
                return {"approved": True} if self.store.permits.approved(application_id) else None
        raise ValueError(f"a {step.do} step is incomplete")

    async def fetch_licence(self, request: VerifiedLicenceRequest) -> dict[str, Any]:
        """Fetch a verified licence and keep the signed answer; answers its claims."""
        licence, answer = await self.client.verified_licence(request)
        self.store.licences.keep(licence, answer, self.clock())
        return licence.model_dump(mode="json")
