"""The commands as Telegram lists them beside the text field."""

from collections.abc import Iterable

import structlog
from telegram import Bot, BotCommand, BotCommandScope, BotCommandScopeChat, BotCommandScopeDefault
from telegram.error import TelegramError

from handlers.words import ENGLISH, Words

EVERYONE = ("colorize", "enhance", "idphoto", "cutout", "quota", "cancel", "help", "id")
ADMINS = ("setquota", "grant")
log = structlog.get_logger()


async def publish_commands(bot: Bot, words: Words, admin_ids: Iterable[int]) -> None:
    """Register the commands in every language; admins see theirs too. A list is display, not permission.

    What Telegram refuses is logged: an admin who never started the bot has no chat to show a list in.
    """
    await _publish(bot, words, EVERYONE, BotCommandScopeDefault())
    for admin_id in admin_ids:
        await publish_for_admin(bot, words, admin_id)


async def publish_for_admin(bot: Bot, words: Words, admin_id: int) -> None:
    """Register what one admin sees in their own chat; what Telegram refuses is logged."""
    await _publish(bot, words, EVERYONE + ADMINS, BotCommandScopeChat(admin_id))


async def _publish(bot: Bot, words: Words, names: Iterable[str], scope: BotCommandScope) -> None:
    try:
        for language in words.languages:
            commands = [BotCommand(name, words.say(language, f"command_{name}")) for name in names]
            # English also stands for every language that has no list of its own.
            await bot.set_my_commands(commands, scope, None if language == ENGLISH else language)
    except TelegramError as error:
        log.warning("commands_not_listed", chat=getattr(scope, "chat_id", None), reason=error.message)
