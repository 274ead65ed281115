"""Permit departments (审批部门): one file each, exporting ``DEPARTMENT``. A new department is a new file here."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.approvals.departments import Departments
from gateway.approvals.ports import Department


def discover(settings: Mapping[str, Mapping[str, Any]] | None = None) -> Departments:
    """Every department of this package, ``settings`` (by prefix) laid over its own defaults.

    Raises ``ValueError`` for a file without ``DEPARTMENT``, a prefix claimed twice, settings that a department does not
    have (pydantic's ``ValidationError``), or settings for a department that is not there.
    """
    found: list[Department[Any]] = []
    wanted = dict(settings or {})
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        department = getattr(module, "DEPARTMENT", None)
        if not isinstance(department, Department):
            raise ValueError(f"{module.__name__} exports no DEPARTMENT")
        overlaid = type(department.settings).model_validate(wanted.pop(department.prefix, {}))
        found.append(replace(department, settings=overlaid))
    if wanted:
        raise ValueError(f"settings for departments that are not there: {', '.join(sorted(wanted))}")
    return Departments(found)
