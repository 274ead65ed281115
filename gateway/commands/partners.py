"""``bandian partners …``: who may call, with which keys, under which agreements."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer
from pydantic import BaseModel, ValidationError

from gateway.caller import Role
from gateway.commands.session import actor, fail, with_foundation
from gateway.delivery.ports import ChannelKind
from gateway.partners.model import KeyUse
from gateway.partners.terms import endpoint_of

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation

ModelT = TypeVar("ModelT", bound=BaseModel)
app = typer.Typer(no_args_is_help=True, help="接入单位、密钥与数据共享协议")
Code = Annotated[str, typer.Argument(help="接入单位代码，如 csg-guangzhou")]


def _read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise fail(f"{path.name} 不是可读的 JSON 文件") from None


def _read_jwk(path: Path) -> dict[str, Any]:
    jwk = _read_json(path)
    if not isinstance(jwk, dict):
        raise fail(f"{path.name} 不是公钥 JWK：内容须为一个 JSON 对象")
    return jwk


def _read_as(model: "type[ModelT]", path: Path) -> "ModelT":
    """The file as ``model``; what does not fit ends the command with its first fault, never with what was written."""
    document = _read_json(path)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
        what = "含有未定义的成员" if first["type"] == "extra_forbidden" else "缺少或不符合要求"
        raise fail(f"{path.name}：{place or '整个文件'} {what}（格式见 docs/integration）") from None


@app.command("list")
def list_partners() -> None:
    """列出接入单位。"""

    async def work(foundation: "Foundation") -> None:
        for partner in await foundation.partners.list_partners():
            regions = ",".join(partner.regions)
            typer.echo(f"{partner.code}\t{partner.role}\t{partner.status}\t{regions}\t{partner.name}")

    with_foundation(work)


@app.command()
def register(
    code: Code,
    name: Annotated[str, typer.Option(help="单位名称")],
    role: Annotated[Role, typer.Option(help="角色")],
    region: Annotated[list[str], typer.Option(help="行政区划代码，可重复")],
) -> None:
    """登记接入单位。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.register_partner(
            code, name, role, region, actor=actor(), at=foundation.clock()
        )
        typer.echo(f"已登记 {made.value.code}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def suspend(code: Code) -> None:
    """停用接入单位，其令牌立即失效。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.suspend_partner(code, actor=actor(), at=foundation.clock())
        typer.echo(f"已停用 {code}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def resume(code: Code) -> None:
    """恢复接入单位；须重新换取令牌。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.resume_partner(code, actor=actor(), at=foundation.clock())
        typer.echo(f"已恢复 {code}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def keys(code: Code) -> None:
    """列出密钥。"""

    async def work(foundation: "Foundation") -> None:
        for key in await foundation.partners.list_keys(code):
            state = (
                "revoked" if key.revoked_at else "until " + (key.valid_until.isoformat() if key.valid_until else "∞")
            )
            typer.echo(f"{key.kid}\t{key.use}\t{state}\t{key.thumbprint}")

    with_foundation(work)


@app.command("add-key")
def add_key(
    code: Code,
    jwk: Annotated[Path, typer.Argument(help="公钥 JWK 文件", exists=True, dir_okay=False)],
    use: Annotated[KeyUse, typer.Option(help="用途")] = KeyUse.ANY,
) -> None:
    """登记公钥，与已有密钥并存。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.add_key(code, _read_jwk(jwk), use, actor=actor(), at=foundation.clock())
        typer.echo(f"已登记密钥 {made.value.kid}（存证 {made.record_id}）")

    with_foundation(work)


@app.command("rotate-key")
def rotate_key(
    code: Code,
    kid: Annotated[str, typer.Argument(help="被替换的密钥")],
    jwk: Annotated[Path, typer.Argument(help="新公钥 JWK 文件", exists=True, dir_okay=False)],
    overlap_hours: Annotated[int, typer.Option(help="新旧并行小时数")] = 24,
) -> None:
    """轮换密钥，新旧并行一段时间，不中断服务。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.rotate_key(
            code, kid, _read_jwk(jwk), overlap=timedelta(hours=overlap_hours), actor=actor(), at=foundation.clock()
        )
        typer.echo(f"新密钥 {made.value.kid} 已生效，旧密钥并行 {overlap_hours} 小时（存证 {made.record_id}）")

    with_foundation(work)


@app.command("revoke-key")
def revoke_key(code: Code, kid: Annotated[str, typer.Argument(help="密钥")]) -> None:
    """吊销密钥，其令牌立即失效。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.revoke_key(code, kid, actor=actor(), at=foundation.clock())
        typer.echo(f"已吊销 {kid}（存证 {made.record_id}）")

    with_foundation(work)


@app.command("end-agreement")
def end_agreement(agreement_id: Annotated[str, typer.Argument(help="协议编号")]) -> None:
    """终止数据共享协议，立即生效且不可恢复。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.end_agreement(agreement_id, actor=actor(), at=foundation.clock())
        typer.echo(f"已终止 {agreement_id}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def agreements(code: Code) -> None:
    """列出数据共享协议。"""

    async def work(foundation: "Foundation") -> None:
        for agreement in await foundation.partners.list_agreements(code):
            kinds = ",".join(grant.kind for grant in agreement.grants)
            typer.echo(
                f"{agreement.agreement_id}\t{agreement.status}\t{agreement.purpose}\t{kinds}\t"
                f"{','.join(agreement.regions)}\t{agreement.valid_from}…{agreement.valid_until}"
            )

    with_foundation(work)


@app.command("create-agreement")
def create_agreement(
    code: Code,
    terms: Annotated[Path, typer.Argument(help="协议条款 JSON，同清单中的一项", exists=True, dir_okay=False)],
    activate: Annotated[bool, typer.Option("--activate", help="同时启用")] = False,
) -> None:
    """订立数据共享协议；启用之前不生效。"""
    from gateway.partners.views import AgreementTerms

    draft = _read_as(AgreementTerms, terms).drafted(code)

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.create_agreement(draft, actor=actor(), at=foundation.clock())
        typer.echo(f"已订立 {made.value.agreement_id}（存证 {made.record_id}）")
        if activate:
            await _activate(foundation, made.value.agreement_id)

    with_foundation(work)


@app.command("activate-agreement")
def activate_agreement(agreement_id: Annotated[str, typer.Argument(help="协议编号")]) -> None:
    """启用数据共享协议，立即生效。"""

    async def work(foundation: "Foundation") -> None:
        await _activate(foundation, agreement_id)

    with_foundation(work)


async def _activate(foundation: "Foundation", agreement_id: str) -> None:
    made = await foundation.partners.activate_agreement(agreement_id, actor=actor(), at=foundation.clock())
    typer.echo(f"已启用 {agreement_id}（存证 {made.record_id}）")


@app.command("set-endpoint")
def set_endpoint(
    code: Code,
    channel: Annotated[ChannelKind, typer.Argument(help="接收通道")],
    url: Annotated[str | None, typer.Argument(help="接收地址，https；nats 通道没有自己的地址，不填")] = None,
    secret_ref: Annotated[str | None, typer.Option(help="密钥文件名（在密钥目录中），不是密钥本身")] = None,
    status_url: Annotated[str | None, typer.Option(help="送达状态查询地址，其后加 /事件编号")] = None,
) -> None:
    """设置事件接收地址，替换该通道原有的地址。"""

    async def work(foundation: "Foundation") -> None:
        endpoint = endpoint_of(code, channel.value, url, secret_ref, status_url)
        made = await foundation.partners.set_endpoint(endpoint, actor=actor(), at=foundation.clock())
        typer.echo(f"已设置 {code} 的 {channel} 接收地址（存证 {made.record_id}）")

    with_foundation(work)


@app.command("remove-endpoint")
def remove_endpoint(code: Code, channel: Annotated[ChannelKind, typer.Argument(help="接收通道")]) -> None:
    """取消一个事件接收通道；此后的事件走另一通道，或等待登记。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.remove_endpoint(code, channel.value, actor=actor(), at=foundation.clock())
        typer.echo(f"已取消 {code} 的 {channel} 接收通道（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def update(
    code: Code,
    name: Annotated[str | None, typer.Option(help="新的单位名称")] = None,
    region: Annotated[list[str] | None, typer.Option(help="新的行政区划代码，可重复；替换原有的全部")] = None,
) -> None:
    """更改单位名称或行政区划；其令牌与协议不变。"""
    if name is None and not region:
        raise fail("请以 --name 或 --region 写明要更改的内容")

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.update_partner(
            code, name=name, regions=region or None, actor=actor(), at=foundation.clock()
        )
        typer.echo(f"已更改 {code}：{made.value.name}，{','.join(made.value.regions)}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="接入清单（JSON，见 docs/integration）", exists=True, dir_okay=False)],
) -> None:
    """按清单登记多家单位：单位、公钥、接收地址、协议。每家要么全部完成，要么全部不变；已有的不重复登记。"""
    from gateway.partners.roster import Roster

    roster = _read_as(Roster, file)

    async def work(foundation: "Foundation") -> None:
        for entry in roster.partners:
            done = await foundation.partners.apply_entry(entry, actor=actor(), at=foundation.clock())
            typer.echo(f"{entry.code}：{'；'.join(done) or '无变化'}")

    with_foundation(work)
