"""The composition root: the one place that reads the settings and knows which class plays which part."""

import asyncio
import gc
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr
from telegram import Bot
from telegram.error import InvalidToken
from telegram.ext import ApplicationBuilder, ExtBot
from telegram.request import HTTPXRequest

import handlers
from bot.house import make_alerts, make_dispatch, make_house
from bot.intake import ALLOWED_UPDATES, Intake, Processor, poll
from bot.metrics import Metrics
from bot.pacing import Pacer
from bot.settings import Settings
from handlers.albums import complete_overdue
from handlers.commands import publish_commands, publish_profile
from handlers.context import CONTEXT_TYPES, App, House
from handlers.words import Words
from imaging.gptge import GptGe
from imaging.picwish import PicWish
from imaging.provider import Provider
from imaging.routing import Router
from imaging.transport import tls
from imaging.wire import ReturnType
from jobs.delivery import insist
from jobs.local import LocalDispatch
from jobs.membership import ALONE
from storage import albums, inbox, jobs, results
from storage.database import Connection, Database, DatabaseBusyError
from storage.migrations import SchemaError
from storage.opening import open_database

STOP_SECONDS = 5.0
"""Grace for running jobs at the end; what is not done then is taken up by the next start."""

HANDLERS_SECONDS = 2.0  # grace for handlers in the middle of an answer
LAST_SECONDS = 9.0  # after SIGTERM, whatever hangs
PRUNE_SECONDS = 3600.0
log = structlog.get_logger()


def make_providers(settings: Settings) -> list[Provider]:
    """Make a client for each provider in DARKROOM_PROVIDERS, in that order."""
    made: dict[str, Callable[[], Provider]] = {
        "gptge": lambda: GptGe(settings.gptge_url, _given(settings.gptge_token)),
        "picwish": lambda: PicWish(
            settings.picwish_url, _given(settings.picwish_api_key), return_type=ReturnType(settings.picwish_return_type)
        ),
    }
    return [made[name]() for name in settings.providers]


