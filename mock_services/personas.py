"""The named people and enterprises of the mock province. Each carries one trouble, or none; read the two tables.

An identity mock takes ``outcomes`` (what each verification method answers), the provincial platform takes ``troubles``
(what is wrong with which e-certificate), the demo takes ``demand`` (what they ask the utility for).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class IdentityOutcome(StrEnum):
    """What the identity provider finds."""

    MATCH = "match"
    MISMATCH = "mismatch"
    LIVENESS_FAILED = "liveness_failed"
    LOCKED = "locked"
    TIME_OUT = "time_out"


class Trouble(StrEnum):
    """What is wrong with an e-certificate."""

    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    WRONG_HOLDER = "wrong_holder"
    BROKEN_SIGNATURE = "broken_signature"
    UNKNOWN_ISSUER = "unknown_issuer"
    STALE_STATUS = "stale_status"
    PAGE_CHANGED = "page_changed"
    """The page of an OFD was changed after it was sealed."""
    UNCOVERED = "uncovered"
    """The seal of an OFD leaves out its metadata."""
    SEAL_EXPIRED = "seal_expired"
    """The seal of an OFD was out of force when it was used."""


class Mandate(StrEnum):
    """What a 经办人 brings to show that they may act."""

    SIGNED = "signed"
    """An authorisation that the legal representative signed."""
    MISSING = "missing"
    SELF_SIGNED = "self_signed"
    """An authorisation that the agent signed, with their own genuine certificate."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of the utility. ``voltage_v`` in volts, ``capacity_kw`` in kilowatts, ``sources`` of supply."""

    voltage_v: int = 380
    capacity_kw: int = 50
    sources: int = 1
    urban: bool = True


_HOME = Demand(voltage_v=220, capacity_kw=8)
_FACE, _SMS, _COUNTER, _LICENCE = "face", "sms_otp", "counter", "e_licence"
_ALL_MATCH: Mapping[str, IdentityOutcome] = {
    _FACE: IdentityOutcome.MATCH,
    _SMS: IdentityOutcome.MATCH,
    _COUNTER: IdentityOutcome.MATCH,
}


def _face(outcome: IdentityOutcome) -> Mapping[str, IdentityOutcome]:
    return {**_ALL_MATCH, _FACE: outcome}


@dataclass(frozen=True, slots=True)
class ResidentPersona:
    """A resident. ``properties`` is how many homes are registered, ``owners`` how many people own each.

    ``co_owns`` is the persona whose home is this one's too. ``historic_number``: the home is still registered
    under the number of 15 digits. ``ofd``: kinds that come as OFD.
    """

    slug: str
    description: str
    name: str
    region: str
    outcomes: Mapping[str, IdentityOutcome] = field(default_factory=lambda: dict(_ALL_MATCH))
    properties: int = 1
    owners: int = 1
    demand: Demand = _HOME
    co_owns: str | None = None
    historic_number: bool = False
    ofd: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EnterprisePersona:
    """An enterprise. ``troubles`` by kind slug; ``by_agent``: a 经办人 acts instead of the legal representative.

    ``registered_as`` is the name under which its property stands, where that is another, and ``renamed`` says that the
    licence states it as 曾用名. ``other_builder``: its project is another's; ``site`` is where its project stands.
    ``ofd`` are the kinds that come as OFD.
    """

    slug: str
    description: str
    name: str
    region: str
    trade: str
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    outcomes: Mapping[str, IdentityOutcome] = field(
        default_factory=lambda: {**_ALL_MATCH, _LICENCE: IdentityOutcome.MATCH}
    )
    by_agent: bool = False
    project: bool = False
    demand: Demand = Demand()
    mandate: Mandate = Mandate.SIGNED
    registered_as: str | None = None
    renamed: bool = False
    other_builder: bool = False
    site: str | None = None
    ofd: frozenset[str] = frozenset()


_LICENCE_OF = "business_licence"
_LICENCE_ON_OFD = frozenset({_LICENCE_OF})
_HOME_ON_OFD = frozenset({"resident_id", "property_certificate"})

RESIDENTS: tuple[ResidentPersona, ...] = (
    ResidentPersona("resident-ordinary", "刷脸通过，一处住房", "陈安然", "440106"),
    ResidentPersona("resident-face-fails", "刷脸不匹配，改用短信", "林若水", "440104", _face(IdentityOutcome.MISMATCH)),
    ResidentPersona(
        "resident-two-owners", "住房由两人共有，证照均为国密 OFD", "黄同舟", "440305", owners=2, ofd=_HOME_ON_OFD
    ),
    ResidentPersona("resident-no-property", "名下无不动产登记", "何未迁", "440605", properties=0),
    ResidentPersona(
        "resident-liveness-failed", "活体检测未通过", "吴静止", "440402", _face(IdentityOutcome.LIVENESS_FAILED)
    ),
    ResidentPersona("resident-locked", "多次失败后被锁定", "梁三试", "441302", _face(IdentityOutcome.LOCKED)),
    ResidentPersona("resident-timeout", "刷脸超时无结果", "谢迟迟", "440703", _face(IdentityOutcome.TIME_OUT)),
    ResidentPersona("resident-historic-number", "住房仍登记在15位旧号码下", "方旧号", "440103", historic_number=True),
    ResidentPersona(
        "resident-co-owner",
        "与黄同舟共有住房，想知道谁看过写有自己的证照",
        "罗共济",
        "440305",
        properties=0,
        co_owns="resident-two-owners",
    ),
)

_LV_ORDINARY = Demand(capacity_kw=315)

