"""Two utilities, an approval platform with a key, and the projects room over a real database."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.storage.transactions import SqlTransactions
from gateway.caller import Caller, Role
from gateway.crypto.jwk import SigningKey
from gateway.crypto.jws import sign_jws
from gateway.delivery.ports import Event
from gateway.partners.model import SCOPES, KeyUse
from gateway.projects.intake import ProjectIntake
from gateway.projects.model import Lead
from gateway.projects.ports import LeadFilter
from gateway.projects.service import LeadService
from schemas.leads import LeadProgressRequest
from schemas.project_push import ProjectAcknowledged
from schemas.wire import Typ
from tests.support.approvals import FixedDirectory
from tests.support.partners import ISSUER, es256_key
from tests.support.storage import DIGESTS, SetClock, opened

PLATFORM = "gd-projects"
GUANGZHOU, SHENZHEN = "csg-guangzhou", "csg-shenzhen"
TIANHE, YUEXIU, NANSHAN, FOSHAN = "440106", "440104", "440305", "440605"
BUILDER, BUILDER_CODE = "广州测试置业有限公司", "914403001922038216"
PERSON, PHONE = "测试甲", "13800000000"
PROJECT = {
    "xmdm": "2020-440100-44-03-012345",
    "gcdm": "gc-0001",
    "xmmc": "测试数据中心一期",
    "xzqhdm": "440100",
    "jsddxzqh": TIANHE,
    "jsdd": "测试路 1 号",
    "jsgmjnr": "数据中心机房两栋",
    "jzmj": 42000.5,
    "nkgsj": "2026-06-01 00:00:00",
    "njcsj": "2027-12-31",
    "jsdw": BUILDER,
    "jsdwdm": BUILDER_CODE,
    "splclx": 1,
    "sjyxbs": 1,
}
ITEM = {"spsxslbm": "item-1", "spbmbm": "ghj", "spbmmc": "规划和自然资源局", "lxr": PERSON, "lxrsjh": PHONE}
STEP = {"spsxslbm": "item-1", "blzt": 3, "blsj": "2026-03-01 09:00:00"}
PLANNING = {"spsxslbm": "item-1", "gcghxkzbh": "建字第440100202600001号", "fzrq": "2026-03-02"}


def claims(version: int, **changes: Any) -> dict[str, Any]:
    """Of a push: changes of ``PROJECT``'s columns, or whole tables (``xmspsxblxxb=[…]``)."""
    tables = {name: changes.pop(name) for name in list(changes) if name.startswith(("xmspsx", "jsgc"))}
    return {
        "iss": PLATFORM,
        "aud": ISSUER,
        "xh": version,
        "xmjbxxb": PROJECT | changes,
        "xmspsxblxxb": [ITEM],
        "xmspsxblxxxxb": [STEP],
        "xmspsxpfwjxxb": [],
        "jsgcghxkxxb": [],
    } | tables


def utility_caller(code: str = GUANGZHOU) -> Caller:
    return Caller(code, Role.UTILITY, "thumbprint", SCOPES[Role.UTILITY], ())


@dataclass
class ProjectsRoom:
    """The room, wired over a database."""

    transactions: SqlTransactions
    clock: SetClock
    directory: FixedDirectory
    intake: ProjectIntake
    leads: LeadService
    key: SigningKey

    def sign(self, said: dict[str, Any], typ: str = Typ.PROJECT_PUSH.value, key: SigningKey | None = None) -> bytes:
        return sign_jws({"iat": int(self.clock().timestamp())} | said, key or self.key, typ).encode()

    async def push(self, version: int, **changes: Any) -> ProjectAcknowledged:
        return await self.intake.receive(PLATFORM, self.sign(claims(version, **changes)), self.clock())

    async def tell(self, lead_id: str, status: str, utility: str = GUANGZHOU) -> Any:
        told = LeadProgressRequest.model_validate({"status": status, "claimed_at": self.clock().isoformat()})
        return await self.leads.progress(utility_caller(utility), lead_id, told, self.clock())

    async def held(self) -> list[Lead]:
        """Every lead there is, whosever."""

        def read(tx: Any) -> list[Lead]:
            return list(tx.leads.listed(LeadFilter(), "", 1000))

        return await self.transactions.read(read)

    async def events(self, destination: str = GUANGZHOU) -> list[Event]:
        return list(await self.transactions.read(lambda tx: tx.deliveries.feed(destination, 0, 1000)))

    async def entries(self) -> list[dict[str, Any]]:
        def read(tx: Any) -> list[dict[str, Any]]:
            reader = tx.record_reader
            return [orjson.loads(e.leaf) for log in reader.log_ids() for e in reader.entries(log)]

        return await self.transactions.read(read)

    async def actions(self) -> list[str]:
        return [entry["action"] for entry in await self.entries()]


@contextmanager
def projects_room(database_url: str) -> Iterator[ProjectsRoom]:
    clock, directory, key = SetClock(), FixedDirectory(), es256_key("platform-1")
    directory.add(GUANGZHOU, Role.UTILITY, "440100")
    directory.add(SHENZHEN, Role.UTILITY, "440300")
    directory.add(PLATFORM, Role.SOURCE, "440000")
    directory.add_key(PLATFORM, key, KeyUse.PROJECT)
    numbers = itertools.count(1)

    def make_id(kind: str) -> str:
        return f"{kind}_{next(numbers):04d}"

    with opened(database_url, clock) as transactions:
        intake = ProjectIntake(transactions, directory, ISSUER, make_id, DIGESTS, clock)
        yield ProjectsRoom(transactions, clock, directory, intake, LeadService(transactions), key)
