"""Fixtures that every kind of test may ask for."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Databases


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