ENTERPRISES: tuple[EnterprisePersona, ...] = (
    EnterprisePersona("enterprise-small", "实行“三零”的小微企业", "广州市晨晞糕饼店有限公司", "440105", "糕饼"),
    EnterprisePersona(
        "enterprise-agent",
        "未实行“三零”的低压企业，经办人办理",
        "佛山市砚溪纺织有限公司",
        "440605",
        "纺织",
        by_agent=True,
        demand=_LV_ORDINARY,
        ofd=_LICENCE_ON_OFD,
    ),
    EnterprisePersona(
        "enterprise-dual-source",
        "高压双电源，有用电工程项目批准文件",
        "深圳市澜芯半导体有限公司",
        "440307",
        "半导体",
        project=True,
        demand=Demand(voltage_v=10_000, capacity_kw=6_300, sources=2),
    ),
    EnterprisePersona(
        "enterprise-expired",
        "营业执照已过有效期",
        "珠海市旧帆贸易有限公司",
        "440402",
        "贸易",
        {_LICENCE_OF: Trouble.EXPIRED},
    ),
    EnterprisePersona(
        "enterprise-revoked",
        "营业执照已吊销",
        "惠州市止水建材有限公司",
        "441302",
        "建材",
        {_LICENCE_OF: Trouble.REVOKED},
    ),
    EnterprisePersona(
        "enterprise-suspended",
        "营业执照已暂停使用",
        "中山市歇云灯饰有限公司",
        "442000",
        "灯饰",
        {_LICENCE_OF: Trouble.SUSPENDED},
    ),
    EnterprisePersona(
        "enterprise-wrong-holder",
        "返回的营业执照属于另一企业",
        "东莞市错枝模具有限公司",
        "441900",
        "模具",
        {_LICENCE_OF: Trouble.WRONG_HOLDER},
    ),
    EnterprisePersona(
        "enterprise-broken-signature",
        "营业执照签名不完整",
        "汕头市裂帛服装有限公司",
        "440511",
        "服装",
        {_LICENCE_OF: Trouble.BROKEN_SIGNATURE},
    ),
    EnterprisePersona(
        "enterprise-unknown-issuer",
        "营业执照由不受信任的机构签发",
        "江门市无根五金有限公司",
        "440703",
        "五金",
        {_LICENCE_OF: Trouble.UNKNOWN_ISSUER},
    ),
    EnterprisePersona(
        "enterprise-ofd-page-changed",
        "OFD 营业执照的版面在签章后被改动",
        "湛江市换页印务有限公司",
        "440803",
        "印务",
        {_LICENCE_OF: Trouble.PAGE_CHANGED},
        ofd=_LICENCE_ON_OFD,
    ),
    EnterprisePersona(
        "enterprise-ofd-seal-expired",
        "OFD 营业执照加盖时印章已过有效期",
        "汕头市旧印茶业有限公司",
        "440507",
        "茶业",
        {_LICENCE_OF: Trouble.SEAL_EXPIRED},
        ofd=_LICENCE_ON_OFD,
    ),
    EnterprisePersona(
        "enterprise-ofd-uncovered",
        "OFD 营业执照的签章没有保护元数据",
        "韶关市漏签木业有限公司",
        "440204",
        "木业",
        {_LICENCE_OF: Trouble.UNCOVERED},
        ofd=_LICENCE_ON_OFD,
    ),
    EnterprisePersona(
        "enterprise-stale-status",
        "营业执照的状态列表已过期",
        "肇庆市迟漏钟表有限公司",
        "441202",
        "钟表",
        {_LICENCE_OF: Trouble.STALE_STATUS},
    ),
    EnterprisePersona(
        "enterprise-agent-unauthorised",
        "经办人办理，没有法定代表人签署的授权",
        "佛山市缺笺家具有限公司",
        "440606",
        "家具",
        by_agent=True,
        demand=_LV_ORDINARY,
        mandate=Mandate.MISSING,
    ),
    EnterprisePersona(
        "enterprise-agent-self-signed",
        "经办人办理，授权由经办人自己签署",
        "佛山市自签陶瓷有限公司",
        "440604",
        "陶瓷",
        by_agent=True,
        demand=_LV_ORDINARY,
        mandate=Mandate.SELF_SIGNED,
    ),
    EnterprisePersona(
        "enterprise-renamed",
        "已更名，不动产仍在曾用名下，执照载明曾用名",
        "广州市新名食品有限公司",
        "440112",
        "食品",
        registered_as="广州市旧名食品有限公司",
        renamed=True,
    ),
    EnterprisePersona(
        "enterprise-renamed-unproved",
        "不动产在另一名称下，执照未载明曾用名",
        "广州市改牌印刷有限公司",
        "440113",
        "印刷",
        registered_as="广州市前牌印刷有限公司",
    ),
    EnterprisePersona(
        "enterprise-fuzzy-owner",
        "不动产登记的名称与执照差两个字",
        "广州市近似包装有限公司",
        "440111",
        "包装",
        registered_as="广州市近似包装有限责任公司",
    ),
    EnterprisePersona(
        "enterprise-other-builder",
        "用电工程项目由另一单位建设",
        "深圳市借壳电子有限公司",
        "440306",
        "电子",
        project=True,
        other_builder=True,
        demand=Demand(voltage_v=10_000, capacity_kw=800),
    ),
    EnterprisePersona(
        "enterprise-other-site",
        "用电工程项目在别的城市",
        "深圳市异地塑胶有限公司",
        "440309",
        "塑胶",
        project=True,
        site="广东省惠州市惠城区和平路8号",
        demand=Demand(voltage_v=10_000, capacity_kw=800),
    ),
)
