"""How a test of the partner conformance suite (接入符合性测试) shows itself, so that it touches no real application.

Its identifiers begin with ``cft_``, which nothing else does. To a utility comes an event of the type
``cn.bandian.conformance.test.v1``; to a department a review request with ``conformance_test`` true. Neither has a place
in the numbers by which a receiver sees what it misses.
"""

from typing import Final

from pydantic import Field

from schemas.wire import OpaqueId, OpenWireModel

TEST_PREFIX: Final = "cft_"
"""How the ids of tests begin: of events, requests, permits, reviews and applications."""
UNKNOWN_TYPE: Final = "cn.bandian.conformance.unknown.v1"
"""A type of event that will never mean anything."""


class ConformanceTest(OpenWireModel):
    """``data`` of conformance.test: keep that it came, answer the receipt, and do nothing else."""

    run_id: OpaqueId = Field(description="The run of the suite that it belongs to")
    note: str = Field(description="What it is, for a person")


def is_test(identifier: str) -> bool:
    """Whether ``identifier`` is of a test."""
    return identifier.startswith(TEST_PREFIX)
