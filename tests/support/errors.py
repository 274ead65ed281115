"""All errors of the gateway."""

import importlib
import pkgutil
from collections.abc import Iterator

import gateway
from gateway.errors import GatewayError


def every_error() -> Iterator[type[GatewayError]]:
    """Every subclass in every module of the gateway."""
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    todo = [GatewayError]
    while todo:
        error = todo.pop()
        todo += error.__subclasses__()
        if error is not GatewayError and error.__module__.startswith("gateway."):
            yield error
