"""Parts of the composition root: who works on jobs, and what the handlers are given."""

import time
from functools import partial
from typing import Any

import httpx
from telegram import Bot
from telegram.ext import ExtBot

import handlers
from bot.alerts import Alerts
from bot.metrics import Metrics
from bot.settings import Settings
from bot.windows import AT_ONCE, SMALL
from handlers.context import House
from handlers.progress import ProgressScreen
from handlers.words import Words
from imaging.operations import OPERATIONS
from imaging.routing import Router
from jobs.delivery import Delivery
from jobs.dispatch import Desk, Dispatch
from jobs.local import LocalDispatch
from jobs.prices import Prices, few_left
from jobs.progress import Progress
from jobs.runner import Runner
from storage import ledger, people
from storage.database import Database
from storage.periods import utc_day


def make_prices(settings: Settings) -> Prices:
    """Give what photos cost."""
    large = settings.cost_enhance if settings.cost_enhance_large is None else settings.cost_enhance_large
    return Prices({name: getattr(settings, f"cost_{name}") for name in OPERATIONS}, large)


def make_terms(settings: Settings) -> ledger.Terms:
    """Give what the operator settled for every chat."""
    return ledger.Terms(
        ledger.UNLIMITED if settings.daily_allowance is None else settings.daily_allowance,
        settings.daily_spend_cap,
        zone=settings.time_zone,
        person_cap=settings.person_daily_cap,
    )


def make_alerts(settings: Settings, db: Database, bot: Bot, words: Words) -> Alerts:
    """Give the metrics that tell the admins."""

    async def spent() -> int:
        async with db.read() as conn:
            return await ledger.spent_on(conn, utc_day(time.time()))

    return Alerts(
        db,
        bot,
        words,
        settings.admin_ids,
        failure_share=settings.failure_alert,
        cap=settings.daily_spend_cap,
        spent=spent,
    )


def make_dispatch(
    settings: Settings,
    db: Database,
    bot: ExtBot[Any],
    words: Words,
    files: httpx.AsyncClient,
    router: Router,
    metrics: Metrics,
) -> tuple[LocalDispatch, Progress, Runner]:
    """Make whoever works on jobs, whoever shows how far they are, and whoever hands jobs out to them."""
    delivery = Delivery(
        bot,
        files,
        words.say,
        metrics.duplicate_delivery,
        handlers.result_buttons(words),
        partial(few_left, db, make_terms(settings)),
    )
    screen = ProgressScreen(bot, words, SMALL)
    progress = Progress(db, screen, lambda job_id: dispatch.place(job_id))  # noqa: PLW0108  it is made below
    price = make_prices(settings).actual
    runner = Runner(db, router, delivery, metrics, work_seconds=settings.job_timeout, price=price, watcher=progress)
    dispatch = LocalDispatch(
        runner, limit=settings.concurrency, chat_limit=settings.chat_concurrency, watch=progress.watch
    )
    return dispatch, progress, runner


async def make_house(
    settings: Settings, db: Database, dispatch: Dispatch, words: Words, router: Router, alerts: Alerts
) -> House:
    """Give the rooms around the handlers, and pause the providers that an admin had paused."""
    terms, prices = make_terms(settings), make_prices(settings)
    rate = people.Rate(*settings.person_rate) if settings.person_rate else None
    async with db.read() as conn:
        paused = await people.all_paused(conn)
    for name in paused & router.states().keys():
        router.pause(name)
    return House(
        db=db,
        desk=Desk(db, dispatch, terms, prices.most, chat_limit=settings.chat_waiting, rate=rate),
        words=words,
        terms=terms,
        costs=prices.most,
        least_costs={**prices.each, "enhance": min(prices.each["enhance"], prices.enhance_large)},
        admin_ids=frozenset(settings.admin_ids),
        allowed_chats=settings.allowed_chats,
        packs=dict(settings.packs),
        providers=router,
        latency=alerts.latency,
        keep_days=settings.keep_days,
        at_once=AT_ONCE,
    )
