"""An agent's (经办人) authority: an authorisation that the legal representative on the licence signed, for this matter.

民法典第一百六十五条: an authorisation in writing names the agent, the matter, the powers and the time, and is signed by
who gives it. Signature, chain and times were judged before (``AgentAuthority``); here it is compared.
"""

from gateway.applications.reconciliation.comparison import Comparison
from gateway.applications.reconciliation.facts import AgentAuthority, Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Outcome, Side
from gateway.applications.reconciliation.normal_forms import CodeRelation, name_form, relate_codes
from gateway.applications.reconciliation.relations import Named, relate, relate_names
from gateway.certificates.kinds.business_licence import BusinessLicenceClaims
from gateway.certificates.verdicts import Verdict
from schemas.agent_authorisations import MATTER, AgentAuthorisation
from schemas.identity import ActingRole

EXPIRED, REVOKED, INVALID = "authorisation_expired", "signature_revoked", "authorisation_invalid"
_REASONS = {"jose.expired": EXPIRED, "jose.not_yet_valid": "authorisation_not_yet", "chain.revoked": REVOKED}
"""Why one does not hold, by the check that failed; anything else is ``authorisation_invalid``."""
_SAME = (CodeRelation.EQUAL, CodeRelation.HISTORIC)


def _judge(facts: Facts) -> Judgement:
    authority, licence = facts.authority, facts.licence
    if authority is None or licence is None:
        return Judgement(Outcome.UNSURE, "authorisation_missing")
    if authority.verdict is Verdict.INVALID:
        return Judgement(Outcome.CONTRADICTION, _REASONS.get(authority.check or "", INVALID))
    if authority.content is not None and (contradiction := _other(facts, authority.content)):
        return Judgement(Outcome.CONTRADICTION, contradiction)
    signer = _judge_signer(authority, licence)
    if signer.outcome is Outcome.CONTRADICTION or authority.verdict is Verdict.VALID:
        return signer if signer.outcome is not Outcome.CONSISTENT else _judge_agent(facts, authority, signer)
    return Judgement(Outcome.UNSURE, "signature_unknown")


def _other(facts: Facts, content: AgentAuthorisation) -> str | None:
    """What it is about instead of this applicant, this agent and this matter."""
    if content.matter != MATTER:
        return "other_matter"
    if relate_codes(content.enterprise_code, facts.holder.code or "") not in _SAME:
        return "other_enterprise"
    if relate_codes(content.agent_code, facts.person.code or "") not in _SAME:
        return "other_agent"
    return None


def _judge_signer(authority: AgentAuthority, licence: BusinessLicenceClaims) -> Judgement:
    if authority.signer is None or not licence.legal_representative:
        return Judgement(Outcome.UNSURE, "representative_missing")
    stated = Named(licence.legal_representative, licence.legal_representative_code)
    if not stated.code:
        names = relate_names(authority.signer, stated)
        reason = "representative_number_missing" if names == "equal" else "representative_differs"
        return Judgement(Outcome.UNSURE, reason)
    judged = relate(authority.signer, stated)
    if judged.outcome is Outcome.CONTRADICTION:
        return Judgement(Outcome.CONTRADICTION, "other_representative")
    return judged


def _judge_agent(facts: Facts, authority: AgentAuthority, signer: Judgement) -> Judgement:
    named = authority.content.agent_name if authority.content else ""
    if name_form(named) != name_form(facts.person.name):
        return Judgement(Outcome.UNSURE, "agent_name_differs")
    return signer


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    licence, authority = facts.licence, facts.authority
    values = [
        ComparedValue(Side.IDENTITY, "经办人", facts.person.name),
        ComparedValue(Side.IDENTITY, "经办人证件号", facts.person.code or ""),
    ]
    if licence is not None:
        values += [
            ComparedValue(Side.BUSINESS_LICENCE, "法定代表人", licence.legal_representative or ""),
            ComparedValue(Side.BUSINESS_LICENCE, "法定代表人证件号", licence.legal_representative_code or ""),
        ]
    if authority is not None and authority.content is not None:
        values.append(ComparedValue(Side.AUTHORISATION, "被授权人", authority.content.agent_name))
    if authority is not None and authority.signer is not None:
        values += [
            ComparedValue(Side.AUTHORISATION, "签署人", authority.signer.name),
            ComparedValue(Side.AUTHORISATION, "签署人证件号", authority.signer.code or ""),
        ]
    return tuple(values)


COMPARISON = Comparison(
    slug="agent",
    title="经办人授权",
    clause="《中华人民共和国民法典》第一百六十五条",
    sides=lambda _: (Side.AUTHORISATION, Side.BUSINESS_LICENCE),
    certificates=lambda _: frozenset({"business_licence"}),
    asked=lambda facts: facts.role is ActingRole.AGENT,
    judge=_judge,
    shown=_shown,
    remedies={
        "authorisation_missing": "未随身份核验提供法定代表人签署的经办授权："
        "可请法定代表人在电子营业执照中签署后重新核验；"
        "仍要办理的，确认后由工作人员核查",
        "signature_unknown": "暂时无法核验授权的签名：可稍后重新核验；仍要办理的，确认后由工作人员核查",
        "representative_missing": "无法确定授权的签署人或营业执照的法定代表人：确认后由工作人员核查",
        "representative_number_missing": "营业执照未载明法定代表人证件号，仅姓名相同：确认后由工作人员核查",
        "representative_differs": "签署人与营业执照载明的法定代表人姓名不同："
        "确认后由工作人员核查；近期变更的，请待营业执照更新",
        "name_differs": "签署人证件号一致而姓名写法不同：确认后由工作人员核查",
        "number_missing": "签署人的证书未载明证件号：确认后由工作人员核查",
        "number_not_comparable": "签署人的证件号无法比对：确认后由工作人员核查",
        "holder_not_identified": "签署人未能与法定代表人对应：确认后由工作人员核查",
        "agent_name_differs": "授权所载经办人姓名写法不同：确认后由工作人员核查，或请法定代表人重新签署",
        INVALID: "经办授权未通过核验：请法定代表人以本人的电子签名重新签署",
        EXPIRED: "经办授权已过期：请法定代表人重新签署",
        "authorisation_not_yet": "经办授权尚未生效：请于生效后办理，或请法定代表人重新签署",
        REVOKED: "签署授权所用的电子签名证书已吊销：请法定代表人更换证书后重新签署",
        "other_matter": "授权事项不是用电报装：请法定代表人就本事项重新签署",
        "other_enterprise": "授权是为其他单位办理的：请由本单位的法定代表人签署",
        "other_agent": "授权的经办人不是您：请由被授权的经办人办理，或请法定代表人重新签署",
        "other_representative": "授权不是由营业执照载明的法定代表人签署的：请由现任法定代表人签署",
    },
)
