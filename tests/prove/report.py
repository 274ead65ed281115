"""The table of a proof, as it stands on the terminal and in ``docs/reliability.md``."""

from collections.abc import Sequence

from tests.prove.run import Result

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


def _row(title: str, cells: Sequence[object]) -> str:
    return f"| {title} | {' | '.join(map(str, cells))} |"
