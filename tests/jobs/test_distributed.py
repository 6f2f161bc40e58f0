"""Jobs over several processes on PostgreSQL: each replica here is all that a process has, on its own connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import psycopg
import pytest
import sqlalchemy as sa

from jobs.dispatch import Accepted, Desk
from jobs.distributed import DistributedDispatch
from jobs.job import Request
from jobs.local import LocalDispatch
from jobs.membership import Membership
from jobs.runner import Runner
from storage import audit, ledger, processes, tables
from storage import jobs as rows
from storage.database import Connection, Row
from storage.jobs import SupersededError
from storage.opening import open_database
from storage.postgres import Postgres
from storage.tables import jobs
from tests.jobs.support import Counts, Provider, Telegram, request
from tests.postgres import Server

COSTS = {"colorize": 1, "cutout": 2}
_first = sa.select(jobs).where(jobs.c.id == sa.bindparam("job"))
_me = tables.processes.c.id == sa.bindparam("me")
_age = sa.update(tables.processes).values(beat_at=sa.case((_me, 0), else_=9e9))  # the others live, however late it is
_calls = sa.table("procrastinate_jobs", sa.column("id"))
_cut = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE wait_event = 'relation' AND query ~ 'procrastinate_(defer|cancel)_job'"
)
_workers = sa.select(sa.table("procrastinate_workers", sa.column("id")).c.id)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slow machine pass neither for a process that is dead nor for one that does not answer."""
    monkeypatch.setattr("jobs.membership.LEASE_SECONDS", 600.0)
    monkeypatch.setattr("jobs.distributed.CANCEL_SECONDS", 600.0)


class Replica:
    """One process: what it accepts anyone may work on; `task` is its work, if it does any."""

    task: asyncio.Task[None]

    def __init__(self, db: Postgres, telegram: Telegram, provider: Provider, counts: Counts) -> None:
        self.db = db
        self.membership = Membership(db, "run")
        self.runner = Runner(db, provider, telegram, counts, work_seconds=30, deliver_seconds=30, lease=self.membership)
        self.local = LocalDispatch(
            self.runner,
            limit=16,
            released=lambda job_id: self.dispatch.released(job_id),  # noqa: PLW0108  made below
            ended=lambda chat_id, job_id: self.dispatch.ended(chat_id, job_id),  # noqa: PLW0108  made below
        )
        self.dispatch = DistributedDispatch(db, self.local, self.runner, self.membership, chat_limit=4)
        self.membership.on_beat.append(self.dispatch.sweep)
        self.membership.on_lost.append(self.dispatch.abandon)
        self.desk = Desk(db, self.dispatch, ledger.Terms(100), COSTS, chat_unfinished=60)

    async def accept(self, *requests: Request) -> tuple[int, ...]:
        """Accept requests and give the ids of their jobs."""
        accepted = await self.desk.accept(requests)
        assert isinstance(accepted, Accepted)
        return accepted.job_ids

    async def job(self, job_id: int) -> Row:
        """Give the job's row."""
        row = await self.db.look(lambda conn: conn.one(_first, job=job_id))
        assert row is not None
        return row

    async def forgotten(self) -> None:
        """Have this process, which works on, taken for one that died long ago."""
        await self.db.transact(lambda conn: conn.all(_age, me=self.membership.id))
        while self.membership.id not in await self.db.transact(lambda conn: processes.bury(conn, 1.0)):
            await asyncio.sleep(0.1)  # the server has not been up for that long

    async def stop(self) -> None:
        """End as a process does that is told to."""
        await _ended(self.task)
        await self.local.stop(0)
        await self.membership.leave()


