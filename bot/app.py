"""The composition root, which reads the settings and knows which class plays which part: its steps, and its end."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import structlog
from telegram.error import InvalidToken, TelegramError

from bot.common import Common, open_common
from bot.front import Front, make_front
from bot.roles import Role
from bot.settings import Settings
from bot.work import make_work, working
from jobs.delivery import insist
from storage.database import Database, DatabaseError
from storage.migrations import SchemaError

STOP_SECONDS = 4.0
"""Grace for running jobs at the end; what is not done then is taken up by another process, or by the next start."""

SENDING_SECONDS = 2.0
"""More for results on their way: what is cut off there may come twice."""

LAST_SECONDS = 9.0  # after SIGTERM, whatever hangs
log = structlog.get_logger()


@asynccontextmanager
async def running(settings: Settings, role: Role = Role.RUN) -> AsyncIterator[None]:
    """Have the bot, or the part of it that `role` says, at work for as long as the context lasts.

    At the end no more updates are taken, handlers finish, no more jobs are taken, those that run have STOP_SECONDS
    and SENDING_SECONDS, the rest is left to others. Raises DatabaseError, SchemaError, InvalidToken, TelegramError.
    """
    async with AsyncExitStack() as stack:
        common = await open_common(settings, role, stack)
        work = await make_work(common)
        front = make_front(common, work.dispatch) if role.takes_updates else None
        if port := settings.web_port if front else settings.http_port:
            # Before Telegram is there: an orchestrator asks /healthz meanwhile.
            await stack.enter_async_context(_serving_web(common, front, port))
        telegram = front.application if front else common.bot
        stack.push_async_callback(common.bot.request.shutdown)  # PTB leaves it open when the start is broken off
        await insist(telegram.initialize)
        stack.push_async_callback(telegram.shutdown)
        tasks = [*common.tasks, *await stack.enter_async_context(working(common, work, STOP_SECONDS, SENDING_SECONDS))]
        if front:
            stack.push_async_callback(front.stop)
            await front.start()
        chores = [*map(_outlast, tasks), *(front.chores() if front else ())]
        group = await stack.enter_async_context(asyncio.TaskGroup())
        doing = [group.create_task(chore) for chore in chores]
        stack.callback(lambda: [task.cancel() for task in doing])
        if front:
            stack.callback(front.close)
        gc.collect()
        gc.freeze()  # what is here now stays
        gc.set_threshold(10_000)  # jobs leave no garbage in circles, and looking for it takes a tenth of all CPU
        updates = ("webhook" if settings.public_url else "polling") if front else "none"
        log.info("ready", bot=common.bot.username, role=role.value, updates=updates)
        yield


async def _outlast(task: asyncio.Task[None]) -> None:
    """Fail when `task` does."""
    await asyncio.shield(task)


def _serving_web(common: Common, front: Front | None, port: int) -> AbstractAsyncContextManager[int]:
    from bot.web import make_app, serving  # noqa: PLC0415  most bots poll and have no web side: 1.4 MB

    settings = common.settings
    checks: dict[str, Callable[[], Awaitable[object]]] = {"database": common.db.ping, "telegram": common.bot.get_me}
    if common.role.works:
        checks["provider"] = common.router.ready
    web = make_app(
        metrics=common.metrics,
        checks=checks,
        accept=front.accept if front and settings.public_url else None,
        secret=settings.webhook_secret,
        on_callback=common.router.on_callback if front and settings.wait == "callback" else None,
    )
    return serving(web, settings.http_host, port)


async def run(settings: Settings, role: Role = Role.RUN) -> int:
    """Run the bot, or a part of it, until SIGTERM or Ctrl-C; give the exit code."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    signalled = False

    def stop() -> None:
        nonlocal signalled
        if task is not None and not signalled:
            signalled = True
            task.cancel()
            loop.call_later(LAST_SECONDS, _leave)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with running(settings, role):
            await asyncio.Event().wait()
    except _expected() as error:
        log.error("cannot start", why=str(error))  # noqa: TRY400  the operator needs the sentence, not the trace
        return 1
    except InvalidToken:
        log.error("cannot start", why="Telegram does not know this bot token: see DARKROOM_BOT_TOKEN")  # noqa: TRY400  as above
        return 1
    except TelegramError as error:
        log.error("cannot start", why=f"Telegram says: {error.message}")  # noqa: TRY400  as above
        return 1
    except asyncio.CancelledError:
        if not signalled:
            raise
        log.info("stopped")
    return 0


def _expected() -> tuple[type[Exception], ...]:
    """Give what may go wrong at a start; a driver of a database that is not loaded is not used."""
    return (DatabaseError, SchemaError, OSError, *(kind.Error for kind in Database.__subclasses__()))


def _leave() -> None:
    """End the process as a crash would, which loses nothing: a database that is locked may hold up all that is left."""
    log.warning("stopped the hard way")
    os._exit(0)
