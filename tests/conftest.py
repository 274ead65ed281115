"""Fixtures that every kind of test may ask for."""

import gc
import os
import re
import zlib
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.databases import Databases

PROVINCES = re.compile(r"tests/(flows|faults)/.*\[(sqlite|postgresql)[-\]]")
"""Tests that look at a whole province: costly enough that all who use one run beside each other."""


def group_of(nodeid: str) -> str:
    """What shares a costly fixture: a module, or all that look at the same province."""
    if nodeid.startswith("tests/browser/"):
        return "browser"
    province = PROVINCES.match(nodeid)
    return "-".join(province.groups()) if province else nodeid.partition("::")[0]


DATABASE = re.compile(r"(?<=[\[-])(sqlite|postgresql)(?=[-\]])")
BY_TURNS = re.compile(r"tests/(unit/|flows/test_rubbish)")
"""What looks at services: each test on one of the databases, and what a port promises (``conformance``) on both."""
BY_TURNS_AS_ONE = re.compile(
    r"tests/(flows/test_(bench|evidence|explain|privacy|records)|faults/test_recheck_kills"
    r"|conformance/test_(audit_command|public_data|report_command|reviews))"
)
"""The same of modules whose tests share what is costly to make, or try commands and pages and no port."""


def has_its_turn(nodeid: str) -> bool:
    """Whether the test runs where each of two databases has its turn; ``DATABASES=all`` runs it on both."""
    named = DATABASE.search(nodeid)
    if named is None or os.environ.get("DATABASES") == "all":
        return True
    if BY_TURNS.match(nodeid):
        key = DATABASE.sub("*", nodeid)
    elif BY_TURNS_AS_ONE.match(nodeid):
        key = nodeid.partition("::")[0]
    else:
        return True
    return named[0] == ("sqlite", "postgresql")[zlib.crc32(key.encode()) % 2]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Each group together, in the order of their first tests; without those whose turn it is not."""
    others = [item for item in items if not has_its_turn(item.nodeid)]
    if others:
        items[:] = [item for item in items if has_its_turn(item.nodeid)]
        config.hook.pytest_deselected(items=others)
    places = {group: place for place, group in enumerate(dict.fromkeys(group_of(item.nodeid) for item in items))}
    yield
    items.sort(key=lambda item: places[group_of(item.nodeid)])


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay until the end: the collector need not walk them again and again."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """Much of the time goes by in waiting for processes: twice as many workers as cores, up to four."""
    return min(2 * (os.cpu_count() or 1), 4)


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist tells no types
    """Each group on one core."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Commands narrow what they create to its owner; called in the tests' own process, that must not outlive a test."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A migrated, empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        yield databases.sqlite()
    else:
        with databases.postgresql() as url:
            yield url