class Town:
    """Replicas on one database, between one Telegram and one provider."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.telegram, self.provider, self.counts = Telegram(), Provider(), Counts()

    async def replica(self, *, working: bool) -> Replica:
        """Start a process."""
        db = await open_database(self._url)
        self._stack.push_async_callback(db.close)
        assert isinstance(db, Postgres)
        made = Replica(db, self.telegram, self.provider, self.counts)
        await made.membership.join()
        await made.dispatch.open()
        if working:
            made.task = asyncio.create_task(made.dispatch.work(8))
            self._stack.push_async_callback(_ended, made.task)
        self._stack.push_async_callback(made.dispatch.abandon)
        return made


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def town_at(url: str) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        yield Town(url, stack)


@pytest.fixture
async def town(server_url: str) -> AsyncIterator[Town]:
    async with town_at(server_url) as made:
        yield made


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(60):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.01)


async def all_told(replica: Replica) -> bool:
    """Tell whether every job has ended."""
    left = sa.select(sa.func.count().label("n")).where(jobs.c.told == 0)
    row = await replica.db.look(lambda conn: conn.one(left))
    return row is not None and row["n"] == 0


async def test_accepted_here_developed_there(town: Town) -> None:
    """A photo accepted by one process is developed and delivered by another, charged once; nothing is left behind."""
    front, worker = await town.replica(working=False), await town.replica(working=True)
    (job,) = await front.accept(request())
    await until(lambda: all_told(front))
    row = await front.job(job)
    assert (row["state"], row["owner"], row["epoch"]) == ("delivered", worker.membership.id, 1)
    assert town.telegram.sent == [(7, job)]
    await until(lambda: town.counts.charged == 1)  # counted once it is written, which others see a little sooner
    await until(lambda: _no_calls(front))
    assert await front.db.look(audit.differences) == []


async def _no_calls(replica: Replica) -> bool:
    return await replica.db.look(lambda conn: conn.one(sa.select(_calls.c.id))) is None


async def test_both_or_neither(town: Town) -> None:
    """A transaction that fails after the job was handed out leaves neither job nor call."""
    front = await town.replica(working=False)

    async def fail(conn: Connection) -> None:
        assert await rows.add(conn, state="accepted", **request().columns())
        await front.dispatch.admit(conn, 7)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await front.db.transact(fail)
    assert await all_told(front)
    assert await _no_calls(front)


async def test_cut_off_while_a_job_is_handed_out(town: Town, server_url: str) -> None:
    """A photo is accepted although the server ends the session while procrastinate writes its call."""
    front = await town.replica(working=False)
    async with await psycopg.AsyncConnection.connect(server_url) as other:
        await other.execute("LOCK procrastinate_jobs IN SHARE MODE")
        accepting = asyncio.create_task(front.accept(request()))
        await until(lambda: _cut_off(front))
        await other.rollback()
    (job,) = await accepting
    assert (await front.job(job))["owner"] == 0


async def _cut_off(replica: Replica) -> bool:
    """End the session that waits to hand out or to abort a call, once there is one."""
    return bool(await replica.db.look(lambda conn: conn.all(_cut)))


async def test_cut_off_while_a_call_is_aborted(town: Town, server_url: str) -> None:
    """A photo that another process works on is stopped although the server ends the session that aborts its call."""
    front, worker = await town.replica(working=False), await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: town.provider.at_once == 1)
    async with await psycopg.AsyncConnection.connect(server_url) as other:
        await other.execute("LOCK procrastinate_jobs IN SHARE MODE")
        stopping = asyncio.create_task(front.desk.cancel(job))
        await until(lambda: _cut_off(front))
        await other.rollback()
    await worker.dispatch.sweep()
    assert await stopping


async def test_four_of_a_chat_and_others_in_between(town: Town) -> None:
    """Of a chat's ten photos the first four are worked on over all processes, and a later chat has its turn."""
    front = await town.replica(working=False)
    await town.replica(working=True)
    await town.replica(working=True)
    town.provider.up.clear()
    made = await front.accept(*(request(place=place) for place in range(10)))
    await until(lambda: town.provider.at_once == 4)
    assert [(await front.job(job))["owner"] is None for job in made] == [False] * 4 + [True] * 6
    (other,) = await front.accept(request(chat_id=9, source="m2"))
    await until(lambda: town.provider.at_once == 5)
    assert (await front.job(other))["owner"]
    town.provider.up.set()
    await until(lambda: all_told(front))
    assert town.provider.most == 5
    assert len(town.telegram.sent) == 11


