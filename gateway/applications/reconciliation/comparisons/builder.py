"""The project approval's unit and builder (项目单位、建设单位) against the applicant's licence."""

from gateway.applications.reconciliation.comparison import Comparison, identity_side
from gateway.applications.reconciliation.facts import Facts
from gateway.applications.reconciliation.finding import ComparedValue, Judgement, Outcome, Side
from gateway.applications.reconciliation.normal_forms import listed
from gateway.applications.reconciliation.relations import Named, find_among, worse
from gateway.certificates.kinds.project_approval import ProjectApprovalClaims


def _judge(facts: Facts) -> Judgement:
    holder, project = facts.certified_holder, facts.project
    if holder is None or project is None:
        return Judgement(Outcome.UNSURE, "owners_unreadable")
    unit = find_among(holder, _paired(project.holder, project.holder_code))
    if project.builder is None and project.builder_code is None:
        return unit
    return worse(unit, find_among(holder, _paired(project.builder or "", project.builder_code or "")))


def _paired(names: str, codes: str) -> tuple[Named, ...]:
    """Names with their codes; names alone where there are no codes; nobody where they do not pair."""
    called, numbered = listed(names), listed(codes)
    if not numbered:
        return tuple(map(Named, called))
    return tuple(map(Named, called, numbered)) if len(called) == len(numbered) else ()


def _shown(facts: Facts) -> tuple[ComparedValue, ...]:
    holder, project = facts.certified_holder, facts.project
    if holder is None or project is None:
        return ()
    document = identity_side(facts)
    return (
        ComparedValue(document, "名称", holder.name),
        ComparedValue(document, "统一社会信用代码", holder.code or ""),
        *(ComparedValue(document, "曾用名", name) for name in holder.former),
        *_values(project),
    )


def _values(project: ProjectApprovalClaims) -> list[ComparedValue]:
    stated = (
        ("项目单位", project.holder),
        ("项目单位代码", project.holder_code),
        ("建设单位", project.builder),
        ("建设单位代码", project.builder_code),
    )
    return [ComparedValue(Side.PROJECT, label, value) for label, value in stated if value is not None]


COMPARISON = Comparison(
    slug="builder",
    title="建设单位",
    clause="第（六）条",
    sides=lambda facts: (identity_side(facts), Side.PROJECT),
    certificates=lambda facts: frozenset({facts.identity_document, "project_approval"}),
    judge=_judge,
    shown=_shown,
    remedies={
        "name_differs": "代码一致而名称不同：确认后由工作人员核查；已更名的，可请登记机关在营业执照信息中载明曾用名，"
        "或向项目审批部门办理变更",
        "number_not_comparable": "项目批准文件登记的是无法换算的旧代码：确认后由工作人员核查，或请项目审批部门更新",
        "number_missing": "项目批准文件未载明建设单位代码：确认后由工作人员核查",
        "holder_not_identified": "项目的建设单位未能与申请人对应：确认后由工作人员核查，或向项目审批部门核实",
        "owners_unreadable": "项目批准文件的建设单位与代码不成对：确认后由工作人员核查，或请项目审批部门更正",
        "other_holder": "该项目由其他单位建设：请由建设单位申请，或选择您单位的项目；有误的，请向项目审批部门更正",
    },
)
