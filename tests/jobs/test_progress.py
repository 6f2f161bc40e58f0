"""Progress: nothing for what is quick, one message a request for what is not, and none that stays."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from imaging.errors import NoFace
from jobs.dispatch import Accepted
from jobs.job import Job, State
from jobs.local import LocalDispatch
from jobs.progress import Progress, Standing
from jobs.runner import Runner
from storage import jobs as rows
from storage.database import Database
from tests.databases import reached
from tests.jobs.support import Bench, request


class Screen:
    """A screen that remembers; `full` takes no message."""

    def __init__(self) -> None:
        self.shown: list[Standing] = []
        self.now: dict[int, Standing] = {}  # by job
        self.cleared: list[int] = []
        self.seen = asyncio.Event()
        self.gone = asyncio.Event()
        self.full = False

    async def show(self, job: Job, standing: Standing) -> int | None:
        """Take the message."""
        self.shown.append(standing)
        self.now[job.id] = standing
        self.seen.set()
        return None if self.full else 70 + len(self.shown)

    async def change(self, job: Job, message_id: int, standing: Standing) -> None:
        """Take the change."""
        assert message_id
        self.now[job.id] = standing

    async def clear(self, job: Job, message_id: int) -> None:
        """Take it away."""
        self.now.pop(job.id, None)
        self.cleared.append(message_id)
        self.gone.set()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.progress.AFTER_SECONDS", 0.02)
    monkeypatch.setattr("jobs.progress.EVERY_SECONDS", 0.02)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
async def bench(db: Database, screen: Screen) -> AsyncIterator[Bench]:
    """Give a bench whose jobs are watched, two at a time."""
    bench = Bench(db)
    progress = watch(bench, screen)
    yield bench
    await bench.dispatch.stop(0)
    bench.runner.albums.close()
    await progress.close()


def watch(bench: Bench, screen: Screen) -> Progress:
    progress = Progress(bench.db, screen, lambda job_id: bench.dispatch.place(job_id))  # noqa: PLW0108  made below
    bench.runner = Runner(bench.db, bench.provider, bench.telegram, bench.counts, watcher=progress)
    bench.dispatch = LocalDispatch(bench.runner, limit=2, watch=progress.watch)
    bench.desk._dispatch = bench.dispatch
    return progress


async def test_a_quick_job_shows_nothing(db: Database, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done before the time leaves no trace."""
    monkeypatch.setattr("jobs.progress.AFTER_SECONDS", 60.0)
    bench = Bench(db)
    progress = watch(bench, screen)
    await bench.desk.accept([request()])
    assert progress._timers
    await bench.quiet()
    assert (progress._timers, progress._percent, screen.shown) == ({}, {}, [])


async def test_one_message_for_an_album(bench: Bench, screen: Screen) -> None:
    """Three pictures share a message, which is brought up to date, remembered, and taken away once."""
    bench.provider.up.clear()
    accepted = await bench.desk.accept([request(place=place, album=9) for place in (1, 2, 3)])
    assert isinstance(accepted, Accepted)
    await screen.seen.wait()
    assert (screen.shown[0].ahead, screen.shown[0].total) == (None, 3)
    bench.provider.up.set()
    await screen.gone.wait()
    assert screen.cleared == [71]
    assert await bench.row(accepted.job_ids[2], "progress_id", "state") == (71, "delivered")


async def test_a_picture_ends_while_places_are_asked_for(db: Database, screen: Screen) -> None:
    """One of an album that ends while a server says where another stands leaves the message in order."""
    bench = Bench(db)
    progress = watch(bench, screen)
    ids: list[int] = []

    async def place(_: int) -> None:
        while ids:
            assert await bench.desk.cancel(ids.pop())

    progress._place = place
    bench.provider.up.clear()
    accepted = await bench.desk.accept([request(place=place, album=9) for place in (1, 2, 3)])
    assert isinstance(accepted, Accepted)
    ids.append(accepted.job_ids[0])
    async with asyncio.timeout(60):
        await screen.seen.wait()
        bench.provider.up.set()
        await screen.gone.wait()
    assert screen.cleared == [71]
    await bench.quiet()
    await progress.close()


async def test_waiting_in_line(bench: Bench, screen: Screen) -> None:
    """Who waits for a turn is told how many come first, of all chats in their order, and when one gives up."""
    bench.provider.up.clear()
    for number in range(2):
        await bench.desk.accept([request(chat_id=number + 1)])
    first = await bench.desk.accept([request(chat_id=3, source="m1")])
    assert isinstance(first, Accepted)
    for chat, source in ((3, "m2"), (4, "m1"), (4, "m2")):
        await bench.desk.accept([request(chat_id=chat, source=source)])
    while len(screen.shown) < 6:
        await asyncio.sleep(0.01)
    await ahead(screen, [0, 1, 2, 3])
    assert await bench.desk.cancel(first.job_ids[0])
    await ahead(screen, [0, 1, 2])
    bench.provider.up.set()
    while len(screen.cleared) < 6:
        await asyncio.sleep(0.01)


