"""The person who acts as 法定代表人 against the licence: 姓名 and, where the licence shows one, 证件号."""

from gateway.applications.reconciliation.comparison import Comparison
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Outcome, Side
from gateway.applications.reconciliation.relations import Named, relate, relate_names
from schemas.identity import ActingRole

NUMBER_NOT_SHOWN = "representative_number_not_shown"


def _judge(facts: Facts) -> Judgement:
    licence = facts.licence
    if licence is None or not licence.legal_representative:
        return Judgement(Outcome.UNSURE, "representative_missing")
    stated = Named(licence.legal_representative, licence.legal_representative_code)
    if not stated.code:
        if relate_names(facts.person, stated) == "equal":
            return Judgement(Outcome.CONSISTENT, "equal", (NUMBER_NOT_SHOWN,))
        return Judgement(Outcome.UNSURE, "representative_differs")
    judged = relate(facts.person, stated)
    if judged.outcome is Outcome.CONTRADICTION:
        return Judgement(Outcome.CONTRADICTION, "other_representative")
    return judged


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    licence = facts.licence
    if licence is None:
        return ()
    return (
        ComparedValue(Side.IDENTITY, "姓名", facts.person.name),
        ComparedValue(Side.IDENTITY, "证件号", facts.person.code or ""),
        ComparedValue(Side.BUSINESS_LICENCE, "法定代表人", licence.legal_representative or ""),
        ComparedValue(Side.BUSINESS_LICENCE, "法定代表人证件号", licence.legal_representative_code or ""),
    )


COMPARISON = Comparison(
    slug="representative",
    title="法定代表人",
    clause="《中华人民共和国民法典》第六十一条",
    sides=lambda _: (Side.IDENTITY, Side.BUSINESS_LICENCE),
    certificates=lambda _: frozenset({"business_licence"}),
    asked=lambda facts: facts.role is ActingRole.LEGAL_REPRESENTATIVE,
    judge=_judge,
    shown=_shown,
    remedies={
        "representative_missing": "营业执照未载明法定代表人：确认后由工作人员核查，或向登记机关核实",
        "representative_differs": "法定代表人姓名不同：确认后由工作人员核查；近期变更的，请待营业执照更新后重新发起",
        "name_differs": "证件号一致而姓名写法不同：确认后由工作人员核查",
        "number_not_comparable": "法定代表人证件号无法比对：确认后由工作人员核查",
        "holder_not_identified": "法定代表人未能对应：确认后由工作人员核查，或待营业执照更新后重新发起",
        "other_representative": "办理人不是营业执照载明的法定代表人："
        "请由现任法定代表人办理，或由其签署经办授权后由经办人办理",
    },
)
