"""What the limits keep of whom they count."""

from limits import parse

from gateway.http import limits
from gateway.http.limits import RateLimits


def test_who_is_no_partner_is_spelled_for_the_moment_alone() -> None:
    """Addresses, and names that strangers give themselves, would else be remembered after they ceased to count."""
    counted, kept = RateLimits(), limits._partner_key.cache_info().currsize
    for use in (counted.count, counted.require, counted.hit):
        use(parse("5/minute"), "unproved", "203.0.113.9")
    assert limits._partner_key.cache_info().currsize == kept
    assert not [name for name in vars(limits) if name != "_partner_key" and hasattr(vars(limits)[name], "cache_info")]
