"""The property's owner against the applicant's licence or identity card: 产权人一致.

The certificate names its holders twice: 持证主体 (CZZT), by which it was found, and 权利人 (KZ_QLR), which the register
itself states. The applicant must be one of both. Where they say different things the more severe answer counts.
"""

from gateway.applications.personal_codes import mask
from gateway.applications.reconciliation.comparison import Comparison, identity_side
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Outcome, Side
from gateway.applications.reconciliation.normal_forms import CodeRelation, listed, name_form, relate_codes
from gateway.applications.reconciliation.relations import Named, find_among, relate_names, worse
from gateway.certificates.kinds.property_certificate import PropertyCertificateClaims

UNREADABLE = Judgement(Outcome.UNSURE, "owners_unreadable")


def _judge(facts: Facts) -> Judgement:
    holder, claims = facts.certified_holder, facts.property_right
    if holder is None or claims is None:
        return UNREADABLE
    return worse(_among_holders(holder, claims), _among_owners(holder, claims))


def _among_holders(holder: Named, claims: PropertyCertificateClaims) -> Judgement:
    names, codes = listed(claims.holder), listed(claims.holder_code)
    if len(names) != len(codes):
        return UNREADABLE
    return find_among(holder, map(Named, names, codes))


def _among_owners(holder: Named, claims: PropertyCertificateClaims) -> Judgement:
    """权利人, who are the 持证主体 where nothing else is stated."""
    names, codes = listed(claims.owners), listed(claims.owner_codes)
    if not codes:
        repeated = [name_form(name) for name in names] == [name_form(name) for name in listed(claims.holder)]
        return _among_holders(holder, claims) if repeated or not names else find_among(holder, map(Named, names))
    if not names or len(names) != len(codes):
        return UNREADABLE
    return find_among(holder, map(Named, names, codes))


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    holder, claims = facts.certified_holder, facts.property_right
    if holder is None or claims is None:
        return ()
    document = identity_side(facts)
    values = [
        ComparedValue(document, "姓名（名称）", holder.name),
        ComparedValue(document, "证件号", holder.code or ""),
    ]
    values += [ComparedValue(document, "曾用名", name) for name in holder.former]
    for label, names, codes in (
        ("持证主体", listed(claims.holder), listed(claims.holder_code)),
        ("权利人", listed(claims.owners), listed(claims.owner_codes)),
    ):
        values += [ComparedValue(Side.PROPERTY, label, name) for name in names]
        values += [
            ComparedValue(Side.PROPERTY, f"{label}证件号", _others_masked(code, name, holder, len(codes)))
            for code, name in zip(codes, names + ("",) * len(codes), strict=False)
        ]
    return tuple(values)


def _others_masked(code: str, name: str, holder: Named, count: int) -> str:
    """Of several owners the number of one who is plainly somebody else is not the officer's business."""
    own = relate_names(holder, Named(name)) != "different" or relate_codes(holder.code or "", code) in (
        CodeRelation.EQUAL,
        CodeRelation.HISTORIC,
    )
    return code if own or count == 1 else mask(code)


COMPARISON = Comparison(
    slug="holder",
    title="产权人",
    clause="第（六）条",
    sides=lambda facts: (identity_side(facts), Side.PROPERTY),
    certificates=lambda facts: frozenset({facts.identity_document, "property_certificate"}),
    judge=_judge,
    shown=_shown,
    remedies={
        "name_differs": "号码一致而名称不同：确认后由工作人员核查；已更名的，可请登记机关在营业执照信息中载明曾用名，"
        "或向不动产登记机构办理更名登记",
        "number_not_comparable": "不动产登记的是旧注册号等无法换算的号码：确认后由工作人员核查，或向不动产登记机构更新",
        "number_missing": "不动产权证书未载明权利人证件号：确认后由工作人员核查",
        "holder_not_identified": "不动产登记的权利人未能与申请人对应：确认后由工作人员核查，或向不动产登记机构核实",
        "owners_unreadable": "不动产权证书的权利人与号码不成对：确认后由工作人员核查，或请不动产登记机构更正",
        "other_holder": "该不动产登记在他人名下："
        "请由产权人申请，或选择您名下的不动产；登记有误的，请向不动产登记机构更正",
    },
)
