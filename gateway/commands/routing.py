"""``bandian routing``: who would answer for a region."""

from typing import TYPE_CHECKING, Final

import typer

from gateway.commands.session import fail, settings_or_exit, with_foundation

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.settings import Settings
    from schemas.routing import Answerer, RegionRouting


def tell_routing(region: str, *, as_json: bool) -> int:
    """Print who answers for ``region``; 1 where somebody is missing, else 0."""
    from schemas.identifiers import IdentifierError, region_levels

    try:
        region_levels(region)
    except IdentifierError:
        raise fail("请提供6位（或9、12位）数字的行政区划代码。") from None

    async def work(foundation: "Foundation") -> "RegionRouting":
        from gateway.bootstrap.certificates import build_certificates
        from gateway.bootstrap.clients import clients
        from gateway.bootstrap.rooms import build_routing

        async with clients() as (http, _):
            return await build_routing(foundation, build_certificates(foundation, http)).who_answers(region)

    for each in not_set(settings_or_exit()):
        typer.echo(each, err=True)
    found = with_foundation(work)
    if not found.utilities and not any(each.answers for each in found.departments):
        typer.echo(NOBODY, err=True)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        typer.echo("\n".join(as_lines(found)))
    everybody = [*found.sources, *found.departments]
    return 0 if found.utilities and all(each.answers for each in everybody) else 1


NOBODY: Final = (
    "所查数据库（BANDIAN_DATABASE_URL）中没有为该地登记的审批部门和供电企业；请确认命令与网关使用同一环境，"
    "bandian partners list 可列出已登记的单位"
)


def not_set(settings: "Settings") -> list[str]:
    """What the answer rests on and the environment does not say: so it may not be what the gateway would answer."""
    told = []
    if "database_url" not in settings.model_fields_set:
        told.append("未设置 BANDIAN_DATABASE_URL：审批部门与供电企业查自当前目录下的默认数据库，未必是网关所用的数据库")
    if not settings.sources:
        told.append("未设置 BANDIAN_SOURCES：证照来源只在网关的设置中，此处一个也没有")
    return told


def as_lines(found: "RegionRouting") -> list[str]:
    """As text: what, who, at which level, which levels were fallen through; columns parted by tabs."""
    lines = [f"{found.region}：{' → '.join(found.levels)}"]
    for head, some in (("证照来源", found.sources), ("审批部门", found.departments)):
        lines += [head, *(f"  {_line(each)}" for each in some)]
    return [*lines, f"供电企业\t{'、'.join(found.utilities) or '没有登记'}"]


def _line(each: "Answerer") -> str:
    passed = f"\t{'、'.join(each.fell_through)} 未登记" if each.fell_through else ""
    return f"{each.title}\t{each.answers or '没有登记'}\t{each.level or '–'}{passed}"
