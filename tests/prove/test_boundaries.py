"""Every boundary lies at a function of the gateway: who moves one mends the table, too."""

import pytest

from tests.prove.boundaries import BOUNDARIES, Boundary


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=lambda boundary: boundary.slug)
def test_a_boundary_lies_at_a_function(boundary: Boundary) -> None:
    owner, attribute, call = boundary.place()
    assert callable(call)
    assert getattr(owner, attribute) is call


def test_no_boundary_is_named_twice() -> None:
    assert len({boundary.slug for boundary in BOUNDARIES}) == len(BOUNDARIES)
