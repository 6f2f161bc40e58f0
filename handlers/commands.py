"""The commands as Telegram lists them beside the text field."""

from collections.abc import Iterable

import structlog
from telegram import Bot, BotCommand, BotCommandScopeChat
from telegram.error import TelegramError

from handlers.words import ENGLISH, Words

EVERYONE = ("colorize", "enhance", "idphoto", "cutout", "quota", "cancel", "help", "id")
ADMINS = ("setquota", "grant")
log = structlog.get_logger()


async def publish_commands(bot: Bot, words: Words, admin_ids: Iterable[int]) -> None:
    """Register the commands in every language; admins see theirs too.

    A list is display, not permission. An admin who never started the bot has no chat to show it in: that is logged.
    Raises telegram.error.TelegramError when the common list cannot be set.
    """
    for language in words.languages:
        # English also stands for every language that has no list of its own.
        code = None if language == ENGLISH else language
        await bot.set_my_commands(_listed(words, language, EVERYONE), language_code=code)
    for admin_id in admin_ids:
        try:
            for language in words.languages:
                code = None if language == ENGLISH else language
                commands = _listed(words, language, EVERYONE + ADMINS)
                await bot.set_my_commands(commands, BotCommandScopeChat(admin_id), code)
        except TelegramError as error:
            log.warning("admin_commands_not_set", admin=admin_id, reason=error.message)


def _listed(words: Words, language: str, names: Iterable[str]) -> list[BotCommand]:
    return [BotCommand(name, words.say(language, f"command_{name}")) for name in names]
