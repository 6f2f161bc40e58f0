"""How long things take at default settings, many jobs at once: on a simulated clock with scripted providers."""

import asyncio
import io
import math
import random
from collections.abc import Callable
from statistics import mean, median

import pytest
from pydantic import SecretStr

from imaging.callbacks import OwnCallbacks
from imaging.errors import Busy, GaveUp, KeyRefused, OutcomeUnknown, Rejected, Unavailable, Unsent
from imaging.operations import Colorize, Operation
from imaging.provider import Link, Task, Upload
from imaging.results import Result
from imaging.routing import Router
from tests.imaging.simulated import now, run

PHOTO = Upload(io.BytesIO(b"x"), 1, "photo.jpg", "image/jpeg")


class Scripted:
    """A provider without a network: every task takes `takes()` seconds, `trouble` may raise instead of a POST."""

    def __init__(self, name: str = "a", *, takes: float = 2.0) -> None:
        self.name = name
        self.takes: Callable[[], float] = lambda: takes
        self.trouble: list[Exception] = []
        self.requests: list[tuple[float, str]] = []
        self.ends: dict[str, float] = {}
        self.lost: list[float] = []

    async def submit(
        self, operation: Operation, upload: Upload | Link, *, sync: bool = False, callback_url: str | None = None
    ) -> Task:
        """Begin a task, or raise what is scripted."""
        del operation, upload, sync, callback_url
        self.requests.append((now(), "submit"))
        if self.trouble:
            raise self.trouble.pop(0)
        task_id = f"t{len(self.ends)}"
        self.ends[task_id] = now() + self.takes()
        return Task(task_id, 0)

    async def query(self, operation: Operation, task_id: str) -> Task:
        """Tell whether its time has come."""
        del operation
        self.requests.append((now(), "query"))
        await asyncio.sleep(0.01)
        done = now() >= self.ends[task_id]
        if done:
            self.lost.append(now() - self.ends[task_id])
        return Task(task_id, 1 if done else 4)

    async def fetch(self, task: Task) -> Result:
        """Give a result without files."""
        del task
        return Result(())

    def downloads(self, task: Task) -> int:
        """Say that results lie elsewhere."""
        del task
        return 0

    async def check(self) -> None:
        """Accept every key."""

    async def aclose(self) -> None:
        """Hold nothing."""


class Unwritten:
    """A checkpoint that forgets."""

    name = "1"

    async def submitting(self, provider: str) -> None:
        """Forget the intent."""

    async def submitted(self, provider: str, task_id: str) -> None:
        """Forget the task."""

    def progressed(self, percent: int) -> None:
        """Nobody looks."""

    async def unsubmitted(self) -> None:
        """Forget that nothing is pending."""


async def _develop(router: Router) -> float:
    """Develop one picture; give the seconds it took."""
    began = now()
    await router.develop(Colorize(), PHOTO, Unwritten())
    return now() - began


def test_one_job_in_flight() -> None:
    """The issue's figure through the whole router: 2 s tasks (sigma 0.3), under 150 ms lost, under 6 polls."""
    provider = Scripted()
    chance = random.Random(7)  # noqa: S311  a simulation
    provider.takes = lambda: chance.lognormvariate(math.log(2), 0.3)

    async def story() -> None:
        router = Router([provider], rate=1000)
        for _ in range(200):
            await _develop(router)

    run(story())
    assert median(provider.lost) < 0.15
    assert len(provider.requests) / 200 - 1 < 6


def test_many_jobs_at_two_requests_a_second() -> None:
    """Sixteen jobs at the default rate: the rate holds, no submission waits behind polls, all get done."""
    provider = Scripted(takes=4.0)

    async def story() -> list[float]:
        router = Router([provider])
        first = [asyncio.create_task(_develop(router)) for _ in range(15)]
        await asyncio.sleep(20)  # all are being polled by now
        asked = now()
        last = asyncio.create_task(_develop(router))
        await asyncio.sleep(2)
        assert any(at >= asked and what == "submit" for at, what in provider.requests)
        return list(await asyncio.gather(*first, last))

    took = run(story())
    times = [at for at, _ in provider.requests]
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[2:], strict=False))
    assert max(took) < 45
    assert mean(provider.lost) < 15


