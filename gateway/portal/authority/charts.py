"""What the charts of a page draw: plain lists, put into the page as JSON; the tables beside them say the same."""

from collections.abc import Sequence
from typing import Any

from gateway.oversight.report import CellReport, DepartmentReport, Measure, StageMeasure

Chart = dict[str, Any]


def durations(rows: Sequence[tuple[str, Measure]], words: dict[str, str]) -> Chart:
    """Median and 90th percentile as bars, the longest and the limit as marks; rows without durations are left out."""
    drawn = [(name, each) for name, each in rows if each.count]
    return {
        "kind": "durations",
        "names": [name for name, _ in drawn],
        "bars": [
            {"name": words["median"], "values": [each.median for _, each in drawn]},
            {"name": words["p90"], "values": [each.p90 for _, each in drawn]},
        ],
        "marks": [
            {"name": words["worst"], "values": [each.worst for _, each in drawn]},
            {"name": words["limit"], "values": [each.limit_to for _, each in drawn], "limit": True},
        ],
        "unit": words["unit"],
    }


def counts(rows: Sequence[CellReport], words: dict[str, str]) -> Chart:
    """What was completed, and what of it exceeded its limit, as bars."""
    drawn = [each for each in rows if each.completed]
    return {
        "kind": "counts",
        "names": [words.get(each.region_name, each.region_name) for each in drawn],
        "bars": [
            {"name": words["within"], "values": [each.completed - each.whole.over for each in drawn]},
            {"name": words["over"], "values": [each.whole.over for each in drawn], "over": True},
        ],
        "marks": [],
        "unit": words["applications"],
    }


def of_stages(stages: Sequence[StageMeasure], titles: dict[str, str], words: dict[str, str]) -> Chart:
    """The stages of one class."""
    return durations([(titles.get(each.title, each.title), each) for each in stages], words)


def of_departments(departments: Sequence[DepartmentReport], words: dict[str, str]) -> Chart:
    """Each department's decided permits."""
    return durations([(f"{words[each.region_name]} {words[each.title]}", each.decided) for each in departments], words)