async def ahead(screen: Screen, places: list[int]) -> None:
    """Wait until the messages of those who wait say these places."""
    async with asyncio.timeout(60):
        while sorted(one.ahead for one in screen.now.values() if one.ahead is not None) != places:
            await asyncio.sleep(0.01)


async def test_a_failure_takes_the_message_away(bench: Bench, screen: Screen) -> None:
    """A job that fails after a while leaves its words only."""
    bench.provider.up.clear()
    bench.provider.troubles = [NoFace()]
    await bench.desk.accept([request()])
    await screen.seen.wait()
    bench.provider.up.set()
    await screen.gone.wait()
    assert len(bench.telegram.told) == 1


async def test_a_message_of_an_earlier_process(db: Database, screen: Screen) -> None:
    """A message that a crash left is taken over: kept while the job goes on, and gone with its end."""
    first = Bench(db)
    progress = watch(first, screen)
    first.provider.up.clear()
    accepted = await first.desk.accept([request()])
    assert isinstance(accepted, Accepted)
    await screen.seen.wait()
    await progress.close()
    await first.dispatch.stop(0)
    second = Bench(db)
    progress = watch(second, screen)
    second.dispatch.enqueue(7, accepted.job_ids[0])
    await screen.gone.wait()
    assert (len(screen.shown), screen.cleared) == (1, [71])
    await progress.close()


async def test_a_message_sent_as_the_process_ends(db: Database, screen: Screen) -> None:
    """It is remembered however late it was sent, so that the next process can take it away."""
    bench = Bench(db)
    progress = watch(bench, screen)
    bench.provider.up.clear()
    accepted = await bench.desk.accept([request()])
    assert isinstance(accepted, Accepted)
    async with db.begin():  # so that what is written has to wait
        await screen.seen.wait()
        closing = asyncio.create_task(progress.close())
        await asyncio.sleep(0)
    await closing
    assert await bench.row(accepted.job_ids[0], "progress_id") == (71,)
    await bench.dispatch.stop(0)


async def test_telegram_takes_no_message(bench: Bench, screen: Screen) -> None:
    """A chat that takes no message gets its result all the same."""
    screen.full = True
    bench.provider.up.clear()
    await bench.desk.accept([request()])
    await screen.seen.wait()
    bench.provider.up.set()
    await bench.quiet()
    assert len(bench.telegram.sent) == 1
    assert screen.cleared == []


@pytest.mark.parametrize("shown", [True, False])
async def test_server_away_meanwhile(
    server_url: str, screen: Screen, monkeypatch: pytest.MonkeyPatch, *, shown: bool
) -> None:
    """A server that is away when a message is to be shown, or brought up to date, leaves none behind, nor a timer."""
    async with reached(server_url) as db:
        bench, look, asked = Bench(db), db.look, asyncio.Event()
        progress = watch(bench, screen)
        bench.provider.up.clear()

        async def fail(_work: object) -> None:
            asked.set()
            raise db.Error

        await bench.desk.accept([request()])
        while bench.provider.at_once == 0:
            await asyncio.sleep(0)
        if shown:
            await screen.seen.wait()
        monkeypatch.setattr(db, "look", fail)
        await asked.wait()
        monkeypatch.setattr(db, "look", look)
        await screen.seen.wait()
        bench.provider.up.set()
        async with asyncio.timeout(60):
            await screen.gone.wait()
        assert progress._timers == {}
        await bench.quiet()
        await progress.close()


@pytest.mark.parametrize("pictures", [1, 2])
async def test_an_end_is_seen_before_it_is_heard_of(server_url: str, screen: Screen, pictures: int) -> None:
    """The database may show an end before its process says so, or another's end: the message goes all the same."""
    async with reached(server_url) as db:
        bench = Bench(db)
        progress = watch(bench, screen)
        bench.provider.up.clear()
        album = 1 if pictures > 1 else None
        accepted = await bench.desk.accept([request(place=place, album=album) for place in range(pictures)])
        assert isinstance(accepted, Accepted)
        await screen.seen.wait()
        for job_id in accepted.job_ids:
            await db.transact(partial(rows.update, job_id=job_id, state=State.CANCELLED, told=1))
        async with asyncio.timeout(60):
            await screen.gone.wait()
        await bench.dispatch.stop(0)
        await progress.close()
