"""What is written down while a picture is developed: nothing paid for is done twice, whoever goes on with it."""

import time

import structlog

from jobs.closing import Watcher
from jobs.job import Job, State
from jobs.progress import DEVELOPED
from storage import jobs as rows
from storage.database import Database

log = structlog.get_logger()

PERCENT = {State.ACCEPTED: 5, State.SUBMITTING: 15, State.SUBMITTED: 30, State.DELIVERING: DEVELOPED}
"""How far a job is in each state, as people are shown it."""


class Checkpoints:
    """Writes down what must not be repeated; each call is durable when it returns (imaging.routing.Checkpoint)."""

    def __init__(self, db: Database, job: Job, watcher: Watcher) -> None:
        self._db = db
        self._job = job
        self._watcher = watcher
        self._submits = job.submits
        # A result that was here once is fetched again with the whole time, however long it took the first time.
        self._began = time.monotonic() - (0 if job.state == State.DELIVERING else job.worked)
        self.provider = job.provider

    @property
    def name(self) -> str:
        """The job's number."""
        return str(self._job.id)

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
        self._submits = 0
        await self._write(State.ACCEPTED, provider=None, task_id=None, submits=0)

    def progressed(self, percent: int) -> None:
        """Show what the provider says about its task; this alone is not written down."""
        begun, done = PERCENT[State.SUBMITTED], PERCENT[State.DELIVERING]
        self._watcher.move(self._job.id, begun + max(0, min(percent, 100)) * (done - begun) // 100)

    async def delivering(self) -> None:
        """Write down that the result is here, unless it was before."""
        if self._job.state != State.DELIVERING:
            await self._write(State.DELIVERING)

    async def _write(self, state: State, **columns: object) -> None:
        self._watcher.move(self._job.id, PERCENT[state])
        log.info("job moved", job=self._job.id, state=str(state), **columns)
        if self._job.state == State.DELIVERING:
            state = State.DELIVERING  # the time to deliver runs from the first result
        job_id, epoch = self._job.id, self._job.epoch
        changes = {"state": state, "worked": self.worked, **columns}
        await self._db.persist(lambda conn: rows.update(conn, job_id, epoch=epoch, **changes))
