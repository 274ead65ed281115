"""A machine runs what it can: what is missing skips with a reason, unless everything is required."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip, or fail where ``REQUIRE=all`` says that nothing may be missing."""
    if os.environ.get("REQUIRE") == "all":
        pytest.fail(f"required, and missing: {reason}")
    pytest.skip(reason)
