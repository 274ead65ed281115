"""``python -m tests.bench`` (``make bench``): what our layers cost, as ratios to the bare work below them.

``signatures`` and ``layers`` compare loops within one process. ``paths``, ``processes`` and ``memory`` run real ones
over loopback, on one stand for each database. What was measured goes to ``build/bench.json`` and is printed as tables;
``tables`` prints those that are there. ``growth`` asks the same of databases of several sizes, and takes hours: it is
measured where it is asked for by its name (docs/performance.md). So are ``partitions``, stored certificates by month
beside one table of them, and ``turns``, this checkout beside another.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.logging import configure_logging
from tests.bench import layers, signatures, tables
from tests.bench.growth import partitions
from tests.bench.growth import run as growth
from tests.bench.hot import paths, surroundings
from tests.bench.hot.ground import Wanted
from tests.bench.turns import run as turns
from tests.support.databases import Databases

OUT = Path("build/bench.json")
GROWTH_OUT = Path("build/growth.json")
ON_A_STAND = ("paths", "processes", "memory")
BENCHES = ("signatures", "layers", *ON_A_STAND)
TABLES, GROWTH, PARTITIONS, TURNS = "tables", "growth", "partitions", "turns"
BY_NAME = (TABLES, GROWTH, PARTITIONS, TURNS)
"""Only where they are asked for."""


def say(line: str) -> None:
    """At once, so that whoever waits sees how far it has come."""
    print(line, flush=True)


def _signatures(arguments: argparse.Namespace) -> None:
    sm2.use_library(arguments.sm2_library)
    try:
        say(f"SM2 by {sm2.library().version}")
    except AlgorithmUnavailable as unavailable:
        raise SystemExit(f"no SM2 here: {unavailable.remedy}") from None
    for comparison in signatures.measure(seconds=arguments.seconds, rounds=arguments.rounds):
        say(str(comparison))


def _layers(arguments: argparse.Namespace, directory: Path) -> dict[str, Any]:
    configure_logging("WARNING", sys.stderr)
    found = []
    for layer in layers.measure(directory, arguments.database or paths.DATABASES, arguments.pairs):
        say(f"{layer.database}: {layer.name}: {layer.cpu_us:.0f} µs of CPU a unit")
        found.append(layer.to_json())
    return {"layers": found}


def _on_a_stand(arguments: argparse.Namespace, names: Sequence[str], directory: Path) -> Iterator[dict[str, Any]]:
    every: dict[str, Sequence[int]] = dict.fromkeys(paths.PATHS, arguments.connections or (paths.CONNECTIONS,))
    wanted = Wanted(
        (arguments.path or list(paths.PATHS)) if "paths" in names else [],
        arguments.database or paths.DATABASES,
        every if arguments.connections else every | paths.MANY_CONNECTIONS,
        arguments.slice,
        arguments.pairs,
        arguments.applications,
        [] if arguments.closed else arguments.open_loop or [0.5, 0.7],
        processes="processes" in names,
        memory=arguments.requests if "memory" in names else 0,
        forked=arguments.forked,
    )
    return paths.measure(directory, wanted, say)


def _machine(arguments: argparse.Namespace, directory: Path) -> dict[str, Any]:
    if "postgresql" in (arguments.database or paths.DATABASES):
        with suppress(pytest.skip.Exception), Databases(directory).empty_postgresql() as url:
            return {"machine": surroundings.described(directory, url)}
    return {"machine": surroundings.described(directory, None)}


def _measured(arguments: argparse.Namespace, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One part after the other; the machine is described before it has worked for any of them."""
    on_a_stand = [name for name in names if name in ON_A_STAND]
    if not on_a_stand and "layers" not in names:
        return
    with tempfile.TemporaryDirectory() as directory:
        yield _machine(arguments, Path(directory))
        if "layers" in names:
            yield _layers(arguments, Path(directory))
        if on_a_stand:
            yield from _on_a_stand(arguments, on_a_stand, Path(directory))