def test_retry_after_holds_the_whole_provider() -> None:
    """One 429 stops every request to that provider for the time it named; then all go on."""
    provider = Scripted()
    provider.trouble = [Busy(retry_after=25)]

    async def story() -> None:
        router = Router([provider], rate=1000)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(_develop(router))
                await asyncio.sleep(0)

    run(story())
    assert not [at for at, _ in provider.requests if 1 < at < 25]
    assert len(provider.ends) == 5


@pytest.mark.parametrize("alone", [True, False])
def test_long_retry_after(alone: bool) -> None:  # noqa: FBT001  both cases
    """Busy for five minutes: another provider takes over at once; without one the job waits its turn."""
    first, second = Scripted("a"), Scripted("b")
    first.trouble = [Busy(retry_after=300)]

    async def story() -> float:
        return await _develop(Router([first] if alone else [first, second], rate=1000))

    took = run(story())
    assert took > 300 if alone else took < 5
    assert bool(second.ends) is not alone


def test_a_long_retry_after_when_the_other_has_failed() -> None:
    """Whoever could not do it before is nobody to turn to: the job waits its turn."""
    first, second = Scripted("a"), Scripted("b")
    first.trouble, second.trouble = [Rejected()], [Busy(retry_after=300)]

    async def story() -> float:
        return await _develop(Router([first, second], rate=1000))

    assert run(story()) > 300
    assert len(second.ends) == 1


def test_a_provider_that_restarts() -> None:
    """Refused connections for some seconds are outlasted."""
    provider = Scripted()
    provider.trouble = [Unsent()] * 4

    async def story() -> float:
        return await _develop(Router([provider]))

    assert run(story()) < 30
    assert len(provider.ends) == 1


def test_a_dead_provider_is_given_up_in_bounded_time() -> None:
    """The first job hears so after its tries, later ones after waiting a while for it to come back."""
    provider = Scripted()
    provider.trouble = [Unsent() for _ in range(500)]

    async def story() -> None:
        router = Router([provider])
        for _ in range(3):
            began = now()
            with pytest.raises(GaveUp) as caught:
                await _develop(router)
            assert isinstance(caught.value.__cause__, Unavailable)
            assert now() - began < 60

    run(story())


def test_a_refused_key_is_not_waited_for() -> None:
    """Only the operator can help, so the person hears at once."""
    provider = Scripted()
    provider.trouble = [KeyRefused()]

    async def story() -> None:
        router = Router([provider])
        for _ in range(3):
            with pytest.raises(GaveUp):
                await _develop(router)
        assert now() < 1
        await asyncio.sleep(60)
        await _develop(router)

    run(story())


def test_a_dead_provider_is_let_in_again() -> None:
    """Once one try succeeds after the breaker opened, everybody who waited gets through."""
    provider = Scripted()
    provider.trouble = [OutcomeUnknown() for _ in range(10)]

    async def story() -> list[float]:
        router = Router([provider])
        failed = await asyncio.gather(*(_develop(router) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(one, GaveUp) for one in failed)
        assert router.states() == {"a": "open"}
        return list(await asyncio.gather(*(_develop(router) for _ in range(5))))

    assert max(run(story())) < 40


def test_slow_polling_behind_callbacks() -> None:
    """A callback that never comes costs at most the ten seconds between slow polls."""
    provider = Scripted(takes=2.0)

    async def story() -> float:
        callbacks = OwnCallbacks("https://bot.example/callback", SecretStr("key"))
        router = Router([provider], rate=1000, wait="callback", callbacks=callbacks)
        return await _develop(router)

    assert run(story()) < 10.1
    assert len(provider.requests) == 2
