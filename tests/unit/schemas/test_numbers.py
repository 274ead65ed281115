"""The rule by which a receiver sees that it misses something."""

import pytest

from schemas.events import EPOCH, follows


@pytest.mark.parametrize(
    ("number", "before", "expected"),
    [
        (1, 0, True),
        (2, 1, True),
        (2, 0, False),
        (1, 1, False),
        (EPOCH + 1, 7, True),
        (EPOCH + 1, 0, True),
        (EPOCH + 2, 7, False),
        (EPOCH + 2, EPOCH + 1, True),
        (3 * EPOCH + 1, EPOCH + 5, True),
        (8, EPOCH + 7, False),
        (1, EPOCH + 5, False),
        (EPOCH + 1, EPOCH + 5, False),
    ],
)
def test_what_follows(number: int, before: int, expected: bool) -> None:
    assert follows(number, before) is expected
