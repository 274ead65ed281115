"""The table of what a stage needs: whole, inside what kinds disclose, and changed by a dated row alone."""

import re
from datetime import date
from pathlib import Path

import pytest

from gateway.applications.dated_rows import RuleTable, RuleTableError
from gateway.applications.disclosure_rules import DISCLOSURE_RULES, DisclosureRow, needed_names, require_needed
from gateway.applications.errors import NotRequiredAtStage
from gateway.applications.requirements import REQUIREMENTS, Document, Provider
from gateway.applications.stages import Stage
from gateway.certificates.registry import KindRegistry

ON, REGION = date(2026, 11, 23), "440106"
KINDS = KindRegistry.discover()
LICENCE = ("grid_connection", Stage.ACCEPTANCE, "business_licence")


def a_row(needed: set[str], *, item: str = "grid_connection", region: str = "", since: date = ON) -> DisclosureRow:
    return DisclosureRow(
        item,
        Stage.ACCEPTANCE,
        Document.BUSINESS_LICENCE,
        frozenset(needed),
        clause="粤函第一条",
        effective_from=since,
        region=region,
    )


def test_every_document_that_a_stage_may_ask_for_has_a_row_and_no_other_has() -> None:
    fetched = {(row.stage, row.document) for row in REQUIREMENTS.rows if row.provider is Provider.SOURCE}
    assert {(row.stage, row.document) for row in DISCLOSURE_RULES.rows} == fetched


@pytest.mark.parametrize("row", DISCLOSURE_RULES.rows, ids=lambda row: f"{row.stage}-{row.document}")
def test_each_row_names_what_its_kind_discloses_with_clause_and_reason(row: DisclosureRow) -> None:
    assert row.needed <= KINDS.get(row.document.value).disclosable
    assert row.clause == "第（六）条"
    assert row.note


def test_what_is_nobodys_business_is_needed_nowhere() -> None:
    never = {
        "legal_representative_code",
        "registered_capital",
        "residence",
        "ethnicity",
        "sex",
        "born_on",
        "owners",
        "owner_codes",
        "area",
    }
    assert all(never.isdisjoint(row.needed) for row in DISCLOSURE_RULES.rows)


def test_a_name_outside_the_row_is_refused_by_the_clause_and_none_asks_for_what_there_is() -> None:
    assert require_needed(None, *LICENCE, ON, REGION).needed >= {"holder", "valid_on"}
    with pytest.raises(NotRequiredAtStage) as caught:
        require_needed({"holder", "registered_capital"}, *LICENCE, ON, REGION)
    error = caught.value
    assert (error.check, error.clause, error.stage) == ("disclosure.not_required", "第（六）条", "acceptance")
    assert "holder" in error.allowed
    assert "registered_capital" not in str(error)


@pytest.mark.parametrize(
    "asked",
    [
        ("transfer", Stage.ACCEPTANCE, "business_licence"),
        ("grid_connection", Stage.METERING, "business_licence"),
        ("grid_connection", Stage.ACCEPTANCE, "design_qualification"),
        ("grid_connection", Stage.ACCEPTANCE, "no_such_kind"),
    ],
)
def test_where_no_row_speaks_nothing_is_needed(asked: tuple[str, Stage, str]) -> None:
    assert needed_names(*asked, ON, REGION) == frozenset()
    with pytest.raises(NotRequiredAtStage) as caught:
        require_needed(None, *asked, ON, REGION)
    assert caught.value.allowed == ()


def test_the_page_for_utilities_says_what_the_table_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "licences.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| `([a-z_]+)` \| (.*) \|$", page, re.M)
    names = {kind: frozenset(re.findall(r"`([a-z_]+)`", needed)) for _, kind, needed in rows}
    told = {(stage, kind): names[kind] for stages, kind, _ in rows for stage in re.findall(r"[a-z_]+", stages)}
    told = {at: names[next(iter(same))] if (same := needed & names.keys()) else needed for at, needed in told.items()}
    assert told == {(row.stage.value, row.document.value): row.needed for row in DISCLOSURE_RULES.rows}


def test_before_the_rule_was_in_force_nothing_is_needed() -> None:
    assert needed_names(*LICENCE, date(2020, 12, 30), REGION) == frozenset()


def test_another_business_item_is_another_row() -> None:
    table = DISCLOSURE_RULES.extended([a_row({"name"}, item="transfer")])
    assert needed_names("transfer", Stage.ACCEPTANCE, "business_licence", ON, REGION, table) == {"name"}
    assert needed_names(*LICENCE, ON, REGION, table) == needed_names(*LICENCE, ON, REGION)


def test_a_province_may_need_less_from_its_day_on_and_never_more() -> None:
    table = DISCLOSURE_RULES.extended([a_row({"name", "valid_on"}, region="44")])
    assert needed_names(*LICENCE, ON, REGION, table) == {"name", "valid_on"}
    assert "holder" in needed_names(*LICENCE, date(2026, 11, 22), REGION, table)
    assert "holder" in needed_names(*LICENCE, ON, "320106", table)
    with pytest.raises(RuleTableError, match="worse"):
        DISCLOSURE_RULES.extended([a_row({"name", "registered_capital"}, region="44")])


def test_two_rows_for_one_thing_on_one_day_stop_the_start() -> None:
    with pytest.raises(RuleTableError, match="same day"):
        RuleTable("disclosure_rules", [a_row({"name"}), a_row({"number"})], key=lambda row: (row.item, row.stage))
