"""What the engineering-project approval platform knows reaches the utility before anybody applies (第（七）条)."""

import asyncio
from typing import Any

from mock_services.demo.journeys.stage import Stage, expect, until
from mock_services.demo.province import SEEDED_PROJECTS
from mock_services.engineering_platform.seeds import planning_permit, project

SOUTH, NORTH = "440106", "440104"
"""天河区, 越秀区."""


async def projects_become_leads(stage: Stage) -> None:
    """A project is a lead, and follows the project as it is permitted, moves, is overtaken, connected or retracted."""
    url = f"{stage.province.projects}/__admin/projects"
    seeded = await until(lambda: _seeded(stage), "the seeded projects are leads")
    stage.say(f"平台已推送 {len(seeded)} 个项目，均已送达")
    works = _works()
    tables = {**project(9001), "xmjbxxb": {**project(9001)["xmjbxxb"], "gcdm": works, "jsddxzqh": SOUTH}}
    await stage.http.post(url, json=tables)
    lead = await until(lambda: _lead(stage, works, status="contacted"), "the project is a lead, and was contacted")
    told = lead["lead"]["project"]
    expect((told["region"], told["phase"], lead["version"]) == (SOUTH, "under_approval", 1), "as the platform said it")
    expect(lead["contact"]["name"] not in str(lead["lead"]), "the lead itself names nobody")
    stage.say(f"线索 {lead['lead_id'][:14]}…：{told['name']}，{told['site']}；供电企业查阅联系人（留痕），登记“已联系”")
    await _next_versions(stage, url, works)
    await _ends(stage, url, works)


async def _next_versions(stage: Stage, url: str, works: str) -> None:
    await stage.http.post(f"{url}/{works}/change", json=planning_permit(works, "建字第440100202600001号"))
    lead = await until(lambda: _lead(stage, works, version=2), "the permit is the second version")
    expect(lead["lead"]["project"]["phase"] == "planning_permitted", "the permit is told")
    expect(lead["status"] == "contacted", "what the utility did stays done")
    stage.say(f"规划许可核发：线索更新为第 2 版，{lead['lead']['project']['permits'][0]['number']}")
    await _faulty(stage, "duplicate")
    await stage.http.post(f"{url}/{works}/change", json={"xmjbxxb": {"jsddxzqh": NORTH}})
    await until(lambda: _lead(stage, works, version=3), "the move is the third version")
    await until(lambda: _acknowledged(stage, works), "every push is acknowledged")
    expect((await _found(stage, works))["versions_held"] == [1, 2, 3], "a push that came twice had no second effect")
    stage.say("迁址到越秀区，推送重复：第 3 版，各一次")
    await _faulty(stage, "out_of_order")
    await stage.http.post(f"{url}/{works}/change", json={"xmjbxxb": {"xmmc": "先发后到的名称"}})
    await stage.http.post(f"{url}/{works}/change", json={"xmjbxxb": {"xmmc": "后发先到的名称"}})
    answered = await until(lambda: _acknowledged(stage, works), "every push is acknowledged")
    effects = [push["answer"]["effect"] for push in answered]
    expect(effects[-2:] == ["overtaken", "applied"], f"the earlier one came late: {effects}")
    lead = await until(lambda: _lead(stage, works, version=4), "the newest is the fourth version")
    expect(lead["lead"]["project"]["name"] == "后发先到的名称", "what overtook counts")
    stage.say("两次推送乱序到达：以序号大的为准，迟到的留存而不生效")


async def _ends(stage: Stage, url: str, works: str) -> None:
    other = f"{works}-B"
    second = {**project(9002), "xmjbxxb": {**project(9002)["xmjbxxb"], "gcdm": other, "jsddxzqh": SOUTH}}
    await stage.http.post(url, json=second)
    lead = await until(lambda: _lead(stage, other, status="contacted"), "the second project is a lead")
    await stage.http.post(f"{url}/{other}/withdraw")
    gone = await until(lambda: _lead(stage, other, status="retracted"), "it is retracted")
    expect((gone["retraction"], gone["contact"]) == ("withdrawn", None), "and whom to ask is purged")
    refused = await stage.http.post(f"{stage.province.utility}/__admin/leads/{lead['lead_id']}/connected")
    expect((refused.status_code, refused.json()["check"]) == (409, "lead.retracted"), "nothing more is taken of it")
    stage.say("项目撤销：线索撤回，联系人清除；再登记接电被拒绝——" + refused.json()["remedy"])
    first = await _found(stage, works)
    done = await stage.http.post(f"{stage.province.utility}/__admin/leads/{first['lead_id']}/connected")
    expect(done.status_code == 200, "the first is connected")
    listed = await stage.get(f"{stage.province.utility}/__admin/leads/at-the-gateway?status=connected")
    expect(first["lead_id"] in {each["lead_id"] for each in listed["leads"]}, "the gateway lists it as connected")
    holes = await stage.get(f"{stage.province.utility}/__admin/holes")
    expect(holes["late"] == [] or first["lead_id"] not in holes["sequences"], "each lead's events without a gap")
    stage.say("已接电；线索事件逐条连续，无缺号")


def _works() -> str:
    """A works code that this process has not used before: a province may play the journey more than once."""
    return f"GC-{SOUTH}-{asyncio.get_running_loop().time() * 1000:.0f}"


async def _faulty(stage: Stage, kind: str) -> None:
    fault = [{"match": "/push", "kind": kind, "times": 1}]
    (await stage.http.put(f"{stage.province.projects}/__admin/faults", json=fault)).raise_for_status()


async def _seeded(stage: Stage) -> list[dict[str, Any]] | None:
    held = await stage.get(f"{stage.province.utility}/__admin/leads")
    seeded = [each for each in held if each["lead"] and each["lead"]["project"]["name"].startswith("示例")]
    return seeded if len(seeded) >= SEEDED_PROJECTS else None


async def _found(stage: Stage, works: str) -> dict[str, Any]:
    held = await stage.get(f"{stage.province.utility}/__admin/leads")
    return next((each for each in held if each["lead"] and each["lead"]["project"]["works_code"] == works), {})


async def _lead(stage: Stage, works: str, status: str = "", version: int = 0) -> dict[str, Any] | None:
    found = await _found(stage, works)
    fits = found and found["version"] >= version and (not status or found["status"] == status)
    return found if fits else None


async def _acknowledged(stage: Stage, works: str) -> list[dict[str, Any]] | None:
    known = await stage.get(f"{stage.province.projects}/__admin/projects")
    pushes: list[dict[str, Any]] = next(each["pushes"] for each in known if each["works_code"] == works)
    return pushes if all(push["state"] == "acknowledged" for push in pushes) else None
