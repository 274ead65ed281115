"""The eight journeys. Each checks what it claims: a journey that ends otherwise than it should fails the demo."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from mock_services.demo.applicant import Applicant, Refused
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


async def _apply(stage: Stage, applicant: Applicant, intake: str, demand: dict[str, Any]) -> str:
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


async def resident_by_face(stage: Stage) -> None:
    """1 A resident, by face, at home."""
    applicant = stage.applicant("resident-ordinary")
    session = await applicant.verify("resident", "face")
    expect(session["status"] == "verified", "the face is recognised")
    stage.say("刷脸通过（人脸图像不出身份核验方）")
    application_id = await _apply(stage, applicant, "face-verified", HOME)
    progress = await stage.finished(applicant, application_id)
    read = [access for access in progress["accesses"] if access["result"] == "done"]
    expect({access["document"] for access in read} >= {"resident_id", "property_certificate"}, "accesses are shown")
    stage.say(f"谁看过我的信息：{len(read)} 次，{'、'.join(sorted({access['who'] for access in read}))}")


async def resident_by_sms(stage: Stage) -> None:
    """2 A resident whose face is not recognised goes on by SMS."""
    applicant = stage.applicant("resident-face-fails")
    session = await applicant.verify("resident", "face")
    expect(session["status"] == "failed", "the face is not recognised")
    expect("sms_otp" in session["alternatives"], "another way is offered")
    stage.say(f"刷脸未通过：{session['remedy']}")
    session = await applicant.verify("resident", "sms_otp")
    expect(session["status"] == "verified", "SMS succeeds")
    stage.say("短信核验通过")
    await stage.finished(applicant, await _apply(stage, applicant, "face-verified", HOME_OF_LIN))


async def small_enterprise(stage: Stage) -> None:
    """3 A small enterprise, one licence, 三零."""
    applicant = stage.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    application_id = await _apply(stage, applicant, "one-certificate", BAKERY)
    progress = await stage.finished(applicant, application_id)
    expect(progress["customer_class"]["customer_class"] == "lv_zero", "the class is lv_zero")
    expect(len(progress["stages"]) == 2, "two stages")


async def enterprise_by_agent(stage: Stage) -> None:
    """4 An ordinary low-voltage enterprise, by an agent; the province lets a permit go by commitment (告知承诺)."""
    applicant = stage.applicant("enterprise-agent")
    await applicant.verify("enterprise", "e_licence")
    stage.say("经办人持电子营业执照授权办理")
    application_id = await _apply(stage, applicant, "one-certificate", MILL)
    await _commit(stage, applicant, application_id)
    progress = await stage.finished(applicant, application_id)
    expect(progress["customer_class"]["customer_class"] == "lv_ordinary", "the class is lv_ordinary")
    expect(progress["joint_review"]["state"] == "approved", "all permits are approved, exempt or committed to")
    modes = {permit["summary"]["mode"] for permit in progress["permits"]}
    expect(modes == {"full", "commitment", "exempt"}, "each in its own mode")


async def _commit(stage: Stage, applicant: Applicant, application_id: str) -> None:
    """Wait until a permit waits on the applicant, and commit."""

    async def waiting() -> dict[str, Any] | None:
        permits = (await applicant.progress(application_id))["permits"]
        return next((permit for permit in permits if permit["next_step_href"]), None)

    permit = await until(waiting, "a permit waits for the applicant's commitment")
    stage.say(f"{permit['summary']['permit']}：{permit['next_step']}（{permit['summary']['mode_clause']}）")
    given = await applicant.commit(permit["next_step_href"])
    expect(given["as_read"] and bool(given["record_id"]), "the commitment is given in the words that were read")
    stage.say(f"申请人本人作出告知承诺，摘要 {given['sha256'][:12]}…，已存证")


async def dual_source(stage: Stage) -> None:
    """5 High voltage, two sources: five departments in parallel, a 补正, a rejection superseded by an approval."""
    applicant = stage.applicant("enterprise-dual-source")
    await applicant.verify("enterprise", "e_licence")
    application_id = await _apply(stage, applicant, "one-certificate", CHIP_PLANT)
    progress = await stage.finished(applicant, application_id)
    permits = progress["permits"]
    expect(len(permits) == 5, "five permits")
    expect(progress["joint_review"]["state"] == "approved", "all permits are approved")
    by_department = {permit["summary"]["department"].split("-")[0]: permit for permit in permits}
    for name, permit in by_department.items():
        steps = " → ".join(outcome["outcome"] for outcome in permit["outcomes"])
        stage.say(f"{name}：{steps}")
    pauses = by_department["planning"]["pauses"]
    expect(len(pauses) == 1 and pauses[0]["until_at"] is not None, "the 补正 stopped the clock, and it runs again")
    road = by_department["road"]["outcomes"]
    superseded = [outcome["outcome"] for outcome in road if outcome["superseded"]]
    expect(superseded == ["rejected"], "the rejection is superseded")
    expect(road[-1]["outcome"] == "approved", "by an approval")
    await _same_outcomes(stage, application_id, {permit["summary"]["permit_id"] for permit in permits})


async def _same_outcomes(stage: Stage, application_id: str, permits: set[str]) -> None:
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


async def too_much(stage: Stage) -> None:
    """6 The utility asks for too much, and is refused with the clause."""
    applicant = stage.applicant("enterprise-small")
    await applicant.verify("enterprise", "e_licence")
    application_id = await _apply(stage, applicant, "one-certificate", {**BAKERY, "purpose": "演示人工"})
    for kind in ("construction_qualification", "resident_id"):
        status, problem = await stage.ask_as_utility(application_id, kind=kind, purpose="grid_connection")
        expect(status == 403 and problem.get("clause") == "第（六）条", f"{kind} is refused by 第（六）条")
        stage.say(f"索取 {kind}：拒绝，{problem['clause']}——{problem['remedy']}")
    status, problem = await stage.ask_as_utility(
        application_id, kind="property_certificate", purpose="grid_connection", fields=["owner_codes"]
    )
    expect(status == 403, "a field outside the agreement is refused")
    stage.say(f"索取协议外字段：拒绝——{problem['remedy']}")
    status, answer = await stage.ask_as_utility(
        application_id, kind="business_licence", purpose="grid_connection", fields=["name", "holder", "valid_on"]
    )
    expect(status == 200 and answer["verdict"] == "valid", "what it may have, it gets")
    expect(set(answer["fields"]) == {"name", "holder"}, "and nothing else")
    stage.say(f"营业执照：有效；给出 {'、'.join(answer['fields'])}，未给出 {len(answer['withheld'])} 项")
    progress = await applicant.progress(application_id)
    refused = [access for access in progress["accesses"] if access["result"] == "refused"]
    expect(len(refused) >= 3, "the applicant sees the refused attempts")
    stage.say(f"申请人看到 {len(refused)} 次被拒绝的查询；撤回授权")
    await applicant.withdraw(application_id)
    status, problem = await stage.ask_as_utility(application_id, kind="business_licence", purpose="grid_connection")
    expect(status == 403 and problem["check"] == "authorisation.withdrawn", "after the withdrawal nothing is given")


async def bad_certificates(stage: Stage) -> None:
    """7 A revoked licence and a broken signature are caught."""
    troubles = {
        "enterprise-revoked": ("441302", "refused"),
        "enterprise-broken-signature": ("440511", "refused"),
        "enterprise-stale-status": ("441202", "unavailable"),
    }
    for subject, (region, state) in troubles.items():
        applicant = stage.applicant(subject)
        await applicant.verify("enterprise", "e_licence")
        preview = await applicant.begin("one-certificate", {**BAKERY, "region": region})
        licence = next(each for each in preview["documents"] if each["document"] == "business_licence")
        expect(licence["state"] == state, f"{subject}: the licence is {state}")
        failed = licence["certificates"][0]["failed_check"]
        stage.say(f"{subject}：{licence['certificates'][0]['verdict']}，{failed['check']}——{licence['next_step']}")
        try:
            await applicant.confirm(preview["intake_id"])
        except Refused as refused:
            expect(refused.problem["check"] == "intake.documents", "the confirmation is refused")
        else:
            raise Unexpected(f"{subject}: it could be confirmed")
        await applicant.drop(preview["intake_id"])


async def utility_down(stage: Stage) -> None:
    """8 The utility is down for a while, and still gets every outcome, once."""
    applicant = stage.applicant("enterprise-agent")
    await applicant.verify("enterprise", "e_licence")
    application_id = await _apply(stage, applicant, "one-certificate", {**MILL, "purpose": "演示人工"})
    admin = f"{stage.province.utility}/__admin"
    outage = [
        {"match": "/webhooks", "kind": "reset", "times": 3},
        {"match": "/webhooks", "kind": "status", "status": 503, "retry_after": 1, "times": None},
    ]
    (await stage.http.put(f"{admin}/faults", json=outage)).raise_for_status()
    stage.say("供电企业接收端停机")
    prefixes = {"planning": "construction_planning", "road": "road_occupation", "water": "river_works"}
    review = {
        "line": LOW_VOLTAGE_LINE,
        "permits": [{"department": f"{prefix}-440600", "permit": permit} for prefix, permit in prefixes.items()],
    }
    opened = await stage.http.post(f"{admin}/applications/{application_id}/joint-review", json=review)
    permits = {permit["permit_id"] for permit in opened.raise_for_status().json()["permits"]}

    async def decided() -> bool:
        outcomes = await stage.department_outcomes(permits)
        return len(outcomes) == 6 and all(outcome["acknowledged_at"] for outcome in outcomes)

    await until(decided, "the gateway acknowledges every outcome meanwhile")
    held = await stage.utility_outcomes(application_id)
    expect(not held, "nothing arrives while it is down")
    stage.say("三部门 6 个结果均已由共享平台受理；供电企业尚无一个")
    await asyncio.sleep(2)
    (await stage.http.delete(f"{admin}/faults")).raise_for_status()
    stage.say("接收端恢复")
    await _same_outcomes(stage, application_id, permits)


JOURNEYS: list[tuple[str, Callable[[Stage], Awaitable[None]]]] = [
    ("居民刷脸办电", resident_by_face),
    ("刷脸未通过，改用短信", resident_by_sms),
    ("小微企业一证办电（三零）", small_enterprise),
    ("低压企业经办人办理", enterprise_by_agent),
    ("高压双电源，五部门并联审批", dual_source),
    ("供电企业多要材料，被依条拒绝", too_much),
    ("吊销、破损、状态过期的证照", bad_certificates),
    ("供电企业停机，结果一个不少", utility_down),
]
