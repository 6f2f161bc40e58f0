"""How far photos are, for those who wait: one message a request, only when it takes long, gone with its end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from jobs.job import ENDED, Job
from jobs.membership import ALONE, Lease
from storage import jobs as rows
from storage.database import Connection, Database

AFTER_SECONDS = 4.0
"""What is done sooner needs no message."""

EVERY_SECONDS = 3.0
"""How often a message is brought up to date, if there is something new."""

DEVELOPED = 95
"""Percent of a job whose result is here."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a request is. `percent` 0 to 100; `ahead`: jobs before its first, None when that has begun.

    `done` of `total` pictures are developed.
    """

    percent: int
    ahead: int | None
    done: int
    total: int


class Screen(Protocol):
    """Where people see it; what Telegram refuses is let go, for nothing depends on it."""

    async def show(self, job: Job, standing: Standing) -> int | None:
        """Send the message and give its id."""

    async def change(self, job: Job, message_id: int, standing: Standing) -> None:
        """Bring the message up to date."""

    async def clear(self, job: Job, message_id: int) -> None:
        """Take the message away."""


@dataclass(slots=True)
class _Shown:
    """A request that has its message; `left` are the jobs that have not ended."""

    left: set[int]
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Progress:
    """Watches jobs from being accepted to their end (jobs.closing.Watcher).

    A quick job costs a timer and nothing else. `place` tells how many jobs have their turn before one. Where `lease`
    says that another process works on a request, that one shows how far it is.
    """

    def __init__(
        self, db: Database, screen: Screen, place: Callable[[int], Awaitable[int | None]], lease: Lease = ALONE
    ) -> None:
        self._db = db
        self._screen = screen
        self._place = place
        self._lease = lease
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._percent: dict[int, int] = {}
        self._shown: dict[int, _Shown] = {}  # by job
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, job_id: int) -> None:
        """Note that a job was accepted, or taken up again."""
        if job_id in self._timers:
            return
        self._timers[job_id] = asyncio.get_running_loop().call_later(AFTER_SECONDS, self._begin, job_id)

    def move(self, job_id: int, percent: int) -> None:
        """Note how far a job is."""
        if job_id in self._timers:
            self._percent[job_id] = percent

    def end(self, job: Job) -> None:
        """Note that a job has ended; with the last of a request its message goes."""
        if not self._forget(job.id) and job.progress_id:  # shown by the process before this one
            self._run(self._clear(job, job.progress_id))

    def _forget(self, job_id: int) -> bool:
        """Follow a job no longer; tell whether its request has its message here, which goes with the last job."""
        if timer := self._timers.pop(job_id, None):
            timer.cancel()
        self._percent.pop(job_id, None)
        shown = self._shown.pop(job_id, None)
        if shown is None:
            return False
        shown.left.discard(job_id)
        if not shown.left:
            shown.over.set()
        return True

    async def close(self) -> None:
        """Show nothing more; the messages stay for the next start."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, job_id: int) -> None:
        if job_id not in self._shown:
            self._run(self._follow(job_id))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, job_id: int) -> None:
        """Show a request's message from now to its end."""
        try:
            jobs = await self._ours(job_id)
        except self._db.Error:
            if self._timers.pop(job_id, None):
                self.watch(job_id)  # a little later, then
            return
        left = {job.id for job in jobs if job.id in self._timers}
        if not left or job_id in self._shown:
            return
        shown = _Shown(left)
        self._shown |= dict.fromkeys(left, shown)
        first, standing = jobs[0], await self._standing(jobs, shown)
        message_id = next((job.progress_id for job in jobs if job.progress_id), None)
        if message_id is None:
            message_id = await self._screen.show(first, standing)
            if message_id is None:
                return
            await self._keep(jobs, message_id)
        while not shown.over.is_set():
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await shown.over.wait()
            except TimeoutError:
                with suppress(self._db.Error):  # it stays as it is, until the next time
                    if self._db.on_server and not await self._ours(job_id):
                        return
                    before, standing = standing, await self._standing(jobs, shown)
                    if standing != before:
                        await self._screen.change(first, message_id, standing)
        await self._clear(first, message_id)

    async def _ours(self, job_id: int) -> list[Job]:
        """Give the jobs of a request, or none when another process works on it: that one shows how far it is.

        What has ended is forgotten here, with a message that this process may have sent meanwhile.
        """
        found = await self._db.look(lambda conn: rows.together(conn, job_id))
        jobs = [Job.of(row) for row in found]
        theirs = any(row["owner"] and not self._lease.owns(row) for row in found)
        for job in jobs:
            if job.state in ENDED or theirs:
                self._forget(job.id)
        if theirs and all(job.state in ENDED for job in jobs):
            for message_id in {job.progress_id for job in jobs if job.progress_id}:
                await self._clear(jobs[0], message_id)
        return [] if theirs else jobs

    async def _standing(self, jobs: list[Job], shown: _Shown) -> Standing:
        """Put together how far the jobs of a request are, in steps of ten percent: edits are dear."""
        far = sum(self._percent.get(job.id, 0) if job.id in shown.left else 100 for job in jobs)
        places = [await self._place(job_id) for job_id in list(shown.left)]  # one may end while a server is asked
        waiting = [place for place in places if place is not None]
        ahead = min(waiting) if len(waiting) == len(jobs) else None
        done = sum(job.id not in shown.left or self._percent.get(job.id, 0) >= DEVELOPED for job in jobs)
        return Standing(far // len(jobs) // 10 * 10, ahead, done, len(jobs))

    async def _keep(self, jobs: list[Job], message_id: int) -> None:
        """Remember a message that was sent, though the process end meanwhile: else nobody would take it away."""

        async def write(conn: Connection) -> None:
            for job in jobs:
                await rows.note_progress(conn, job.id, message_id)

        keeping = asyncio.ensure_future(self._db.persist(write))
        try:
            await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await keeping
            raise

    async def _clear(self, job: Job, message_id: int) -> None:
        await self._screen.clear(job, message_id)
