"""``python -m tests.fuzz`` (``make fuzz``): every target for so many seconds, each in a process of its own.

Prints what was run, how much memory the process took and the slowest input; finds lie under build/fuzz/TARGET/. Ends
with 1 when something was found.
"""

import argparse
import importlib.util
import json
import subprocess
import sys

from tests.fuzz.run import LIMIT_S, folder_of
from tests.fuzz.targets import TARGETS

SLACK_S = 120
"""What a process may take beyond its seconds: making keys and seeds, and one last slow input."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"which of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=float, default=20, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["auto", "atheris", "mutation"], default="auto")
    given = parser.parse_args()
    if unknown := set(given.target) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    engine = given.engine
    if engine == "auto":
        engine = "atheris" if importlib.util.find_spec("atheris") else "mutation"
    print(
        f"engine: {engine}{'' if engine == 'atheris' else ' (atheris is not installed here)'}; {given.seconds:g} s each"
    )
    print(f"{'target':<12} {'executions':>10} {'per second':>10} {'peak memory':>12} {'grown by':>9}  slowest input")
    found = [name for name in given.target or TARGETS if not _one(name, engine, given.seconds, given.seed)]
    if found:
        print(f"found something in: {', '.join(found)}", file=sys.stderr)
    return 1 if found else 0


def _one(name: str, engine: str, seconds: float, seed: int) -> bool:
    """True when the target came through."""
    folder = folder_of(name)
    told = folder / "report.json"
    told.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--engine", engine]
    command += ["--seconds", str(seconds), "--seed", str(seed)]
    with (folder / "log.txt").open("wb") as log:
        try:
            ended = subprocess.run(command, stdout=log, stderr=log, timeout=seconds + SLACK_S, check=False).returncode
        except subprocess.TimeoutExpired:
            ended = -1
    if not told.exists():
        print(f"{name:<12} did not start, see {folder / 'log.txt'}", flush=True)
        return False
    report = json.loads(told.read_text("utf-8"))
    rate = report["executions"] / max(report["seconds"], 1e-9)
    work = f"{report['executions']:>10,} {rate:>10,.0f}"
    memory = f"{report['peak_kib'] / 1024:>8,.0f} MiB {report['grown_kib'] / 1024:>5,.0f} MiB"
    slowest = f"{report['slowest_s'] * 1000:,.1f} ms ({report['slowest_bytes']:,} bytes)"
    print(f"{name:<12} {work} {memory}  {slowest}", flush=True)
    if report["found"] or ended != 0:
        what = report["found"] or "the process died"
        print(f"  {what}; see {folder / 'log.txt'}\n{report['trace']}", file=sys.stderr)
    return ended == 0 and not report["found"] and report["slowest_s"] < LIMIT_S


if __name__ == "__main__":
    sys.exit(main())
