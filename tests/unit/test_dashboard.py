"""Dashboard and alerts name metrics that are really exposed, with labels they have, in expressions that can be read.

There is no Prometheus here to ask; this catches what a renamed metric or label breaks, and what was mistyped.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from gateway.http.metrics import HttpMetrics, Refusal
from gateway.metrics import GatewayMetrics
from gateway.process_metrics import ProcessMetrics
from tests.support.storage import SetClock

FOLDER = Path(__file__).parents[2] / "docs" / "operations"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
FUNCTIONS = {"rate", "increase", "sum", "max", "min", "topk", "histogram_quantile", "absent"}
KEYWORDS = {"by", "on", "and", "or", "unless", "offset", "bool"}
SCRAPED = {"instance", "job", "le"}
"""Labels that the scrape adds, and a histogram's own."""
TOKEN = re.compile(
    r"\s*(?:(?P<name>[a-zA-Z_]\w*)|(?P<number>[0-9.]+(?:e[0-9]+)?)(?![a-z])|(?P<range>\[[0-9]+[smhd]\])|(?P<time>[0-9]+[smhd])"
    r'|(?P<text>"[^"]*")|(?P<mark>==|!=|=~|>=|<=|[-+*/(){},=<>]))'
)
DURATION = re.compile(r"[0-9]+[smhd]")


class Watched:
    """A database that nobody asks."""

    waiting = 0


@pytest.fixture(scope="module")
def exposed() -> Mapping[str, set[str]]:
    """Every name that a scrape may show, and its labels."""
    registry = CollectorRegistry()
    ProcessMetrics(registry)
    GatewayMetrics(Watched(), SetClock(), registry)  # type: ignore[arg-type]
    found: dict[str, set[str]] = {}
    for name, collector in registry._names_to_collectors.items():
        found[name] = set(collector._labelnames)  # type: ignore[attr-defined]
    http = HttpMetrics()
    http.observe("GET", "/", 404, 0.1, Refusal("not-found", "made.up"))
    for sample in [sample for family in http.registry.collect() for sample in family.samples]:
        found.setdefault(sample.name, set()).update(sample.labels)
    return {name: labels for name, labels in found.items() if not name.endswith("_created")}


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(expression.rstrip()):
        match = TOKEN.match(expression, at)
        assert match is not None, f"cannot be read from: {expression[at:]}"
        found.append((str(match.lastgroup), match[match.lastgroup or 0]))
        at = match.end()
    return found


def test_the_expressions_name_what_is_exposed(exposed: Mapping[str, set[str]]) -> None:
    for where, expression in expressions():
        read = tokens(expression)
        closing, open_marks = {")": "(", "}": "{"}, list[str]()
        labels_of = set().union(*(exposed.get(name, set()) for kind, name in read if kind == "name")) | SCRAPED
        for index, (kind, value) in enumerate(read):
            following = read[index + 1][1] if index + 1 < len(read) else ""
            if value in ("(", "{"):
                open_marks.append(value if value == "{" or read[index - 1][1] not in ("by", "on") else "by")
            elif value in closing:
                assert open_marks, where
                opened = open_marks.pop()
                assert opened in (closing[value], "by"), where
            elif kind == "name" and open_marks and open_marks[-1] in ("{", "by"):
                assert value in labels_of, f"{where}: no metric in it has the label {value}"
            elif kind == "name" and value not in KEYWORDS:
                if value in FUNCTIONS:
                    assert following in ("(", "by"), where
                else:
                    assert value in exposed, f"{where}: nothing exposes {value}"
        assert open_marks == [], where


def test_each_alert_says_for_how_long_how_bad_and_where_to_read_on() -> None:
    sections = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", (FOLDER / "failures.md").read_text("utf-8"), re.M)
    }
    names, used = set(), set()
    for group in ALERTS["groups"]:
        assert group.keys() <= {"name", "interval", "rules"}
        for rule in group["rules"]:
            assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
            assert re.fullmatch(r"Bandian\w+", rule["alert"])
            assert rule["alert"] not in names
            names.add(rule["alert"])
            assert DURATION.fullmatch(rule["for"])
            assert rule["labels"]["severity"] in ("page", "ticket")
            page, _, section = rule["annotations"]["runbook"].partition("#")
            assert page == "docs/operations/failures.md"
            assert section in sections, rule["alert"]
            used.add(section)
            read = tokens(rule["expr"])
            told = {value for _, value in read} | SCRAPED
            for label in re.findall(r"\{\{ \$labels\.(\w+) \}\}", rule["annotations"]["summary"]):
                assert label in told, f"{rule['alert']} tells a label that its expression drops"
    assert {
        "database-down",
        "disk-full",
        "dead-letters",
        "checkpoint-lag",
        "lease-takeovers",
        "unknown-outcomes",
    } <= used


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def test_the_dashboard_can_be_imported_and_loads_nothing_from_elsewhere() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    assert [each["type"] for each in DASHBOARD["templating"]["list"]] == ["datasource"]
    assert not [text for text in strings(DASHBOARD) if "://" in text]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"]
            assert panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"


def test_what_is_exposed_is_shown_to_somebody(exposed: Mapping[str, set[str]]) -> None:
    shown = {value for _, expression in expressions() for kind, value in tokens(expression) if kind == "name"}
    bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown}
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exposed} <= bases
