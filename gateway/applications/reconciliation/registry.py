"""The comparisons that exist: found once, inside one known package, duplicates refused."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from gateway.applications.reconciliation import comparisons
from gateway.applications.reconciliation.comparison import Comparison


@cache
def discovered() -> tuple[Comparison, ...]:
    """Every ``COMPARISON`` of the package, in order of file name. Raises ``ValueError`` as `checked` does."""
    modules = sorted(pkgutil.iter_modules(comparisons.__path__), key=lambda item: item.name)
    found = [importlib.import_module(f"{comparisons.__name__}.{module.name}") for module in modules]
    return checked(getattr(module, "COMPARISON", None) for module in found)


def checked(found: Iterable[object]) -> tuple[Comparison, ...]:
    """``found``, each a comparison and none twice. Raises ``ValueError``."""
    table: dict[str, Comparison] = {}
    for each in found:
        if not isinstance(each, Comparison):
            raise ValueError("a file in comparisons/ exports no COMPARISON")
        if table.setdefault(each.slug, each) is not each:
            raise ValueError(f"two files export the comparison {each.slug!r}")
    return tuple(table.values())
