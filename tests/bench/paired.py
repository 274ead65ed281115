"""Two ways of doing the same work, measured side by side so that a noisy machine tells the truth about their ratio.

Short slices alternate A B B A; each four give one ratio of work per CPU-second, in which a steady drift cancels out,
and the median of the ratios stands with a bootstrap interval. Rates go up and down with the machine, ratios within a
round hardly do. Nothing here judges: a number that holds on one machine is not a test.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Work = Callable[[int], None]
"""Does so many operations and raises when one of them did not do what it should: speed is not bought by skipping."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``ratio`` is the subject's operations per CPU-second over the reference's; ``low``…``high`` its 95 % interval.

    ``spread`` is the reference's own variation between slices (standard deviation over mean): above 0.15 the machine
    was too restless for the number to mean much.
    """

    name: str
    ratio: float
    low: float
    high: float
    spread: float
    subject_rate: float
    reference_rate: float
    rounds: int

    @classmethod
    def of(cls, name: str, ours: Sequence[float], theirs: Sequence[float], slices: Sequence[float]) -> "Comparison":
        """From the rates of each round, and those of the reference's single slices."""
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        low, high = _interval(ratios)
        return cls(
            name=name,
            ratio=statistics.median(ratios),
            low=low,
            high=high,
            spread=statistics.stdev(slices) / statistics.mean(slices),
            subject_rate=statistics.median(ours),
            reference_rate=statistics.median(theirs),
            rounds=len(ratios),
        )

    def __str__(self) -> str:
        restless = (
            "" if self.spread <= 0.15 else f"  (restless machine: the reference itself varied by {self.spread:.0%})"
        )
        return (
            f"{self.name}: {self.ratio:.3f}  [{self.low:.3f}, {self.high:.3f}]  over {self.rounds} rounds; "
            f"{self.subject_rate:,.0f}/s against {self.reference_rate:,.0f}/s{restless}"
        )


def compare(name: str, subject: Work, reference: Work, *, seconds: float = 0.1, rounds: int = 40) -> Comparison:
    """``rounds`` of four slices of about ``seconds`` of CPU time each."""
    count = _operations_in(reference, seconds)
    subject(count)
    ours: list[float] = []
    theirs: list[float] = []
    spread: list[float] = []
    for _ in range(rounds):
        first, second, third, fourth = (_time(work, count) for work in (subject, reference, reference, subject))
        ours.append(2 * count / (first + fourth))
        theirs.append(2 * count / (second + third))
        spread += [count / second, count / third]
    return Comparison.of(name, ours, theirs, spread)


def _operations_in(work: Work, seconds: float) -> int:
    count = 1
    while (took := _time(work, count)) < seconds / 10:
        count *= 4
    return max(1, int(count * seconds / took))


def _time(work: Work, count: int) -> float:
    """CPU-seconds."""
    started = time.process_time()
    work(count)
    return max(time.process_time() - started, 1e-9)


def _interval(ratios: list[float], resamples: int = 2000) -> tuple[float, float]:
    """2.5th and 97.5th percentile of the median under resampling; the same samples give the same interval."""
    chance = random.Random(20201479)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(resamples))
    return medians[int(resamples * 0.025)], medians[int(resamples * 0.975) - 1]