async def test_processes_keep_a_chats_limit_together(town: Town) -> None:
    """Of photos that several processes accept at the same moment no more stand than one process would take."""
    replicas = [await town.replica(working=False) for _ in range(4)]
    for each in replicas:
        each.desk._chat_unfinished = 1
    said = await asyncio.gather(*(each.desk.accept([request(place=place)]) for place, each in enumerate(replicas)))
    assert sum(isinstance(answer, Accepted) for answer in said) == 1


async def test_album_in_one_process(town: Town) -> None:
    """The pictures of an album are developed by one process and sent in one message, though they are more than four."""
    front = await town.replica(working=False)
    await town.replica(working=True)
    await town.replica(working=True)
    town.provider.up.clear()
    made = await front.accept(*(request(place=place, album=5) for place in range(6)))
    await until(lambda: town.provider.at_once == 4)
    town.provider.up.set()
    await until(lambda: all_told(front))
    assert town.telegram.albums == [list(made)]
    assert len({(await front.job(job))["owner"] for job in made}) == 1
    assert town.provider.most == 4


async def test_cancel_what_waits(town: Town) -> None:
    """A job nobody works on is cancelled at once, and a worker that finds its call later does nothing."""
    front = await town.replica(working=False)
    (job,) = await front.accept(request())
    assert await front.desk.cancel(job)
    assert not await front.desk.cancel(job)
    await town.replica(working=True)
    await until(lambda: _no_calls(front))
    assert (await front.job(job))["state"] == "cancelled"
    assert town.provider.uploads == []
    assert await front.db.look(audit.differences) == []


async def test_cancel_elsewhere(town: Town) -> None:
    """A job that another process works on is cancelled by procrastinate's abort, without waiting for a beat."""
    front = await town.replica(working=False)
    await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: town.provider.at_once == 1)
    assert await front.desk.cancel(job)
    assert (await front.job(job))["state"] == "cancelled"
    assert town.provider.at_once == 0
    assert town.telegram.sent == []
    assert town.counts.charged == 0


async def test_cancel_album_elsewhere(town: Town) -> None:
    """All pictures of an album that another process works on are cancelled without waiting for a beat."""
    front = await town.replica(working=False)
    await town.replica(working=True)
    town.provider.up.clear()
    made = await front.accept(*(request(place=place, album=5) for place in range(6)))
    await until(lambda: town.provider.at_once == 4)
    assert await front.desk.cancel_request(made[0]) == 6
    assert town.telegram.sent == []
    assert town.counts.charged == 0


async def _held(worker: Replica, *made: int) -> bool:
    return all(worker.runner.albums.holds(job) for job in made)


async def test_album_goes_on_without_what_is_cancelled_elsewhere(town: Town) -> None:
    """An album does not wait for ever for a picture that another process cancels, be it after all others are done."""
    front = await town.replica(working=False)
    made = await front.accept(*(request(place=place, album=5) for place in range(3)))
    await front.db.transact(lambda conn: rows.seize(conn, made[2], front.membership.id))
    worker = await town.replica(working=True)
    await until(lambda: _held(worker, *made[:2]))
    assert await front.runner.cancel(made[2])
    await worker.dispatch.sweep()
    await until(lambda: all_told(front))
    assert town.telegram.albums == [list(made[:2])]


async def test_album_stays_together(town: Town) -> None:
    """A picture of an album that a dead process left joins the others where they are, not in a third process."""
    front, dying = await town.replica(working=False), await town.replica(working=False)
    made = await front.accept(*(request(place=place, album=5) for place in range(3)))
    await front.db.transact(lambda conn: rows.seize(conn, made[2], dying.membership.id))
    worker = await town.replica(working=True)
    await until(lambda: _held(worker, *made[:2]))
    await _ended(worker.task)
    await dying.forgotten()
    await town.replica(working=True)
    await front.dispatch.sweep()
    await worker.dispatch.sweep()
    await until(lambda: all_told(front))
    assert town.telegram.albums == [list(made)]


