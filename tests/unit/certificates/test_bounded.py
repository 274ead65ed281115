"""The small cache: by number, by weight, and what was used longest ago goes first."""

from gateway.certificates.bounded import BoundedCache


def test_the_one_used_longest_ago_goes_first():
    kept: BoundedCache[str, int] = BoundedCache(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]


def test_by_weight_large_values_leave_room_for_few_and_one_too_large_for_none():
    kept: BoundedCache[str, bytes] = BoundedCache(10, len)
    for key in "abc":
        kept.put(key, b"xxx")
    kept.put("c", b"xxxxxx")
    assert [kept.get(key) for key in "abc"] == [None, b"xxx", b"xxxxxx"]
    kept.put("d", b"x" * 11)
    assert [kept.get(key) for key in "abcd"] == [None] * 4
    kept.put("e", b"x" * 10)
    assert kept.get("e") == b"x" * 10
