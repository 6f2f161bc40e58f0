"""Hello, help, and the ids an operator needs."""

from telegram import Update

from handlers.addressing import is_admin, is_private
from handlers.commands import publish_for_admin
from handlers.context import Context


async def start(update: Update, context: Context) -> None:
    """/start: what the bot does, in a few lines. An admin's list of commands may have waited for this chat to be."""
    if update.message:
        await context.reply(update.message, context.say("start"))
        if is_admin(update, context) and is_private(update.message):
            await publish_for_admin(
                context.bot, context.house.words, update.message.chat_id, selling=bool(context.house.packs)
            )


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
