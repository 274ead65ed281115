"""What the pages say exists: files, commands, targets, settings, paths, names; and what they show can be read.

That the commands do what the pages promise takes a running province; this catches what a rename breaks.
"""

import ast
import importlib
import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import TypeAdapter
from typer.testing import CliRunner

from gateway.certificates.trust import Issuer
from gateway.cli import app as cli
from gateway.commands import deliveries, keys, partners, reconciliation, retention, reviews
from gateway.main import create_app
from gateway.settings import IdentityProviderSettings, OfficerProviderSettings, Settings
from schemas.departments import ApprovalOutcome
from schemas.nats import events_stream, receipts_stream
from schemas.partner_api import JointReviewRequest
from schemas.share_interface import HolderCodeQuery, ShareRequest
from tests.support.partners import es256_key, public_jwk

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
INTEGRATION = sorted((ROOT / "docs" / "integration").glob("*.md"))
RUNBOOK = sorted((ROOT / "docs" / "operations").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *INTEGRATION, *RUNBOOK]
PROJECT = {"gateway", "adapters", "schemas", "mock_services", "tests"}
GROUPS = {
    "partners": partners.app,
    "deliveries": deliveries.app,
    "keys": keys.app,
    "retention": retention.app,
    "reviews": reviews.app,
    "reconcile": reconciliation.app,
}
HEREDOC = re.compile(r"<<'?(PY|JSON)'?(?P<target>[^\n]*)\n(?P<body>.*?)\n\1\n", re.S)
MAX_LINES = 160

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
each_integration_page = pytest.mark.parametrize("page", INTEGRATION, ids=lambda page: page.stem)


def fences(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.S | re.M)


def heredocs(page: Path, kind: str) -> list[str]:
    return [match["body"] for block in fences(page, "sh") for match in HEREDOC.finditer(block) if match[1] == kind]


def made_here(page: Path) -> set[str]:
    """Files that the page itself has the reader make."""
    return set(re.findall(r"> ((?:[\w-]+/)+[\w.-]+)", page.read_text("utf-8")))


def test_there_is_a_page_for_each_reader() -> None:
    assert {page.stem for page in INTEGRATION} == {
        "utility",
        "department",
        "source",
        "engineering-platform",
        "developer",
    }
    for page in INTEGRATION:
        assert len(page.read_text("utf-8").splitlines()) <= MAX_LINES, f"{page.name} is no short page any more"


@each_page
def test_every_file_it_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not (page.parent / link).exists()]
    named = set(re.findall(r"(?<![\w/.$-])((?:gateway|adapters|schemas|mock_services|tests|docs)/[\w./-]*\w)", text))
    missing += [name for name in named - made_here(page) if not (ROOT / name).exists()]
    assert not missing


@each_page
def test_every_make_target_it_names_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    text = page.read_text("utf-8")
    named = set(re.findall(r"^(?:\w+=\S+ )?make ([a-z-]+)", text, re.M)) | set(re.findall(r"`make ([a-z-]+)", text))
    assert named <= targets


def subcommands(group: typer.Typer) -> set[str]:
    return {command.name or command.callback.__name__ for command in group.registered_commands if command.callback}


@each_page
def test_every_bandian_command_it_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for command, sub in re.findall(r"(?:`|/)bandian ([a-z-]+)(?: ([a-z-]+))?", text):
        if command in GROUPS:
            assert not sub or sub in subcommands(GROUPS[command]), f"bandian {command} {sub}"
        else:
            assert command in subcommands(cli), f"bandian {command}"


@each_page
def test_every_setting_it_names_is_one(page: Path) -> None:
    known = {f"BANDIAN_{name.upper()}" for name in Settings.model_fields}
    known |= {f"BANDIAN_OFFICER_PROVIDER__{name.upper()}" for name in OfficerProviderSettings.model_fields}
    known |= {f"BANDIAN_IDENTITY_PROVIDER__{name.upper()}" for name in IdentityProviderSettings.model_fields}
    known |= {events_stream("bandian"), receipts_stream("bandian")}
    named = set(re.findall(r"BANDIAN_[A-Z0-9_]+", page.read_text("utf-8"))) - {"BANDIAN_"}
    assert named <= known


@each_page
def test_every_section_it_links_to_is_there(page: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)\s#]*)#([^)\s]+)\)", page.read_text("utf-8")):
        if "://" not in link:
            target = (page.parent / link) if link else page
            titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.M)
            sections = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in sections, f"{link}#{anchor}"


def test_every_setting_is_told_to_operators() -> None:
    told = OPERATIONS.read_text("utf-8")
    assert [name for name in Settings.model_fields if f"BANDIAN_{name.upper()}" not in told] == []


