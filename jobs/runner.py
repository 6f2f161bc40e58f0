"""One job's work: fetch → submit → wait → fetch result → deliver → settle, each step once, whatever dies in between."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Protocol, TypeVar

import structlog

from imaging import codec
from imaging.errors import OutcomeUnknown
from imaging.finishing import finish
from imaging.operations import Operation
from imaging.provider import Link, Upload
from imaging.results import IN_MEMORY, Result, new_spool
from imaging.routing import Checkpoint, Resume
from jobs.albums import Albums
from jobs.checkpoints import Checkpoints
from jobs.closing import Closing, Ending, Messenger, Observer, UndeliverableError, Watcher
from jobs.job import ENDED, Job, Piece, State, developed
from jobs.membership import ALONE, Lease
from storage import jobs as rows
from storage.database import Database, Row
from storage.jobs import SupersededError

UNKNOWN_LIMIT = 10
"""Paid requests in a row whose outcome was lost, however often the bot started anew, before a job is given up."""

EPOCHS_LIMIT = 50
"""Times that a job is freed and taken, two for each process that had it, before it is given up."""

T = TypeVar("T")
Rest = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class Courier(Messenger, Protocol):
    """The Telegram side: a messenger that also brings the original, as insistently."""

    async def fetch(self, job: Job, into: BinaryIO) -> int:
        """Write the original into `into` and give its size in bytes. Raises PictureError."""

    def busy(self, job: Job) -> AbstractAsyncContextManager[None]:
        """Show in the chat that the bot is working, for as long as the context lasts."""


class Router(Protocol):
    """The provider side, as imaging.routing has it."""

    async def develop(
        self, operation: Operation, upload: Upload | Link, checkpoint: Checkpoint, *, resume: Resume | None = None
    ) -> Result:
        """Give the result. Raises PictureError or GaveUp."""


class _Nobody:
    """A watcher that looks away."""

    def watch(self, job_id: int) -> None: ...
    def move(self, job_id: int, percent: int) -> None: ...
    def end(self, job: Job) -> None: ...


class Runner:
    """Works on jobs, one call of `work` each, and leaves nothing that a restart cannot take up.

    `work_seconds` bounds the work until the result is here, downtime not counted; `deliver_seconds` the time after.
    `price` gives the credits to charge for a result, at most what was held. `lease` says which jobs are this process's.
    `albums` holds results until the rest of their album is there.
    """

    def __init__(
        self,
        db: Database,
        router: Router,
        courier: Courier,
        observer: Observer,
        *,
        work_seconds: float = 600.0,
        deliver_seconds: float = 86_400.0,
        watcher: Watcher | None = None,
        price: Callable[[Operation, Result], int | None] = lambda *_: None,
        lease: Lease = ALONE,
    ) -> None:
        self._db = db
        self._router = router
        self._courier = courier
        self._observer = observer
        self._work_seconds = work_seconds
        self._lease = lease
        self._watcher = watcher or _Nobody()
        self._closing = Closing(
            db, courier, observer, self._watcher, deliver_seconds=deliver_seconds, price=price, lease=lease
        )
        self.albums = Albums(db, courier, self._closing, self._deliver)

    async def work(self, job_id: int) -> Rest | None:
        """Bring the job to its result or its failure; give what is left to do in the chat, which needs no slot."""
        row = await self._load(job_id)
        if row is None:
            return None
        try:
            job = Job.of(row)
        except (KeyError, ValueError):  # pydantic's too: written by a program that knew other operations
            log.exception("a job nobody can read", job=job_id)
            await self._closing.abandon(row)
            return None
        if row["told"]:
            return None
        if job.epoch >= EPOCHS_LIMIT:
            return await self._give_up(job, row)
        if job.state == State.FAILED or job.reuse:
            return self._rest(Piece(job))
        if job.state == State.DELIVERING:
            self._observer.duplicate_delivery()
        return self._rest(await self._bring(job))

    async def _give_up(self, job: Job, row: Row) -> Rest | None:
        """End a job that no process could bring to an end, or that ended the processes."""
        if job.state == State.FAILED:  # even its words break something
            await self._closing.abandon(row)
            return None
        message = f"freed and taken {job.epoch} times"
        return self._rest(await self._closing.failed(Piece(job, job.provider), RuntimeError(message)))

    def _rest(self, piece: Piece) -> Rest:
        if piece.job.album is not None:
            return partial(self.albums.arrive, piece)
        if piece.job.state == State.FAILED:
            return partial(self._closing.tell, piece.job)
        return partial(self._deliver, piece)

    async def cancel(self, job_id: int) -> bool:
        """End a job that nobody works on any more because the person gave it up; nothing is charged.

        False when it had ended before, or its result is on the way to the chat, or may be there already: who sent it
        may have died before that was written down.
        """
        row = await self._load(job_id)
        if row is None or row["state"] in ENDED or await self._may_be_sent(row) or not self.albums.drop(job_id):
            return False
        job = Job.of(row)
        await self._closing.end(Ending(job, State.CANCELLED, job.provider))
        if job.album is not None:
            await self.albums.check(job_id)
        return True

    async def _may_be_sent(self, row: Row) -> bool:
        return developed(row) and all(map(developed, await self._db.look(lambda conn: rows.together(conn, row["id"]))))

    async def _load(self, job_id: int) -> Row | None:
        """Give the job's row, if the job is there and this process's."""
        row = await self._db.look(lambda conn: rows.get(conn, job_id))
        return row if row is not None and self._lease.owns(row) else None

    async def _bring(self, job: Job) -> Piece:
        """Have the picture developed, however that ends."""
        checkpoints = Checkpoints(self._db, job, self._watcher)
        bound = asyncio.timeout(self._work_seconds - checkpoints.worked)
        try:
            async with bound, self._courier.busy(job):
                result, changes = await self._develop(job, checkpoints)
        except SupersededError:
            raise
        except Exception as error:  # noqa: BLE001  whatever broke, the person hears of it and pays nothing
            return await self._closing.failed(Piece(job, checkpoints.provider), error, late=bound.expired())
        return Piece(job, checkpoints.provider, result, changes)

    async def _develop(self, job: Job, checkpoints: Checkpoints) -> tuple[Result, tuple[str, ...]]:
        if job.state == State.SUBMITTING and job.submits >= UNKNOWN_LIMIT:
            message = f"cut off in the upload {job.submits} times"
            raise OutcomeUnknown(message)
        if job.file_kind == "link":
            changes: tuple[str, ...] = ()
            result = await self._ask(job, Link(job.file_id), checkpoints)
        else:
            with new_spool() as original:
                size = await self._timed("fetch", self._courier.fetch(job, original))
                prepared = codec.look(original, size) if size <= IN_MEMORY else None
                if prepared is None:
                    prepared = await asyncio.to_thread(codec.prepare, original, size)
                with prepared.file:
                    upload = Upload(prepared.file, prepared.size, prepared.filename, prepared.content_type)
                    result, changes = await self._ask(job, upload, checkpoints), prepared.changes
        with ExitStack() as held:
            held.callback(result.close)
            result = await finish(job.operation, result)
            held.callback(result.close)
            await checkpoints.delivering()
            held.pop_all()
        return result, tuple(dict.fromkeys(changes + result.changes))

    async def _ask(self, job: Job, upload: Upload | Link, checkpoints: Checkpoints) -> Result:
        develop = self._router.develop(job.operation, upload, checkpoints, resume=job.resume)
        return await self._timed("develop", develop)

    async def _timed(self, stage: str, step: Awaitable[T]) -> T:
        began = time.monotonic()
        try:
            return await step
        finally:
            self._observer.stage(stage, time.monotonic() - began)

    async def _deliver(self, piece: Piece) -> None:
        """Reply with one result and end its job."""
        with closing(piece):
            try:
                (sent,) = await self._closing.reach(piece.job, lambda to: self._courier.deliver(to, [piece]))
            except SupersededError:
                raise
            except Exception as error:  # noqa: BLE001  as above
                if isinstance(error, UndeliverableError) and piece.job.reuse:
                    again = await self._anew(piece.job)
                else:
                    again = await self._closing.failed(piece, error)
            else:
                await self._closing.delivered((piece, sent))
                return
        if again.job.state == State.FAILED:
            await self._closing.tell(again.job)
        else:
            await self._deliver(again)

    async def _anew(self, job: Job) -> Piece:
        """Develop a picture, at our cost, whose earlier result Telegram does not know any more."""
        await self._db.persist(lambda conn: rows.update(conn, job.id, epoch=job.epoch, reuse=None))
        return await self._bring(replace(job, reuse=()))
