"""What is asked for in one round of the loop is done side by side, in order, and each hears of his own."""

import asyncio

import pytest

from gateway.rounds import Round


async def test_everybody_hears_of_his_own_in_the_order_in_which_he_came() -> None:
    done: list[int] = []
    each_round = Round()

    def work(number: int) -> int:
        done.append(number)
        if number == 2:
            raise ValueError("two")
        return number * 10

    told = await asyncio.gather(
        *(each_round.run(lambda number=number: work(number)) for number in range(5)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert done == [0, 1, 2, 3, 4]
    assert [each if isinstance(each, int) else str(each) for each in told] == [0, 10, "two", 30, 40]


async def test_nothing_is_done_between_the_pieces_of_one_round() -> None:
    happened: list[str] = []
    each_round = Round()

    async def ask(name: str) -> None:
        happened.append(f"{name} asks")
        await each_round.run(lambda: happened.append(f"{name} is worked for"))
        happened.append(f"{name} goes on")

    await asyncio.gather(ask("a"), ask("b"))
    assert happened == ["a asks", "b asks", "a is worked for", "b is worked for", "a goes on", "b goes on"]


async def test_who_is_asked_for_during_a_round_comes_in_the_next() -> None:
    each_round = Round()
    later: list[asyncio.Task[str]] = []

    def work() -> str:
        later.append(asyncio.ensure_future(each_round.run(lambda: "later")))
        return "now"

    assert await each_round.run(work) == "now"
    assert await later[0] == "later"


async def test_who_is_cancelled_before_his_turn_is_passed_over() -> None:
    each_round, done = Round(), []
    leaving = asyncio.ensure_future(each_round.run(lambda: done.append("left")))
    staying = asyncio.ensure_future(each_round.run(lambda: done.append("stayed")))
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert done == ["stayed"]