def test_every_metric_is_told_to_operators() -> None:
    sources = (path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*metrics.py"))
    metrics = {
        name for source in sources for name in re.findall(r'(?:Gauge|Counter|Histogram)\(\s*"(bandian_\w+)"', source)
    }
    told = OPERATIONS.read_text("utf-8")
    assert metrics
    assert [name for name in sorted(metrics) if name not in told] == []


@cache
def served_paths() -> frozenset[str]:
    return frozenset(create_app(Settings()).openapi()["paths"])


@each_page
def test_every_gateway_path_it_names_is_served(page: Path) -> None:
    served = served_paths() | {
        "/docs",
        "/docs/events",
        "/openapi.json",
        "/asyncapi.json",
        "/readyz",
        "/healthz",
        "/metrics",
    }
    patterns = [re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))) for path in served]
    text = page.read_text("utf-8")
    named = set(re.findall(r"(?<![\w$}])(/(?:v1|oauth|\.well-known)/[\w{}/.-]*\w)", text))
    named |= {path.rstrip("/") for path in re.findall(r"\$GATEWAY(/[\w/.-]+)", text)}
    unknown = [path for path in named if not any(pattern.fullmatch(path) for pattern in patterns)]
    assert not unknown


@each_integration_page
def test_the_shell_can_read_its_blocks(page: Path) -> None:
    blocks = fences(page, "sh")
    assert blocks
    for block in blocks:
        read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert read.returncode == 0, read.stderr


def imported(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


@each_integration_page
def test_its_python_compiles_and_its_imports_exist(page: Path) -> None:
    programs = heredocs(page, "PY") + [
        code for block in fences(page, "sh") for code in re.findall(r"python -c '([^']+)'", block)
    ]
    assert programs
    for program in programs:
        for module, name in imported(ast.parse(program)):
            if module.partition(".")[0] in PROJECT:
                found = importlib.import_module(module)
                assert name is None or hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), name


@each_integration_page
def test_every_module_it_runs_is_there(page: Path) -> None:
    for module in re.findall(r"python -m ([\w.]+)", page.read_text("utf-8")):
        assert importlib.util.find_spec(module), module


@dataclass
class Shown:
    """A JSON document of a page, its shell expansions filled in."""

    page: str
    document: Any


def shown() -> list[Shown]:
    found = []
    for page in INTEGRATION:
        for text in fences(page, "json") + heredocs(page, "JSON"):
            filled = re.sub(r"\$\(cat \S+\.jwk\)", json.dumps(public_jwk(es256_key("docs-1"))), text)
            filled = re.sub(r"http://127\.0\.0\.1:\d+", "https://partner.example", filled)
            found.append(Shown(page.stem, json.loads(re.sub(r"\$[A-Z]+", "x", filled))))
    return found


def is_roster(document: Any) -> bool:
    return isinstance(document, dict) and "partners" in document


def test_its_json_is_what_the_wire_models_read() -> None:
    read = set()
    for one in shown():
        match one.document:
            case {"partners": _}:
                continue
            case [*issuers]:
                read.add(TypeAdapter(list[Issuer]).validate_python(issuers)[0].__class__)
            case {"head": _}:
                read.add(ShareRequest[HolderCodeQuery].model_validate(one.document).data.__class__)
            case {"outcome": _}:
                read.add(ApprovalOutcome.model_validate(one.document).__class__)
            case {"line": _}:
                read.add(JointReviewRequest.model_validate(one.document).__class__)
            case _:
                pytest.fail(f"{one.page} shows JSON of no known kind")
    assert read == {Issuer, HolderCodeQuery, ApprovalOutcome, JointReviewRequest}


def test_its_rosters_are_applied_twice_without_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANDIAN_DATABASE_URL", f"sqlite:///{tmp_path / 'docs.sqlite3'}")
    monkeypatch.setenv("BANDIAN_KEY_DIR", str(tmp_path / "keys"))
    run = CliRunner().invoke
    assert run(cli, ["migrate"]).exit_code == 0
    rosters = [one for one in shown() if is_roster(one.document)]
    assert {one.page for one in rosters} == {"utility", "department", "engineering-platform"}
    for one in rosters:
        file = tmp_path / f"{one.page}.json"
        file.write_text(json.dumps(one.document), "utf-8")
        for _ in range(2):
            applied = run(partners.app, ["apply", str(file)])
            assert applied.exit_code == 0, applied.output
        code = one.document["partners"][0]["code"]
        assert code in run(partners.app, ["list"]).output
        agreements = run(partners.app, ["agreements", code]).output.splitlines()
        assert len(agreements) == len(one.document["partners"][0].get("agreements", ()))
