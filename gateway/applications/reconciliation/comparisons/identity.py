"""Who was verified against the identity document: the name and number that the identity provider established."""

from gateway.applications.reconciliation.comparison import Comparison, identity_side
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Side
from gateway.applications.reconciliation.relations import find_among


def _judge(facts: Facts) -> Judgement:
    certified = facts.certified_holder
    return find_among(facts.holder, () if certified is None else (certified,))


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    document, certified = identity_side(facts), facts.certified_holder
    values = [
        ComparedValue(Side.IDENTITY, "姓名（名称）", facts.holder.name),
        ComparedValue(Side.IDENTITY, "证件号", facts.holder.code or ""),
    ]
    if certified is not None:
        values += [
            ComparedValue(document, "姓名（名称）", certified.name),
            ComparedValue(document, "证件号", certified.code or ""),
        ]
        values += [ComparedValue(document, "曾用名", name) for name in certified.former]
    return tuple(values)


COMPARISON = Comparison(
    slug="identity",
    title="申请人与身份证件",
    clause="第（六）条",
    sides=lambda facts: (Side.IDENTITY, identity_side(facts)),
    certificates=lambda facts: frozenset({facts.identity_document}),
    judge=_judge,
    shown=_shown,
    remedies={
        "name_differs": "号码一致而名称写法不同：确认后由工作人员核查；"
        "近期更名的，可先在身份核验机构更新信息后重新发起",
        "number_not_comparable": "号码无法比对：确认后由工作人员核查",
        "number_missing": "缺少可比对的号码：确认后由工作人员核查",
        "holder_not_identified": "姓名（名称）与号码均无法对应：确认后由工作人员核查",
        "owners_unreadable": "证件未载明持证主体：请向发证机关核实",
        "other_holder": "身份证件不是所核验的申请人的：请以证件持有人的身份核验后重新发起",
    },
)
