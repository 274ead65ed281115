"""``build/bench.json`` as rows of Markdown, for docs/performance.md."""

from collections.abc import Iterator, Sequence
from typing import Any

OTHERS = ("machine", "processes", "memory", "layers")
"""What is no path."""
Figures = dict[str, Any]


def merged(before: Figures, now: Figures) -> Figures:
    """``now`` in the place of the same figures ``before``: of one path, database and number of connections."""
    told = dict(before)
    for key, figures in now.items():
        kept = before.get(key, [])
        if isinstance(figures, list) and isinstance(kept, list):
            replaced = {_identity(each) for each in figures}
            told[key] = [each for each in kept if _identity(each) not in replaced] + figures
        else:
            told[key] = figures
    return told


def _identity(figure: Figures) -> tuple[Any, ...]:
    return figure.get("database"), figure.get("connections"), figure.get("layer")


def rows(told: Figures) -> Iterator[str]:
    """Every table, one after the other."""
    paths = {key: told[key] for key in sorted(told.keys() - set(OTHERS))}
    yield from _paths(paths)
    yield from _open_loop(paths)
    yield from _table(
        "two processes",
        ("database", "two ÷ one, a CPU-second", "answers a CPU-second", "answers a second", "valid"),
        [
            (
                each["database"],
                f"{each['factor']:.2f} [{each['low']:.2f}, {each['high']:.2f}]",
                f"{each['one_per_cpu_s']:,.0f} → {each['two_per_cpu_s']:,.0f}",
                f"{each['one_per_s']:,.0f} → {each['two_per_s']:,.0f}",
                _valid(each),
            )
            for each in told.get("processes", [])
        ],
    )
    yield from _table(
        "memory",
        ("database", "requests", "MB at first", "half way", "at last", "MB for 100,000 more"),
        [
            (
                each["database"],
                f"{each['requests']:,}",
                *(f"{each['resident_mb'][at][1]:.0f}" for at in (0, len(each["resident_mb"]) // 2, -1)),
                f"{each['mb_per_100k_requests']:+.1f}",
            )
            for each in told.get("memory", [])
        ],
    )
    yield from _table(
        "layers of the record",
        ("database", "with", "CPU µs a unit", "÷ no record", "valid"),
        [
            (
                each["database"],
                each["layer"],
                f"{each['cpu_us']:.0f}",
                f"{each['ratio']:.2f} [{each['low']:.2f}, {each['high']:.2f}]",
                _valid(each),
            )
            for each in told.get("layers", [])
        ],
    )
    if machine := told.get("machine"):
        yield from _machine(machine)


def _paths(paths: dict[str, list[Figures]]) -> Iterator[str]:
    yield from _table(
        "paths",
        ("path", "database", "connections", "÷ limit", "a CPU-second", "a second", "p50 / p99 ms", "MB", "valid"),
        [
            (
                path,
                each["database"],
                each["connections"],
                f"{each['ratio']:.3f} [{each['low']:.3f}, {each['high']:.3f}]",
                f"{each['gateway_per_cpu_s']:,.0f} of {each['limit_per_cpu_s']:,.0f}",
                f"{each['gateway_per_s']:,.0f} of {each['limit_per_s']:,.0f}",
                f"{each['p50_ms']:.0f} / {each['p99_ms']:.0f}",
                f"{each['resident_mb']:.0f}",
                _valid(each),
            )
            for path, figures in paths.items()
            for each in figures
        ],
    )


def _open_loop(paths: dict[str, list[Figures]]) -> Iterator[str]:
    yield from _table(
        "open loop",
        ("path", "database", "connections", "of the closed rate", "arriving a second", "p50 ms", "p99 ms", "p99 ÷ p50"),
        [
            (
                path,
                each["database"],
                each["connections"],
                f"{seen['share']:.0%}",
                f"{seen['per_s']:,.0f}",
                f"{seen['p50_ms']:.1f}",
                f"{seen['p99_ms']:.1f}",
                f"{seen['p99_over_p50']:.1f}",
            )
            for path, figures in paths.items()
            for each in figures
            for seen in each.get("open_loop", [])
        ],
    )


def _machine(machine: Figures) -> Iterator[str]:
    databases, load = machine["databases"], f"load {machine['load_1m']:.1f}"
    yield f"{machine['at']}: {machine['cores']} × {machine['cpu']}, {load}, Linux {machine['kernel']}"
    yield f"Python {machine['python']}, {machine['python_call_ns']} ns a call"
    yield ", ".join(f"{name} {each}" for name, each in machine["libraries"].items())
    yield f"SQLite {databases['sqlite']['version']}, {databases['sqlite']['fsyncs_per_s']:,} fsyncs a second"
    if found := databases.get("postgresql"):
        yield f"PostgreSQL {found['version']}, {found['commits_per_s']:,} commits of one row a second"
    yield f"SM2 by {machine['sm2']}"


def _valid(figure: Figures) -> str:
    return "yes" if figure["valid"] else "no"


def _table(name: str, heads: Sequence[str], found: Sequence[Sequence[Any]]) -> Iterator[str]:
    if found:
        yield f"### {name}"
        yield ""
        yield f"| {' | '.join(heads)} |"
        yield f"| {' | '.join('---' for _ in heads)} |"
        for row in found:
            yield f"| {' | '.join(str(each) for each in row)} |"
        yield ""