def _growth(arguments: argparse.Namespace) -> None:
    found: list[growth.Grown] = []
    with tempfile.TemporaryDirectory() as directory:
        sizes, databases = arguments.sizes or growth.SIZES, arguments.database or paths.DATABASES
        for each in growth.measure(Path(directory), sizes, databases, say):
            found.append(each)
            growth.write(GROWTH_OUT, [each])
    say(growth.table(found))


def _partitions(arguments: argparse.Namespace) -> None:
    for copies in arguments.sizes or partitions.SIZES:
        with tempfile.TemporaryDirectory() as directory:
            say(partitions.table(partitions.measure(Path(directory), copies, say)))


def _turns(arguments: argparse.Namespace) -> None:
    connections, *_ = arguments.connections or (paths.CONNECTIONS,)
    sides = turns.side_of(turns.HERE, None), turns.side_of(arguments.against, arguments.against_python)
    wanted = [
        turns.Turns(sides, path, connections, arguments.rounds, arguments.lot, arguments.hook)
        for path in arguments.path or turns.PATHS
    ]
    for database in arguments.database or paths.DATABASES:
        with tempfile.TemporaryDirectory() as directory, paths.databases(Path(directory)) as make:
            stood = turns.measure(
                Path(directory), make(database), wanted, arguments.applications, say, forked=arguments.forked
            )
            asyncio.run(stood)


def _keep(out: Path, told: dict[str, Any]) -> None:
    """At once: what was measured stays where a later part fails."""
    before = json.loads(out.read_text("utf-8")) if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(tables.merged(before, told), indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "bench",
        nargs="*",
        help=f"which of {', '.join([*BENCHES, *BY_NAME])}; {', '.join(BENCHES)} by default",
    )
    parser.add_argument("--sizes", nargs="+", type=int, help="record entries of growth, copies of partitions")
    parser.add_argument("--seconds", type=float, default=0.1, help="CPU time of one slice of signatures")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of four slices of signatures, of turns")
    parser.add_argument("--sm2-library", help="another libcrypto, e.g. Tongsuo's")
    parser.add_argument("--path", action="append", choices=list(paths.PATHS), help="all by default; may be repeated")
    parser.add_argument("--database", action="append", choices=paths.DATABASES, help="both by default")
    parser.add_argument("--connections", action="append", type=int, help="32, and more of 1b; may be repeated")
    parser.add_argument("--open-loop", action="append", type=float, help="share of the closed rate; 0.5 and 0.7")
    parser.add_argument("--closed", action="store_true", help="no open loop")
    parser.add_argument("--slice", type=float, default=0.5, help="CPU time of one slice of a path")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of slices of a path, of layers")
    parser.add_argument("--applications", type=int, default=60, help="applications that are asked about")
    parser.add_argument("--requests", type=int, default=100_000, help="over how many of them memory is watched")
    parser.add_argument("--against", type=Path, default=turns.HERE, help="the checkout that turns set this one against")
    parser.add_argument("--against-python", type=Path, help="its interpreter; that of its .venv by default")
    parser.add_argument("--lot", type=int, default=turns.REQUESTS, help="requests of a slice of turns")
    parser.add_argument("--hook", help="a module that each side of turns loads, and tells when requests begin and end")
    parser.add_argument("--forked", action="store_true", help="start processes by forks: fast, and no figures to read")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the figures go; {OUT} by default")
    arguments = parser.parse_args()
    names = arguments.bench or BENCHES
    if unknown := set(names) - {*BENCHES, *BY_NAME}:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    if TURNS in names and not (arguments.against / "gateway").is_dir():
        parser.error(f"no checkout: {arguments.against}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if "signatures" in names:
        _signatures(arguments)
    if GROWTH in names:
        _growth(arguments)
    if PARTITIONS in names:
        _partitions(arguments)
    if TURNS in names:
        _turns(arguments)
    out: Path = arguments.out
    measured = False
    for told in _measured(arguments, names):
        measured = True
        _keep(out, told)
    if measured or TABLES in names:
        for row in tables.rows(json.loads(out.read_text("utf-8"))):
            say(row)


if __name__ == "__main__":
    main()
