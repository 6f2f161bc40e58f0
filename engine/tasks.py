"""Tasks from taken to expired: in memory, with their files in one temporary folder."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.fetching import Fetcher, LinkRefused, LinkTooLarge
from engine.pool import Pool, WorkerCrashed, WorkerHung
from imaging.operations import Operation
from imaging.wire import State

WORDS = {State.QUEUED: "Queued", State.PREPARING: "Preparing", State.WAITING: "Waiting", State.PROCESSING: "Processing"}
FLOORS = {State.QUEUED: 0, State.PREPARING: 5, State.WAITING: 10, State.PROCESSING: 15}  # percent
CEILING = 95  # percent that an estimate may reach; 100 is for what is done
FIRST_GUESS = 1.0  # seconds an operation takes, before any was seen
SWEEP_SECONDS = 15.0


class QueueFull(Exception):  # noqa: N818  named for what happened, as in imaging.errors
    """As many tasks and uploads as the engine takes at once are under way."""


@dataclass(frozen=True)
class Order:
    """What a request asked for, read and checked; the picture is at `source` or still behind `image_url`."""

    operation: Operation
    source: Path
    image_url: str | None
    original_size: bool  # of an ID photo: none was given
    sync: bool
    return_type: int
    callback_url: str | None
    base_url: str  # of links to results, without a slash at the end


@dataclass
class Task:
    """One picture's way. Times in epoch seconds, but `_begun` and `ended` on the book's clock."""

    order: Order
    clock: Callable[[], float]
    task_id: str
    signature: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    created_at: int = field(default_factory=lambda: int(time.time()))
    processed_at: int | None = None
    completed_at: int | None = None
    download_ms: int = 0
    elapsed: float = 0.0  # seconds in a worker
    state: int = State.QUEUED
    answer: dict[str, Any] = field(default_factory=dict)  # the worker's
    done: asyncio.Event = field(default_factory=asyncio.Event)
    ended: float | None = None
    typical: float = FIRST_GUESS
    _begun: float = 0.0
    _shown: int = 0

    @property
    def detail(self) -> str:
        """What `state_detail` says."""
        return str(self.answer.get("detail") or WORDS.get(State(self.state), ""))

    @property
    def files(self) -> dict[str, Path]:
        """The results by role, `image` and `mask`."""
        return {role: Path(path) for role, path in self.answer.get("files", {}).items()}

    def begin(self, typical: float) -> None:
        """Note that a worker takes it now; the operation usually takes `typical` seconds."""
        self.state, self.typical = State.PROCESSING, typical
        self.processed_at, self._begun = int(time.time()), self.clock()

    def finish(self, answer: dict[str, Any]) -> None:
        """Note that the work is over, well or badly."""
        self.progress()  # a failed task keeps the progress it had
        if self.processed_at is not None:
            self.elapsed = self.clock() - self._begun
        self.answer, self.state = answer, answer["state"]
        self.completed_at, self.ended = int(time.time()), self.clock()
        self.done.set()

    def progress(self) -> int:
        """Percent, never falling: by stage, and within the work by time passed against time usually taken."""
        if self.state == State.DONE:
            return 100
        floor = FLOORS.get(State(self.state), 0)
        if self.state == State.PROCESSING:
            rest = 0.5 ** (2 * (self.clock() - self._begun) / self.typical)  # three quarters at the usual time
            floor += int((CEILING - floor) * (1 - rest))
        self._shown = max(self._shown, floor)
        return self._shown


class TaskBook:
    """All tasks that are not expired; `limit` bounds those under way, uploads included."""

    def __init__(
        self,
        pool: Pool,
        fetcher: Fetcher,
        folder: Path,
        *,
        limit: int,
        keep_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._fetcher, self.folder = pool, fetcher, folder
        self._limit, self._keep, self.clock = limit, keep_seconds, clock
        self._tasks: dict[str, Task] = {}
        self._typical: dict[str, float] = {}
        self._arriving = 0
        self._working = 0
        self._background: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to remove what expires."""
        self._spawn(self._sweep())

    async def close(self) -> None:
        """Abandon everything under way."""
        for job in self._background:
            job.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    @contextlib.contextmanager
    def arriving(self) -> Iterator[None]:
        """Hold a place while a request is read. Raises QueueFull."""
        if self._arriving + self._working >= self._limit:
            raise QueueFull
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def submit(self, task_id: str, order: Order, tell: Callable[[Task], Coroutine[None, None, None]]) -> Task:
        """Start a task; `tell` runs when it ended."""
        task = self._tasks[task_id] = Task(order, self.clock, task_id)
        self._working += 1
        self._spawn(self._work(task, tell))
        return task

    def find(self, task_id: str) -> Task | None:
        """Find a task, unless it never was or is expired."""
        task = self._tasks.get(task_id)
        return None if task is None or self._expired(task) else task

    def expire(self) -> None:
        """Forget expired tasks and delete their files."""
        for task in [task for task in self._tasks.values() if self._expired(task)]:
            del self._tasks[task.task_id]
            for path in task.files.values():
                path.unlink(missing_ok=True)

    def _expired(self, task: Task) -> bool:
        return task.ended is not None and self.clock() - task.ended >= self._keep

    async def _work(self, task: Task, tell: Callable[[Task], Coroutine[None, None, None]]) -> None:
        try:
            answer = await self._develop(task)
        finally:
            self._working -= 1
            await asyncio.to_thread(task.order.source.unlink, missing_ok=True)
        task.finish(answer)
        await tell(task)

    async def _develop(self, task: Task) -> dict[str, Any]:
        """Get the worker's answer, or one in its shape that says what went wrong."""
        order, name = task.order, task.order.operation.name
        try:
            if order.image_url:
                task.state, start = State.PREPARING, time.monotonic()
                await self._fetcher.download(order.image_url, order.source)
                task.download_ms = round(1000 * (time.monotonic() - start))
            task.state = State.WAITING
            answer = await self._pool.run(self._job(task), lambda: task.begin(self._typical.get(name, FIRST_GUESS)))
        except LinkRefused:
            return _failure(State.LINK_UNREACHABLE, "Failed to download image_url")
        except LinkTooLarge:
            return _failure(State.TOO_LARGE, "Image file too large")
        except WorkerHung:
            return _failure(State.TOO_SLOW, "Processing timed out")
        except (WorkerCrashed, OSError):  # OSError: no room on the disk
            return _failure(State.FAILED, "Processing failed")
        self._learn(name, task)
        return answer

    def _job(self, task: Task) -> dict[str, Any]:
        order = task.order
        return {
            "operation": order.operation.name,
            "options": order.operation.model_dump_json(),
            "original_size": order.original_size,
            "source": str(order.source),
            "target": str(self.folder / task.task_id),
        }

    def _learn(self, name: str, task: Task) -> None:
        """Let the usual duration follow what is seen."""
        took = max(self.clock() - task._begun, 0.05)  # noqa: SLF001  its own book
        self._typical[name] = 0.7 * self._typical.get(name, took) + 0.3 * took

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.expire()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(work)
        self._background.add(job)
        job.add_done_callback(self._background.discard)


def _failure(state: State, reason: str) -> dict[str, Any]:
    return {"state": int(state), "err_info": reason, "detail": reason}
