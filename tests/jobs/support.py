"""A bench for jobs: everything of ours is real; Telegram and the provider are played by the two classes here."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, BinaryIO

from PIL import Image

from imaging.operations import Colorize, Operation
from imaging.provider import Link, Upload
from imaging.results import Result, look_at, new_spool
from imaging.routing import Checkpoint, Resume
from jobs.dispatch import Accepted, Desk
from jobs.job import Job, Picture, Piece, Request, Sent
from jobs.local import LocalDispatch
from jobs.runner import Runner
from storage import ledger
from storage.database import Database
from tests.databases import raw


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, kind)
    return out.getvalue()


PHOTO = picture()


def make_result(data: bytes = PHOTO, *more: bytes) -> Result:
    """Give a result whose files hold these bytes."""
    files = []
    for number, each in enumerate((data, *more)):
        spool = new_spool()
        spool.write(each)
        files.append(look_at("mask" if number else "image", spool))
    return Result(tuple(files))


def request(
    chat_id: int = 7,
    place: int = 0,
    source: str = "m1",
    operation: Operation | None = None,
    unique: str = "",
    **more: Any,
) -> Request:
    return Request(
        chat_id=chat_id,
        thread_id=None,
        user_id=8,
        reply_to=1,
        source=source,
        place=place,
        picture=Picture("file", unique, "photo", size=len(PHOTO)),
        operation=operation or Colorize(),
        language="en",
        **more,
    )


class Telegram:
    """The Telegram side. `troubles` are raised one by one by whatever is sent; `down` blocks while it is set."""

    def __init__(self) -> None:
        self.photo = PHOTO
        self.sent: list[tuple[int, int]] = []  # chat, job
        self.replies: list[int | None] = []
        self.albums: list[list[int]] = []  # the jobs of each call
        self.numbers: list[int] = []
        self.told: list[tuple[int, str, dict[str, str | int]]] = []
        self.changes: tuple[str, ...] = ()
        self.troubles: list[BaseException] = []
        self.up = asyncio.Event()
        self.up.set()
        self.crash = Crash()

    async def fetch(self, job: Job, into: BinaryIO) -> int:
        """Bring the original."""
        await self.crash.point()
        if job.file_id == "gone":
            raise self.troubles.pop(0)
        return into.write(self.photo)

    @asynccontextmanager
    async def busy(self, job: Job) -> AsyncIterator[None]:
        """Show nothing."""
        assert job.id
        yield

    def looks(self, piece: Piece) -> tuple[str, int]:
        """Take colorized pictures as photos, others as files."""
        return ("photo" if isinstance(piece.job.operation, Colorize) else "document"), 1

    async def deliver(self, to: Job, pieces: Sequence[Piece]) -> list[tuple[Sent, ...]]:
        """Take the results."""
        await self._way()
        for piece in pieces:
            assert piece.result is None or all(not one.file.closed for one in piece.result.files)
            self.sent.append((to.chat_id, piece.job.id))
            self.changes = piece.changes
        self.albums.append([piece.job.id for piece in pieces])
        self.replies.append(to.reply_to)
        await self.crash.point()
        return [(Sent("photo", f"sent{piece.job.id}"),) for piece in pieces]

    async def tell(self, job: Job, code: str, params: dict[str, str | int], *, number: int = 0) -> None:
        """Take the sentence."""
        await self._way()
        self.told.append((job.chat_id, code, params))
        self.numbers.append(number)
        await self.crash.point()

    async def _way(self) -> None:
        await self.crash.point()
        await self.up.wait()
        if self.troubles:
            raise self.troubles.pop(0)


class Provider:
    """The provider side, which does as a router does: checkpoints around the one paid request."""

    def __init__(self) -> None:
        self.tasks: list[str] = []  # submitted
        self.asked: list[Resume | None] = []
        self.uploads: list[Upload | Link] = []
        self.at_once = self.most = 0
        self.troubles: list[BaseException] = []
        self.results: list[Result] = []
        self.refuses = False  # take nothing, and die
        self.up = asyncio.Event()
        self.up.set()
        self.crash = Crash()

    async def develop(
        self, operation: Operation, upload: Upload | Link, checkpoint: Checkpoint, *, resume: Resume | None = None
    ) -> Result:
        """Submit unless that was done before, then give a result."""
        assert operation.name
        assert isinstance(upload, Link) or upload.size
        self.uploads.append(upload)
        self.asked.append(resume)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if resume is None or resume.task_id is None:
                await self.crash.point()
                await checkpoint.submitting("gptge")
                if self.refuses:
                    await checkpoint.unsubmitted()
                    raise asyncio.CancelledError
                await self.crash.point()
                self.tasks.append(f"task{len(self.tasks)}")
                await self.crash.point()
                await checkpoint.submitted("gptge", self.tasks[-1])
            await self.crash.point()
            await self.up.wait()
            if self.troubles:
                raise self.troubles.pop(0)
            self.results.append(make_result())
            return self.results[-1]
        finally:
            self.at_once -= 1


class Crash:
    """Cancels the work at the point with the number `at`."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.passed = 0

    async def point(self) -> None:
        """Die here, if it is the turn of this point."""
        self.passed += 1
        if self.passed - 1 == self.at:
            raise asyncio.CancelledError


