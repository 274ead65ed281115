"""The ``bandian`` command. Imports are light at start; each command brings what it needs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.heap import leave_out_extras

app = typer.Typer(
    name="bandian",
    help="政企协同办电信息共享平台",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve() -> None:
    """启动网关（设置见环境变量 BANDIAN_…）。"""
    leave_out_extras()
    import signal
    import sys

    import uvicorn
    from uvicorn.config import STARTUP_FAILURE

    from adapters.listening import AddressUnavailable, listen
    from gateway.commands.session import fail, settings_or_exit
    from gateway.preflight import refuse_bad_start
    from gateway.serving import ServingConfig
    from gateway.start_refusals import StartRefused

    settings = settings_or_exit()
    try:
        refuse_bad_start(settings)
        listener = listen(settings.host, settings.port)
    except (StartRefused, AddressUnavailable) as error:
        raise fail(str(error)) from None
    config = ServingConfig(
        "gateway.cli:serving",
        factory=True,
        http="gateway.http.protocol:LaneProtocol",
        workers=settings.processes,
        log_config=None,
        access_log=False,
        ws="none",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=20,
    )
    if settings.processes > 1:
        from uvicorn.supervisors import Multiprocess

        supervisor = Multiprocess(config, [listener])
        supervisor.run()
        started = all(process.exitcode != STARTUP_FAILURE for process in supervisor.processes)
    else:
        # Uvicorn shuts down gracefully and then raises the signal again: told to stop, and stopped, is no failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        server = uvicorn.Server(config)
        server.run([listener])
        started = server.started
    if not started:
        raise fail("The gateway did not start; its log says why.")


@app.command()
def worker() -> None:
    """启动送达进程：把已受理的事件送到接收方。"""
    leave_out_extras()
    import asyncio

    from adapters.listening import AddressUnavailable, listen
    from gateway.commands.session import fail, settings_or_exit
    from gateway.preflight import refuse_bad_start
    from gateway.start_refusals import StartRefused
    from gateway.worker import run_worker

    settings = settings_or_exit()
    listener = None
    try:
        refuse_bad_start(settings)
        if settings.worker_metrics_port is not None:
            listener = listen(settings.host, settings.worker_metrics_port, "BANDIAN_WORKER_METRICS_PORT")
    except (StartRefused, AddressUnavailable) as error:
        raise fail(str(error)) from None
    asyncio.run(run_worker(settings, listener))


@app.command()
def migrate() -> None:
    """把数据库升级到本版本的结构；可重复运行，也可多进程同时运行。"""
    from adapters.storage.engine import make_private_database
    from adapters.storage.migrate import migrate as upgrade
    from gateway.commands.session import fail, settings_or_exit
    from gateway.start_refusals import StartRefused, told_in_one_sentence

    settings = settings_or_exit()
    try:
        with told_in_one_sentence():
            url = settings.database()
            if settings.on_sqlite:
                make_private_database(url)
            left = upgrade(url)
    except StartRefused as error:
        raise fail(str(error)) from None
    typer.echo("数据库结构已是最新。")
    if left:
        from gateway.commands.keys import seal_upgraded

        seal_upgraded(left)


@app.command()
def audit(
    keys: Annotated[
        Path | None,
        typer.Option(
            help="封签公钥（JWK Set，例如 /.well-known/jwks.json）；默认用密钥目录", exists=True, dir_okay=False
        ),
    ] = None,
    head: Annotated[
        list[Path] | None, typer.Option(help="另行保存的链头文件，可重复", exists=True, dir_okay=False)
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="另行保存的检查点文件，可重复", exists=True, dir_okay=False)
    ] = None,
    record_keys: Annotated[
        Path | None,
        typer.Option(
            help="检查点与见证方的验证公钥（vkey，每行一个，例如 /.well-known/record-keys）",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="数据库地址；与 --keys 同时给出时不读取网关设置，可核对副本")
    ] = None,
) -> None:
    """核对全部存证：逐条、逐封、逐签名，直到检查点与见证联署，并与库外所存对照；指出第一处不符。不改动数据库。

    退出码：0 完好，1 有不符，2 用法或设置有误，3 无法读取。
    """
    from gateway.commands.audit import Given, run_audit

    raise typer.Exit(run_audit(Given(database, keys, head or (), checkpoint or (), record_keys)))


@app.command()
def evidence(
    application: Annotated[str, typer.Argument(help="申请编号")],
    output: Annotated[Path, typer.Option("--output", "-o", help="写入的文件", dir_okay=False)],
    redacted: Annotated[bool, typer.Option("--redacted", help="不含个人信息的版本")] = False,
    wait: Annotated[float, typer.Option(min=0, max=3600, help="等待检查点的秒数")] = 60,
) -> None:
    """把证明一件申请的全部材料写成证据包；任何人可用 verify-evidence 离线核验。取得留痕。"""
    from gateway.commands.evidence import make_bundle

    make_bundle(application, output, redacted=redacted, wait_s=wait)


@app.command()
def report(
    first: Annotated[str, typer.Option("--from", help="第一天（中国日期），含")],
    last: Annotated[str, typer.Option("--to", help="最后一天，含；至多三年")],
    city: Annotated[str | None, typer.Option(help="只看某市：名称或6位行政区划代码")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="写入的文件：.xlsx 与 .pdf 为重点任务台账，.json 为全部数据", dir_okay=False
        ),
    ] = None,
) -> None:
    """某一时期的办理时长与时限（按办结日期统计），或重点任务台账；不给文件则显示。"""
    from gateway.commands.report import make_report

    make_report(first, last, city, output)


@app.command()
def conformance(
    partner: Annotated[str, typer.Argument(help="接入单位代码")],
    as_json: Annotated[bool, typer.Option("--json", help="以 JSON 输出")] = False,
    lang: Annotated[str, typer.Option(help="zh 或 en")] = "zh",
) -> None:
    """接入符合性测试：向该单位登记的接收地址发送测试事件，逐项报告是否符合、如何处理。结果保存并留痕。

    退出码：0 全部通过，1 有未通过（或无法测试该单位），2 用法有误，3 对方没有应答，无法判定。
    """
    from gateway.commands.conformance import run_conformance

    if lang not in ("zh", "en"):
        raise typer.BadParameter("请写 zh 或 en", param_hint="--lang")
    raise typer.Exit(run_conformance(partner, as_json=as_json, english=lang == "en"))


@app.command("evidence-anchors")
def evidence_anchors(
    output: Annotated[Path, typer.Option("--output", "-o", help="写入的目录", file_okay=False)],
) -> None:
    """导出核验证据包所需的信任材料（根证书、公钥）；独立审计应自行向各方取得。"""
    from gateway.commands.evidence import export_anchors

    export_anchors(output)


@app.command()
def backup(
    output: Annotated[Path, typer.Option("-o", "--output", help="备份文件；旁边另写清单 .manifest.json")],
) -> None:
    """备份数据库（网关照常服务）：SQLite 用在线备份，PostgreSQL 用 pg_dump。不含任何密钥，不覆盖任何文件。"""
    from gateway.commands.backup import run_backup

    run_backup(output)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="bandian backup 写的文件，清单在其旁", exists=True, dir_okay=False)],
    into: Annotated[str, typer.Option(help="空的 PostgreSQL 数据库，或还不存在的 SQLite 文件；口令用 PGPASSWORD 给出")],
) -> None:
    """把备份恢复到一个空的数据库；不碰正在使用的库。恢复后须先 audit，再 adopt-restored，才能服务。"""
    import os

    from gateway.commands.backup import run_restore

    os.umask(0o077)
    run_restore(file, into)


@app.command("prove-backup")
def prove_backup(
    file: Annotated[Path, typer.Argument(help="bandian backup 写的文件，清单在其旁", exists=True, dir_okay=False)],
    scratch: Annotated[
        str | None, typer.Option(help="可新建临时数据库的 PostgreSQL 地址；默认用设置里的服务器")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="封签公钥（JWK Set）；默认用密钥目录", exists=True, dir_okay=False)
    ] = None,
    head: Annotated[
        list[Path] | None, typer.Option(help="另行保存的链头文件，可重复", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """恢复到临时数据库并验证：存证、链头、送达的编号、加密内容能否以现有密钥打开；随后删除临时数据库。

    退出码：0 可以依赖，1 不可依赖，2 用法或设置有误，3 无法验证。
    """
    from gateway.commands.prove_backup import run_prove

    raise typer.Exit(run_prove(file, scratch, keys, head or ()))


@app.command("adopt-restored")
def adopt_restored(
    yes: Annotated[bool, typer.Option("--yes", help="不再询问")] = False,
) -> None:
    """启用恢复而来的数据库：编号进入新的一段，旧日志就此结束，丢失的链头记入存证；此后不会有号重复。"""
    from gateway.commands.backup import run_adopt

    run_adopt(confirmed=yes)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="OFD 文件", exists=True, dir_okay=False, readable=True)],
    anchor: Annotated[
        list[Path] | None, typer.Option(help="信任锚证书（PEM 或 DER），可重复", exists=True, dir_okay=False)
    ] = None,
    intermediate: Annotated[
        list[Path] | None, typer.Option(help="中间 CA 证书（PEM 或 DER），可重复", exists=True, dir_okay=False)
    ] = None,
    crl: Annotated[
        list[Path] | None,
        typer.Option(help="证书吊销列表（PEM 或 DER），可重复；给出后核查吊销状态", exists=True, dir_okay=False),
    ] = None,
    ocsp: Annotated[
        list[Path] | None,
        typer.Option(help="OCSP 应答（DER），可重复；给出后核查吊销状态", exists=True, dir_okay=False),
    ] = None,
    sm2_library: Annotated[
        str | None, typer.Option(help="国密密码库（libcrypto）的路径；默认用系统的", envvar="BANDIAN_SM2_LIBRARY")
    ] = None,
    at: Annotated[str | None, typer.Option(help="核验时间，ISO 8601 带时区；默认为现在")] = None,
) -> None:
    """核验 OFD 版式文件的电子签章。退出码：0 有效，1 无效，3 无法判定，4 无法打开。"""
    from gateway.certificates import inspection
    from gateway.crypto.sm2 import use_library
    from gateway.errors import GatewayError

    when = _instant(at)
    use_library(sm2_library or None)
    try:
        anchors = [der for path in anchor or () for der in inspection.load_anchors(path.read_bytes())]
        evidence = inspection.Evidence(
            [der for path in intermediate or () for der in inspection.load_anchors(path.read_bytes())],
            [der for path in crl or () for der in inspection.load_crls(path.read_bytes())],
            [path.read_bytes() for path in ocsp or ()],
        )
        with file.open("rb") as stream:
            # One byte over the limit is enough to be refused.
            data = stream.read(inspection.MAX_FILE_BYTES + 1)
        report = inspection.inspect_file(data, anchors, when, evidence)
    except GatewayError as error:
        typer.echo(inspection.render_refusal(error, file.name), nl=False)
        raise typer.Exit(inspection.EXIT_REFUSED) from None
    typer.echo(inspection.render_inspection(report, file.name), nl=False)
    raise typer.Exit(inspection.exit_code(report))


@app.command()
def routing(
    region: Annotated[str, typer.Argument(help="行政区划代码（GB/T 2260），例如 440103")],
    as_json: Annotated[bool, typer.Option("--json", help="以 JSON 输出")] = False,
) -> None:
    """谁来答复：某地每种证照的来源与每类审批部门，及落空的层级；有缺时退出码为 1。"""
    from gateway.commands.routing import tell_routing

    raise typer.Exit(tell_routing(region, as_json=as_json))


@app.command()
def explain(
    file: Annotated[
        Path | None, typer.Argument(help="电子证照文件（JWS 或 OFD）", exists=True, dir_okay=False, readable=True)
    ] = None,
    kind: Annotated[str | None, typer.Option(help="证照类型；核验文件时可省略，以文件所载为准")] = None,
    at: Annotated[str | None, typer.Option(help="核验文件的时间，ISO 8601 带时区；默认为现在")] = None,
    holder_code: Annotated[str | None, typer.Option(help="持证主体代码：文件应属于谁，或所指设计、施工单位")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="核验文件时不联网取证，并说明因此缺什么")] = False,
    application: Annotated[str | None, typer.Option(help="申请编号：试运行供电企业的一次核验")] = None,
    utility: Annotated[str | None, typer.Option(help="供电企业的接入代码")] = None,
    purpose: Annotated[str, typer.Option(help="用途")] = "grid_connection",
    field: Annotated[list[str] | None, typer.Option(help="索取的字段，可重复；默认为可提供的全部")] = None,
) -> None:
    """逐项说明核验如何判断：一份证照文件，或供电企业的一次索取（试运行，留痕而不提供内容）。

    退出码：0 有效，1 无效或会被拒绝，2 用法有误，3 无法判定。
    """
    from pydantic import ValidationError

    from gateway.commands.explain import explain_file, explain_request
    from schemas.partner_api import VerifiedLicenceRequest

    if (file is None) == (application is None):
        raise typer.BadParameter("请给出一个文件，或以 --application 指明申请，二者取一")
    if file is not None:
        if utility is not None or field is not None:
            raise typer.BadParameter("--utility 与 --field 只用于 --application")
        raise typer.Exit(explain_file(file, kind, _instant(at) if at else None, holder_code, offline=offline))
    if kind is None or utility is None:
        raise typer.BadParameter("--application 须同时给出 --kind 与 --utility")
    if at is not None or offline:
        raise typer.BadParameter("--at 与 --offline 只用于文件：试运行以现在、以真实来源判断")
    try:
        request = VerifiedLicenceRequest(
            application_id=application or "", kind=kind, purpose=purpose, fields=field, holder_code=holder_code
        )
    except ValidationError:
        raise typer.BadParameter("申请编号、证照类型、用途、字段或持证主体代码的写法不正确") from None
    raise typer.Exit(explain_request(utility, request))


def _instant(text: str | None) -> datetime:
    """The aware instant that ``--at`` names; now when it is left out."""
    from gateway.clock import date_in_china, system_clock

    try:
        when = datetime.fromisoformat(text) if text else system_clock()
        date_in_china(when)
    except (ValueError, OverflowError):
        raise typer.BadParameter("不是 ISO 8601 时间", param_hint="--at") from None
    if when.tzinfo is None:
        raise typer.BadParameter("核验时间必须带时区，例如 2026-11-23T09:00:00+08:00", param_hint="--at")
    return when


def serving() -> object:
    """The ASGI application of one serving process. Raises ``SettingsError``."""
    from gateway.main import create_app_from_environment

    return create_app_from_environment()


def main() -> None:
    """Entry point of the ``bandian`` script."""
    from gateway.commands import deliveries, keys, partners, reconciliation, retention, reviews

    app.add_typer(partners.app, name="partners")
    app.add_typer(deliveries.app, name="deliveries")
    app.add_typer(reviews.app, name="reviews")
    app.add_typer(keys.app, name="keys")
    app.add_typer(reconciliation.app, name="reconcile")
    app.add_typer(retention.app, name="retention")
    app()


if __name__ == "__main__":
    main()
