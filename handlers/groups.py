"""What happens to a group as a whole: the bot is added, loses its rights, is not wanted; the group moves."""

from telegram import Chat, ChatMemberRestricted, Update
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import TelegramError

from handlers.context import Context
from storage import chats

_OUT = {ChatMemberStatus.LEFT, ChatMemberStatus.BANNED}


async def became_supergroup(update: Update, context: Context) -> None:
    """Carry a group's credits, settings and jobs to its new id. Both chats report the move; either does it."""
    message = update.message
    if message is None:
        return
    old = message.migrate_from_chat_id or message.chat_id
    new = message.migrate_to_chat_id or message.chat_id
    # Once in a group's life it may take the event loop's time, lest a deadlock leave its credits behind.
    await context.house.db.persist(lambda conn: chats.migrate(conn, old, new))


async def membership(update: Update, context: Context) -> None:
    """Greet a group the bot was added to, and say so when it may not send what people will ask for."""
    change = update.my_chat_member
    if change is None or change.chat.type not in {ChatType.GROUP, ChatType.SUPERGROUP}:
        return
    before, now = change.old_chat_member, change.new_chat_member
    if now.status in _OUT:
        return
    muted = isinstance(now, ChatMemberRestricted) and not (now.can_send_photos and now.can_send_documents)
    administers = now.status == ChatMemberStatus.ADMINISTRATOR
    if before.status in _OUT:
        muted = muted or (not administers and not await _may_send(context, change.chat))
        words = [context.say("welcome", bot=context.bot.username)]
        words += [context.say("welcome_muted")] if muted else []
        await context.quietly(context.bot.send_message(change.chat.id, "\n\n".join(words)))
    elif muted:
        await context.quietly(context.bot.send_message(change.chat.id, context.say("welcome_muted")))


async def _may_send(context: Context, chat: Chat) -> bool:
    """Tell whether members of the group may send photos and files."""
    try:
        permissions = (await context.bot.get_chat(chat.id)).permissions
    except TelegramError:
        return True  # the first result will tell
    return permissions is None or (
        permissions.can_send_photos is not False and permissions.can_send_documents is not False
    )


async def leave(context: Context, chat: Chat) -> None:
    """Leave a group whose use an admin of the bot has ended, with a word of goodbye."""
    await context.quietly(context.bot.send_message(chat.id, context.say("goodbye")))
    await context.quietly(context.bot.leave_chat(chat.id))
