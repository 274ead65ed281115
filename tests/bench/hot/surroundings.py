"""Where figures come from: machine, versions, how quick its Python is, and how often a second its disk is durable."""

import math
import os
import platform
import sqlite3
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from gateway.crypto import sm2
from gateway.crypto.errors import AlgorithmUnavailable

LIBRARIES = ("cryptography", "fastapi", "orjson", "psycopg", "pydantic", "sqlalchemy", "starlette", "uvicorn", "uvloop")
PAGE = bytes(4096)
SECONDS = 0.5
CALLS = 20_000


def described(directory: Path, postgresql_url: str | None) -> dict[str, Any]:
    """The ``machine`` part of ``build/bench.json``; SQLite files are made in ``directory``."""
    databases: dict[str, Any] = {
        "sqlite": {"version": sqlite3.sqlite_version, "fsyncs_per_s": round(fsyncs_per_s(directory))}
    }
    if postgresql_url is not None:
        databases["postgresql"] = _postgresql(postgresql_url)
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_1m": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "python_call_ns": round(python_call_ns()),
        "sm2": _sm2(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "databases": databases,
    }


def python_call_ns() -> float:
    """Nanoseconds of one call of a method that reads an attribute and a dict and makes a tuple, at its quickest.

    Builds of the same version differ: one compiled without a profile is slower, and no version number tells.
    """
    step, quickest = _Counter().step, math.inf
    ends = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < ends:
        for _ in range(CALLS):
            step("one")
        quickest = min(quickest, time.perf_counter() - began)
    return quickest / CALLS * 1e9


class _Counter:
    def __init__(self) -> None:
        self._steps, self._count = {"one": 1}, 0

    def step(self, name: str) -> tuple[str, int]:
        self._count += self._steps.get(name, 0)
        return name, self._count


def fsyncs_per_s(directory: Path) -> float:
    """How often a second 4 KiB more of one file are durable, one after the other."""
    path = directory / "fsync-probe"
    file = os.open(path, os.O_WRONLY | os.O_CREAT)

    def once() -> None:
        os.write(file, PAGE)
        os.fdatasync(file)

    try:
        return _rate(once)
    finally:
        os.close(file)
        path.unlink()


def _postgresql(url: str) -> dict[str, Any]:
    """Its directory may be on another machine: commits of one row, one after the other, stand for its fsync."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_probe (n INT)")
        rate = _rate(lambda: connection.execute("INSERT INTO bench_probe VALUES (1)"))
        connection.execute("DROP TABLE bench_probe")
        number = connection.info.server_version
        return {"version": f"{number // 10000}.{number % 10000}", "commits_per_s": round(rate)}


def _rate(once: Callable[[], object]) -> float:
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < SECONDS:
        once()
        count += 1
    return count / took


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.machine()


def _sm2() -> str | None:
    try:
        return sm2.library().version
    except AlgorithmUnavailable:
        return None
