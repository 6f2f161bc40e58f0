"""Hello with pictures, links that open a step, help, and the ids an operator needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

import structlog
from telegram import InputMediaPhoto, Message, Update
from telegram.error import TelegramError

from handlers.addressing import is_admin, is_private
from handlers.colorize import colorize
from handlers.commands import publish_for_admin
from handlers.context import Context
from handlers.cutout import cutout
from handlers.enhance import enhance
from handlers.idphoto import idphoto
from handlers.preferences import settings
from handlers.presets import presets
from imaging.operations import OPERATIONS
from storage import preferences

log = structlog.get_logger()
_PICTURES = Path(__file__).with_name("pictures")


async def start(update: Update, context: Context) -> None:
    """/start: what the bot does, by picture. An admin's list of commands may have waited for this chat to be.

    Behind a link it has the link's word: `idphoto_us` opens `/idphoto us`.
    """
    message = update.message
    if message is None:
        return
    step, _, rest = context.typed.partition("_")
    if step in _STEPS:
        context.typed = rest.replace("-", " ")
        await _STEPS[step](update, context)
        return
    if not (is_private(message) and await _show(context, message)):
        await context.reply(message, context.say("start"))
    if is_admin(update, context) and is_private(message):
        selling = bool(context.house.packs)
        await publish_for_admin(context.bot, context.house.words, message.chat_id, selling=selling)


async def _show(context: Context, message: Message) -> bool:
    """Say hello under a picture of each operation, before and after; False when Telegram does not take them.

    Telegram keeps the pictures: they are uploaded once and then named by file_id.
    """
    pictures = await asyncio.to_thread(_load)
    stocked = await context.house.db.look(preferences.stocked)
    known = {name: stocked[name] for name in pictures if name in stocked}
    for held in (known, {}) if len(known) == len(pictures) else ({},):
        media = [
            InputMediaPhoto(held.get(name, data), caption=None if number else context.say("start"))
            for number, (name, data) in enumerate(pictures.items())
        ]
        try:
            sent = await context.bot.send_media_group(
                message.chat_id, media, reply_to_message_id=message.message_id, allow_sending_without_reply=True
            )
        except TelegramError as error:
            log.info("pictures_not_taken", reason=error.message)
            continue
        if not held:
            ids = [(name, one.photo[-1].file_id) for name, one in zip(pictures, sent, strict=True)]
            await context.house.db.transact(partial(preferences.stock_up, file_ids=ids))
        return True
    return False


@cache
def _load() -> dict[str, bytes]:
    """Read the pictures; each name has a digest, so that a changed picture is uploaded anew."""
    files = {name: (_PICTURES / f"{name}.jpg").read_bytes() for name in OPERATIONS}
    return {f"{name}-{sha256(data).hexdigest()[:16]}": data for name, data in files.items()}


async def help_(update: Update, context: Context) -> None:
    """/help: every command with its words; admins see theirs too, but not in front of others."""
    if update.message:
        parts = [context.say("help")]
        if context.house.packs:
            parts.append(context.say("help_buy"))
        if not is_private(update.message):
            parts.append(context.say("help_group_admin"))
        if is_admin(update, context) and is_private(update.message):
            parts += [context.say("help_admin") + "\n" + context.say("help_admin_more")]
        await context.reply(update.message, "\n\n".join(parts))


async def id_(update: Update, context: Context) -> None:
    """/id: the ids that DARKROOM_ADMIN_IDS, DARKROOM_ALLOWED_CHATS and the admin commands ask for."""
    message = update.message
    if message is None:
        return
    lines = [context.say("id_own", user=str(message.from_user.id))] if message.from_user else []
    if not is_private(message):
        lines.append(context.say("id_chat", chat=str(message.chat_id)))
    await context.reply(message, "\n".join(lines))


async def unknown_command(update: Update, context: Context) -> None:
    """Point to /help in a private chat; in a group the command may be somebody else's."""
    if update.message and is_private(update.message):
        await context.reply(update.message, context.say("unknown_command"))


_STEPS: Mapping[str, Callable[[Update, Context], Awaitable[None]]] = {
    "colorize": colorize,
    "enhance": enhance,
    "idphoto": idphoto,
    "cutout": cutout,
    "presets": presets,
    "settings": settings,
    "help": help_,
}
"""What a link `t.me/<bot>?start=<step>` opens; words for the step follow after underscores."""
