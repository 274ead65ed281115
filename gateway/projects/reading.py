"""A push read: what a lead tells of the project, and whom to ask. Pure.

Rows that no longer hold (``sjyxbs`` 0) are left out. An unknown code is a finding and never keeps a project from being
a lead. The builder is told where its code proves an organisation; a person who builds stays with the contact.
"""

from collections.abc import Mapping
from typing import Final

from gateway.projects.model import Contact, Said
from schemas.identifiers import IdentifierError, region_findings, validate_unified_social_credit_code
from schemas.leads import LeadItem, LeadPermit, LeadPhase, LeadProject
from schemas.project_exchange import HandlingStatus
from schemas.project_push import ItemRow, ProjectPush, ProjectRow, StepRow

PENDING, OTHER = "pending", "other"
SOLE_TRADER: Final = "92"
"""个体工商户: registered by 市场监督管理 (9), class 2."""
_STATUS: Final[Mapping[int, str]] = {status.value: status.name.lower().removeprefix("x_") for status in HandlingStatus}


def read_push(push: ProjectPush) -> Said:
    """What ``push`` says."""
    lead = _lead(push) if push.xmjbxxb.sjyxbs else None
    return Said(push.xh, lead, _contact(push))


def _lead(push: ProjectPush) -> LeadProject:
    row = push.xmjbxxb
    region = row.jsddxzqh or row.xzqhdm
    items, permits = _items(push), _permits(push)
    code = _organisation(row)
    findings = [each.kind for each in region_findings(region)]
    if code is None:
        findings.append("builder-not-organisation")
    if any(item.status == OTHER for item in items):
        findings.append("item-status")
    return LeadProject(
        project_code=row.xmdm,
        works_code=row.gcdm,
        name=row.xmmc,
        region=region,
        site=row.jsdd,
        scale=row.jsgmjnr,
        floor_area=row.jzmj,
        starts_on=row.nkgsj,
        completes_on=row.njcsj,
        builder=row.jsdw if code else None,
        builder_code=code,
        phase=_phase(items, permits),
        items=items,
        permits=permits,
        findings=findings,
    )


def _phase(items: list[LeadItem], permits: list[LeadPermit]) -> LeadPhase:
    if any(permit.kind == "planning_permit" for permit in permits):
        return LeadPhase.PLANNING_PERMITTED
    return LeadPhase.UNDER_APPROVAL if items or permits else LeadPhase.REGISTERED


def _items(push: ProjectPush) -> list[LeadItem]:
    """In the order of the push. The last of an item's steps by time counts; of two of one time, the later row."""
    last: dict[str, StepRow] = {}
    for step in push.xmspsxblxxxxb:
        known = last.get(step.spsxslbm)
        if step.sjyxbs and (known is None or step.blsj >= known.blsj):
            last[step.spsxslbm] = step
    return [_item(row, last.get(row.spsxslbm)) for row in push.xmspsxblxxb if row.sjyxbs]


def _item(row: ItemRow, step: StepRow | None) -> LeadItem:
    return LeadItem(
        item_id=row.spsxslbm,
        department=row.spbmmc or row.spbmbm,
        status=PENDING if step is None else _STATUS.get(step.blzt, OTHER),
        status_code=step.blzt if step else None,
        at=step.blsj if step else None,
    )


def _permits(push: ProjectPush) -> list[LeadPermit]:
    results = [
        LeadPermit(
            kind="approval",
            number=row.pfwh,
            title=row.pfwjbt,
            issued_on=row.pfrq,
            valid_until=row.pfwjyxqx,
            item_id=row.spsxslbm,
        )
        for row in push.xmspsxpfwjxxb
        if row.sjyxbs
    ]
    planning = [
        LeadPermit(kind="planning_permit", number=row.gcghxkzbh, issued_on=row.fzrq, item_id=row.spsxslbm)
        for row in push.jsgcghxkxxb
        if row.sjyxbs
    ]
    return results + planning


def _organisation(row: ProjectRow) -> str | None:
    """The builder's 统一社会信用代码 (GB 32100) where it is an organisation; a sole trader's name is a person's."""
    try:
        code = validate_unified_social_credit_code(row.jsdwdm) if row.jsdwdm else None
    except IdentifierError:
        return None
    return None if code is None or code.startswith(SOLE_TRADER) else code


def _contact(push: ProjectPush) -> Contact:
    """Of the last valid item that names somebody: whoever deals with the project now."""
    named = [row for row in push.xmspsxblxxb if row.sjyxbs and (row.lxr or row.lxrsjh)]
    who = named[-1] if named else None
    return Contact(push.xmjbxxb.jsdw, who.lxr if who else None, who.lxrsjh if who else None)
