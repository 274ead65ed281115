"""Least disclosure (最小必要): of a document that may be asked for, what the work at that stage needs.

第（六）条 says which documents a stage may ask for; a row here says which fields and yes-or-no answers (predicates) of
one document that stage's work rests on. What no row names does not leave, whatever an agreement grants. The business
item (办电事项) is the ``purpose`` on the wire. ``grid_connection`` is 用电报装, new connections (新装) and capacity
increases (增容) alike: the clause makes no difference between them. Other items (过户, 更名) have no row, because the
regulation does not speak of them; who knows the basis adds rows, and until then nothing may be asked for them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from gateway.applications.dated_rows import DatedRow, RuleTable
from gateway.applications.errors import NotRequiredAtStage
from gateway.applications.requirements import CLAUSE, FROM, Document
from gateway.applications.stages import Stage
from gateway.applications.submission import PURPOSE
from gateway.errors import Owner
from gateway.wording.phrases import Phrase, listed


@dataclass(frozen=True)
class DisclosureRow(DatedRow):
    """What the ``stage`` of ``item`` needs of ``document``: names of fields and predicates. ``note`` says what for."""

    item: str
    stage: Stage
    document: Document
    needed: frozenset[str]


CITATION = frozenset({"name", "number", "issuing_authority", "issuing_authority_code", "issued_on"})
"""By which a file cites a certificate."""
STANDING = frozenset({"valid_on", "held_by"})
"""Good today, and the holder's: answered without a value."""
HOLDER = frozenset({"holder", "holder_code"})
QUALIFICATION = CITATION | STANDING | HOLDER | {"valid_until_on", "category", "grade", "scope"}

# (stages, document, what is needed, what for)
NEEDED: tuple[tuple[tuple[Stage, ...], Document, frozenset[str], str], ...] = (
    (
        (Stage.SIGN_UP, Stage.ACCEPTANCE),
        Document.BUSINESS_LICENCE,
        CITATION | STANDING | HOLDER | {"valid_until_on"},
        "立户并签订供用电合同：用电人名称与代码、执照是否有效",
    ),
    (
        # An identity card's number is the holder's own, and its issuer tells where they live: neither cites anything.
        (Stage.SIGN_UP, Stage.ACCEPTANCE),
        Document.RESIDENT_ID,
        frozenset({"name"}) | STANDING | HOLDER,
        "实名立户并签订供用电合同：姓名与号码、证件是否有效",
    ),
    (
        # Who the owners are is not needed where it is answered that the applicant is one of them.
        (Stage.SIGN_UP, Stage.ACCEPTANCE),
        Document.PROPERTY_CERTIFICATE,
        CITATION
        | STANDING
        | {"property_certificate_number", "property_unit_code", "location", "right_type"}
        | {"owner_matches", "address_matches"},
        "确认用电地址及其物权：坐落与单元号；产权人、地址是否一致以判断代替",
    ),
    (
        (Stage.ACCEPTANCE,),
        Document.PROJECT_APPROVAL,
        CITATION
        | STANDING
        | {"valid_until_on", "project_code", "project_name", "approval_number", "site", "address_matches"},
        "确认用电工程已获批准：项目、批文与建设地点；项目单位是否为申请人以判断代替",
    ),
    ((Stage.DESIGN_REVIEW,), Document.DESIGN_QUALIFICATION, QUALIFICATION, "确认设计单位的资质类别、等级与范围"),
    (
        (Stage.INTERIM_INSPECTION,),
        Document.CONSTRUCTION_QUALIFICATION,
        QUALIFICATION,
        "确认施工单位的资质类别、等级与范围",
    ),
)


def _narrows(broad: DisclosureRow, local: DisclosureRow) -> bool:
    """鼓励和支持进一步压减: a region may need less than the nation, never more."""
    return local.needed <= broad.needed


DISCLOSURE_RULES = RuleTable(
    "disclosure_rules",
    [
        DisclosureRow(PURPOSE, stage, document, needed, clause=CLAUSE, effective_from=FROM, note=why)
        for stages, document, needed, why in NEEDED
        for stage in stages
    ],
    key=lambda row: (row.item, row.stage, row.document.value),
    may_narrow=_narrows,
)


def needed_names(
    item: str,
    stage: Stage,
    document: str,
    on: date,
    region: str,
    table: RuleTable[DisclosureRow] = DISCLOSURE_RULES,
) -> frozenset[str]:
    """The names that may leave by the row in force on ``on`` (the day of receipt) in ``region``; none without one."""
    row = table.find((item, stage, document), on, region)
    return frozenset() if row is None else row.needed


def require_needed(
    names: Collection[str] | None,
    item: str,
    stage: Stage,
    document: str,
    on: date,
    region: str,
    table: RuleTable[DisclosureRow] = DISCLOSURE_RULES,
) -> DisclosureRow:
    """The row that applies, where it has every one of ``names`` that are asked for; None asks for what there is.

    Raises ``NotRequiredAtStage``, also where no row knows the item, stage and document.
    """
    row = table.find((item, stage, document), on, region)
    if row is not None and (names is None or row.needed.issuperset(names)):
        return row
    raise NotRequiredAtStage(
        check="disclosure.not_required",
        owner=Owner.UTILITY,
        remedy=Phrase("该环节办理只需要：{fields}。请撤回超出范围的字段。", fields=listed(sorted(row.needed)))
        if row
        else "该事项在此环节无须此证照的任何内容。请撤回该要求。",
        clause=row.clause if row else CLAUSE,
        stage=stage.value,
        allowed=tuple(sorted(row.needed)) if row else (),
    )
