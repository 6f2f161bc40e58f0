"""The rate and the breaker of a provider, on a simulated clock."""

import asyncio
from itertools import pairwise

import pytest

from imaging.breaker import Breaker
from imaging.pace import Pace, Urgency
from tests.imaging.simulated import now, run


async def _all(pace: Pace, wanted: list[Urgency]) -> list[tuple[float, Urgency]]:
    """Want all turns at once; give when each came."""
    came: list[tuple[float, Urgency]] = []

    async def one(urgency: Urgency) -> None:
        await pace.turn(urgency)
        came.append((now(), urgency))

    async with asyncio.TaskGroup() as group:
        for urgency in wanted:
            group.create_task(one(urgency))
    return came


@pytest.mark.parametrize("rate", [0.5, 1, 2, 2.5, 30])
def test_rate(rate: float) -> None:
    """In no second go more requests out than the rate; all of them do, and none later than it must."""
    came = [at for at, _ in run(_all(Pace(rate), [Urgency.POLL] * 40))]
    burst = max(1, int(rate))
    assert all(later - earlier >= burst / rate for earlier, later in zip(came, came[burst:], strict=False))
    assert came[-1] <= 40 / rate * 1.03


def test_submissions_go_first() -> None:
    """Polls that wait do not hold up a submission, and among equals the first comes first."""
    came = [one for _, one in run(_all(Pace(1), [Urgency.POLL] * 3 + [Urgency.SOON, Urgency.SUBMIT]))]
    assert came == [Urgency.POLL, Urgency.SUBMIT, Urgency.SOON, Urgency.POLL, Urgency.POLL]


def test_a_provider_that_is_busy_is_left_alone() -> None:
    """After a 429 nobody goes before the time it named, then in order."""

    async def story() -> list[float]:
        pace = Pace(2)
        await pace.turn(Urgency.SUBMIT)
        waiting = asyncio.create_task(_all(pace, [Urgency.SUBMIT] * 3))
        await asyncio.sleep(0)
        await pace.hold(30)
        await pace.hold(5)
        return [at for at, _ in await waiting]

    first, *others = run(story())
    assert first <= 30.1
    assert others[0] >= 30
    assert all(a <= b for a, b in pairwise(others))


def test_a_cancelled_wait_takes_no_turn() -> None:
    """Whoever leaves the queue does not slow the others down."""

    async def story() -> float:
        pace = Pace(1)
        await pace.turn(Urgency.SUBMIT)
        gone = [asyncio.create_task(pace.turn(Urgency.SUBMIT)) for _ in range(20)]
        await asyncio.sleep(0)
        for one in gone:
            one.cancel()
        await pace.turn(Urgency.POLL)
        return now()

    assert run(story()) < 1.1


def test_breaker() -> None:
    """It opens after five failures in a row, then lets one try in per period until one succeeds."""

    async def story() -> None:
        breaker = Breaker(failures=5, seconds=10)
        for _ in range(4):
            breaker.failed()
        breaker.succeeded()
        for _ in range(4):
            breaker.failed()
        assert breaker.admit()
        breaker.failed()
        assert (breaker.state, breaker.admit()) == ("open", False)
        await asyncio.sleep(10)
        assert breaker.state == "half_open"
        assert [breaker.admit() for _ in range(3)] == [True, False, False]
        await asyncio.sleep(10)  # the one that tried never came back
        assert breaker.admit()
        breaker.failed()
        await asyncio.sleep(9)
        assert not breaker.admit()
        await asyncio.sleep(1)
        assert breaker.admit()
        breaker.succeeded()
        assert [breaker.admit() for _ in range(3)] == [True] * 3
        breaker.trip(60)
        breaker.failed()  # what was under way when it tripped
        await asyncio.sleep(59)
        assert not breaker.admit()
        await asyncio.sleep(1)
        assert breaker.admit()

    run(story())
