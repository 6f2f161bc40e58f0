"""How jobs end: what their chat is told, what is written down and what is charged, in that order."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import structlog

from imaging.errors import GaveUp, ImagingError, ProviderError
from imaging.operations import Operation
from imaging.results import Result
from jobs.job import Job, Piece, Sent, State
from jobs.membership import Lease
from storage import chats, ledger, results
from storage import jobs as rows
from storage.database import Connection, Database, Row

CHAT_GONE = "chat_gone"
LAST_TRY_SECONDS = 60.0
"""How long a delivery is tried at the least."""

T = TypeVar("T")
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


class Messenger(Protocol):
    """Takes results to a chat, and words. Each call is tried again through outages, for as long as its caller waits."""

    def looks(self, piece: Piece) -> tuple[str, int]:
        """Tell whether a result goes as "photo" or as "document", and how many files it has."""

    async def deliver(self, to: Job, pieces: Sequence[Piece]) -> list[tuple[Sent, ...]]:
        """Reply to `to` with the results of `pieces` in one call; give what Telegram keeps of each.

        Raises ChatGoneError, ChatMovedError, UndeliverableError.
        """

    async def tell(self, job: Job, code: str, params: dict[str, str | int], *, number: int = 0) -> None:
        """Say in one sentence why there is no result, of the picture `number` of an album if not 0.

        Raises ChatGoneError, ChatMovedError.
        """


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


class Watcher(Protocol):
    """Whoever shows people how far their photos are; see jobs.progress."""

    def watch(self, job_id: int) -> None:
        """Note that a job was accepted, or taken up again."""

    def move(self, job_id: int, percent: int) -> None:
        """Note how far a job is."""

    def end(self, job: Job) -> None:
        """Note that a job has ended."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one job ends; `error` and `params` say why it failed, `sent` what Telegram keeps of its result.

    `told` 0: its chat has still to hear of it. `actual`: what a delivered one costs; None: all that was held.
    """

    job: Job
    state: State
    provider: str | None
    error: str | None = None
    params: str | None = None
    told: int = 1
    actual: int | None = None
    sent: tuple[Sent, ...] = ()


class Closing:
    """Ends jobs. `deliver_seconds` bounds how long a chat is tried."""

    def __init__(
        self,
        db: Database,
        messenger: Messenger,
        observer: Observer,
        watcher: Watcher,
        *,
        deliver_seconds: float,
        price: Callable[[Operation, Result], int | None],
        lease: Lease,
    ) -> None:
        self._db = db
        self._messenger = messenger
        self._observer = observer
        self._watcher = watcher
        self._deliver_seconds = deliver_seconds
        self._price = price
        self._lease = lease

    async def reach(self, job: Job, send: Callable[[Job], Awaitable[T]]) -> T:
        """Send to the job's chat, wherever it moved. Raises ChatGoneError, also when all the time is up.

        Raises SupersededError when the others take this process for dead.
        """
        await self._lease.sure()
        tried_since = job.updated_at if job.state in {State.DELIVERING, State.FAILED} else time.time()
        left = tried_since + self._deliver_seconds - time.time()
        began = time.monotonic()
        try:  # at least once more, however long the bot was down or whatever the clock did meanwhile
            async with asyncio.timeout(min(max(left, LAST_TRY_SECONDS), self._deliver_seconds)):
                try:
                    return await send(job)
                except ChatMovedError as moved:
                    new = moved.chat_id
                    await self._db.persist(lambda conn: chats.migrate(conn, job.chat_id, new))
                    return await send(replace(job, chat_id=new, reply_to=None))
        except (ChatGoneError, TimeoutError) as error:
            log.info("chat out of reach", job=job.id, cause=repr(error))
            raise ChatGoneError(str(error)) from None
        finally:
            self._observer.stage("deliver", time.monotonic() - began)

    async def end(self, *endings: Ending) -> None:
        """Write the ends of jobs and of their holds in one transaction."""

        async def write(conn: Connection) -> list[int | None]:
            return [await self._write(conn, ending) for ending in endings]

        charged = await self._db.persist(write)
        for ending, amount in zip(endings, charged, strict=True):
            job, outcome = ending.job, ending.error or str(ending.state)
            self._watcher.end(job)
            self._observer.job_ended(job.operation.name, ending.provider or "", outcome)
            if amount:
                self._observer.credits_moved("settle", amount)
            log.info("job ended", job=job.id, operation=job.operation.name, provider=ending.provider, outcome=outcome)

    async def _write(self, conn: Connection, ending: Ending) -> int | None:
        job = ending.job
        why = {} if ending.error is None else {"error": ending.error, "error_params": ending.params}
        await conn.lock(f"chat {job.chat_id}")  # before its row, as whoever hands out the chat's jobs does
        await rows.update(conn, job.id, epoch=job.epoch, state=ending.state, told=ending.told, **why)
        if ending.sent and job.file_unique_id and not job.reuse:
            await results.put(conn, job.file_unique_id, job.operation.name, job.wish, json.dumps(ending.sent))
        if ending.state == State.DELIVERED:
            return await ledger.settle(conn, job.id, ending.actual)
        return await ledger.release(conn, job.id)

    async def abandon(self, row: Row) -> None:
        """End a job that cannot even be read, so that what was held for it comes back."""

        async def write(conn: Connection) -> None:
            await conn.lock(f"chat {row['chat_id']}")
            await rows.update(conn, row["id"], epoch=row["epoch"], state=State.FAILED, error="internal", told=1)
            await ledger.release(conn, row["id"])

        await self._db.persist(write)

    async def delivered(self, *done: tuple[Piece, tuple[Sent, ...]]) -> None:
        """End jobs whose results Telegram took."""
        await self.end(
            *(
                Ending(
                    piece.job,
                    State.DELIVERED,
                    piece.provider,
                    actual=self._price(piece.job.operation, piece.result) if piece.result else None,
                    sent=sent,
                )
                for piece, sent in done
            )
        )

    async def failed(self, piece: Piece, error: Exception, *, late: bool = False) -> Piece:
        """End a job that `error` broke, and give what its chat is still to be told."""
        code, params = _reason(error, late=late)
        trace = error if code == "internal" else None  # the others are expected, and say themselves what they are
        log.warning("job failed", job=piece.job.id, code=code, why=str(error), exc_info=trace)
        words = json.dumps(params)
        told = int(code == CHAT_GONE)
        await self.end(Ending(piece.job, State.FAILED, piece.provider, code, words, told))
        job = replace(piece.job, state=State.FAILED, error=code, error_params=words, updated_at=time.time())
        return Piece(job, piece.provider)

    async def tell(self, job: Job, *, number: int = 0) -> None:
        """Tell a failed job's chat why, once."""
        code, params = job.error or "internal", json.loads(job.error_params or "{}")
        if code != CHAT_GONE:
            with suppress(ChatGoneError):
                await self.reach(job, lambda to: self._messenger.tell(to, code, params, number=number))
            await self._db.persist(lambda conn: rows.update(conn, job.id, epoch=job.epoch, told=1))
        self._watcher.end(job)


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
