"""The licences room, on each database."""

from collections.abc import Iterator

import pytest

from tests.support.licences import LicencesRoom, licences_room


@pytest.fixture
def room(database_url: str) -> Iterator[LicencesRoom]:
    with licences_room(database_url) as made:
        yield made