async def test_album_of_another(town: Town) -> None:
    """Pictures of an album that have another owner by now are neither sent nor paid by whoever still holds them."""
    front, other = await town.replica(working=False), await town.replica(working=False)
    made = await front.accept(*(request(place=place, album=5) for place in range(3)))
    await front.db.transact(lambda conn: rows.seize(conn, made[2], front.membership.id))
    worker = await town.replica(working=True)
    await until(lambda: _held(worker, *made[:2]))
    await worker.forgotten()
    for job in made[:2]:
        await other.db.transact(lambda conn, job=job: rows.seize(conn, job, other.membership.id))  # type: ignore[misc]  # mypy cannot type a lambda's default
    assert await front.runner.cancel(made[2])
    with pytest.raises(SupersededError):
        await worker.runner.albums.check_all()
    await worker.dispatch.abandon()
    assert town.telegram.sent == []
    assert [(await front.job(job))["state"] for job in made[:2]] == ["delivering", "delivering"]


async def test_cancel_twice_at_once(town: Town) -> None:
    """A second press, while another process cancels what nobody was handed yet, finds it cancelled."""
    front, other = await town.replica(working=False), await town.replica(working=False)
    made = await front.accept(*(request(place=place) for place in range(5)))
    assert await other.db.transact(lambda conn: rows.seize(conn, made[4], other.membership.id))
    pressing = asyncio.create_task(front.desk.cancel(made[4]))
    await until(lambda: _stopping(front, made[4]))
    assert await other.runner.cancel(made[4])
    assert await pressing


async def test_cancel_what_is_handed_out_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that its process leaves and that is handed out anew at the moment of the press is not lost: it ends."""
    monkeypatch.setattr("jobs.distributed.CANCEL_SECONDS", 0.0)
    front, leaving = await town.replica(working=False), await town.replica(working=False)
    (job,) = await front.accept(request())
    await leaving.db.transact(lambda conn: rows.take(conn, job, leaving.membership.id))
    await leaving.db.transact(lambda conn: conn.all(sa.delete(_calls)))
    async with leaving.db.begin() as conn:
        await processes.leave(conn, leaving.membership.id)
        await leaving.dispatch.admit(conn, 7)
        pressing = asyncio.create_task(front.desk.cancel(job))
        await until(lambda: _waiting(front))
    await pressing
    town.provider.up.clear()
    worker = await town.replica(working=True)

    async def over() -> bool:
        await worker.dispatch.sweep()
        return await all_told(front)

    await until(over)
    assert (await front.job(job))["state"] == "cancelled"


async def _waiting(replica: Replica) -> bool:
    """Tell whether somebody waits for another's transaction."""
    waits = sa.text("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'transactionid'")
    return bool(await replica.db.look(lambda conn: conn.all(waits)))


async def test_busy_chats_keep_nobody_waiting(town: Town) -> None:
    """However many chats have more photos than may be worked on at a time, what a dead process left has its turn."""
    front = await town.replica(working=False)
    for chat_id in range(100, 200):
        await front.accept(*(request(chat_id=chat_id, place=place) for place in range(5)))
    (job,) = await front.accept(request(chat_id=900))
    await front.db.transact(lambda conn: rows.take(conn, job, front.membership.id))
    await front.forgotten()
    assert (await front.job(job))["owner"] is None
    await front.dispatch.sweep()
    assert (await front.job(job))["owner"] == 0


async def test_cancel_whose_abort_was_lost(town: Town) -> None:
    """When who gave a job up died before it told the worker, the worker sees it at its next beat."""
    front, worker = await town.replica(working=False), await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: town.provider.at_once == 1)
    await front.db.transact(lambda conn: rows.set_stop(conn, job, wanted=True))
    await worker.dispatch.sweep()
    assert (await front.job(job))["state"] == "cancelled"
    assert town.provider.at_once == 0


