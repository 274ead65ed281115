"""Runs of the partner suite as both databases keep them."""

from datetime import timedelta

from gateway.conformance.model import CheckResult, ConformanceReport, Verdict
from tests.support.storage import NOON, SetClock, opened

RESULTS = (
    CheckResult("webhook.receipt", Verdict.FAILED, "receipt.signature"),
    CheckResult("status.known", Verdict.SKIPPED, "no_status_url"),
)


async def test_what_was_kept_comes_back_newest_first(database_url: str) -> None:
    runs = [
        ConformanceReport(f"cfr_{number}", code, NOON + timedelta(minutes=number), "officer:off_1", RESULTS)
        for number, code in enumerate(("csg-foshan", "csg-foshan", "road-440600"))
    ]
    with opened(database_url, SetClock()) as transactions:
        for run in runs:
            await transactions.write(lambda tx, run=run: tx.conformance.add(run))
        assert await transactions.read(lambda tx: tx.conformance.recent("csg-foshan", 5)) == [runs[1], runs[0]]
        assert await transactions.read(lambda tx: tx.conformance.recent("csg-foshan", 1)) == [runs[1]]
        assert await transactions.read(lambda tx: tx.conformance.last("road-440600")) == runs[2]
        assert await transactions.read(lambda tx: tx.conformance.last("nobody")) is None
