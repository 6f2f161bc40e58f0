"""The commands as Telegram lists them beside the text field."""

from collections.abc import Iterable

import structlog
from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeChat,
    BotCommandScopeDefault,
)
from telegram.error import TelegramError

from handlers.words import ENGLISH, Words

EVERYONE = (
    *("colorize", "enhance", "idphoto", "cutout", "presets"),
    *("quota", "jobs", "again", "settings", "cancel", "help", "privacy", "forgetme", "id"),
)
SALE = ("buy", "paysupport")
GROUP_ADMINS = ("membercap", "timezone")
ADMINS = (
    *("setquota", "grant", "chat", "chats", "block", "unblock", "providers", "stats", "export", "log"),
    *("payments", "refund"),
)
log = structlog.get_logger()


async def publish_commands(bot: Bot, words: Words, admin_ids: Iterable[int], *, selling: bool = False) -> None:
    """Register the commands in every language; admins see theirs too, and with `selling` everyone sees how to buy.

    A list is display, not permission. What Telegram refuses is logged: an admin who never started the bot has no chat
    to show a list in.
    """
    everyone = EVERYONE + (SALE if selling else ())
    await _publish(bot, words, everyone, BotCommandScopeDefault())
    await _publish(bot, words, everyone + GROUP_ADMINS, BotCommandScopeAllChatAdministrators())
    for admin_id in admin_ids:
        await publish_for_admin(bot, words, admin_id, selling=selling)


async def publish_for_admin(bot: Bot, words: Words, admin_id: int, *, selling: bool = False) -> None:
    """Register what one admin sees in their own chat; what Telegram refuses is logged."""
    await _publish(bot, words, EVERYONE + (SALE if selling else ()) + ADMINS, BotCommandScopeChat(admin_id))


async def publish_profile(bot: Bot, words: Words) -> None:
    """Set what the empty chat and the bot's profile say, in every language, where it says something else.

    It is asked for first because Telegram allows few changes an hour; what it refuses is logged.
    """
    try:
        for language in words.languages:
            code = "" if language == ENGLISH else language
            description, short = words.say(language, "description"), words.say(language, "short_description")
            if (await bot.get_my_description(code)).description != description:
                await bot.set_my_description(description, code)
            if (await bot.get_my_short_description(code)).short_description != short:
                await bot.set_my_short_description(short, code)
    except TelegramError as error:
        log.warning("profile_not_set", reason=error.message)


async def _publish(bot: Bot, words: Words, names: Iterable[str], scope: BotCommandScope) -> None:
    try:
        for language in words.languages:
            commands = [BotCommand(name, words.say(language, f"command_{name}")) for name in names]
            # English also stands for every language that has no list of its own.
            await bot.set_my_commands(commands, scope, None if language == ENGLISH else language)
    except TelegramError as error:
        log.warning("commands_not_listed", chat=getattr(scope, "chat_id", None), reason=error.message)
