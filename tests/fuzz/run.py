"""Fuzzes one target in this process for so many seconds; ``python -m tests.fuzz`` starts one of these per target.

With atheris the search follows coverage; without it, good inputs are spoilt at random. Both feed ``Target.attempt``,
count what they did and measure each input; what is raised, or takes longer than ``LIMIT_S``, is saved and ends the run.
"""

import argparse
import contextlib
import json
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

LIMIT_S = 5.0
"""Wall time that one input may take; honest ones take milliseconds."""
MEMORY_LIMIT_MIB = 1024
"""Address space beyond what the process had when it started to fuzz."""
FOLDER = Path("build/fuzz")


class TooSlow(BaseException):
    """An input took longer than it may. No ``Exception``, so that nothing under test can swallow it."""


@dataclass
class Report:
    """What was done. Times in seconds, memory in KiB; ``found`` names the saved input that ended the run, if any."""

    target: str
    engine: str
    executions: int = 0
    seconds: float = 0.0
    peak_kib: int = 0
    grown_kib: int = 0
    slowest_s: float = 0.0
    slowest_bytes: int = 0
    found: str = ""
    trace: str = ""
    _started: float = field(default_factory=time.monotonic, repr=False)
    _before_kib: int = field(default=0, repr=False)

    def write(self) -> None:
        """Put it where the parent process reads it; atheris leaves no other way to speak last."""
        self.seconds = time.monotonic() - self._started
        self.peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.grown_kib = self.peak_kib - self._before_kib
        told = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        folder_of(self.target).joinpath("report.json").write_text(json.dumps(told), "utf-8")


class Runner:
    """Feeds inputs to a target and keeps the report."""

    def __init__(self, target: "Target", engine: str) -> None:
        self._target = target
        self.report = Report(target.name, engine)
        self._written = 0.0
        for seed in target.seeds():
            target.attempt(seed)
        self.report._before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.report._started = time.monotonic()

    def feed(self, data: bytes) -> None:
        """One input. Raises what the target should not have raised, after saving the input."""
        report, started = self.report, time.perf_counter()
        try:
            with _limited():
                self._target.attempt(data)
        except BaseException as escaped:
            report.found, report.trace = str(save(self._target.name, data)), traceback.format_exc()
            report.executions += 1
            report.write()
            if isinstance(escaped, KeyboardInterrupt):
                raise
            raise AssertionError(f"{self._target.name}: {type(escaped).__name__}, see {report.found}") from escaped
        took = time.perf_counter() - started
        report.executions += 1
        if took > report.slowest_s:
            report.slowest_s, report.slowest_bytes = took, len(data)
            save(self._target.name, data, "slowest")
        if started - self._written > 0.5:
            self._written = started
            report.write()


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_slow(_: int, __: FrameType | None) -> NoReturn:
    raise TooSlow


def folder_of(target: str) -> Path:
    """Where a target's report, seeds and finds are kept."""
    folder = FOLDER / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save(target: str, data: bytes, name: str = "") -> Path:
    """Keep an input under build/fuzz, by its digest unless ``name`` is given."""
    path = folder_of(target) / (name or f"crash-{sha256(data).hexdigest()[:16]}")
    path.write_bytes(data)
    return path


def by_mutation(target: "Target", seconds: float, seed: int) -> Report:
    """Spoilt copies of the seeds until the time is over."""
    from tests.fuzz.mutation import mutate

    runner, chance, seeds = Runner(target, "mutation"), Random(seed), list(target.seeds())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        runner.feed(mutate(chance.choice(seeds), chance, words=target.words, max_bytes=target.max_bytes))
    runner.report.write()
    return runner.report


def by_atheris(name: str, seconds: float, seed: int) -> NoReturn:
    """libFuzzer, guided by the coverage of the gateway's own code. Ends the process."""
    import atheris

    with atheris.instrument_imports(include=["gateway", "schemas", "tests.fuzz.targets"]):
        from tests.fuzz.targets import TARGETS

    from tests.fuzz.mutation import mutate

    target = TARGETS[name]
    runner, corpus = Runner(target, "atheris"), folder_of(name) / "corpus"
    corpus.mkdir(exist_ok=True)
    for each in target.seeds():
        (corpus / sha256(each).hexdigest()[:16]).write_bytes(each)

    def mutated(data: bytes, max_bytes: int, number: int) -> bytes:
        if number % 2:
            return bytes(atheris.Mutate(data, max_bytes))
        return mutate(data, Random(number), words=target.words, max_bytes=max_bytes)

    options = [
        f"-max_total_time={max(1, int(seconds))}",
        f"-max_len={target.max_bytes}",
        f"-timeout={int(LIMIT_S) * 2}",
        f"-rss_limit_mb={MEMORY_LIMIT_MIB * 2}",
        f"-artifact_prefix={folder_of(name)}/",
        f"-seed={seed}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], runner.feed, custom_mutator=mutated)
    atheris.Fuzz()
    raise SystemExit(0)


def limit_memory() -> None:
    """An input that makes the process grow by more than ``MEMORY_LIMIT_MIB`` gets a ``MemoryError``: a find."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    limit = pages * resource.getpagesize() + MEMORY_LIMIT_MIB * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--engine", choices=["atheris", "mutation"], default="mutation")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    if given.engine == "atheris":
        by_atheris(given.target, given.seconds, given.seed)
    from tests.fuzz.targets import TARGETS

    limit_memory()
    by_mutation(TARGETS[given.target], given.seconds, given.seed)


if __name__ == "__main__":
    main()
