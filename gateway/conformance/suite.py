"""Which checks a partner of each role is asked, in order."""

from typing import Final

from gateway.caller import Role
from gateway.conformance.checks import COMMON, Check
from gateway.conformance.department_checks import DEPARTMENT_CHECKS
from gateway.conformance.model import Probe
from gateway.conformance.utility_checks import UTILITY_CHECKS

CHECKS: Final = {check.code: check for check in (*COMMON, *UTILITY_CHECKS, *DEPARTMENT_CHECKS)}
GUIDES: Final = {Role.UTILITY: "docs/integration/utility.md", Role.DEPARTMENT: "docs/integration/department.md"}
"""The guide that a check's ``section`` is of."""
PROBES: Final = {
    Role.UTILITY: tuple(each for each in Probe if each is not Probe.AUDIENCE),
    Role.DEPARTMENT: (
        Probe.FIRST,
        Probe.REPEATED,
        Probe.SIGNATURE,
        Probe.UNKNOWN_KEY,
        Probe.ALTERED,
        Probe.AUDIENCE,
        Probe.OVERSIZED,
        Probe.AFTERWARDS,
    ),
}
"""What is sent to a partner of each role."""


def checks_of(role: Role) -> tuple[Check, ...]:
    """The checks of one role; none for a role that receives nothing."""
    return tuple(check for check in CHECKS.values() if role in check.roles)
