"""One picture's way through the providers: submit, wait, fetch, and what to do when a step fails (API_CONTRACT.md).

What may be done again stands here, how often and for how long in patience.py:
- a paid POST that surely had no effect, and what costs nothing: several times, farther and farther apart;
- a paid POST whose outcome is unknown: awaited by callback if there is one, else one more POST in all;
- a task that ended in -2 or -8: one new task with the same provider; any other failed task: the next provider;
- a task or result that is gone: one new task; a picture that is too large: once more, smaller.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from imaging import codec, patience, refusals
from imaging.errors import (
    Busy,
    GaveUp,
    ImagingError,
    OutcomeUnknown,
    PictureTooLarge,
    ProviderError,
    ResultLost,
    TaskFailed,
    TaskLost,
    Unavailable,
    Unsent,
)
from imaging.pace import Urgency
from imaging.provider import Link, Upload
from imaging.wire import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imaging.callbacks import Call
    from imaging.checkpoint import Checkpoint, Resume
    from imaging.lane import Lane, Observer
    from imaging.operations import Operation
    from imaging.provider import Task
    from imaging.results import Result


class Journey:
    """The state of one picture's way; `run` once, then `close`."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        operation: Operation,
        upload: Upload | Link,
        checkpoint: Checkpoint,
        observer: Observer,
        *,
        sync: bool,
        call: Call | None,
    ) -> None:
        self._queue = deque(lanes)  # who may still be asked
        self._operation = operation
        self._upload = upload
        self._checkpoint = checkpoint
        self._observer = observer
        self._sync = sync
        self._call = call
        self._smaller: codec.Prepared | None = None
        self._unknown = False  # one outcome is unknown already
        self._redone = False  # one task or result was lost already

    def close(self) -> None:
        """Let go of the smaller copy, if one was made."""
        if self._smaller:
            self._smaller.file.close()

    async def run(self, resume: Resume | None) -> Result:
        """Try one provider after the other. Raises PictureError or GaveUp."""
        last: ProviderError = Unavailable("no provider is in service")
        lane, task_id = await self._pending(resume) if resume else (None, None)
        if lane:
            self._queue.remove(lane)
        else:
            lane = await self._next()
        while lane:
            try:
                return await self._with(lane, task_id)
            except OutcomeUnknown as error:
                last = error
                if self._note_unknown(lane.name):
                    break
                self._queue.append(lane)  # another provider may do it; if there is none, the same once more
            except ProviderError as error:
                last = error
            task_id, before = None, lane
            lane = await self._next()
            if lane is before:
                await asyncio.sleep(patience.BREATH)
        raise GaveUp(str(last)) from last

    async def _pending(self, resume: Resume) -> tuple[Lane | None, str | None]:
        """Give who has a task of this picture, and which; nobody when it is to be submitted (perhaps once more)."""
        lane = next((one for one in self._queue if one.name == resume.provider), None)
        task_id = resume.task_id
        if lane and task_id is None:
            with suppress(OutcomeUnknown):
                task_id = (await self._heard(lane, age=max(resume.age, 0.0))).task_id
                await self._checkpoint.submitted(lane.name, task_id)
        if task_id is None:
            self._note_unknown(resume.provider)
        # A provider that is configured no more cannot be asked: then it begins anew.
        return (lane, task_id) if lane and task_id else (None, None)

    def _note_unknown(self, provider: str) -> bool:
        """Count an unknown outcome; whether it was not the first."""
        self._observer.unknown_submission(provider)
        before, self._unknown = self._unknown, True
        return before

    async def _next(self) -> Lane | None:
        """Take the first provider in service, waiting a while when all are out; None when nobody is left."""
        until, queue = _now() + patience.FOR_SERVICE, self._queue
        while queue:
            for _ in range(len(queue)):
                if queue[0].admit():
                    return queue.popleft()
                queue.rotate(-1)
            if all(lane.paused or _now() + lane.breaker.shut_for > until for lane in queue):
                break
            await asyncio.sleep(1)
        return None

    async def _with(self, lane: Lane, task_id: str | None) -> Result:
        """Do all that one provider may be asked for; `task_id` names a task it has already."""
        retried = False
        while True:
            try:
                task = await (self._ask(lane, task_id, Urgency.SOON) if task_id else self._submit(lane))
                return await self._fetch(lane, await self._wait(lane, task, learn=task_id is None))
            except OutcomeUnknown:
                raise
            except (TaskLost, ResultLost):
                await self._checkpoint.unsubmitted()
                if self._redone:
                    raise
                self._redone = True
            except TaskFailed as error:
                await self._checkpoint.unsubmitted()
                if retried or error.state not in (State.UPLOAD_FAILED, State.TOO_SLOW):
                    raise
                retried = True
            except PictureTooLarge:
                await self._checkpoint.unsubmitted()
                await self._shrink()
            except ImagingError:
                await self._checkpoint.unsubmitted()
                raise
            task_id = None

    async def _submit(self, lane: Lane) -> Task:
        """Send the paid POST until it surely arrived or may have. Raises OutcomeUnknown if it may have."""
        return await patience.insist(lambda: self._submit_once(lane), self._surely_not_taken, attempts=patience.TRIES)

    async def _submit_once(self, lane: Lane) -> Task:
        await lane.turn(Urgency.SUBMIT)
        if lane.paused:
            raise Unavailable("the provider is paused")
        await self._checkpoint.submitting(lane.name)
        url = self._call.url if self._call and not self._call.came else None  # it is good once
        try:
            task = await lane.submit(self._operation, self._upload, sync=self._sync, callback_url=url)
        except (Busy, Unsent):
            await self._checkpoint.unsubmitted()
            raise
        except OutcomeUnknown:
            if url is None:
                raise
            task = await self._heard(lane)
        if task.task_id:
            await self._checkpoint.submitted(lane.name, task.task_id)
        return task

    def _surely_not_taken(self, error: Exception) -> bool:
        """Say which failed POSTs to send again here; one that keeps us waiting long goes to another provider."""
        if isinstance(error, Busy):
            others = any(one.in_service for one in self._queue)
            return not others or (error.retry_after or 0) <= patience.FOR_SERVICE
        return isinstance(error, Unsent)

    async def _heard(self, lane: Lane, *, age: float = 0.0) -> Task:
        """Learn from a callback that a POST `age` seconds ago was taken. Raises OutcomeUnknown when none tells."""
        if self._call and await self._call.wait(patience.UNKNOWN_WAIT - age) and self._call.task_id:
            try:
                return await self._ask(lane, self._call.task_id, Urgency.SOON)
            except ProviderError:
                pass  # the call named a task that does not exist, or nobody can say whether it does
        raise OutcomeUnknown("the paid request may have been taken")

    async def _wait(self, lane: Lane, task: Task, *, learn: bool) -> Task:
        """Ask again and again until the task is done. Raises what its failure means."""
        started, not_yet = _now(), 0.0
        durations = lane.durations[self._operation.name]
        while not (task.done or task.failed):
            called = await self._pause(durations.next_wait(_now() - started))
            task = await self._ask(lane, task.task_id, Urgency.SOON if called else Urgency.POLL)
            if task.progress is not None:
                self._checkpoint.progressed(task.progress)
            if task.done and learn:
                durations.learn(not_yet, _now() - started)
            not_yet = _now() - started
        if task.failed:
            raise refusals.failed_task(self._operation.name, task)
        return task

    async def _pause(self, seconds: float) -> bool:
        """Wait for the time to ask, or for the callback if one may still come; whether it came."""
        if self._call and not self._call.came:
            return await self._call.wait(max(seconds, patience.SLOW))
        await asyncio.sleep(seconds)
        return False

    async def _ask(self, lane: Lane, task_id: str, urgency: Urgency) -> Task:
        """Ask for a task, which costs nothing and may be repeated."""
        return await patience.insist(
            lambda: lane.query(self._operation, task_id, urgency), patience.may_pass, attempts=patience.QUESTIONS
        )

    async def _fetch(self, lane: Lane, task: Task) -> Result:
        """Download the result, asking for a new URL before each further try."""
        lost, tries = count(1), count()

        def again(error: Exception) -> bool:
            return next(lost) < patience.DOWNLOADS if isinstance(error, ResultLost) else patience.may_pass(error)

        async def fetch() -> Result:
            nonlocal task
            if next(tries) and task.task_id:
                task = await self._ask(lane, task.task_id, Urgency.SOON)
            return await lane.fetch(task)

        result = await patience.insist(fetch, again, attempts=patience.QUESTIONS)
        return replace(result, changes=self._smaller.changes) if self._smaller else result

    async def _shrink(self) -> None:
        """Make the picture smaller, once. Raises PictureTooLarge with the providers' limits the second time."""
        if self._smaller or isinstance(self._upload, Link):
            raise PictureTooLarge("too large even when shrunk", side=codec.MAX_SIDE, megabytes=codec.MAX_BYTES // 2**20)
        smaller = await asyncio.to_thread(codec.shrink, self._upload.file)
        self._smaller = smaller
        self._upload = Upload(smaller.file, smaller.size, smaller.filename, smaller.content_type)


def _now() -> float:
    return asyncio.get_running_loop().time()
