"""How a request becomes a job and a job finds someone to work on it: the desk, and the seam behind it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from jobs.job import Request, SendAs, State, developed
from storage import jobs as rows
from storage import ledger, people, results
from storage.database import Connection, Database, Row

_REPEATED = (
    *("chat_id", "thread_id", "user_id", "reply_to", "language", "operation", "options"),
    *("file_id", "file_unique_id", "file_kind", "file_name", "file_size", "provider", "task_id"),
)


class Dispatch(Protocol):
    """Whoever has jobs worked on: in this process (jobs.local) or in others (jobs.distributed)."""

    async def admit(self, conn: Connection, chat_id: int) -> None:
        """Hand out what is the chat's turn, in the transaction that wrote it: both stand, or neither."""

    def enqueue(self, chat_id: int, job_id: int, *, at_once: bool = False) -> None:
        """Have the job, which stands, worked on in its chat's turn, or at once if there is next to nothing to do."""

    async def cancel(self, job_id: int) -> bool:
        """End the job without a result; False when it cannot be stopped any more."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The jobs that will be worked on; none when this request was accepted before."""

    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing will be done: `refused_<code>` in the locales, with what those words mention.

    `covered`: how many of the requests, from the first, could be done.
    """

    code: str
    params: Mapping[str, int | datetime | timedelta] = field(default_factory=dict)
    covered: int = 0


class _RefusalError(Exception):
    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.code)
        self.refused = refused


class Desk:
    """Accepts requests: the job and its hold are written in one transaction, so that neither is without the other.

    `costs`: credits held per operation name. `chat_unfinished`: how many such jobs a chat may have.
    `rate`: how fast one person may ask.
    """

    def __init__(
        self,
        db: Database,
        dispatch: Dispatch,
        terms: ledger.Terms,
        costs: Mapping[str, int],
        *,
        chat_unfinished: int = 100,
        rate: people.Rate | None = None,
    ) -> None:
        self._db = db
        self._dispatch = dispatch
        self._terms = terms
        self._costs = costs
        self._chat_unfinished = chat_unfinished
        self._rate = rate

    async def accept(self, requests: Sequence[Request]) -> Accepted | Refused:
        """Accept all of `requests`, which are of one chat, or refuse them all."""
        try:
            made = await self._db.transact(lambda conn: self._write(conn, requests))
        except _RefusalError as error:
            return error.refused
        for job_id, reused in made:
            self._dispatch.enqueue(requests[0].chat_id, job_id, at_once=reused)
        return Accepted(tuple(job_id for job_id, _ in made))

    async def repeat(self, row: Row, source: str, *, send_as: SendAs) -> None:
        """Deliver what a job made once more, another way, while its provider has it: there is nothing to pay.

        `row` is the delivered job's; the same `source` has effect once.
        """
        columns: dict[str, object] = {name: row[name] for name in _REPEATED}

        async def work(conn: Connection) -> int | None:
            await conn.lock(f"chat {row['chat_id']}")
            job_id = await rows.add(conn, state=State.SUBMITTED, source=source, place=0, send_as=send_as, **columns)
            await self._dispatch.admit(conn, row["chat_id"])
            return job_id

        job_id = await self._db.transact(work)
        if job_id is not None:
            self._dispatch.enqueue(row["chat_id"], job_id)

    async def cancel(self, job_id: int) -> bool:
        """End a job without a result; False when it cannot be stopped any more."""
        return await self._dispatch.cancel(job_id)

    async def cancel_request(self, job_id: int) -> int:
        """End a job and all that are delivered with it; give how many could be stopped."""
        found = await self._db.look(lambda conn: rows.together(conn, job_id))
        if all(map(developed, found)):
            return 0
        # Those that are done first: they would go out as soon as nobody works on the others.
        return sum([await self._dispatch.cancel(row["id"]) for row in sorted(found, key=developed, reverse=True)])

    async def _write(self, conn: Connection, requests: Sequence[Request]) -> list[tuple[int, bool]]:
        """Write the jobs with their holds; tell of each whether it only sends what Telegram has."""
        chat_id, made = requests[0].chat_id, []
        await conn.lock(f"chat {chat_id}", f"person {requests[0].user_id}")
        for number, request in enumerate(requests):
            try:
                one = await self._write_one(conn, request)
            except _RefusalError as error:
                raise _RefusalError(replace(error.refused, covered=number)) from None
            if one is not None:
                made.append(one)
        await self._dispatch.admit(conn, chat_id)
        return made

    async def _write_one(self, conn: Connection, request: Request) -> tuple[int, bool] | None:
        reuse = await _earlier(conn, request)
        job_id = await rows.add(conn, state=State.ACCEPTED, reuse=reuse, **request.columns())
        if job_id is None:
            return None
        if await rows.count_unfinished(conn, request.chat_id) > self._chat_unfinished:
            raise _RefusalError(Refused("too_many_jobs", {"n": self._chat_unfinished}))
        if self._rate and (seconds := await people.wait_of(conn, request.user_id, self._rate)):
            raise _RefusalError(Refused("too_fast", {"wait": timedelta(seconds=math.ceil(seconds))}))
        if reuse:
            return job_id, True  # what Telegram has already costs nobody anything
        cost = self._costs[request.operation.name]
        short = await ledger.hold(conn, request.chat_id, job_id, cost, self._terms, user_id=request.user_id)
        if short is not None:
            raise _RefusalError(
                Refused(short.reason, {"renews_at": short.quota.renews_at, "left": short.left, "cost": cost})
            )
        return job_id, False


async def _earlier(conn: Connection, request: Request) -> str | None:
    """Give the files of an earlier result of the same wish about the same picture."""
    unique = request.picture.file_unique_id
    if request.fresh or not unique:
        return None
    return await results.find(conn, unique, request.operation.name, request.wish)
