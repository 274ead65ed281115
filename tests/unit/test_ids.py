"""Identifiers: sortable, and never twice, whichever thread makes them."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from gateway import ids
from gateway.ids import RANDOM_BYTES, id_maker, random_bytes


def test_an_identifier_sorts_by_its_millisecond() -> None:
    now = [datetime(2026, 11, 23, 4, tzinfo=UTC)]
    make_id = id_maker(lambda: now[0])
    earlier = [make_id("app") for _ in range(20)]
    now[0] += timedelta(milliseconds=1)
    later = [make_id("app") for _ in range(20)]
    assert max(earlier) < min(later)
    assert {len(each) for each in earlier} == {len("app_") + 26}


def test_random_bytes_are_handed_out_once_whoever_asks() -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: [random_bytes() for _ in range(2000)], range(8)))
    every = [each for some in taken for each in some]
    assert len(set(every)) == len(every) == 16_000
    assert {len(each) for each in every} == {RANDOM_BYTES}


def test_a_forked_process_hands_out_none_of_its_parents() -> None:
    random_bytes()
    assert ids._random, "some are waiting"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(random_bytes() for _ in range(20)))
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 4096)
    theirs = {told[start : start + RANDOM_BYTES] for start in range(0, len(told), RANDOM_BYTES)}
    assert len(theirs) == 20
    assert theirs.isdisjoint(ids._random)
