"""Part of the composition root: who works on jobs, and who hands them out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

import handlers
from bot.common import Common, background
from bot.house import make_prices, make_terms
from bot.windows import SMALL
from handlers.progress import ProgressScreen
from jobs.delivery import Delivery
from jobs.dispatch import Dispatch
from jobs.local import LocalDispatch
from jobs.membership import Membership
from jobs.prices import few_left
from jobs.progress import Progress
from jobs.runner import Runner
from storage import jobs, people

if TYPE_CHECKING:
    from jobs.distributed import DistributedDispatch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Work:
    """`dispatch` hands jobs out, `local` works on those of this process; `shared` is `dispatch` on a server."""

    runner: Runner
    progress: Progress
    local: LocalDispatch
    dispatch: Dispatch
    shared: "DistributedDispatch | None"


async def make_work(common: Common) -> Work:
    """Make all of that; some of it has to know what is made after it."""
    settings, db, membership = common.settings, common.db, common.membership
    delivery = Delivery(
        common.bot,
        common.files,
        common.words.say,
        common.metrics.duplicate_delivery,
        handlers.result_buttons(common.words),
        partial(few_left, db, make_terms(settings)),
    )

    async def place(job_id: int) -> int | None:
        return await end.place(job_id)

    progress = Progress(db, ProgressScreen(common.bot, common.words, SMALL), place, membership)
    runner = Runner(
        db,
        common.router,
        delivery,
        common.metrics,
        work_seconds=settings.job_timeout,
        price=make_prices(settings).actual,
        watcher=progress,
        lease=membership,
    )
    local = LocalDispatch(
        runner,
        limit=settings.concurrency,
        chat_limit=settings.chat_concurrency,
        watch=progress.watch,
        released=lambda job_id: shared.released(job_id) if shared else None,
        ended=lambda chat_id, job_id: shared.ended(chat_id, job_id) if shared else None,
    )
    shared = await _share(common, local, runner, progress)
    end = shared or local
    common.metrics.watch_queue(lambda: end.depth, lambda: end.working)
    return Work(runner, progress, local, end, shared)


async def _share(
    common: Common, local: LocalDispatch, runner: Runner, progress: Progress
) -> "DistributedDispatch | None":
    """Share the jobs with other processes, if the database is on a server."""
    if common.server is None:
        return None
    from jobs import distributed  # noqa: PLC0415  loads procrastinate: see storage.opening

    assert isinstance(common.membership, Membership)  # noqa: S101  it is, on a server
    limit = common.settings.chat_concurrency
    shared = distributed.DistributedDispatch(
        common.server, local, runner, common.membership, chat_limit=limit, watch=progress.watch
    )
    await shared.open()
    return shared


@asynccontextmanager
async def working(common: Common, work: Work, grace: float, sending: float) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Take jobs while the context lasts, if this process works; for its end see LocalDispatch.stop.

    Gives what goes on meanwhile.
    """
    tasks = []
    try:
        await _obey(common)
        async with AsyncExitStack() as taking:
            if work.shared and isinstance(common.membership, Membership):
                common.membership.on_lost.append(work.shared.abandon)
                common.membership.on_beat += [work.shared.sweep, partial(_obey, common)]
                if common.role.works:
                    calls = background(work.shared.work(common.settings.concurrency))
                    tasks.append(await taking.enter_async_context(calls))
            else:
                await _take_up(common, work.local)
            yield tasks
    finally:
        await work.local.stop(grace, sending)
        work.runner.albums.close()
        await work.progress.close()
        await common.metrics.close()


async def _obey(common: Common) -> None:
    """Use no provider that an admin has paused."""
    paused = await common.db.look(people.all_paused)
    for name in common.router.states():
        (common.router.pause if name in paused else common.router.resume)(name)


async def _take_up(common: Common, local: LocalDispatch) -> None:
    """Go on where the last process stopped: its jobs from their checkpoints."""
    unfinished = await common.db.look(jobs.unfinished)
    if unfinished:
        log.info("jobs left by the last run", count=len(unfinished))
    for job_id, chat_id in unfinished:
        local.enqueue(chat_id, job_id)
