"""Small cells are not published, nor is what would let anybody work them out (表格数据的单元抑制). Pure.

A table has lines of cells and a total for each row, each column and the whole. A count of 1 to 4 is small: it says
something about few enough people to know them (primary suppression). Zero says nothing about anybody and is told.

A suppressed cell can be worked out from what is left where a row or column keeps its total and loses one cell alone –
and along longer ways. Take each row and each column, that of the totals too, for a vertex, and each suppressed cell
for an edge between its row and its column: a cell is determined by the others exactly where its edge is a bridge (it
lies on no cycle). So more are suppressed (complementary suppression), each time those that lose least, until no edge
is a bridge. All of them are at least 1, so along a cycle each can be one more and one less: none is certain.

And several small cells together are small: where the suppressed cells of a line add up to less than five, another one
goes with them. Totals are cells like others here, the last to be suppressed.
"""

import heapq
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

SMALL: Final = 5
"""A count below it, and above zero, is small."""

RowT = TypeVar("RowT", bound=Hashable)
ColumnT = TypeVar("ColumnT", bound=Hashable)


class _Total:
    """Stands for the row, or the column, of the totals."""

    def __repr__(self) -> str:
        return "TOTAL"


TOTAL: Final = _Total()
Place = tuple[Hashable, Hashable]
_Vertex = tuple[str, Hashable]


@dataclass(frozen=True)
class Suppressed(Generic[RowT, ColumnT]):
    """``counts`` by (row, column), with ``TOTAL`` for totals; ``primary`` and ``secondary`` are not published."""

    counts: Mapping[Place, int]
    primary: frozenset[Place]
    secondary: frozenset[Place]

    def published(self, row: RowT | _Total, column: ColumnT | _Total) -> int | None:
        """The count, or None where it is not published."""
        place = (row, column)
        return None if place in self.primary or place in self.secondary else self.counts[place]


def suppress(
    cells: Mapping[tuple[RowT, ColumnT], int], rows: Iterable[RowT], columns: Iterable[ColumnT]
) -> Suppressed[RowT, ColumnT]:
    """Decide what of the table is published; a cell that is missing counts zero. ``ValueError`` below zero."""
    counts = _with_totals(cells, list(rows), list(columns))
    primary = frozenset(place for place, count in counts.items() if 0 < count < SMALL)
    hidden = set(primary)
    while more := _next(counts, hidden):
        hidden |= more
    return Suppressed(counts, primary, frozenset(hidden) - primary)


def _with_totals(
    cells: Mapping[tuple[RowT, ColumnT], int], rows: list[RowT], columns: list[ColumnT]
) -> dict[Place, int]:
    if any(count < 0 for count in cells.values()):
        raise ValueError("a count is not negative")
    counts: dict[Place, int] = {(row, column): cells.get((row, column), 0) for row in rows for column in columns}
    for row in rows:
        counts[(row, TOTAL)] = sum(counts[(row, column)] for column in columns)
    for column in columns:
        counts[(TOTAL, column)] = sum(counts[(row, column)] for row in rows)
    counts[(TOTAL, TOTAL)] = sum(counts[(row, TOTAL)] for row in rows)
    return counts


def _next(counts: Mapping[Place, int], hidden: set[Place]) -> set[Place]:
    """Places to be hidden as well; none where all that is hidden stays unknown."""
    bridges = _bridges(hidden)
    if bridges:
        return _cover(counts, hidden, min(bridges, key=lambda place: _price(counts, place)))
    return _for_sums(counts, hidden)


def _cover(counts: Mapping[Place, int], hidden: set[Place], bridge: Place) -> set[Place]:
    """The cheapest places (Dijkstra) that make a cycle through ``bridge``; what is hidden already costs nothing.

    There always is one: over the totals of its row and its column.
    """
    start, goal = ("row", bridge[0]), ("column", bridge[1])
    beside = _graph(place for place, count in counts.items() if count > 0 and place != bridge)
    queue: list[tuple[int, int, _Vertex, frozenset[Place]]] = [(0, 0, start, frozenset())]
    done: set[_Vertex] = set()
    pushed = 0
    while queue:
        cost, _, vertex, taken = heapq.heappop(queue)
        if vertex == goal:
            return set(taken)
        if vertex in done:
            continue
        done.add(vertex)
        for other, place in beside[vertex]:
            if other not in done:
                free, pushed = place in hidden, pushed + 1
                way = taken if free else taken | {place}
                heapq.heappush(queue, (cost + (0 if free else _price(counts, place)), pushed, other, way))
    raise AssertionError("totals close every cycle")


def _graph(places: Iterable[Place]) -> defaultdict[_Vertex, list[tuple[_Vertex, Place]]]:
    """Rows and columns, and the places between them; in an order that does not depend on hashing."""
    beside: defaultdict[_Vertex, list[tuple[_Vertex, Place]]] = defaultdict(list)
    for place in sorted(places, key=_order):
        row, column = ("row", place[0]), ("column", place[1])
        beside[row].append((column, place))
        beside[column].append((row, place))
    return beside


def _for_sums(counts: Mapping[Place, int], hidden: set[Place]) -> set[Place]:
    """Where the hidden cells of a line are together small, and what is left tells their sum: one more of the line."""
    for axis in (0, 1):
        lines: defaultdict[Hashable, list[Place]] = defaultdict(list)
        for place in sorted(hidden, key=_order):
            lines[place[axis]].append(place)
        for line, places in lines.items():
            inner = [place for place in places if place[1 - axis] is not TOTAL]
            if len(inner) < len(places) or sum(counts[place] for place in inner) >= SMALL:
                continue
            beside = [each for each, count in counts.items() if each[axis] == line and count > 0 and each not in hidden]
            return {min(beside, key=lambda place: (_price(counts, place), _order(place)))}
    return set()


def _price(counts: Mapping[Place, int], place: Place) -> int:
    """What is lost with a place: its count; any cell rather than a total."""
    totals = (place[0] is TOTAL) + (place[1] is TOTAL)
    return counts[place] + totals * (1 + 2 * counts[(TOTAL, TOTAL)]) * len(counts)


def _order(place: Place) -> tuple[str, str]:
    return repr(place[0]), repr(place[1])


def _bridges(hidden: set[Place]) -> list[Place]:
    """The edges that lie on no cycle, by Tarjan's low links; without recursion."""
    beside = _graph(hidden)
    found: list[Place] = []
    seen: dict[_Vertex, int] = {}
    low: dict[_Vertex, int] = {}
    for start in beside:
        if start in seen:
            continue
        seen[start] = low[start] = len(seen)
        path: list[tuple[_Vertex, Place | None, list[tuple[_Vertex, Place]]]] = [(start, None, list(beside[start]))]
        while path:
            vertex, came_by, ahead = path[-1]
            if not ahead:
                path.pop()
                if path and came_by is not None:
                    before = path[-1][0]
                    low[before] = min(low[before], low[vertex])
                    if low[vertex] > seen[before]:
                        found.append(came_by)
                continue
            other, place = ahead.pop()
            if place == came_by:
                continue
            if other in seen:
                low[vertex] = min(low[vertex], seen[other])
            else:
                seen[other] = low[other] = len(seen)
                path.append((other, place, list(beside[other])))
    return found