def make_bot(settings: Settings) -> ExtBot[Any]:
    """Make the Telegram client: PTB on aiohttp's transport, which costs a quarter of httpx's own."""
    return ExtBot(
        settings.bot_token.get_secret_value(),
        base_url=f"{settings.bot_api_url}/bot",
        base_file_url=f"{settings.bot_api_url}/file/bot",
        request=HTTPXRequest(connection_pool_size=256, read_timeout=30, pool_timeout=30, httpx_kwargs=_transport()),
        get_updates_request=HTTPXRequest(httpx_kwargs=_transport()),
        rate_limiter=Pacer(settings.telegram_rate),
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Have the whole bot at work for as long as the context lasts.

    Raises DatabaseBusyError, SchemaError, InvalidToken.
    """
    async with AsyncExitStack() as stack:
        words, bot = Words(), make_bot(settings)
        db = await open_database(settings.database_url.get_secret_value())
        stack.push_async_callback(db.close)
        metrics = make_alerts(settings, db, bot, words)
        files = await stack.enter_async_context(httpx.AsyncClient(timeout=30, **_transport()))
        router = _make_router(settings, metrics, stack)
        dispatch, progress, runner = make_dispatch(settings, db, bot, words, files, router, metrics)
        metrics.watch_queue(lambda: dispatch.depth, lambda: dispatch.working)
        house = await make_house(settings, db, dispatch, words, router, metrics)
        queue: asyncio.Queue[object] = asyncio.Queue(maxsize=1000)
        intake = Intake(db, bot, queue, metrics, ALONE)
        processor = Processor(intake)
        application = _make_application(bot, queue, processor, house)

        if settings.web_port is not None:  # before Telegram is there: an orchestrator asks /healthz meanwhile
            web = _serving_web(settings, settings.web_port, db, bot, router, intake, metrics)
            await stack.enter_async_context(web)
        stack.push_async_callback(bot.request.shutdown)  # PTB leaves it open when the start is broken off
        await insist(application.initialize)
        stack.push_async_callback(application.shutdown)
        stack.push_async_callback(metrics.close)
        stack.push_async_callback(progress.close)
        stack.callback(runner.close)
        stack.push_async_callback(dispatch.stop, STOP_SECONDS)
        await application.start()
        stack.push_async_callback(_stop_handling, application, processor)
        await _take_up(db, dispatch, intake)
        await complete_overdue(application)
        chores = [_introduce(bot, words, house), _prune(db, settings.keep_days)]
        if settings.public_url:
            await insist(lambda: _set_webhook(bot, settings))
        else:
            await insist(bot.delete_webhook)  # getUpdates is refused while a webhook is set
            chores.append(poll(bot, files, intake))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(chore) for chore in chores]
        stack.callback(lambda: [task.cancel() for task in tasks])
        gc.collect()
        gc.freeze()  # what is here now stays; looking for garbage takes a tenth of all CPU
        log.info("ready", bot=bot.username, updates="webhook" if settings.public_url else "polling")
        yield


def _make_router(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Router:
    providers = make_providers(settings)
    for provider in providers:
        stack.push_async_callback(provider.aclose)
    return Router(
        providers,
        rate=settings.provider_rate,
        wait=settings.wait,
        callback_base=f"{settings.public_url}/callback",
        observer=metrics,
    )


def _make_application(bot: ExtBot[Any], queue: asyncio.Queue[object], processor: Processor, house: House) -> App:
    application: App = (
        ApplicationBuilder()
        .bot(bot)
        .updater(None)
        .update_queue(queue)
        .concurrent_updates(processor)
        .context_types(CONTEXT_TYPES)
        .build()
    )
    handlers.register(application, house)
    return application


def _serving_web(
    settings: Settings, port: int, db: Database, bot: Bot, router: Router, intake: Intake, metrics: Metrics
) -> AbstractAsyncContextManager[int]:
    from bot.web import make_app, serving  # noqa: PLC0415  most bots poll and have no web side: 1.4 MB

    web = make_app(
        metrics=metrics,
        checks={"database": db.ping, "telegram": bot.get_me, "provider": router.ready},
        accept=(lambda update: intake.accept([update])) if settings.public_url else None,
        secret=settings.webhook_secret,
        on_callback=router.on_callback if settings.wait == "callback" else None,
    )
    return serving(web, settings.http_host, port)


async def run(settings: Settings) -> int:
    """Run the bot until SIGTERM or Ctrl-C; give the exit code."""
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
        async with running(settings):
            await asyncio.Event().wait()
    except (DatabaseBusyError, SchemaError, sqlite3.Error, OSError) as error:
        log.error("cannot start", why=str(error))  # noqa: TRY400  the operator needs the sentence, not the trace
        return 1
    except InvalidToken:
        log.error("cannot start", why="Telegram does not know this bot token: see DARKROOM_BOT_TOKEN")  # noqa: TRY400  as above
        return 1
    except asyncio.CancelledError:
        if not signalled:
            raise
        log.info("stopped")
    return 0


def _leave() -> None:
    """End the process as a crash would, which loses nothing: a database that is locked may hold up all that is left."""
    log.warning("stopped the hard way")
    os._exit(0)


def _given(key: SecretStr | None) -> SecretStr:
    if key is None:  # settings.py refuses a provider without its key
        raise AssertionError
    return key


def _transport() -> dict[str, Any]:
    return {"transport": AiohttpTransport(verify=tls(), limits=httpx.Limits(max_connections=256))}


async def _set_webhook(bot: Bot, settings: Settings) -> None:
    await bot.set_webhook(
        f"{settings.public_url}/telegram",
        secret_token=settings.webhook_secret.get_secret_value(),
        allowed_updates=ALLOWED_UPDATES,
    )


async def _take_up(db: Database, dispatch: LocalDispatch, intake: Intake) -> None:
    """Go on where the last process stopped: its jobs from their checkpoints, its updates from the inbox."""
    async with db.read() as conn:
        unfinished = await jobs.unfinished(conn)
    if unfinished:
        log.info("jobs left by the last run", count=len(unfinished))
    for job_id, chat_id in unfinished:
        dispatch.enqueue(chat_id, job_id)
    await intake.claim()


async def _stop_handling(application: App, processor: Processor) -> None:
    await application.bot_data.house.errands.close()
    try:
        async with asyncio.timeout(HANDLERS_SECONDS):
            await application.stop()
    except TimeoutError:
        await processor.cut_short()
        log.warning("handlers cut short: their updates stay in the inbox")
    await processor.shutdown()


async def _introduce(bot: Bot, words: Words, house: House) -> None:
    await publish_commands(bot, words, house.admin_ids, selling=bool(house.packs))
    await publish_profile(bot, words)


async def _prune(db: Database, days: int) -> None:
    """Forget handled updates, finished jobs, albums and results after `days`, every hour."""
    while True:
        before = time.time() - days * 86_400

        async def write(conn: Connection, before: float = before) -> None:
            await inbox.prune(conn, before)
            await jobs.prune(conn, before)
            await albums.prune(conn, before)
            await results.prune(conn, max(before, time.time() - results.KEEP_SECONDS))

        await db.persist(write)
        await asyncio.sleep(PRUNE_SECONDS)
