"""``python -m mock_services.demo``: sets up the province, runs the journeys, says how they ended.

Exits 0 only if each ended as it should. ``--keep`` leaves the services up and tells how to try them.
"""

import argparse
import asyncio
import contextlib
import json
import shlex
import signal
import sys
from pathlib import Path

import httpx

from mock_services.demo.applicant import Refused
from mock_services.demo.journeys import JOURNEYS, Stage, Unexpected
from mock_services.demo.processes import DidNotStart, Processes
from mock_services.demo.province import Province, set_up
from mock_services.demo.roster import UTILITY
from mock_services.demo.screen import Row, Screen
from mock_services.officer_provider.staff import STAFF

BUILD = Path("build")
VERIFIER = Path(__file__).parents[2] / "gateway" / "evidence" / "verify_evidence"


async def play(screen: Screen, province: Province) -> None:
    """Every journey, one after the other; a failing one does not stop the next."""
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(keepalive_expiry=2.0)) as http:
        for row, (_, journey) in zip(screen.rows, JOURNEYS, strict=True):
            screen.begin(row)
            stage = Stage(province, http, lambda line, row=row: screen.say(row, line))  # type: ignore[misc]  # row=row
            try:
                await journey(stage)
            except (Unexpected, Refused, httpx.HTTPError, KeyError, StopIteration) as error:
                screen.say(row, f"未如预期：{type(error).__name__}: {error}")
                screen.end(row, ok=False)
            else:
                screen.end(row, ok=True)


async def prove_one(processes: Processes, province: Province) -> str:
    """The evidence of an application with a signed contract, else of the first one, made, and verified by the verifier
    that stands alone; its last line.
    """
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(keepalive_expiry=2.0)) as http:
        found = [
            (await http.get(f"{province.utility}/__admin/{what}")).raise_for_status().json()
            for what in ("contracts", "applications")
        ]
    held = [each for part in found for each in part]
    bundle, anchors = province.directory / "evidence.zip", province.directory / "anchors"
    if not held:
        return "没有申请"
    await processes.run_gateway(province.environment, "evidence", held[0]["application_id"], "-o", str(bundle))
    await processes.run_gateway(province.environment, "evidence-anchors", "-o", str(anchors))
    verifier = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(VERIFIER), str(bundle), "--anchors", str(anchors)), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await verifier.communicate()
    return f"{printed.decode().splitlines()[-1]}（{bundle}，以 verify-evidence --anchors {anchors} 离线核验）"


def report(rows: list[Row], path: Path) -> None:
    """Write ``{"journeys": [{"name", "ok", "seconds"}]}``."""
    journeys = [{"name": row.name, "ok": row.state == "ok", "seconds": round(row.seconds, 3)} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"journeys": journeys}, ensure_ascii=False, indent=2) + "\n", "utf-8")


def exports(province: Province) -> str:
    """Shell lines with which ``bandian``, curl and the integration pages find this province."""
    addresses = {
        "GATEWAY": province.gateway,
        "PLATFORM": province.platform,
        "IDENTITY": province.identity,
        "DEPARTMENTS": province.departments,
        "UTILITY": province.utility,
        "PROJECTS": province.projects,
        "OFFICERS": province.officers,
    }
    variables = {**addresses, **province.environment}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def how_to_try(province: Province) -> str:
    """What ``--keep`` prints."""
    staff = "、".join(f"{each.name}（{each.description}）" for each in STAFF.values() if len(each.roles) == 1)
    return f"""
服务保持运行，按 Ctrl-C 结束。
  网关            {province.gateway}/docs
  运营控制台      {province.gateway}/console   登录：{staff}
  省平台（模拟）  {province.platform}/__admin/personas
  身份核验（模拟）{province.identity}
  审批部门（模拟）{province.departments}/__admin/permits
  供电企业（模拟）{province.utility}/__admin/applications   代码 {UTILITY}
  工程建设项目审批平台（模拟）{province.projects}/__admin/projects
试一试（先在另一终端执行 . {province.directory}/env.sh）：
  curl {province.gateway}/readyz
  curl {province.utility}/__admin/outcomes
  curl {province.utility}/__admin/leads
  curl -X POST {province.gateway}/v1/verification-sessions \\
       -H 'content-type: application/json' -d '{{"applicant_kind": "resident", "method": "face"}}'
  .venv/bin/bandian deliveries list
  curl -X PUT {province.utility}/__admin/faults -H 'content-type: application/json' \\
       -d '[{{"match": "/webhooks", "kind": "status", "status": 503, "times": 5}}]'
日志与数据在 {province.directory}。
"""


async def run(*, keep: bool) -> int:
    """The whole demo; answers the exit code."""
    screen = Screen([name for name, _ in JOURNEYS])
    processes = Processes(BUILD / "demo-logs")
    try:
        with screen:
            province = await set_up(processes, BUILD / "demo", screen.heading)
            variables = province.directory / "env.sh"
            variables.touch(0o600)
            variables.write_text(exports(province), "utf-8")
            await play(screen, province)
        screen.closing()
        for row in screen.rows:
            if row.state == "failed":
                print(f"{row.name}：{row.lines[-1]}", file=sys.stderr)
        audited = await processes.run_gateway(province.environment, "audit")
        print(f"存证核对：{' '.join(audited.split())}")
        print(f"证据包：{await prove_one(processes, province)}")
        report(screen.rows, BUILD / "demo.json")
        if keep:
            print(how_to_try(province))
            await _interrupted()
    except DidNotStart as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        await processes.stop()
    return 0 if all(row.state == "ok" for row in screen.rows) else 1


async def _interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m mock_services.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the services up")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(run(keep=options.keep)))
    sys.exit(130)


if __name__ == "__main__":
    main()
