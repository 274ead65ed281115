"""``python -m tests.bench`` (``make bench``): what our layers cost, as ratios to the bare work below them."""

import argparse
from collections.abc import Callable, Iterator

from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable
from tests.bench import signatures
from tests.bench.paired import Comparison

BENCHES: dict[str, Callable[..., Iterator[Comparison]]] = {"signatures": signatures.measure}
"""A further bench is one module with ``measure(seconds=…, rounds=…)`` and one line here."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", nargs="*", help=f"which of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--seconds", type=float, default=0.1, help="CPU time of one slice")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of four slices per comparison")
    parser.add_argument("--sm2-library", help="another libcrypto, e.g. Tongsuo's")
    arguments = parser.parse_args()
    if unknown := set(arguments.bench) - BENCHES.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    sm2.use_library(arguments.sm2_library)
    try:
        print(f"SM2 by {sm2.library().version}")
    except AlgorithmUnavailable as unavailable:
        raise SystemExit(f"no SM2 here: {unavailable.remedy}") from None
    for name in arguments.bench or BENCHES:
        for comparison in BENCHES[name](seconds=arguments.seconds, rounds=arguments.rounds):
            print(comparison, flush=True)


if __name__ == "__main__":
    main()
