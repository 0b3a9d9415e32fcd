"""Places by precedence, patience with a peer, rest after a try in vain."""

import asyncio

import pytest

from exchange.node.patience import RATE, Patience
from exchange.node.places import Places
from exchange.node.rests import Rests
from schemas.terms import Precedence

MOST = {Precedence.ROUTINE: 1, Precedence.PRIORITY: 2, Precedence.IMMEDIATE: 2, Precedence.FLASH: 3}


def test_the_last_places_are_for_the_more_urgent() -> None:
    places = Places(MOST)
    assert [places.take(Precedence.ROUTINE), places.take(Precedence.ROUTINE)] == [True, False]
    assert [places.take(Precedence.PRIORITY), places.take(Precedence.PRIORITY)] == [True, False]
    assert [places.take(Precedence.FLASH), places.take(Precedence.FLASH)] == [True, False]


async def test_a_free_place_goes_to_the_most_urgent_that_waits() -> None:
    places = Places(MOST)
    order: list[str] = []
    free = asyncio.Event()

    async def work(name: str, precedence: Precedence, last: bool = False) -> None:
        async with places.hold(precedence):
            order.append(name)
            if not last:
                await free.wait()

    tasks = [asyncio.create_task(work(str(number), Precedence.FLASH)) for number in range(3)]
    await asyncio.sleep(0)
    waiting = (("routine", Precedence.ROUTINE), ("priority", Precedence.PRIORITY), ("flash", Precedence.FLASH))
    tasks += [asyncio.create_task(work(name, precedence, True)) for name, precedence in waiting]
    gone = asyncio.create_task(work("gone", Precedence.FLASH))
    await asyncio.sleep(0)
    gone.cancel()
    free.set()
    await asyncio.gather(*tasks)
    assert order == ["0", "1", "2", "flash", "priority", "routine"]
    # Nothing has kept a place.
    assert places.take(Precedence.ROUTINE)


async def test_who_is_cancelled_with_a_place_in_hand_gives_it_back() -> None:
    places = Places(MOST)
    assert places.take(Precedence.ROUTINE)

    async def wait() -> None:
        async with places.hold(Precedence.ROUTINE):
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    places.give_back()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert places.take(Precedence.ROUTINE)


async def drip() -> None:
    async with Patience() as patience:
        while True:
            patience.moved(1)
            await asyncio.sleep(0.01)


async def test_patience_ends_and_bytes_prolong_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.node.patience.PATIENCE", 0.05)
    with pytest.raises(TimeoutError):
        await drip()
    async with Patience() as patience:
        before = patience._deadline.when()
        await asyncio.sleep(0.01)
        patience.moved(RATE // 1000)
        after = patience._deadline.when()
        assert before is not None
        assert after is not None
        assert before < after
        # However much comes, it earns no more than the patience from now.
        patience.moved(1000 * RATE)
        assert (patience._deadline.when() or 0) - asyncio.get_running_loop().time() <= 0.05
    patience.moved(1)


def test_rest_doubles_up_to_its_bound() -> None:
    rests = Rests(10)
    ends = []
    now = 0
    for _ in range(5):
        rests.failed(b"x", now)
        end = next(at for at in range(now, now + 100) if not rests.resting(b"x", at))
        ends.append(end - now)
        now = end
    assert ends == [2, 4, 8, 10, 10]
    rests.failed(b"x", now)
    rests.done(b"x")
    assert not rests.resting(b"x", now)
