"""Has jobs worked on by any process that shares the PostgreSQL database: procrastinate carries their ids.

The jobs table says whose turn it is and who works on what (`owner`, `epoch`); a request, be it one photo or an album,
is handed out as one call. Of one chat at most `chat_limit` jobs are handed out, and its next ones join procrastinate's
queue at the end when these are done: so a chat with fifty photos delays nobody else's.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.connector import Notify
from procrastinate.job_context import AbortReason, JobContext

from jobs.job import ENDED, State
from jobs.local import LocalDispatch
from jobs.membership import Membership
from jobs.runner import Runner
from storage import jobs as rows
from storage import queue
from storage.database import Connection, Row
from storage.jobs import SupersededError
from storage.postgres import Postgres, PostgresConnection

CANCEL_SECONDS = 2.0
"""How long the process that works on a job may take to say whether it could be stopped."""

LOOK_SECONDS = 0.05
STOP_SECONDS = 0.25  # between looks for more to stop in a request of which something was: a call is aborted but once
AGAIN_SECONDS = 1.0  # before procrastinate's worker is started again, which ends when the server does
POLL_SECONDS = 1.0
log = structlog.get_logger()


class _Connector(procrastinate.PsycopgConnector):
    """procrastinate's, which goes on listening when the server was away; its own does not, and nobody notices."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        while True:
            try:
                await super().listen_notify(on_notification, channels)
            except procrastinate.exceptions.ConnectorException as error:
                log.warning("no word from the queue", cause=repr(error.__cause__))
            await asyncio.sleep(AGAIN_SECONDS)