async def test_cancel_too_late(town: Town) -> None:
    """A result that is on its way to the chat is not stopped, and whoever asks is told so, and need not guess."""
    front, worker = await town.replica(working=False), await town.replica(working=True)
    town.telegram.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: bool(town.telegram.up._waiters))
    asking = asyncio.create_task(front.desk.cancel(job))
    await until(lambda: _stopping(front, job))
    await worker.membership._beat()
    async with asyncio.timeout(60):
        assert not await asking
    town.telegram.up.set()
    await until(lambda: all_told(front))
    assert town.telegram.sent == [(7, job)]


async def test_cancel_what_may_be_in_its_chat(town: Town) -> None:
    """What a process was sending when it died is sent by the next one, and charged: nobody knows whether it came."""
    front, dead = await town.replica(working=False), await town.replica(working=False)
    (job,) = await front.accept(request())
    await dead.db.transact(lambda conn: rows.take(conn, job, dead.membership.id))
    sending = {"state": "delivering", "provider": "gptge", "task_id": "t"}
    await dead.db.transact(lambda conn: rows.update(conn, job, epoch=1, **sending))
    await dead.membership.leave()
    assert not await front.desk.cancel_request(job)
    assert not await front.desk.cancel(job)
    worker = await town.replica(working=True)
    await worker.dispatch.sweep()
    await until(lambda: all_told(front))
    assert town.telegram.sent == [(7, job)]
    assert (await front.job(job))["state"] == "delivered"


async def _delivering(replica: Replica, job: int) -> bool:
    return bool((await replica.job(job))["state"] == "delivering")


async def _stopping(replica: Replica, job: int) -> bool:
    return bool((await replica.job(job))["stop"])


async def test_dead_workers_job_is_resumed(town: Town) -> None:
    """What a dead process was asked for is asked for by the next, not submitted again; a thawed one changes nothing."""
    front, frozen = await town.replica(working=False), await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: _submitted(front, job))
    await frozen.forgotten()
    other = await town.replica(working=True)
    await until(lambda: _taken_over(other, job))  # by a second call, if the frozen one had the first
    town.provider.up.set()
    await until(lambda: all_told(front))
    row = await front.job(job)
    assert (row["state"], row["owner"]) == ("delivered", other.membership.id)
    assert len(town.provider.tasks) == 1
    assert town.telegram.sent == [(7, job)]
    await until(lambda: town.counts.charged == 1)
    before = frozen.membership.id
    await frozen.membership._beat()
    assert frozen.membership.id > before
    assert frozen.local.working == 0
    (again,) = await front.accept(request(source="m2"))
    await until(lambda: all_told(front))
    assert (await front.job(again))["state"] == "delivered"


async def _submitted(replica: Replica, job: int) -> bool:
    return bool((await replica.job(job))["task_id"])


async def _taken_over(replica: Replica, job: int) -> bool:
    if not replica.membership.owns(await replica.job(job)):  # else a sweep may find it a stray, and let it go
        await replica.dispatch.sweep()
    return replica.local.working == 1


async def test_between_two_lives(town: Town) -> None:
    """A process that was buried works on nothing before it has a new id, not even on what all may take."""
    front, buried = await town.replica(working=False), await town.replica(working=False)
    (job,) = await front.accept(request())
    buried.membership.id = 0
    assert await buried.runner.work(job) is None
    assert town.provider.uploads == []


async def test_who_may_be_taken_for_dead_sends_nothing(town: Town) -> None:
    """A process that did not beat in time keeps a result until it knows that it lives."""
    front, slow = await town.replica(working=False), await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: town.provider.at_once == 1)
    slow.membership._beat_at = float("-inf")
    town.provider.up.set()
    await until(lambda: bool(slow.membership._again._waiters))
    assert await _delivering(front, job)
    assert town.telegram.sent == []
    await slow.membership._beat()
    await until(lambda: all_told(front))
    assert town.telegram.sent == [(7, job)]


