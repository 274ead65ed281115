"""The document table of 第（六）条, line by line, and that nothing else passes."""

from datetime import date

import pytest

from gateway.applications.customer_classes import CustomerClass
from gateway.applications.errors import DocumentNotAllowed
from gateway.applications.requirements import Document, Provider, allowed_documents, require_allowed
from gateway.applications.stages import STAGES, Stage
from schemas.identity import ApplicantKind

TODAY = date(2026, 11, 23)
RESIDENT, ENTERPRISE = ApplicantKind.RESIDENT, ApplicantKind.ENTERPRISE
HV_INTAKE = ["business_licence", "property_certificate", "project_approval"]
HV_STAGES = {
    "design_review": ["design_qualification", "design_documents"],
    "interim_inspection": ["construction_qualification", "concealed_works_records"],
    "completion_inspection": ["completion_report"],
}
# (class, holder) → stage → documents: the whole table, written out.
TABLE = {
    ("residential", RESIDENT): {"sign_up": ["resident_id", "property_certificate"]},
    ("lv_zero", ENTERPRISE): {"sign_up": ["business_licence", "property_certificate"]},
    ("lv_ordinary", ENTERPRISE): {"acceptance": ["business_licence", "property_certificate"]},
    ("hv_single", ENTERPRISE): {"acceptance": HV_INTAKE, **HV_STAGES},
    ("hv_dual", ENTERPRISE): {"acceptance": HV_INTAKE, **HV_STAGES},
    ("hv_single", RESIDENT): {"acceptance": ["resident_id", *HV_INTAKE[1:]], **HV_STAGES},
}
CELLS = [
    (CustomerClass(customer_class), holder, stage, stages.get(stage.value, []))
    for (customer_class, holder), stages in TABLE.items()
    for stage in Stage
]


@pytest.mark.parametrize(("customer_class", "holder", "stage", "expected"), CELLS)
def test_each_cell_of_the_table(customer_class, holder, stage, expected):
    rows = allowed_documents(customer_class, stage, TODAY, holder)
    assert [row.document.value for row in rows] == expected
    assert all(row.clause == "第（六）条" for row in rows)


@pytest.mark.parametrize(("customer_class", "holder", "stage", "expected"), CELLS)
def test_every_document_outside_its_cell_is_refused_with_clause_stage_and_what_is_allowed(
    customer_class, holder, stage, expected
):
    for document in [*Document, "tax_return"]:
        if document in expected:
            assert require_allowed(document, customer_class, stage, TODAY, holder).document == document
            continue
        with pytest.raises(DocumentNotAllowed) as refused:
            require_allowed(document, customer_class, stage, TODAY, holder)
        assert refused.value.clause == "第（六）条"
        assert refused.value.stage == stage.value
        assert list(refused.value.allowed) == expected
        assert "tax_return" not in str(refused.value)


def test_an_agents_identity_card_is_not_a_document():
    for customer_class in (CustomerClass.LV_ZERO, CustomerClass.LV_ORDINARY):
        for stage in STAGES[customer_class]:
            with pytest.raises(DocumentNotAllowed):
                require_allowed("resident_id", customer_class, stage, TODAY)


def test_the_refusal_names_the_stage_and_the_documents_in_chinese():
    with pytest.raises(DocumentNotAllowed) as refused:
        require_allowed("project_approval", CustomerClass.LV_ORDINARY, Stage.ACCEPTANCE, TODAY)
    assert "业务受理" in refused.value.remedy
    assert "营业执照、不动产权证书" in refused.value.remedy


def test_a_stage_without_documents_and_a_stage_the_class_lacks_are_told_apart():
    with pytest.raises(DocumentNotAllowed) as no_documents:
        require_allowed("business_licence", CustomerClass.LV_ORDINARY, Stage.SUPPLY_PLAN, TODAY)
    with pytest.raises(DocumentNotAllowed) as no_stage:
        require_allowed("design_documents", CustomerClass.LV_ORDINARY, Stage.DESIGN_REVIEW, TODAY)
    assert "不得要求任何资料" in no_documents.value.remedy
    assert "没有“设计审查”环节" in no_stage.value.remedy


def test_only_what_has_no_source_is_uploaded():
    rows = [row for customer_class, _, stage, _ in CELLS for row in allowed_documents(customer_class, stage, TODAY)]
    uploaded = {row.document.value for row in rows if row.provider is Provider.APPLICANT}
    assert uploaded == {"design_documents", "concealed_works_records", "completion_report"}


def test_before_the_table_was_in_force_nothing_may_be_asked_for():
    with pytest.raises(DocumentNotAllowed):
        require_allowed("resident_id", CustomerClass.RESIDENTIAL, Stage.SIGN_UP, date(2020, 1, 1))
