"""Documents that may be asked for (第（六）条), and nothing else.

One row allows one document for one class at one stage, everywhere: no region may ask for more. What no row allows is
refused, with the clause, and an agent's (经办人) own identity card is no such document: the identity provider proves
who the agent is.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.dated_rows import DatedRow, RuleTable
from gateway.applications.errors import DocumentNotAllowed
from gateway.applications.stages import STAGES, Stage
from gateway.errors import Owner
from gateway.wording.phrases import Phrase, listed
from schemas.identity import ApplicantKind

CLAUSE = "第（六）条"
FROM = date(2020, 12, 31)


class Document(StrEnum):
    """A certificate kind (证照类型) or an uploaded document; the wire uses the same words."""

    BUSINESS_LICENCE = "business_licence"
    RESIDENT_ID = "resident_id"
    PROPERTY_CERTIFICATE = "property_certificate"
    PROJECT_APPROVAL = "project_approval"
    DESIGN_QUALIFICATION = "design_qualification"
    DESIGN_DOCUMENTS = "design_documents"
    CONSTRUCTION_QUALIFICATION = "construction_qualification"
    CONCEALED_WORKS_RECORDS = "concealed_works_records"
    COMPLETION_REPORT = "completion_report"

    @property
    def chinese_title(self) -> str:
        """The document as the applicant knows it."""
        return DOCUMENT_TITLES[self]


DOCUMENT_TITLES = {
    Document.BUSINESS_LICENCE: "营业执照",
    Document.RESIDENT_ID: "居民身份证",
    Document.PROPERTY_CERTIFICATE: "不动产权证书",
    Document.PROJECT_APPROVAL: "用电工程项目批准文件",
    Document.DESIGN_QUALIFICATION: "设计单位资质",
    Document.DESIGN_DOCUMENTS: "用电工程设计及说明书",
    Document.CONSTRUCTION_QUALIFICATION: "施工单位资质",
    Document.CONCEALED_WORKS_RECORDS: "隐蔽工程施工及试验记录",
    Document.COMPLETION_REPORT: "工程竣工报告（含竣工图纸）",
}


IDENTITY_DOCUMENTS = (Document.RESIDENT_ID, Document.BUSINESS_LICENCE)
"""Whose application it is rests on these: they must be verified, and no upload stands in for them."""


class Provider(StrEnum):
    """Who brings the document: the gateway fetches it from its source, or the applicant uploads it."""

    SOURCE = "source"
    APPLICANT = "applicant"


@dataclass(frozen=True)
class RequirementRow(DatedRow):
    """One document that may be asked for; ``holder`` None means whoever holds the application."""

    customer_class: CustomerClass
    stage: Stage
    document: Document
    provider: Provider
    term: str
    holder: ApplicantKind | None = None


LOW_VOLTAGE_INTAKES = (
    (CustomerClass.RESIDENTIAL, Stage.SIGN_UP),
    (CustomerClass.LV_ZERO, Stage.SIGN_UP),
    (CustomerClass.LV_ORDINARY, Stage.ACCEPTANCE),
)
HIGH_VOLTAGE = (CustomerClass.HV_SINGLE, CustomerClass.HV_DUAL)
ALL_INTAKES = (*LOW_VOLTAGE_INTAKES, *((high, Stage.ACCEPTANCE) for high in HIGH_VOLTAGE))

# (document, who brings it, the regulation's own term, whose holder it is asked of)
AT_EVERY_INTAKE = (
    (Document.RESIDENT_ID, Provider.SOURCE, "用电人有效身份证件", ApplicantKind.RESIDENT),
    (Document.BUSINESS_LICENCE, Provider.SOURCE, "用电人有效身份证件", ApplicantKind.ENTERPRISE),
    (Document.PROPERTY_CERTIFICATE, Provider.SOURCE, "用电地址物权证件", None),
)
# (stage, document, who brings it, the regulation's own term)
AT_HIGH_VOLTAGE = (
    (Stage.ACCEPTANCE, Document.PROJECT_APPROVAL, Provider.SOURCE, "用电工程项目批准文件"),
    (Stage.DESIGN_REVIEW, Document.DESIGN_QUALIFICATION, Provider.SOURCE, "设计单位资质证明材料"),
    (Stage.DESIGN_REVIEW, Document.DESIGN_DOCUMENTS, Provider.APPLICANT, "用电工程设计及说明书"),
    (Stage.INTERIM_INSPECTION, Document.CONSTRUCTION_QUALIFICATION, Provider.SOURCE, "施工单位资质证明材料"),
    (Stage.INTERIM_INSPECTION, Document.CONCEALED_WORKS_RECORDS, Provider.APPLICANT, "隐蔽工程施工及试验记录"),
    (Stage.COMPLETION_INSPECTION, Document.COMPLETION_REPORT, Provider.APPLICANT, "工程竣工报告（含竣工图纸）"),
)


def holders_of(customer_class: CustomerClass) -> tuple[ApplicantKind, ...]:
    """Who can hold an application of the class: a home is a resident's, a low-voltage business an enterprise's."""
    if customer_class.is_high_voltage:
        return (ApplicantKind.RESIDENT, ApplicantKind.ENTERPRISE)
    return (ApplicantKind.RESIDENT if customer_class is CustomerClass.RESIDENTIAL else ApplicantKind.ENTERPRISE,)


REQUIREMENTS = RuleTable(
    "requirements",
    [
        *(
            RequirementRow(on_class, stage, document, provider, term, holder, clause=CLAUSE, effective_from=FROM)
            for on_class, stage in ALL_INTAKES
            for document, provider, term, holder in AT_EVERY_INTAKE
            if holder is None or holder in holders_of(on_class)
        ),
        *(
            RequirementRow(on_class, stage, document, provider, term, clause=CLAUSE, effective_from=FROM)
            for on_class in HIGH_VOLTAGE
            for stage, document, provider, term in AT_HIGH_VOLTAGE
        ),
    ],
    key=lambda row: (row.customer_class, row.stage, row.document, row.holder),
)


def allowed_documents(
    customer_class: CustomerClass,
    stage: Stage,
    on: date,
    holder: ApplicantKind | None = None,
    table: RuleTable[RequirementRow] = REQUIREMENTS,
) -> tuple[RequirementRow, ...]:
    """The rows in force on ``on`` (the day of receipt) for the class at the stage, in the order of the table.

    ``holder`` leaves out the other kind's identity document; at high voltage, where both kinds can apply, pass it.
    Empty when nothing may be asked for: at stages without documents, and at stages the class does not have.
    """
    return tuple(
        row
        for row in table.rows
        if row.customer_class is customer_class
        and row.stage is stage
        and row.in_force(on)
        and (holder is None or row.holder is None or row.holder is holder)
    )


def require_allowed(
    document: str,
    customer_class: CustomerClass,
    stage: Stage,
    on: date,
    holder: ApplicantKind | None = None,
    table: RuleTable[RequirementRow] = REQUIREMENTS,
) -> RequirementRow:
    """The row that allows ``document`` (a slug, known or not) for the class at the stage.

    Raises ``DocumentNotAllowed`` with the clause, the stage and what may be asked for there.
    """
    allowed = allowed_documents(customer_class, stage, on, holder, table)
    for row in allowed:
        if row.document == document:
            return row
    named = Phrase(stage.chinese_title)
    if stage not in STAGES[customer_class]:
        remedy = Phrase(
            "{customer_class}没有“{stage}”环节，不得在此环节索要任何资料。",
            customer_class=Phrase(customer_class.chinese_title),
            stage=named,
        )
    elif allowed:
        remedy = Phrase(
            "“{stage}”环节仅可要求：{documents}。请撤回超出范围的要求。",
            stage=named,
            documents=listed(Phrase(row.document.chinese_title) for row in allowed),
        )
    else:
        remedy = Phrase("“{stage}”环节不得要求任何资料。请撤回该要求。", stage=named)
    raise DocumentNotAllowed(
        check="requirements.document_not_allowed",
        owner=Owner.UTILITY,
        remedy=remedy,
        clause=CLAUSE,
        stage=stage.value,
        allowed=tuple(row.document.value for row in allowed),
    )