async def test_who_was_taken_for_dead_hears_of_it(town: Town) -> None:
    """Whatever waited in a process to be sure that it lives is told that the process was buried meanwhile."""
    frozen = await town.replica(working=False)
    frozen.membership._beat_at = float("-inf")
    waiting = asyncio.create_task(frozen.membership.sure())
    await until(lambda: bool(frozen.membership._again._waiters))
    await frozen.forgotten()
    await frozen.membership._beat()
    with pytest.raises(SupersededError):
        await waiting


async def test_who_was_buried_drops_its_work(town: Town) -> None:
    """A process that hears of its burial stops what it is at, and is nobody before it is another one."""
    front, frozen = await town.replica(working=False), await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: _submitted(front, job))
    seen: list[tuple[int, int, int]] = []

    async def note() -> None:
        seen.append((frozen.membership.id, town.provider.at_once, frozen.local.working))

    frozen.membership.on_lost.append(note)
    await frozen.forgotten()
    await frozen.membership._beat()
    assert seen == [(0, 0, 0)]
    town.provider.up.set()
    await until(lambda: all_told(front))
    assert len(town.provider.tasks) == 1
    assert town.telegram.sent == [(7, job)]


async def test_epoch_fences(town: Town) -> None:
    """Who lost a job writes nothing more about it, even while nobody else has it, and is told so."""
    frozen = await town.replica(working=False)
    (job,) = await frozen.accept(request())
    await frozen.db.transact(lambda conn: rows.take(conn, job, frozen.membership.id))
    mine = int((await frozen.job(job))["epoch"])
    await frozen.forgotten()
    assert (await frozen.job(job))["owner"] is None
    for epoch in (mine, mine - 1):
        with pytest.raises(SupersededError):
            await frozen.db.persist(lambda conn, old=epoch: rows.update(conn, job, epoch=old, state="delivered"))  # type: ignore[misc]  # mypy cannot type a lambda's default
    assert (await frozen.job(job))["state"] == "accepted"


async def test_call_that_died(town: Town) -> None:
    """A job whose call is gone before anyone took it is handed out anew."""
    front = await town.replica(working=False)
    (job,) = await front.accept(request())
    await front.db.transact(lambda conn: conn.all(sa.delete(_calls)))
    await town.replica(working=True)
    await front.dispatch.sweep()
    await until(lambda: all_told(front))
    assert (await front.job(job))["state"] == "delivered"


async def test_a_process_that_stops_leaves_its_jobs(town: Town) -> None:
    """At a clean stop the others go on at once, without waiting for a lease."""
    front, leaving = await town.replica(working=False), await town.replica(working=True)
    town.provider.up.clear()
    (job,) = await front.accept(request())
    await until(lambda: town.provider.at_once == 1)
    await leaving.stop()
    other = await town.replica(working=True)
    await other.dispatch.sweep()
    town.provider.up.set()
    await until(lambda: all_told(front))
    assert (await front.job(job))["owner"] == other.membership.id
    assert len(town.provider.tasks) == 1


