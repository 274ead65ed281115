"""``bandian`` where no copy of a business licence is ever young enough: the source is asked for each answer.

The kind's table says so, as a province's might; the code that reads it is the gateway's own.
"""

from dataclasses import replace
from datetime import timedelta

from gateway.certificates.freshness import FreshnessLimit
from gateway.certificates.kinds import business_licence


def always_ask() -> None:
    """Before anything else of the gateway is imported."""
    policy = business_licence.KIND.policy
    always_asked = replace(policy, source=FreshnessLimit(timedelta(0), policy.source.permitted))
    business_licence.KIND = replace(business_licence.KIND, policy=always_asked)


def main() -> None:
    always_ask()
    from gateway.cli import app

    app()


if __name__ == "__main__":
    main()
