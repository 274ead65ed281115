"""Where a journey plays: the province, a client, a voice; and the steps that journeys share."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from mock_services.demo.applicant import Applicant
from mock_services.demo.province import Province

WAITS_AT_MOST = 60.0
HOME = {"region": "440106", "voltage_v": 220, "capacity_kw": 8, "purpose": "住宅用电"}
HOME_OF_LIN = {**HOME, "region": "440104"}
BAKERY = {"region": "440105", "voltage_v": 380, "capacity_kw": 80, "purpose": "糕饼店"}
MILL = {"region": "440605", "voltage_v": 380, "capacity_kw": 315, "purpose": "纺织车间，占用绿地告知承诺"}
CHIP_PLANT = {
    "region": "440307",
    "voltage_v": 10_000,
    "capacity_kw": 6_300,
    "source_count": 2,
    "purpose": "半导体生产线",
}
LOW_VOLTAGE_LINE = {
    "description": "380伏电缆外线",
    "voltage_v": 380,
    "length_m": 80.0,
    "from_point": "低压分支箱",
    "to_point": "用户计量箱",
}


class Unexpected(Exception):
    """A journey went otherwise than it should."""


def expect(holds: bool, what: str) -> None:
    """Raises ``Unexpected`` with ``what`` should have been so."""
    if not holds:
        raise Unexpected(what)


@dataclass
class Stage:
    """Where a journey plays: the province, a client, and a voice."""

    province: Province
    http: httpx.AsyncClient
    say: Callable[[str], None]

    def applicant(self, subject: str) -> Applicant:
        """A new visitor."""
        return Applicant(self.http, self.province.gateway, subject)

    async def get(self, url: str) -> Any:
        """JSON of a mock's admin route."""
        return (await self.http.get(url)).raise_for_status().json()

    async def utility_outcomes(self, application_id: str) -> list[dict[str, Any]]:
        """What the utility's own database holds."""
        url = f"{self.province.utility}/__admin/outcomes?application_id={application_id}"
        found: list[dict[str, Any]] = await self.get(url)
        return found

    async def department_outcomes(self, permits: set[str]) -> list[dict[str, Any]]:
        """What the departments decided on ``permits``."""
        decided = await self.get(f"{self.province.departments}/__admin/outcomes")
        return [outcome for outcome in decided if outcome["permit_id"] in permits]

    async def ask_as_utility(self, application_id: str, **wanted: Any) -> tuple[int, dict[str, Any]]:
        """The utility asks the gateway for a licence; answers status and claims or problem."""
        url = f"{self.province.utility}/__admin/applications/{application_id}/licences"
        response = await self.http.post(url, json=wanted)
        return response.status_code, response.json()

    async def at_utility(self, application_id: str) -> dict[str, Any]:
        """The application as the utility holds it, once it has it."""

        async def held() -> dict[str, Any] | None:
            applications = await self.get(f"{self.province.utility}/__admin/applications")
            return next((each for each in applications if each["application_id"] == application_id), None)

        found: dict[str, Any] = await until(held, "the application reaches the utility")
        return found

    async def finished(self, applicant: Applicant, application_id: str) -> dict[str, Any]:
        """Progress once every stage is completed; says each stage as it is."""
        told: set[str] = set()

        async def done() -> dict[str, Any] | None:
            progress = await applicant.progress(application_id)
            for stage in progress["stages"]:
                line = f"{stage['title']}：{stage['state']}"
                if stage["state"] in ("under_way", "completed") and line not in told:
                    told.add(line)
                    self.say(f"{line}{limit_of(stage['deadline'])}")
            return progress if progress["status"] == "completed" else None

        progress: dict[str, Any] = await until(done, "every stage is completed")
        return progress


def limit_of(deadline: dict[str, Any] | None) -> str:
    """A stage's limit, as people read it."""
    if not deadline or deadline["limit_working_days"] is None:
        return ""
    due = (deadline["due_at"] or "")[:10]
    return f"（限 {deadline['limit_working_days']} 个工作日，至 {due}，{deadline['clause']}）"


async def until(ask: Callable[[], Awaitable[Any]], what: str, patience: float = WAITS_AT_MOST) -> Any:
    """Ask until the answer is not None or empty. Raises ``Unexpected`` when it stays so."""
    ends = time.monotonic() + patience
    while True:
        answer = await ask()
        if answer:
            return answer
        expect(time.monotonic() < ends, f"{what} within {patience:.0f} s")
        await asyncio.sleep(0.2)


async def apply(stage: Stage, applicant: Applicant, intake: str, demand: dict[str, Any]) -> str:
    """Preview, say what was found, confirm; answers the application's id."""
    preview = await applicant.begin(intake, demand)
    customer_class = preview["customer_class"]
    stage.say(f"{customer_class['title']}（{customer_class['clause']}）")
    choices = {}
    for document in preview["documents"]:
        found = document["certificates"]
        age = f"，来源 {found[0]['source']}" if found else ""
        stage.say(f"{document['title']}：{document['state']}{age}")
        if document["state"] == "choose":
            valid = [certificate for certificate in found if certificate["verdict"] == "valid"]
            choices[document["document"]] = valid[0]["choice"]
    expect(preview["ready"], "every document is found")
    accepted = await applicant.confirm(preview["intake_id"], choices=choices)
    stage.say(f"已授权 {accepted['utility']}，申请 {accepted['application_id'][:14]}…")
    await stage.at_utility(accepted["application_id"])
    stage.say("供电企业已收到")
    application_id: str = accepted["application_id"]
    return application_id


async def same_outcomes(stage: Stage, application_id: str, permits: set[str]) -> None:
    """Every outcome that a department decided is at the utility, once, and in each permit's order."""

    async def complete() -> list[dict[str, Any]] | None:
        held = await stage.utility_outcomes(application_id)
        decided = await stage.department_outcomes(permits)
        return held if len(held) >= len(decided) > 0 else None

    held = await until(complete, "every outcome reaches the utility")
    decided = await stage.department_outcomes(permits)
    counted = Counter(outcome["outcome_id"] for outcome in held)
    expect(counted == Counter(outcome["outcome_id"] for outcome in decided), "the same outcomes, each once")
    for permit in permits:
        order = [outcome["sequence"] for outcome in held if outcome["permit_id"] == permit]
        expect(order == sorted(order), "in each permit's order")
    stage.say(f"{len(held)} 个审批结果全部送达供电企业，各一次，签名为部门原签名")
