"""The examples that the public functions' docstrings give are run, so that whoever follows them gets what they say."""

import doctest

import pytest

from gateway.crypto import jws, signatures


@pytest.mark.parametrize("module", [signatures, jws], ids=lambda module: module.__name__)
def test_the_examples_hold(module) -> None:
    told = doctest.testmod(module, raise_on_error=False)
    assert told.attempted > 0
    assert told.failed == 0
