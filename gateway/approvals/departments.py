"""Which adapter speaks with which department: ``planning-440100`` is spoken with by ``planning``."""

from collections.abc import Iterable, Iterator
from typing import Any

from gateway.approvals.ports import Department


class Departments:
    """The departments' adapters, by prefix. Raises ``ValueError`` when two claim the same prefix."""

    def __init__(self, departments: Iterable[Department[Any]]) -> None:
        self._by_prefix: dict[str, Department[Any]] = {}
        for department in departments:
            if department.prefix in self._by_prefix:
                raise ValueError(f"two departments claim the prefix {department.prefix}")
            self._by_prefix[department.prefix] = department

    def __iter__(self) -> Iterator[Department[Any]]:
        return iter(self._by_prefix.values())

    def of_code(self, code: str) -> Department[Any] | None:
        """The adapter for the partner code ``<prefix>-<region>``, or None."""
        prefix, _, region = code.rpartition("-")
        return self._by_prefix.get(prefix) if region.isascii() and region.isdigit() else None
