"""`darkroom audit` and `darkroom reconcile`: whether the books balance, with themselves and with Telegram's."""

import time
from collections.abc import AsyncIterator
from typing import TypeVar

from telegram import Bot, StarTransaction, TransactionPartnerUser

from bot.settings import Settings
from storage import audit, payments
from storage.database import Work
from storage.opening import open_database
from storage.payments import Payment

T = TypeVar("T")
PAGE = 100
"""Transactions that Telegram gives at once, at most (Bot API, getStarTransactions)."""


async def find_differences(settings: Settings) -> list[str]:
    """Recompute from the ledger what is kept beside it; give a sentence for each difference. The bot may run."""
    found = await _look(settings, audit.differences)
    return [f"{each.what} of {each.who}: {each.kept} is kept, the ledger says {each.counted}" for each in found]


async def reconcile(settings: Settings, bot: Bot) -> list[str]:
    """Compare the payments with Telegram's list of transactions; give a sentence for each difference.

    Ours are read last, and those made meanwhile are left out, so that the bot may run. Raises TelegramError.
    """
    began = time.time()
    paid: dict[str, int] = {}
    refunded: set[str] = set()
    async for one in _transactions(bot):
        if isinstance(one.source, TransactionPartnerUser):
            paid[one.id] = one.amount
        elif isinstance(one.receiver, TransactionPartnerUser):
            refunded.add(one.id)
    return _compare(await _look(settings, payments.everything), paid, refunded, began)


async def _look(settings: Settings, work: Work[T]) -> T:
    """Read from the database while the bot may run."""
    db = await open_database(settings.database_url.get_secret_value(), own=False)
    try:
        return await db.look(work)
    finally:
        await db.close()


def _compare(ours: dict[str, Payment], paid: dict[str, int], refunded: set[str], before: float) -> list[str]:
    found = [f"{charge}: {paid[charge]} Stars were paid, and not credited" for charge in paid.keys() - ours.keys()]
    for charge, payment in ours.items():
        if charge not in paid and payment.at < before:
            found.append(f"{charge}: {payment.credits} credits were given, and Telegram knows no payment")
        elif charge in paid and paid[charge] != payment.stars:
            found.append(f"{charge}: Telegram says {paid[charge]} Stars, the books say {payment.stars}")
        if charge in refunded and payment.refunded_at is None:
            found.append(f"{charge}: given back, and the credits were not taken")
        if charge not in refunded and payment.refunded_at is not None and payment.refunded_at < before:
            found.append(f"{charge}: the credits were taken, and Telegram did not give back")
    return sorted(found)


async def _transactions(bot: Bot) -> AsyncIterator[StarTransaction]:
    """Give every transaction of the bot, oldest first, page by page."""
    offset = 0
    while page := (await bot.get_star_transactions(offset, PAGE)).transactions:
        for one in page:
            yield one
        offset += len(page)
