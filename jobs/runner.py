"""One job's work: fetch → submit → wait → fetch result → deliver → settle, each step once, whatever dies in between."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Protocol, TypeVar

import structlog

from imaging import codec
from imaging.errors import GaveUp, ImagingError, ProviderError
from imaging.operations import Operation
from imaging.provider import Upload
from imaging.results import Result, new_spool
from imaging.routing import Checkpoint, Resume
from jobs.job import ENDED, Job, State
from storage import chats, ledger
from storage import jobs as rows
from storage.database import Connection, Database

CHAT_GONE = "chat_gone"
LAST_TRY_SECONDS = 60.0
"""How long a delivery is tried at the least."""

T = TypeVar("T")
Rest = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class ChatGoneError(Exception):
    """Nothing can reach the chat any more: the bot was blocked or removed, or the chat deleted."""


class ChatMovedError(Exception):
    """The group became the supergroup `chat_id`."""

    def __init__(self, chat_id: int) -> None:
        super().__init__(chat_id)
        self.chat_id = chat_id


class UndeliverableError(Exception):
    """Telegram will not take the result in this chat, whatever is tried."""


class Courier(Protocol):
    """The Telegram side: brings the original, takes the result, says what went wrong.

    Each call is tried again through outages, for as long as its caller waits.
    """

    async def fetch(self, job: Job, into: BinaryIO) -> int:
        """Write the original into `into` and give its size in bytes. Raises PictureError."""

    def busy(self, job: Job) -> AbstractAsyncContextManager[None]:
        """Show in the chat that the bot is working, for as long as the context lasts."""

    async def deliver(self, job: Job, result: Result, changes: tuple[str, ...]) -> None:
        """Reply with the result. Raises ChatGoneError, ChatMovedError, UndeliverableError."""

    async def tell(self, job: Job, code: str, params: dict[str, str | int]) -> None:
        """Say in one sentence why there is no result. Raises ChatGoneError, ChatMovedError."""


class Router(Protocol):
    """The provider side, as imaging.routing has it."""

    async def develop(
        self, operation: Operation, upload: Upload, checkpoint: Checkpoint, *, resume: Resume | None = None
    ) -> Result:
        """Give the result. Raises PictureError or GaveUp."""


class Observer(Protocol):
    """Whoever counts; see bot.metrics."""

    def stage(self, stage: str, seconds: float) -> None:
        """Note how long a stage of a job took."""

    def job_ended(self, operation: str, provider: str, outcome: str) -> None:
        """Note how a job ended: delivered, cancelled or a failure's code."""

    def credits_moved(self, kind: str, amount: int) -> None:
        """Note what a chat was charged."""

    def duplicate_delivery(self) -> None:
        """Note that a delivery is tried again although the first may have reached the chat."""