class Counts:
    """The observer: what was counted."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()  # provider, outcome
        self.stages: Counter[str] = Counter()
        self.charged = 0
        self.duplicates = 0

    def stage(self, stage: str, seconds: float) -> None:
        """Count."""
        assert seconds >= 0
        self.stages[stage] += 1

    def job_ended(self, operation: str, provider: str, outcome: str) -> None:
        """Count."""
        assert operation
        self.ended[provider, outcome] += 1

    def credits_moved(self, kind: str, amount: int) -> None:
        """Count."""
        assert kind == "settle"
        self.charged += amount

    def duplicate_delivery(self) -> None:
        """Count."""
        self.duplicates += 1


class Bench:
    """A desk, a dispatch and a runner on `db`, between a Telegram and a provider."""

    def __init__(self, db: Database, *, allowance: int = 100, limit: int = 16, chat_limit: int = 4) -> None:
        self.db = db
        self.telegram, self.provider, self.counts = Telegram(), Provider(), Counts()
        self.terms = ledger.Terms(allowance)
        self.runner = self.make_runner()
        self.dispatch = LocalDispatch(self.runner, limit=limit, chat_limit=chat_limit)
        self.desk = Desk(db, self.dispatch, self.terms, {"colorize": 1, "cutout": 2}, chat_unfinished=60)

    def make_runner(self, *, work_seconds: float = 30.0, deliver_seconds: float = 30.0) -> Runner:
        """Make another runner, as after a restart."""
        return Runner(
            self.db,
            self.provider,
            self.telegram,
            self.counts,
            work_seconds=work_seconds,
            deliver_seconds=deliver_seconds,
        )

    async def job(self, made: Request | None = None) -> int:
        """Accept a request but have nobody work on it yet."""
        nobody = LocalDispatch(self.runner)
        await nobody.stop(0)
        desk = Desk(self.db, nobody, self.terms, {"colorize": 1, "cutout": 2})
        accepted = await desk.accept([made or request()])
        assert isinstance(accepted, Accepted)
        return accepted.job_ids[0]

    async def work(self, job_id: int, runner: Runner | None = None) -> None:
        """Do a job to its end, or to the crash."""
        with suppress(asyncio.CancelledError):
            rest = await (runner or self.runner).work(job_id)
            if rest is not None:
                await rest()

    async def row(self, job_id: int, *columns: str) -> tuple[object, ...]:
        """Give columns of a job."""
        async with self.db.read() as conn:
            return (await raw(conn, f"SELECT {', '.join(columns)} FROM jobs WHERE id = ?", job_id))[0]  # noqa: S608  ours

    async def money(self, job_id: int) -> list[str]:
        """Give the kinds of the job's ledger rows."""
        async with self.db.read() as conn:
            found = await raw(conn, "SELECT kind FROM ledger WHERE job_id = ? ORDER BY id", job_id)
        return [str(kind) for (kind,) in found]

    async def quiet(self) -> None:
        """Wait until nobody works on anything."""
        while self.dispatch.working:
            await asyncio.wait(list(self.dispatch._tasks.values()))
            await asyncio.sleep(0)


__all__ = ["PHOTO", "Bench", "Provider", "Telegram", "make_result", "picture", "request"]
