"""``bandian partners …``: who may call, with which keys, under which agreements."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from gateway.caller import Role
from gateway.commands.session import ACTOR, fail, with_foundation
from gateway.partners.model import Endpoint, Grant, KeyUse

if TYPE_CHECKING:
    from gateway.bootstrap import Foundation

app = typer.Typer(no_args_is_help=True, help="接入单位、密钥与数据共享协议")
Code = Annotated[str, typer.Argument(help="接入单位代码，如 csg-guangzhou")]


def _read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise fail(f"{path.name} 不是可读的 JSON 文件") from None


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
        made = await foundation.partners.register_partner(code, name, role, region, actor=ACTOR, at=foundation.clock())
        typer.echo(f"已登记 {made.value.code}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def suspend(code: Code) -> None:
    """停用接入单位，其令牌立即失效。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.suspend_partner(code, actor=ACTOR, at=foundation.clock())
        typer.echo(f"已停用 {code}（存证 {made.record_id}）")

    with_foundation(work)


@app.command()
def resume(code: Code) -> None:
    """恢复接入单位；须重新换取令牌。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.resume_partner(code, actor=ACTOR, at=foundation.clock())
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
        made = await foundation.partners.add_key(code, _read_json(jwk), use, actor=ACTOR, at=foundation.clock())
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
            code, kid, _read_json(jwk), overlap=timedelta(hours=overlap_hours), actor=ACTOR, at=foundation.clock()
        )
        typer.echo(f"新密钥 {made.value.kid} 已生效，旧密钥并行 {overlap_hours} 小时（存证 {made.record_id}）")

    with_foundation(work)


@app.command("revoke-key")
def revoke_key(code: Code, kid: Annotated[str, typer.Argument(help="密钥")]) -> None:
    """吊销密钥，其令牌立即失效。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.revoke_key(code, kid, actor=ACTOR, at=foundation.clock())
        typer.echo(f"已吊销 {kid}（存证 {made.record_id}）")

    with_foundation(work)


@app.command("end-agreement")
def end_agreement(agreement_id: Annotated[str, typer.Argument(help="协议编号")]) -> None:
    """终止数据共享协议，立即生效且不可恢复。"""

    async def work(foundation: "Foundation") -> None:
        made = await foundation.partners.end_agreement(agreement_id, actor=ACTOR, at=foundation.clock())
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


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="接入清单（JSON，见 docs/integration）", exists=True, dir_okay=False)],
) -> None:
    """按清单登记多家单位：单位、公钥、接收地址、协议（已有的不重复登记）。"""
    roster = _read_json(file)

    async def work(foundation: "Foundation") -> None:
        for entry in roster["partners"]:
            await _apply_one(foundation, entry)
            typer.echo(f"{entry['code']}：已就绪")

    try:
        with_foundation(work)
    except (KeyError, TypeError, ValueError) as error:
        raise fail(f"清单内容不完整：{type(error).__name__} {error}") from None


async def _apply_one(foundation: "Foundation", entry: dict[str, Any]) -> None:
    from gateway.partners.service import AgreementDraft

    partners, at, code = foundation.partners, foundation.clock(), entry["code"]
    if code not in {partner.code for partner in await partners.list_partners()}:
        await partners.register_partner(code, entry["name"], Role(entry["role"]), entry["regions"], actor=ACTOR, at=at)
    known_keys = {key.kid for key in await partners.list_keys(code)}
    for key in entry.get("keys", ()):
        if key["jwk"].get("kid") not in known_keys:
            await partners.add_key(code, key["jwk"], KeyUse(key.get("use", "any")), actor=ACTOR, at=at)
    for endpoint in entry.get("endpoints", ()):
        await partners.set_endpoint(
            Endpoint(code, endpoint["channel"], endpoint["url"], endpoint.get("secret_ref")), actor=ACTOR, at=at
        )
    standing = {_terms(each) for each in await partners.list_agreements(code) if each.status != "ended"}
    for terms in entry.get("agreements", ()):
        draft = AgreementDraft(
            partner_code=code,
            purpose=terms["purpose"],
            grants=tuple(Grant(grant["kind"], frozenset(grant["fields"])) for grant in terms["grants"]),
            regions=tuple(sorted(set(terms["regions"]))),
            stages=frozenset(terms["stages"]) if terms.get("stages") else None,
            valid_from=date.fromisoformat(terms["valid_from"]),
            valid_until=date.fromisoformat(terms["valid_until"]),
            clause=terms["clause"],
        )
        if _terms(draft) not in standing:
            made = await partners.create_agreement(draft, actor=ACTOR, at=at)
            await partners.activate_agreement(made.value.agreement_id, actor=ACTOR, at=at)


def _terms(agreement: Any) -> tuple[Any, ...]:
    """What makes two agreements the same."""
    return (
        agreement.purpose,
        frozenset((grant.kind, grant.fields) for grant in agreement.grants),
        agreement.regions,
        agreement.stages,
        agreement.valid_from,
        agreement.valid_until,
        agreement.clause,
    )
