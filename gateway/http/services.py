"""Routers ask for services by type. ``bootstrap`` builds each once, ``main`` publishes them here."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from fastapi import FastAPI, Request

ServiceT = TypeVar("ServiceT")


class Services:
    """What the process serves with, one instance of each type."""

    def __init__(self, *services: object) -> None:
        self._by_type: dict[type[Any], Any] = {}
        for service in services:
            if type(service) in self._by_type:
                raise ValueError(f"two services of type {type(service).__name__}")
            self._by_type[type(service)] = service

    def get(self, kind: type[ServiceT]) -> ServiceT:
        """The instance of exactly ``kind``. Raises ``LookupError`` when it was not published."""
        try:
            found: ServiceT = self._by_type[kind]
        except KeyError:
            raise LookupError(f"no service of type {kind.__name__} was published") from None
        return found


def publish(app: FastAPI, services: Services) -> None:
    """Make ``services`` answer for ``app``."""
    app.state.services = services


def services_of(app: Any) -> Services:
    """The services published for ``app`` (a request's ``app`` or an ASGI scope's)."""
    published: Services = app.state.services
    return published


def provide(kind: type[ServiceT]) -> Callable[[Request], ServiceT]:
    """A dependency that answers the service of type ``kind``: ``Annotated[X, Depends(provide(X))]``."""

    async def provided(request: Request) -> ServiceT:
        return services_of(request.app).get(kind)

    return cast(Callable[[Request], ServiceT], provided)