class Runner:
    """Works on jobs, one call of `work` each, and leaves nothing that a restart cannot take up.

    `work_seconds` bounds the work until the result is here, downtime not counted; `deliver_seconds` the time after.
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
    ) -> None:
        self._db = db
        self._router = router
        self._courier = courier
        self._observer = observer
        self._work_seconds = work_seconds
        self._deliver_seconds = deliver_seconds

    async def work(self, job_id: int) -> Rest | None:
        """Bring the job to its result or its failure; give what is left to do in the chat, which needs no slot."""
        job = await self._load(job_id)
        if job is None or job.state in {State.DELIVERED, State.CANCELLED}:
            return None
        if job.state == State.FAILED:
            return partial(self._tell, job)
        if job.state == State.DELIVERING:
            self._observer.duplicate_delivery()
        checkpoints = Checkpoints(self._db, job)
        bound = asyncio.timeout(self._work_seconds - checkpoints.worked)
        try:
            async with bound, self._courier.busy(job):
                result, changes = await self._develop(job, checkpoints)
        except Exception as error:  # noqa: BLE001  whatever broke, the person hears of it and pays nothing
            return await self._fail(job, checkpoints, *_reason(error, late=bound.expired()), error)
        return partial(self._deliver, job, checkpoints, result, changes)

    async def cancel(self, job_id: int) -> bool:
        """End a job that nobody works on any more because the person gave it up; nothing is charged.

        False when it had ended before.
        """
        job = await self._load(job_id)
        if job is None or job.state in ENDED:
            return False
        await self._end(job, State.CANCELLED, job.provider)
        return True

    async def _load(self, job_id: int) -> Job | None:
        async with self._db.read() as conn:
            row = await rows.get(conn, job_id)
        return None if row is None else Job.of(row)

    async def _develop(self, job: Job, checkpoints: "Checkpoints") -> tuple[Result, tuple[str, ...]]:
        with new_spool() as original:
            size = await self._timed("fetch", self._courier.fetch(job, original))
            prepared = await asyncio.to_thread(codec.prepare, original, size)
            with prepared.file:
                upload = Upload(prepared.file, prepared.size, prepared.filename, prepared.content_type)
                develop = self._router.develop(job.operation, upload, checkpoints, resume=job.resume)
                result = await self._timed("develop", develop)
        with ExitStack() as held:
            held.callback(result.close)
            await checkpoints.delivering()
            held.pop_all()
        return result, tuple(dict.fromkeys(prepared.changes + result.changes))

    async def _timed(self, stage: str, step: Awaitable[T]) -> T:
        began = time.monotonic()
        try:
            return await step
        finally:
            self._observer.stage(stage, time.monotonic() - began)

    async def _deliver(self, job: Job, checkpoints: "Checkpoints", result: Result, changes: tuple[str, ...]) -> None:
        try:
            with closing(result):
                sent = await self._reach(job, lambda to: self._courier.deliver(to, result, changes))
        except Exception as error:  # noqa: BLE001  as above
            tell = await self._fail(job, checkpoints, *_reason(error, late=False), error)
            await tell()
            return
        if sent:
            await self._end(job, State.DELIVERED, checkpoints.provider)
        else:
            await self._end(job, State.FAILED, checkpoints.provider, error=CHAT_GONE)

    async def _fail(
        self, job: Job, checkpoints: "Checkpoints", code: str, params: dict[str, str | int], cause: Exception
    ) -> Rest:
        log.warning("job failed", job=job.id, code=code, exc_info=cause)
        words = json.dumps(params)
        await self._end(
            job, State.FAILED, checkpoints.provider, error=code, error_params=words, told=int(code == CHAT_GONE)
        )
        return partial(
            self._tell, replace(job, state=State.FAILED, error=code, error_params=words, updated_at=time.time())
        )

    async def _tell(self, job: Job) -> None:
        code, params = job.error or "internal", json.loads(job.error_params or "{}")
        if code != CHAT_GONE:
            await self._reach(job, lambda to: self._courier.tell(to, code, params))
            await self._db.persist(lambda conn: rows.update(conn, job.id, told=1))

    async def _reach(self, job: Job, send: Callable[[Job], Awaitable[None]]) -> bool:
        """Send to the job's chat, wherever it moved; False when it is gone or was out of reach for too long."""
        tried_since = job.updated_at if job.state in {State.DELIVERING, State.FAILED} else time.time()
        left = tried_since + self._deliver_seconds - time.time()
        try:  # at least once more, however long the bot was down or whatever the clock did meanwhile
            async with asyncio.timeout(min(max(left, LAST_TRY_SECONDS), self._deliver_seconds)):
                try:
                    await self._timed("deliver", send(job))
                except ChatMovedError as moved:
                    new = moved.chat_id
                    await self._db.persist(lambda conn: chats.migrate(conn, job.chat_id, new))
                    await self._timed("deliver", send(replace(job, chat_id=new, reply_to=None)))
        except (ChatGoneError, TimeoutError) as error:
            log.info("chat out of reach", job=job.id, cause=repr(error))
            return False
        return True

    async def _end(self, job: Job, state: State, provider: str | None, *, told: int = 1, **columns: object) -> None:
        """Write the end of a job and of its hold in one transaction."""
        close = ledger.settle if state == State.DELIVERED else ledger.release

        async def write(conn: Connection) -> int | None:
            await rows.update(conn, job.id, state=state, told=told, **columns)
            return await close(conn, job.id)

        charged = await self._db.persist(write)
        outcome = str(columns.get("error") or state)
        self._observer.job_ended(job.operation.name, provider or "", outcome)
        if charged:
            self._observer.credits_moved("settle", charged)
        log.info("job ended", job=job.id, operation=job.operation.name, provider=provider, outcome=outcome)


def _reason(error: Exception, *, late: bool) -> tuple[str, dict[str, str | int]]:
    """Give the code and the params of the words that say what went wrong."""
    if isinstance(error, GaveUp) and isinstance(error.__cause__, ProviderError):
        error = error.__cause__
    if isinstance(error, ImagingError):
        return error.code, error.params
    if isinstance(error, ChatGoneError):
        return CHAT_GONE, {}
    if isinstance(error, UndeliverableError):
        return "undeliverable", {}
    return ("timeout" if late else "internal"), {}


class Checkpoints:
    """Writes down what must not be repeated; each call is durable when it returns (imaging.routing.Checkpoint)."""

    def __init__(self, db: Database, job: Job) -> None:
        self._db = db
        self._job = job
        self._submits = job.submits
        # A result that was here once is fetched again with the whole time, however long it took the first time.
        self._began = time.monotonic() - (0 if job.state == State.DELIVERING else job.worked)
        self.provider = job.provider

    @property
    def worked(self) -> float:
        """Seconds this job was worked on, downtime not counted."""
        return time.monotonic() - self._began

    async def submitting(self, provider: str) -> None:
        """Write down that a paid request is about to be sent."""
        self._submits += 1
        self.provider = provider
        await self._write(State.SUBMITTING, provider=provider, task_id=None, submits=self._submits)

    async def submitted(self, provider: str, task_id: str) -> None:
        """Write down the task the provider took."""
        await self._write(State.SUBMITTED, provider=provider, task_id=task_id)

    async def unsubmitted(self) -> None:
        """Write down that no provider has anything of this job."""
        await self._write(State.ACCEPTED, provider=None, task_id=None)

    async def delivering(self) -> None:
        """Write down that the result is here, unless it was before."""
        if self._job.state != State.DELIVERING:
            await self._write(State.DELIVERING)

    async def _write(self, state: State, **columns: object) -> None:
        log.info("job moved", job=self._job.id, state=str(state), **columns)
        if self._job.state == State.DELIVERING:
            state = State.DELIVERING  # the time to deliver runs from the first result
        await self._db.persist(lambda conn: rows.update(conn, self._job.id, state=state, worked=self.worked, **columns))
