"""``python -m tests.bench`` (``make bench``): what our layers cost, as ratios to the bare work below them.

``signatures`` compares loops within one process, ``paths`` real processes over loopback, ``growth`` asks the same of
databases of several sizes (docs/performance.md).
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from tests.bench import signatures
from tests.bench.growth import run as growth
from tests.bench.hot import paths

OUT = Path("build/bench.json")
GROWTH_OUT = Path("build/growth.json")


def _signatures(arguments: argparse.Namespace) -> None:
    sm2.use_library(arguments.sm2_library)
    try:
        print(f"SM2 by {sm2.library().version}")
    except AlgorithmUnavailable as unavailable:
        raise SystemExit(f"no SM2 here: {unavailable.remedy}") from None
    for comparison in signatures.measure(seconds=arguments.seconds, rounds=arguments.rounds):
        print(comparison, flush=True)


def _paths(arguments: argparse.Namespace) -> None:
    wanted = paths.Wanted(
        arguments.path or list(paths.PATHS),
        arguments.database or paths.DATABASES,
        arguments.connections or [32],
        arguments.slice,
        arguments.pairs,
        arguments.applications,
    )
    with tempfile.TemporaryDirectory() as directory:
        results = paths.measure(Path(directory), wanted, lambda line: print(line, flush=True))
    paths.write(arguments.out, results)
    print(f"{arguments.out}: {len(results)} figures")


def _growth(arguments: argparse.Namespace) -> None:
    found: list[growth.Grown] = []
    with tempfile.TemporaryDirectory() as directory:
        sizes, databases = arguments.sizes or growth.SIZES, arguments.database or paths.DATABASES
        for each in growth.measure(Path(directory), sizes, databases, lambda line: print(line, flush=True)):
            found.append(each)
            growth.write(GROWTH_OUT, [each])
    print(growth.table(found))


BENCHES: dict[str, Callable[[argparse.Namespace], None]] = {
    "signatures": _signatures,
    "paths": _paths,
    "growth": _growth,
}
"""A further bench is one module and one line here."""
BY_DEFAULT = ("signatures", "paths")
"""Growth takes hours and tens of gigabytes, and is asked for by its name."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", nargs="*", help=f"which of {', '.join(BENCHES)}; {', '.join(BY_DEFAULT)}")
    parser.add_argument("--sizes", nargs="+", type=int, help="record entries of each database of growth")
    parser.add_argument("--seconds", type=float, default=0.1, help="CPU time of one slice of signatures")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of four slices of signatures")
    parser.add_argument("--sm2-library", help="another libcrypto, e.g. Tongsuo's")
    parser.add_argument("--path", action="append", choices=list(paths.PATHS), help="all by default; may be repeated")
    parser.add_argument("--database", action="append", choices=paths.DATABASES, help="both by default")
    parser.add_argument("--connections", action="append", type=int, help="32 by default; may be repeated")
    parser.add_argument("--slice", type=float, default=1.0, help="CPU time of one slice of a path")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of slices of a path")
    parser.add_argument("--applications", type=int, default=60, help="applications that are asked about")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the figures of paths go; {OUT} by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.bench) - BENCHES.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in arguments.bench or BY_DEFAULT:
        BENCHES[name](arguments)


if __name__ == "__main__":
    main()
