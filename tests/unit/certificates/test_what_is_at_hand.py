"""What is remembered of evidence is not relied on once it is over, or once something else was fetched."""

from datetime import timedelta

from gateway.certificates.bounded import BriefMemory
from gateway.certificates.evidence import RENEW_AFTER, FetchCache, Fetches, Gathered, _Asked
from gateway.certificates.status_lists import StatusEvidence
from tests.support.storage import NOON

SECOND = timedelta(seconds=1)


async def gathered() -> tuple[FetchCache[str], Gathered]:
    """One status list, fetched at noon; it reads otherwise each time that it is fetched."""
    answers, fetches = iter([b"one", b"two"]), Fetches()

    async def fetch(_: str) -> bytes:
        return next(answers)

    cache = FetchCache(fetch, fetches=fetches)
    data = await cache.get("list", NOON)
    evidence = StatusEvidence({"list": b"one"}, (), (), frozenset())
    return cache, Gathered(evidence, (_Asked(cache, "list", data, failed=False),), fetches)


async def test_it_stands_while_it_is_young_and_no_longer() -> None:
    _, found = await gathered()
    instants = [NOON, NOON + SECOND, NOON + RENEW_AFTER - SECOND]
    assert [found.stands(at) for at in instants * 2] == [True] * 6
    assert not found.stands(NOON + RENEW_AFTER)
    assert not found.stands(NOON - SECOND), "a clock that was set back"
    assert found.stands(NOON + SECOND, since=NOON)
    assert not found.stands(NOON + SECOND, since=NOON + SECOND)


async def test_what_somebody_else_had_fetched_anew_ends_it_at_once() -> None:
    cache, found = await gathered()
    assert found.stands(NOON + SECOND)
    assert await cache.get("list", NOON + 2 * SECOND, since=NOON + 2 * SECOND) == b"two"
    assert not found.stands(NOON + 2 * SECOND)


def test_a_brief_memory_forgets_in_time_also_where_nobody_sweeps() -> None:
    memory: BriefMemory[str, int] = BriefMemory(2, timedelta(minutes=5))
    for number in range(3):
        memory.put(f"key-{number}", number, NOON + number * SECOND)
    assert [memory.get(f"key-{number}", NOON + 3 * SECOND) for number in range(3)] == [None, 1, 2]
    assert memory.get("key-1", NOON + timedelta(minutes=5)) == 1
    assert memory.get("key-1", NOON + timedelta(minutes=5) + SECOND) is None
    assert memory.get("key-2", NOON + timedelta(minutes=5) + SECOND) == 2
    memory.drop("key-2")
    memory.put("key-3", 3, NOON + timedelta(minutes=9))
    assert memory.get("key-3", NOON + timedelta(minutes=14)) is None
