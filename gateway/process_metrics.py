"""What a person on call looks at of this process and its machine: commits, its log, disks, keys.

Labels are our own words and partner codes; nothing of what was committed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.partners.directory import DirectorySnapshot
from gateway.partners.model import KeyUse, PartnerKey

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UNITS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class ProcessMetrics:
    """Registers itself at ``registry``; it is what ``adapters.storage.writer`` tells how commits went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "bandian_writer_commit_seconds",
            "From the first statement of a commit to its fsync",
            buckets=_SECONDS,
            registry=registry,
        )
        self._units = Histogram(
            "bandian_writer_batch_units", "Units of work in one commit", buckets=_UNITS, registry=registry
        )
        self._failures = Counter(
            "bandian_writer_failures", "Commits given up: their callers were refused", ("fault",), registry=registry
        )
        self._taken = Counter(
            "bandian_record_log_takeovers", "Logs of others that this one continued", registry=registry
        )
        self._lost = Counter("bandian_record_logs_lost", "Logs that another process took over", registry=registry)
        self._loop_faults = Counter(
            "bandian_loop_faults",
            "Loops beside this process's work that died and were begun anew",
            ("loop", "fault"),
            registry=registry,
        )
        self._disk = Gauge("bandian_disk_free_bytes", "Free space where it is written", ("place",), registry=registry)
        self._heads = Gauge("bandian_heads_not_kept", "Logs whose head could not be written outside", registry=registry)
        self._own_keys = Gauge(
            "bandian_key_age_days",
            "Since when the gateway's own key of a purpose is used",
            ("purpose",),
            registry=registry,
        )
        self._partner_keys = Gauge(
            "bandian_partner_key_left_seconds",
            "Until the last key that a partner has for a use runs out; not shown where one has no end",
            ("partner", "use"),
            registry=registry,
        )

    def committed(self, units: int, seconds: float) -> None:
        """``units`` were committed together in ``seconds``."""
        self._units.observe(units)
        self._seconds.observe(seconds)

    def failed(self, fault: str) -> None:
        """A commit was given up; ``fault`` is the type of what was raised."""
        self._failures.labels(fault).inc()

    def log_continued(self) -> None:
        """A log that another process had begun is continued by this one."""
        self._taken.inc()

    def log_lost(self) -> None:
        """Another process holds the log that this one was about to extend."""
        self._lost.inc()

    def loop_ended(self, loop: str, fault: str) -> None:
        """``loop`` died of ``fault``, the type of what was raised (``gateway.supervision.LoopWatch``)."""
        self._loop_faults.labels(loop, fault).inc()

    def watch_disk(self, place: str, free_bytes: Callable[[], float]) -> None:
        """Ask ``free_bytes`` at each scrape."""
        self._disk.labels(place).set_function(free_bytes)

    def watch_heads(self, not_kept: Callable[[], float]) -> None:
        """Ask ``not_kept`` at each scrape."""
        self._heads.set_function(not_kept)

    def watch_key(self, purpose: str, age_days: Callable[[], float]) -> None:
        """Ask ``age_days`` at each scrape."""
        self._own_keys.labels(purpose).set_function(age_days)

    def show_partners(self, snapshot: DirectorySnapshot, at: datetime) -> None:
        """How long partners' keys last."""
        self._partner_keys.clear()
        for code in snapshot.partners:
            if snapshot.active_partner(code) is not None:
                held = [each.registered for each in snapshot.keys.get(code, ())]
                for use, left in _left(held, at).items():
                    self._partner_keys.labels(code, use).set(left)


def _left(keys: list[PartnerKey], at: datetime) -> Mapping[str, float]:
    """Seconds until nothing is left, by use; a use without a usable key has been refused for long, and shows 0."""
    found: dict[str, float] = {}
    for use in {key.use for key in keys}:
        asked = KeyUse.ANY if use is KeyUse.ANY else use
        usable = [key for key in keys if key.usable(asked, at)]
        ends = [key.valid_until for key in usable]
        if None not in ends:
            found[use.value] = max(((end - at).total_seconds() for end in ends if end), default=0.0)
    return found
