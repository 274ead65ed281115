"""What the conformance suite refuses."""

from gateway.errors import Conflict, Rejected


class ConformanceNotFor(Rejected):
    """The suite is for who receives: utilities and departments."""

    kind = "conformance-not-for"
    title = "此类单位无需符合性测试"


class ConformanceNotPassed(Conflict):
    """The last run failed, and nobody said why the partner should go live all the same."""

    kind = "conformance-not-passed"
    title = "最近一次符合性测试未通过"