class DistributedDispatch:
    """Hands jobs out to the workers (jobs.dispatch.Dispatch), and works on those this process takes.

    `local` does the work, `runner` ends what nobody works on yet, `watch` hears of every job accepted here.
    """

    def __init__(
        self,
        db: Postgres,
        local: LocalDispatch,
        runner: Runner,
        membership: Membership,
        *,
        chat_limit: int,
        watch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._db = db
        self._local = local
        self._runner = runner
        self._membership = membership
        self._chat_limit = chat_limit
        self._watch = watch
        self._working: dict[int, asyncio.Future[None]] = {}  # by job, done when it needs no slot any more
        self._strays: set[int] = set()  # owned at the last sweep, and nobody here knew of them
        self._tasks: set[asyncio.Task[None]] = set()
        self.depth = 0
        self._queue = procrastinate.App(connector=_Connector())
        self._work_on = self._queue.task(name="work", queue="jobs", pass_context=True)(self._work)

    @property
    def working(self) -> int:
        """How many jobs are being worked on or delivered in this process."""
        return self._local.working

    async def open(self) -> None:
        """Get ready to hand out jobs."""
        await self._queue.open_async(self._db.pool)

    async def admit(self, conn: Connection, chat_id: int) -> None:
        """Hand out what is the chat's turn, in the transaction of `conn`."""
        assert isinstance(conn, PostgresConnection)  # noqa: S101  nothing else has this dispatch
        await conn.lock(f"chat {chat_id}")
        unfinished = await rows.unfinished_of(conn, chat_id)
        busy = sum(row["owner"] is not None for row in unfinished)
        for request in _requests(unfinished):
            if busy and busy + len(request) > self._chat_limit:
                break
            busy += len(request)
            try:
                call = await self._work_on.configure(connection=conn.raw).defer_async(job_id=request[0])
            except procrastinate.exceptions.ConnectorException as error:
                raise error.__cause__ or error from None  # the driver's, after which the transaction is done again
            for job_id in request:
                await rows.hand_out(conn, job_id, call)

    def enqueue(self, _chat_id: int, job_id: int, *, at_once: bool = False) -> None:  # noqa: ARG002  the seam's
        """Show how far the job is; it was handed out in its transaction."""
        self._watch(job_id)

    async def place(self, job_id: int) -> int | None:
        """Say about how many jobs will have their turn before this one; None when it is worked on."""
        row = await self._db.look(lambda conn: rows.get(conn, job_id))
        if row is None or row["owner"]:
            return None
        return await self._db.look(lambda conn: rows.before(conn, job_id))

    async def cancel(self, job_id: int) -> bool:
        """End the job without a result; False when it has ended or its result is already on the way to the chat."""
        me = self._membership.id
        if await self._db.transact(lambda conn: rows.seize(conn, job_id, me)):
            cancelled = await self._runner.cancel(job_id)
            if not cancelled:
                await self._db.transact(lambda conn: rows.let_go(conn, job_id, me))
            return cancelled
        call = await self._db.transact(lambda conn: rows.set_stop(conn, job_id, wanted=True))
        if call is None:
            return False
        with suppress(procrastinate.exceptions.ConnectorException):  # its owner sees the mark at its next beat
            await self._queue.job_manager.cancel_job_by_id_async(call, abort=True, delete_job=True)
        for _ in range(int(CANCEL_SECONDS / LOOK_SECONDS)):
            row = await self._db.look(lambda conn: rows.get(conn, job_id))
            if row is None or row["state"] in ENDED or not row["stop"]:
                return row is not None and bool(row["state"] == State.CANCELLED)
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def work(self, concurrency: int) -> None:
        """Take calls from the queue until cancelled, `concurrency` at a time."""
        while True:
            try:
                await self._queue.run_worker_async(
                    queues=["jobs"],
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    shutdown_graceful_timeout=0.0,
                    fetch_job_polling_interval=POLL_SECONDS,  # for a call whose NOTIFY came before the LISTEN
                    abort_job_polling_interval=POLL_SECONDS,
                    update_heartbeat_interval=queue.BEAT_SECONDS,
                )
            except (psycopg.Error, procrastinate.exceptions.ProcrastinateException) as error:
                log.warning("the queue is out of reach", cause=repr(error))
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # what breaks in procrastinate's end takes its place
            await asyncio.sleep(AGAIN_SECONDS)

    async def sweep(self) -> None:
        """Hand out what waits though it is its turn, and set right what died half-way; for each beat."""
        await self._db.transact(queue.tidy)
        for chat_id in await self._db.look(lambda conn: rows.waiting_chats(conn, self._chat_limit)):
            await self._db.transact(lambda conn, chat=chat_id: self.admit(conn, chat))  # type: ignore[misc]  # mypy cannot type a lambda's default
        self.depth = await self._db.look(queue.depth)
        me = self._membership.id
        mine = await self._db.look(lambda conn: rows.owned(conn, me))
        strays = {row["id"] for row in mine if not self._knows(row["id"])}
        for job_id in strays & self._strays:
            log.warning("a job of this process that it does not work on is left to the others", job=job_id)
            await self._db.transact(lambda conn, job=job_id: rows.let_go(conn, job, me))  # type: ignore[misc]  # as above
        self._strays = strays - self._strays
        await self._complete_albums([row["id"] for row in mine if row["id"] not in strays], me)
        for row in mine:
            if row["stop"]:
                await self._stop(row["id"])

    async def _complete_albums(self, here: Sequence[int], me: int) -> None:
        """Go on with albums of which a picture was another process's, which cancelled it or died."""
        if here:
            for row in await self._db.transact(lambda conn: rows.adopt(conn, here, me)):
                self._local.enqueue(row["chat_id"], row["id"])
        self._start(self._runner.albums.check_all())

    async def abandon(self) -> None:
        """Drop all work: the others have taken this process for dead, and its jobs for theirs."""
        await self._local.abandon()
        self._runner.albums.close()
        for job_id in list(self._working):
            self.released(job_id)

    def released(self, job_id: int) -> None:
        """Note that a job needs no slot any more; for LocalDispatch."""
        if future := self._working.pop(job_id, None):
            future.set_result(None)

    def ended(self, chat_id: int, _job_id: int) -> None:
        """Let the chat's next jobs have their turn; for LocalDispatch."""
        self._start(self._db.transact(lambda conn: self.admit(conn, chat_id)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._until_the_beat(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_the_beat(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except psycopg.Error as error:
            log.warning("something waits for the next beat", cause=repr(error))
        except SupersededError:
            log.info("an album taken over by another process")

    async def _work(self, context: JobContext, job_id: int) -> None:
        """Take a request, and return when none of its jobs needs a slot any more."""
        me = self._membership.id
        taken = await self._db.persist(lambda conn: rows.take(conn, job_id, me))
        loop = asyncio.get_running_loop()
        futures = [self._working.setdefault(row["id"], loop.create_future()) for row in taken]
        for row in taken:
            self._local.enqueue(row["chat_id"], row["id"])
        look_every = None
        while waiting := [future for future in futures if not future.done()]:
            try:
                await asyncio.wait(waiting, timeout=look_every)
            except asyncio.CancelledError:
                if context.abort_reason() is not AbortReason.USER_REQUEST:
                    raise  # the worker ends; what was taken goes on in the local dispatch
                look_every = STOP_SECONDS
            if look_every:
                for row in await self._db.look(lambda conn: rows.owned(conn, me)):
                    if row["stop"]:
                        await self._stop(row["id"])

    async def _stop(self, job_id: int) -> None:
        """End a job of this process's that its person gave up, or say that it is too late."""
        if not await self._local.cancel(job_id):
            await self._db.transact(lambda conn: rows.set_stop(conn, job_id, wanted=False))

    def _knows(self, job_id: int) -> bool:
        return self._local.has(job_id) or self._runner.albums.holds(job_id)


def _requests(unfinished: Sequence[Row]) -> Iterable[list[int]]:
    """Give the jobs of each request that waits for its turn, oldest first: those of an album together or not at all."""
    waiting: dict[object, list[int]] = {}
    begun: set[object] = set()
    for row in unfinished:
        request = row["id"] if row["album"] is None else (row["source"], row["album"])
        waiting.setdefault(request, []).append(row["id"])
        if row["owner"] is not None:
            begun.add(request)
    return [jobs for request, jobs in waiting.items() if request not in begun]
