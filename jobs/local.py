"""Works on jobs in this process: fair between chats, bounded, cancellable."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog

from jobs.runner import Rest
from storage.database import Connection
from storage.jobs import SupersededError

log = structlog.get_logger()


class Worker(Protocol):
    """Works on one job; see jobs.runner.Runner."""

    async def work(self, job_id: int) -> Rest | None:
        """Do what needs a slot; give what is left."""

    async def cancel(self, job_id: int) -> bool:
        """End a job nobody works on; False when it had ended, or may be in its chat."""


class LocalDispatch:
    """Gives each chat its turn: a chat with fifty photos waits between two of them for a chat with one.

    `limit` jobs are worked on at a time, `chat_limit` of one chat. Sending a result takes no slot of the `limit`, so
    that one chat's (or Telegram's) trouble stops nobody's work. `watch` hears of every job (its id), `released` when it
    needs no slot any more, `ended` (its chat and id) when nobody works on it any more.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        limit: int = 16,
        chat_limit: int = 4,
        watch: Callable[[int], None] = lambda _: None,
        released: Callable[[int], None] = lambda _: None,
        ended: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._worker = worker
        self._watch = watch
        self._released = released
        self._ended_with = ended
        self._free = limit
        self._chat_limit = chat_limit
        self._waiting: OrderedDict[int, deque[int]] = OrderedDict()  # by chat, the next to have its turn first
        self._busy: Counter[int] = Counter()  # by chat
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stoppable: dict[int, int] = {}  # the chat by job
        self._open = True

    @property
    def depth(self) -> int:
        """How many jobs wait for their turn."""
        return sum(map(len, self._waiting.values()))

    @property
    def working(self) -> int:
        """How many jobs are being worked on or delivered."""
        return len(self._tasks)

    def enqueue(self, chat_id: int, job_id: int, *, at_once: bool = False) -> None:
        """Have the job worked on when it is its chat's turn, or at once where there is next to nothing to do."""
        self._watch(job_id)
        if at_once and self._open:
            self._start(chat_id, job_id)
            return
        self._waiting.setdefault(chat_id, deque()).append(job_id)
        self._fill()

    async def admit(self, conn: Connection, chat_id: int) -> None:
        """Do nothing: what is enqueued in this process needs nobody else to know."""

    async def place(self, job_id: int) -> int | None:
        """Say how many jobs will have their turn before this one; None when it is not waiting."""
        queues = list(self._waiting.values())
        for number, queue in enumerate(queues):
            if job_id in queue:
                mine = queue.index(job_id)
                return mine + sum(
                    min(len(other), mine + (at < number)) for at, other in enumerate(queues) if other is not queue
                )
        return None

    async def cancel(self, job_id: int) -> bool:
        """End the job without a result; False when it has ended or its result is already on the way to the chat."""
        task, chat_id = self._tasks.get(job_id), self._stoppable.get(job_id)
        if task is not None:
            if chat_id is None:
                return False
            task.cancel()
            await asyncio.wait([task])
        waited = self._forget(job_id)
        cancelled = await self._worker.cancel(job_id)
        chat_id = chat_id if waited is None else waited
        if not cancelled and chat_id is not None and not self.has(job_id):
            # It failed in this moment, or its result may be sent already: its chat must still hear of it.
            self.enqueue(chat_id, job_id, at_once=True)
        elif waited is not None:
            self._released(job_id)
            self._ended_with(waited, job_id)
        return cancelled

    def _forget(self, job_id: int) -> int | None:
        """Take a job that waits for its turn out of its chat's queue; give the chat."""
        for chat_id, queue in self._waiting.items():
            if job_id in queue:
                queue.remove(job_id)
                if not queue:
                    del self._waiting[chat_id]
                return chat_id
        return None

    def has(self, job_id: int) -> bool:
        """Tell whether the job waits here or is worked on."""
        return job_id in self._tasks or any(job_id in queue for queue in self._waiting.values())

    async def abandon(self) -> None:
        """Leave all jobs at once, to whoever has them now."""
        self._waiting.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self, grace: float, sending: float = 0.0) -> None:
        """Start nothing more; give running jobs `grace` seconds, then leave them to the next start.

        Results on their way to a chat have `sending` seconds more: what is cut off then is sent once more.
        """
        self._open = False
        if tasks := list(self._tasks.values()):
            await asyncio.wait(tasks, timeout=grace)
            stopped = {self._tasks[job_id] for job_id in self._stoppable}
            for task in stopped:
                task.cancel()
            _, late = await asyncio.wait(tasks, timeout=sending)
            for task in late - stopped:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._open and self._free > 0 and (turn := self._next()):
            self._start(*turn)

    def _start(self, chat_id: int, job_id: int) -> None:
        self._free -= 1
        self._busy[chat_id] += 1
        self._stoppable[job_id] = chat_id
        task = asyncio.create_task(self._work(job_id), name=f"job {job_id}")
        self._tasks[job_id] = task
        # Not in the task itself: one that is cancelled before its first step runs nothing of its own.
        task.add_done_callback(partial(self._ended, chat_id, job_id))

    def _next(self) -> tuple[int, int] | None:
        for chat_id, queue in self._waiting.items():
            if self._busy[chat_id] < self._chat_limit:
                job_id = queue.popleft()
                self._waiting.move_to_end(chat_id)
                if not queue:
                    del self._waiting[chat_id]
                return chat_id, job_id
        return None

    async def _work(self, job_id: int) -> None:
        try:
            rest = await self._worker.work(job_id)
            self._release(job_id)
            if rest is not None:
                await rest()
        except SupersededError:
            log.info("job taken over by another process", job=job_id)
        except Exception:
            log.exception("job left for the next start", job=job_id)

    def _release(self, job_id: int) -> None:
        """Give the job's slot back, once."""
        if self._stoppable.pop(job_id, None) is not None:
            self._free += 1
            self._released(job_id)
            self._fill()

    def _ended(self, chat_id: int, job_id: int, _: object) -> None:
        del self._tasks[job_id]
        self._busy[chat_id] -= 1
        if not self._busy[chat_id]:
            del self._busy[chat_id]
        self._release(job_id)
        self._ended_with(chat_id, job_id)
        self._fill()
