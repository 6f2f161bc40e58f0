"""What went wrong, in the person's words; the operator's log has the rest."""

from contextlib import suppress

import structlog
from telegram import Update
from telegram.error import Forbidden, TelegramError
from telegram.ext import ApplicationHandlerStop

from handlers.context import Context
from handlers.words import SORRY
from imaging.errors import ArgumentError
from jobs.dispatch import Refused
from storage import ledger

log = structlog.get_logger()


def misunderstood(context: Context, error: ArgumentError) -> str:
    """Say what was wrong with the words after a command, with an example that works."""
    return context.say(f"error_{error.code}", **error.params)


async def refusal(context: Context, chat_id: int, refused: Refused) -> str:
    """Say why a photo was not taken on, and when or how it can be."""
    if refused.code not in {"quota", "person_cap"}:
        return context.say(f"refused_{refused.code}", **refused.params)
    more = "\n" + context.say("refused_get_more") if context.house.packs else ""
    if refused.code == "person_cap":
        return context.say("refused_person_cap") + more
    house = context.house
    quota = await house.db.look(lambda conn: ledger.quota(conn, chat_id, house.terms))
    if quota.allowance == 0 and not quota.lasting:
        return context.say("refused_quota_none") + more
    if not quota.left:
        return context.say("refused_quota", renews_at=quota.renews_at) + more
    short = context.say("refused_quota_short", n=quota.left, cost=refused.params["cost"], renews_at=quota.renews_at)
    return short + more


async def on_error(update: object, context: Context) -> None:
    """Apologise to the person whose update broke a handler, and log it for the operator.

    Raises ApplicationHandlerStop, so that one apology is all: PTB would go on to the next group of handlers.
    """
    error = context.error
    if isinstance(error, Forbidden):
        log.info("chat_gone", reason=error.message)
        raise ApplicationHandlerStop
    log.error("handler_failed", update_id=getattr(update, "update_id", None), exc_info=error)
    if isinstance(update, Update) and (message := update.message):
        with suppress(TelegramError, TimeoutError):
            await context.reply(message, context.say(SORRY))
    elif isinstance(update, Update) and update.callback_query:
        with suppress(TelegramError):
            await update.callback_query.answer(context.say(SORRY), show_alert=True)
    raise ApplicationHandlerStop
