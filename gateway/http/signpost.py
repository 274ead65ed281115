"""Which way a request goes, by the parts of its path: the framework tries route after route, a hundred of them.

What is pointed at is the route that the framework would have found: of all that the request fits, the first that was
declared. Whatever fits none – an unknown path, another method, a slash too many – the framework itself reads.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

_REST: Final = ":path}"
"""How a parameter ends that takes slashes as well."""


@dataclass
class _Turn:
    """What lies behind some parts of a path: routes that end here, that take all of the rest, and further turns."""

    ending: list[tuple[int, Route]] = field(default_factory=list)
    rest: list[tuple[int, Route]] = field(default_factory=list)
    named: "dict[str, _Turn]" = field(default_factory=dict)
    any: "_Turn | None" = None


class Signpost:
    """``routes`` in the order in which they are tried. Raises ``TypeError`` for one that is none of a path's."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._root = _Turn()
        for number, route in enumerate(routes_within(routes)):
            self._put(number, route)

    def find(self, scope: Scope) -> tuple[Route, Scope] | None:
        """The route of a request, and what it adds to ``scope``; None where the framework is to look for it."""
        if scope.get("root_path"):
            return None
        fitting = [each for turn in self._ways(scope["path"].split("/")) for each in turn]
        if len(fitting) > 1:
            fitting.sort(key=lambda each: each[0])
        for _, route in fitting:
            match, added = route.matches(scope)
            if match is Match.FULL:
                return route, added
        return None

    def _put(self, number: int, route: Route) -> None:
        turn = self._root
        for part in route.path.split("/"):
            if part.endswith(_REST):
                turn.rest.append((number, route))
                return
            if "{" in part:
                turn.any = turn = turn.any or _Turn()
            else:
                turn = turn.named.setdefault(part, _Turn())
        turn.ending.append((number, route))

    def _ways(self, parts: list[str]) -> Iterator[list[tuple[int, Route]]]:
        turns = [self._root]
        for part in parts:
            further = []
            for turn in turns:
                if turn.rest:
                    yield turn.rest
                if (named := turn.named.get(part)) is not None:
                    further.append(named)
                if turn.any is not None:
                    further.append(turn.any)
            turns = further
        for turn in turns:
            yield turn.ending


def routes_within(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """Every route, those of routers that were included in others as well. Raises ``TypeError``."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from routes_within(included.routes)
        else:
            raise TypeError(f"{type(route).__name__} is no route of a path")
