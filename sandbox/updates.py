"""Hands updates to bots: the queue of each, long polling with confirmation by offset, and who gets what."""

import asyncio
from typing import Any

from sandbox.errors import Refused
from sandbox.privacy import sees
from sandbox.world import Bot, Chat, World

Json = dict[str, Any]
NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}
MOST = 100
LONGEST_POLL = 50


def push(world: World, bot: Bot, kind: str, content: Json) -> None:
    """Queue an update for *bot*, unless it did not ask for that kind."""
    wanted = kind in bot.allowed_updates if bot.allowed_updates else kind not in NOT_BY_DEFAULT
    if wanted:
        bot.last_update += 1
        bot.updates.append({"update_id": bot.last_update, kind: world.for_bot(content, bot)})
        bot.arrived.set()


def deliver(world: World, chat: Chat, message: Json, kind: str = "message") -> None:
    """Queue a message for the bots in the chat that may see it."""
    for bot in world.bots_in(chat):
        if sees(bot, chat, message):
            push(world, bot, kind, message)


async def fetch(world: World, bot: Bot, *, offset: int, limit: int, patience: float) -> list[Json]:
    """Answer getUpdates: forget what *offset* confirms, wait up to *patience* seconds, return at most *limit*.

    A second poller ends the first, which gets 409 as the real server has it.
    """
    if bot.webhook:
        raise Refused(
            409,
            "Conflict: can't use getUpdates method while webhook is active; "
            "use deleteWebhook to delete the webhook first",
        )
    if bot.poller and not bot.poller.done():
        bot.poller.set_result(None)
    bot.poller = ended = asyncio.get_running_loop().create_future()
    confirm(bot, offset)
    if not bot.updates and patience > 0:
        await _wait(world, bot, ended, min(patience, LONGEST_POLL))
    if ended.done():
        raise Refused(
            409,
            "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
        )
    ended.cancel()
    return [update for update, _ in zip(bot.updates, range(limit), strict=False)]


def confirm(bot: Bot, offset: int) -> None:
    """Forget the updates before *offset*; a negative one keeps that many from the end."""
    if offset < 0:
        while len(bot.updates) > -offset:
            bot.updates.popleft()
    while offset > 0 and bot.updates and bot.updates[0]["update_id"] < offset:
        bot.updates.popleft()
    if not bot.updates:
        bot.arrived.clear()


async def _wait(world: World, bot: Bot, ended: asyncio.Future[None], patience: float) -> None:
    waiters: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()) for event in (bot.arrived, world.closing)]
    await asyncio.wait([*waiters, ended], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    for waiter in waiters:
        waiter.cancel()
