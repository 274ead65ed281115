"""The table of a proof, as it stands on the terminal and in ``docs/reliability.md``."""

from collections.abc import Sequence
from pathlib import Path

from tests.prove.boundaries import BOUNDARIES
from tests.prove.machine import description
from tests.prove.run import Result

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

_ROWS = (
    ("outcomes acknowledged", "outcomes"),
    ("applications acknowledged", "applications"),
    ("permits under review", "permits"),
    ("events at the utility", "events"),
    ("deliveries repeated and recognised", "repeated_deliveries"),
    ("**lost**", "lost"),
    ("**duplicated effects**", "duplicated"),
    ("**out of order**", "out_of_order"),
    ("gaps in a sequence", "gaps"),
    ("altered or invented", "altered"),
    ("receipts matched", "receipts_matched"),
    ("receipts missing", "receipts_missing"),
    ("record entries", "record_entries"),
    ("seals", "record_seals"),
    ("checkpoints", "checkpoints"),
)


def table(results: Sequence[Result]) -> str:
    """Markdown: one column for each database."""
    versions = [" ".join(f"{name} {version}" for name, version in result.versions.items()) for result in results]
    lines = [_row("", versions), _row("---", ["---:"] * len(results))]
    lines.append(_row("kills (SIGKILL)", [result.tally.killed for result in results]))
    lines.append(_row("other faults", [result.tally.faults.total() for result in results]))
    for title, name in _ROWS:
        lines.append(_row(title, [result.report.counts[name] for result in results]))
    lines.append(_row("**record intact**", ["yes" if result.record_intact else "NO" for result in results]))
    lines.append(_row("load, s", [round(result.load_s) for result in results]))
    lines.append(_row("until all had arrived, s", [round(result.quiet_s) for result in results]))
    lines.append(_row("seed", [result.plan.seed for result in results]))
    lines += ["", _row("kills by place", versions), _row("---", ["---:"] * len(results))]
    for place in sorted({place for result in results for place in result.tally.kills}):
        lines.append(_row(place, [result.tally.kills[place] for result in results]))
    lines += ["", _row("faults by kind", versions), _row("---", ["---:"] * len(results))]
    for kind in sorted({kind for result in results for kind in result.tally.faults}):
        lines.append(_row(kind, [result.tally.faults[kind] for result in results]))
    return "\n".join(lines)


def publish(results: Sequence[Result], command: str) -> None:
    """Write the table of ``results`` and the boundaries into ``docs/reliability.md``."""
    machine = description()
    said = (
        f"`{command}` on {machine['cores']} cores and {machine['memory_gib']} GiB of memory, {machine['system']}, "
        f"Python {machine['python']}."
    )
    skipped = sorted({reason for result in results for reason in result.skipped})
    if skipped:
        said += f" Skipped: {'; '.join(skipped)}."
    boundaries = [_row("boundary", ["the process dies when"]), _row("---", ["---"])]
    boundaries += [_row(f"`{boundary.slug}`", [boundary.meaning]) for boundary in BOUNDARIES]
    text = PAGE.read_text("utf-8")
    text = _between(text, "the table", f"{said}\n\n{table(results)}")
    PAGE.write_text(_between(text, "the boundaries", "\n".join(boundaries)), "utf-8")


def _between(text: str, name: str, content: str) -> str:
    start, end = f"<!-- {name}: written by make prove ARGS=--publish -->", f"<!-- the end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def _row(title: str, cells: Sequence[object]) -> str:
    return f"| {title} | {' | '.join(map(str, cells))} |"
