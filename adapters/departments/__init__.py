"""Permit departments (审批部门): one file each, exporting ``DEPARTMENT``. A new department is a new file here."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from gateway.approvals.departments import Departments
from gateway.approvals.ports import Department, DepartmentSettings


class DepartmentSettingsError(ValueError):
    """The start is refused; the text is one sentence for the operator, without any value."""


def discover(settings: Mapping[str, Mapping[str, Any]] | None = None) -> Departments:
    """Every department of this package, ``settings`` (by prefix) laid over its own defaults.

    Raises ``DepartmentSettingsError`` for settings that a department does not have or cannot take, or of a department
    that is not there; ``ValueError`` for a file without ``DEPARTMENT``, and a prefix claimed twice.
    """
    found: list[Department[Any]] = []
    wanted = dict(settings or {})
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        department = getattr(module, "DEPARTMENT", None)
        if not isinstance(department, Department):
            raise ValueError(f"{module.__name__} exports no DEPARTMENT")
        found.append(replace(department, settings=_overlaid(department, wanted.pop(department.prefix, {}))))
    if wanted:
        raise DepartmentSettingsError(
            f"BANDIAN_DEPARTMENTS names departments that have no adapter: {', '.join(sorted(wanted))}; remove them."
        )
    return Departments(found)


def _overlaid(department: Department[Any], options: Mapping[str, Any]) -> DepartmentSettings:
    try:
        overlaid: DepartmentSettings = type(department.settings).model_validate(options)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        name = ".".join((department.prefix, *map(str, first["loc"])))
        raise DepartmentSettingsError(f"BANDIAN_DEPARTMENTS: {name}: {first['msg']}; correct it.") from None
    return overlaid
