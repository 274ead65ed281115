"""Nothing that is suppressed can be worked out from what is published."""

from collections.abc import Hashable
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.oversight.suppression import SMALL, TOTAL, Suppressed, suppress

Cells = dict[tuple[int, str], int]


def table(rows: int, columns: int, values: list[int]) -> tuple[Cells, list[int], list[str]]:
    names = [chr(ord("a") + number) for number in range(columns)]
    places = list(product(range(rows), names))
    return dict(zip(places, values, strict=True)), list(range(rows)), names


def determined(found: Suppressed[int, str], rows: list[int], columns: list[str]) -> set[tuple[Hashable, Hashable]]:
    """Which suppressed places are certain by linear algebra over all that a reader knows: every line adds up."""
    hidden = sorted(found.primary | found.secondary, key=repr)
    lines: list[list[tuple[Hashable, Hashable]]] = [[(row, c) for c in (*columns, TOTAL)] for row in (*rows, TOTAL)]
    lines += [[(r, column) for r in (*rows, TOTAL)] for column in (*columns, TOTAL)]
    matrix = []
    for line in lines:
        signs = [Fraction(-1 if place == line[-1] else 1) for place in line]
        matrix.append([signs[line.index(place)] if place in line else Fraction(0) for place in hidden])
    reduced = _reduced(matrix)
    return {
        hidden[row.index(Fraction(1))]
        for row in reduced
        if sum(1 for value in row if value) == 1 and Fraction(1) in row
    }


def _reduced(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    rows, done = [row[:] for row in matrix], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((number for number in range(done, len(rows)) if rows[number][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for number, row in enumerate(rows):
            if number != done and row[column]:
                rows[number] = [value - row[column] * own for value, own in zip(row, rows[done], strict=True)]
        done += 1
    return rows


def test_a_small_cell_takes_others_with_it_where_totals_would_tell_it() -> None:
    cells, rows, columns = table(2, 2, [3, 20, 30, 40])
    found = suppress(cells, rows, columns)
    assert found.primary == {(0, "a")}
    assert found.published(0, "a") is None
    # Alone it would be 23 - 20, and 33 - 30: a rectangle has to go.
    assert found.secondary == {(0, "b"), (1, "a"), (1, "b")}
    assert [found.published(0, TOTAL), found.published(TOTAL, "a"), found.published(TOTAL, TOTAL)] == [23, 33, 93]


def test_zero_is_told_and_covers_nothing() -> None:
    cells, rows, columns = table(2, 3, [3, 0, 20, 30, 0, 40])
    found = suppress(cells, rows, columns)
    assert found.published(0, "b") == found.published(1, "b") == 0
    assert not {place for place in found.secondary if found.counts[place] == 0}


def test_small_cells_that_are_small_together_take_another_one() -> None:
    cells, rows, columns = table(3, 3, [1, 1, 50, 1, 1, 60, 70, 80, 90])
    found = suppress(cells, rows, columns)
    assert found.published(0, TOTAL) is None or found.published(0, "c") is None


def test_two_cycles_joined_by_a_bridge_give_the_bridge_away() -> None:
    """Every line has two suppressed cells or more, and still one cell would be certain."""
    first, second = [(0, "a"), (0, "b"), (1, "a"), (1, "b")], [(2, "c"), (2, "d"), (3, "c"), (3, "d")]
    cells: Cells = {(row, column): 50 for row in range(4) for column in "abcd"}
    cells |= dict.fromkeys([*first, *second, (0, "c")], 4)
    found = suppress(cells, list(range(4)), list("abcd"))
    assert not determined(found, list(range(4)), list("abcd"))


def test_a_table_with_nothing_small_is_told_as_it_is() -> None:
    cells, rows, columns = table(2, 2, [5, 0, 7, 9])
    found = suppress(cells, rows, columns)
    assert not found.primary
    assert not found.secondary


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(ValueError):
        suppress({(0, "a"): -1}, [0], ["a"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[Cells, list[int], list[str]]:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    count = st.one_of(st.integers(0, 6), st.integers(0, 60))
    return table(rows, columns, draw(st.lists(count, min_size=rows * columns, max_size=rows * columns)))


@settings(max_examples=150, deadline=None)
@given(tables())
def test_no_suppressed_cell_is_certain(made: tuple[Cells, list[int], list[str]]) -> None:
    cells, rows, columns = made
    found = suppress(cells, rows, columns)
    assert {place for place, count in found.counts.items() if 0 < count < SMALL} == found.primary
    assert not determined(found, rows, columns)
    for row in (*rows, TOTAL):
        hidden = [(row, column) for column in columns if found.published(row, column) is None]
        if hidden and found.published(row, TOTAL) is not None:
            assert sum(found.counts[place] for place in hidden) >= SMALL


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=4, max_size=4))
def test_a_reader_who_tries_every_table_is_left_with_several(values: list[int]) -> None:
    """All 2 × 2 tables of whole numbers that agree with what is published: each suppressed cell differs in some."""
    cells, rows, columns = table(2, 2, values)
    found = suppress(cells, rows, columns)
    possible = []
    for tried in product(range(10), repeat=4):
        other = _totals(tried)
        if all(count is None or other[place] == count for place, count in _published(found).items()):
            possible.append(other)
    for place in found.primary | found.secondary:
        assert len({other[place] for other in possible}) > 1


def _published(found: Suppressed[int, str]) -> dict[tuple[Hashable, Hashable], int | None]:
    return {place: found.published(*place) for place in found.counts}  # type: ignore[arg-type]


def _totals(values: tuple[int, ...]) -> dict[tuple[Hashable, Hashable], int]:
    a, b, c, d = values
    return {
        (0, "a"): a,
        (0, "b"): b,
        (1, "a"): c,
        (1, "b"): d,
        (0, TOTAL): a + b,
        (1, TOTAL): c + d,
        (TOTAL, "a"): a + c,
        (TOTAL, "b"): b + d,
        (TOTAL, TOTAL): a + b + c + d,
    }
