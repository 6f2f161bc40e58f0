"""Part of the composition root: who takes updates, by polling or by webhook, and handles them."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

import structlog
from telegram.ext import ApplicationBuilder, ExtBot

import handlers
from bot.common import Common
from bot.house import make_house
from bot.intake import ALLOWED_UPDATES, Intake, Processor, poll
from handlers.albums import complete_overdue
from handlers.commands import publish_commands, publish_profile
from handlers.context import CONTEXT_TYPES, App, House
from jobs.delivery import insist
from jobs.dispatch import Dispatch
from jobs.membership import Membership
from storage import albums, calls, inbox, jobs, results
from storage.rates import Rates

HANDLERS_SECONDS = 2.0  # grace for handlers in the middle of an answer
PRUNE_SECONDS = 3600.0
log = structlog.get_logger()


def make_application(bot: ExtBot[Any], queue: asyncio.Queue[object], processor: Processor, house: House) -> App:
    """Make the application that handles what comes out of `queue`."""
    application: App = (
        ApplicationBuilder()
        .bot(bot)
        .updater(None)
        .update_queue(queue)
        .concurrent_updates(processor)
        .context_types(CONTEXT_TYPES)
        .build()
    )
    application.add_error_handler(processor.put_off)  # before the one that apologises
    handlers.register(application, house)
    return application


class Front:
    """The application with what leads updates into it."""

    def __init__(self, common: Common, house: House) -> None:
        self._common = common
        self._house = house
        self._open = True
        queue: asyncio.Queue[object] = asyncio.Queue(maxsize=1000)
        self._intake = Intake(common.db, common.bot, queue, common.metrics, common.membership)
        self._processor = Processor(self._intake)
        self.application = make_application(common.bot, queue, self._processor, house)

    async def accept(self, update: Mapping[str, Any]) -> bool:
        """Write down an update that came by webhook; False when this process takes no more."""
        if self._open:
            await self._intake.accept([update])
        return self._open

    async def start(self) -> None:
        """Handle what comes, and what other processes leave. Raises TelegramError when a webhook is refused."""
        await self.application.start()
        await self._intake.claim()
        await complete_overdue(self.application)
        if isinstance(self._common.membership, Membership):
            self._common.membership.on_beat += [self._intake.claim, partial(complete_overdue, self.application)]
            self._common.membership.on_lost.append(self._drop)
        settings, bot = self._common.settings, self._common.bot
        if settings.public_url:
            url, secret = f"{settings.public_url}/telegram", settings.webhook_secret.get_secret_value()
            await insist(lambda: bot.set_webhook(url, secret_token=secret, allowed_updates=ALLOWED_UPDATES))

    async def _drop(self) -> None:
        """Leave all to the other processes, which took this one for dead."""
        await self._house.errands.drop()
        await self._processor.drop()

    def close(self) -> None:
        """Take no more."""
        self._open = False

    async def stop(self) -> None:
        """Finish what is under way; what cannot be finished in time stays in the inbox."""
        await self._house.errands.close()
        try:
            async with asyncio.timeout(HANDLERS_SECONDS):
                await self.application.stop()
        except TimeoutError:
            await self._processor.cut_short()
            log.warning("handlers cut short: their updates stay in the inbox")
        await self._processor.shutdown()

    def chores(self) -> list[Coroutine[Any, Any, None]]:
        """Give what is to go on from now on."""
        return [self._introduce(), self._prune(), *([] if self._common.settings.public_url else [self._hear()])]

    async def _hear(self) -> None:
        """Poll Telegram for updates, in one of all processes."""
        if self._common.server:
            from bot.leader import lead  # noqa: PLC0415  see storage.opening

            await lead(self._common.server, self._poll)
        else:
            await self._poll()

    async def _poll(self) -> None:
        await insist(self._common.bot.delete_webhook)  # getUpdates is refused while a webhook is set
        await poll(self._common.bot, self._common.files, self._intake)

    async def _introduce(self) -> None:
        bot, words, house = self._common.bot, self._common.words, self._house
        await publish_commands(bot, words, house.admin_ids, selling=bool(house.packs))
        await publish_profile(bot, words)

    async def _prune(self) -> None:
        """Forget handled updates, finished jobs, albums and results after `keep_days`, every hour."""
        while True:
            now = time.time()
            before = now - self._common.settings.keep_days * 86_400
            db = self._common.db
            try:
                async with db.begin() as conn:  # too long for `transact`; what fails is done in an hour
                    await inbox.prune(conn, before)
                    await jobs.prune(conn, before)
                    await albums.prune(conn, before)
                    await results.prune(conn, max(before, now - results.KEEP_SECONDS))
                    if self._common.server:
                        await calls.prune(conn, now - calls.KEEP_SECONDS)
            except db.Error as error:
                log.warning("nothing pruned this time", why=str(error))
            if self._common.server:
                await Rates(db).prune()
            await asyncio.sleep(PRUNE_SECONDS)


def make_front(common: Common, dispatch: Dispatch) -> Front:
    """Make it, with the rooms that its handlers may call."""
    router = common.router if common.role.works else None
    house = make_house(common.settings, common.db, dispatch, common.words, router, common.metrics)
    return Front(common, house)