async def test_a_long_chore_delays_no_beat(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a chore of the beat takes, an album that is sent by it say, its process is not taken for dead."""
    monkeypatch.setattr("jobs.membership.BEAT_SECONDS", 0.02)
    replica = await town.replica(working=False)
    beats: list[float] = []

    async def chore() -> None:
        first = replica.membership._beat_at
        while len(beats) < 2:
            await asyncio.sleep(0.01)
            if replica.membership._beat_at != first:
                first = replica.membership._beat_at
                beats.append(first)

    replica.membership.on_beat.append(chore)
    beating = asyncio.create_task(replica.membership.run())
    try:
        await until(lambda: len(beats) == 2)
    finally:
        await _ended(beating)


async def test_who_was_cut_off_buries_nobody(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that could not reach the server for a lease gives the others one, too: they may have fared as badly."""
    now = 0.0
    monkeypatch.setattr("jobs.membership.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("jobs.membership.LEASE_SECONDS", 0.5)
    one, other = await town.replica(working=False), await town.replica(working=False)

    async def alive() -> bool:
        return await _registered(one, other.membership.id)

    await other.db.transact(lambda conn: conn.all(_age, me=other.membership.id))
    now += 0.5
    await one.membership._beat()
    assert await alive()

    async def buried() -> bool:
        nonlocal now
        now += 0.25
        await one.membership._beat()
        return not await alive()

    await until(buried)


async def _registered(replica: Replica, process: int) -> bool:
    """Tell whether a process is registered."""
    one = sa.select(tables.processes.c.id).where(tables.processes.c.id == sa.bindparam("me"))
    return await replica.db.look(lambda conn: conn.one(one, me=process)) is not None


async def test_stray_is_let_go(town: Town) -> None:
    """A job that a process owns but does not work on is left to the others after two beats."""
    front, worker = await town.replica(working=False), await town.replica(working=False)
    (job,) = await front.accept(request())
    await worker.db.transact(lambda conn: rows.take(conn, job, worker.membership.id))
    await worker.dispatch.sweep()
    assert (await front.job(job))["owner"] == worker.membership.id
    await worker.dispatch.sweep()
    assert (await front.job(job))["owner"] is None
    await worker.dispatch.sweep()
    assert (await front.job(job))["owner"] == 0


async def test_a_job_that_nobody_can_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that breaks whatever works on it is not taken and sent for ever: it fails, and costs nothing."""
    monkeypatch.setattr("jobs.runner.EPOCHS_LIMIT", 4)

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("jobs.closing.Closing.delivered", fail)
    worker = await town.replica(working=True)
    (job,) = await worker.accept(request())

    async def over() -> bool:
        if await _no_calls(worker) and not worker.local.working:  # one that is just being taken is no stray
            await worker.dispatch.sweep()
        return await all_told(worker)

    await until(over)
    assert len(town.telegram.sent) == 2
    assert [code for _, code, _ in town.telegram.told] == ["internal"]
    assert await worker.db.look(audit.differences) == []
    assert (await worker.job(job))["state"] == "failed"
    assert town.counts.charged == 0


async def test_listens_again_after_a_restart(town: Town, postgres: Server) -> None:
    """When the server was away nobody is buried who could not beat, and the worker hears of new jobs as before."""
    front = await town.replica(working=False)
    await town.replica(working=True)
    await until(lambda: _listening(front))
    await front.db.transact(lambda conn: conn.all(_age, me=front.membership.id))
    await asyncio.to_thread(postgres.restart)
    assert await front.db.transact(lambda conn: processes.bury(conn, 600.0)) == []
    await until(lambda: _listening(front))
    await front.accept(request())
    await until(lambda: all_told(front))


async def _listening(replica: Replica) -> bool:
    sessions = sa.text("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%procrastinate%'")
    return bool(await replica.db.look(lambda conn: conn.all(sessions)))


async def test_places(town: Town) -> None:
    """Whoever waits is told how many are before them; what is worked on has no place."""
    front = await town.replica(working=False)
    made = await front.accept(*(request(place=place) for place in range(6)))
    assert [await front.dispatch.place(job) for job in made] == list(range(6))
    await front.dispatch.sweep()
    assert front.dispatch.depth == 6
    await town.replica(working=True)
    await until(lambda: all_told(front))
    assert await front.dispatch.place(made[0]) is None or (await front.job(made[0]))["told"]


async def test_an_end_that_breaks_is_an_end(server_url: str) -> None:
    """A worker told to end takes no more jobs, even if procrastinate cannot take leave of the server."""
    async with town_at(server_url) as town:
        worker = await town.replica(working=True)
        while not await worker.db.look(lambda conn: conn.all(_workers)):
            await asyncio.sleep(0.01)
        async with worker.db.pool.connection() as raw:
            await raw.execute("ALTER FUNCTION procrastinate_unregister_worker_v1 RENAME TO away")
        worker.task.cancel()
        await asyncio.wait([worker.task], timeout=60)
        assert worker.task.cancelled()
