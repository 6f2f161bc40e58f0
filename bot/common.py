"""Parts of the composition root that every process has, whatever its role."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import structlog
from httpx_aiohttp import AiohttpTransport
from telegram.ext import ExtBot

from bot.alerts import Alerts
from bot.outside import make_bot, make_providers, make_transport
from bot.roles import Role
from bot.settings import Settings
from handlers.words import Words
from imaging.callbacks import Callbacks, OwnCallbacks
from imaging.routing import Router
from jobs.membership import ALONE, Alone, Membership
from storage.database import Database
from storage.opening import open_database
from storage.rates import Rates

if TYPE_CHECKING:
    from storage.postgres import Postgres

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Common:
    """What all roles have. `server` is `db` where many processes share it, None for a file that is ours alone.

    `tasks` go on from the start to the end; one that fails has to end the process.
    """

    settings: Settings
    role: Role
    db: Database
    server: "Postgres | None"
    membership: Membership | Alone
    words: Words
    bot: ExtBot[Any]
    files: AiohttpTransport
    metrics: Alerts
    router: Router
    tasks: tuple[asyncio.Task[None], ...]


async def open_common(settings: Settings, role: Role, stack: AsyncExitStack) -> Common:
    """Open the database, be one of its processes, and make clients for the world outside; `stack` closes them.

    Raises DatabaseError, SchemaError, or what the database's driver raises.
    """
    db = await open_database(settings.database_url.get_secret_value())
    stack.push_async_callback(db.close)
    server = _as_server(db)
    gate = Rates(db) if server else None
    words, bot, files = Words(), make_bot(settings, gate), await stack.enter_async_context(make_transport())
    share, cap = settings.failure_alert, settings.daily_spend_cap
    metrics = Alerts(db, bot, words, settings.admin_ids, failure_share=share, cap=cap)
    providers = make_providers(settings)
    for provider in providers:
        stack.push_async_callback(provider.aclose)
    callbacks = _make_callbacks(settings, server)
    router = Router(
        providers,
        rate=settings.provider_rate,
        wait=settings.wait,
        callbacks=callbacks,
        observer=metrics,
        gate=gate,
    )
    membership: Membership | Alone = ALONE
    tasks = []
    if server:
        membership = Membership(db, role, lambda: _known(router, metrics) if role.works else None)
        tasks.append(await stack.enter_async_context(_living(membership, db)))
    if isinstance(callbacks, _Listener) and role.works:  # the others only hear what is for them
        tasks.append(await stack.enter_async_context(background(callbacks.run())))
    return Common(settings, role, db, server, membership, words, bot, files, metrics, router, tuple(tasks))


def _as_server(db: Database) -> "Postgres | None":
    if not db.on_server:
        return None
    from storage.postgres import Postgres  # noqa: PLC0415  see storage.opening

    assert isinstance(db, Postgres)  # noqa: S101  there is no other server
    return db


@runtime_checkable
class _Listener(Protocol):
    """Callbacks that have to be listened to; see bot.callbacks."""

    async def run(self) -> None:
        """Listen until cancelled."""


def _make_callbacks(settings: Settings, server: "Postgres | None") -> Callbacks | None:
    if settings.wait != "callback":
        return None
    base = f"{settings.public_url}/callback"
    if server is None:
        return OwnCallbacks(base, settings.callback_key)
    from bot.callbacks import SharedCallbacks  # noqa: PLC0415  see storage.opening

    return SharedCallbacks(server, base, settings.callback_key)


def _known(router: Router, metrics: Alerts) -> str:
    """Tell what this process knows of its providers; see storage.tables, processes."""
    return json.dumps({name: (state, metrics.latency(name)) for name, state in router.states().items()})


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Have `work` going on for as long as the context lasts."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _living(membership: Membership, db: Database) -> AsyncIterator[asyncio.Task[None]]:
    """Be one of the processes that share the database; at the end leave them what is not done."""
    await membership.join()
    try:
        async with background(membership.run()) as task:
            yield task
    finally:
        try:
            await membership.leave()
        except db.Error as error:  # they find out by themselves, a little later
            log.warning("could not take leave of the other processes", why=str(error))
