"""The partners room over SQLite; the repositories' promises on both databases are in tests/conformance."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Databases
from tests.support.partners import PartnersRoom, partners_room


@pytest.fixture
def room(databases: Databases) -> Iterator[PartnersRoom]:
    with partners_room(databases.sqlite()) as room:
        yield room
