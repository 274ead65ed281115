"""Places: no more at once than there are, in the order of who came, and none is lost with who leaves."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from adapters.places import Places


async def waiting(places: Places, came: list[int], number: int) -> None:
    await places.wait()
    came.append(number)


async def test_who_waits_longest_comes_next() -> None:
    places, came = Places(2), list[int]()
    assert (places.taken(), places.taken(), places.taken()) == (True, True, False)
    tasks = [asyncio.create_task(waiting(places, came, number)) for number in range(3)]
    await asyncio.sleep(0)
    places.give()
    assert not places.taken(), "it is for who waits"
    await asyncio.sleep(0)
    assert came == [0]
    places.give()
    places.give()
    await asyncio.gather(*tasks)
    assert came == [0, 1, 2]


async def test_who_leaves_takes_no_place_along() -> None:
    places, came = Places(1), list[int]()
    assert places.taken()
    tasks = [asyncio.create_task(waiting(places, came, number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    tasks[1].cancel()  # and is yet to hear of it
    places.give()
    tasks[2].cancel()  # whose place has just come
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [True, True, True, False]
    assert came == [3]
    places.give()
    assert (places.taken(), places.taken()) == (True, False)


@given(st.lists(st.sampled_from(["come", "give", "leave", "turn"]), max_size=40), st.integers(1, 3))
def test_there_are_never_more_nor_fewer_than_there_are(steps: list[str], most: int) -> None:
    async def walk() -> None:
        places, inside, tasks = Places(most), 0, list[asyncio.Task[None]]()

        async def come() -> None:
            nonlocal inside
            if not places.taken():
                await places.wait()
            inside += 1

        leaves = iter(range(len(steps)))
        for step in steps:
            if step == "come":
                tasks.append(asyncio.create_task(come()))
            elif step == "give" and inside:
                inside -= 1
                places.give()
            elif step == "leave" and tasks:
                tasks[next(leaves) % len(tasks)].cancel()
            else:
                await asyncio.sleep(0)
            assert inside <= most
        while inside or not all(each.done() for each in tasks):
            if inside:
                inside -= 1
                places.give()
            await asyncio.sleep(0)
        assert [each.exception() for each in tasks if not each.cancelled()] == [None] * sum(
            not each.cancelled() for each in tasks
        )
        assert [places.taken() for _ in range(most + 1)] == [True] * most + [False]

    asyncio.run(walk())
