"""Who may give which orders, and which chat an order names."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from telegram import CallbackQuery, Chat, Message, Update
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import TelegramError

from handlers.addressing import is_admin, is_private
from handlers.context import Context
from storage import chats, people
from storage.database import Connection

MEMBER_SECONDS = 60.0
"""How long Telegram's word on who is a group's admin is believed."""

MOST = 10**6
"""Credits in one command, at most."""

_LARGEST_ID = 2**63 - 1  # Telegram's ids have 52 bits; the database 63
_LONGEST_ID = len(str(-_LARGEST_ID))
_Handler = Callable[[Update, Context], Awaitable[None]]
Order = Callable[[Message, Context], Awaitable[None]]


def for_admins(command: Order) -> _Handler:
    """Let only admins through; everyone else is told that it isn't theirs, and nothing more.

    What an admin forwards is somebody else's order.
    """

    async def guarded(update: Update, context: Context) -> None:
        if update.message is None:
            return
        if is_admin(update, context) and update.message.forward_origin is None:
            await command(update.message, context)
        else:
            await context.reply(update.message, context.say("admin_only"))

    return guarded


def for_group_admins(command: Order) -> _Handler:
    """Let a group's own admins through, people in their private chat, and those who run the bot."""

    async def guarded(update: Update, context: Context) -> None:
        message = update.message
        if message is None:
            return
        if is_admin(update, context) or is_private(message) or await is_group_admin(message, context):
            await command(message, context)
        else:
            await context.reply(message, context.say("group_admin_only"))

    return guarded


async def is_group_admin(message: Message, context: Context) -> bool:
    """Ask Telegram whether who wrote this is an admin of the group; an anonymous one writes as the group itself."""
    if message.sender_chat:
        return message.sender_chat.id == message.chat_id
    return message.from_user is not None and await is_admin_of(message.chat_id, message.from_user.id, context)


async def is_admin_of(chat_id: int, user_id: int, context: Context) -> bool:
    """Ask Telegram whether a person is an admin of a group, once a minute at most.

    Each process asks for itself: its answers are no older than a minute, whatever the others heard.
    """
    known = context.bot_data.members
    until, answer = known.get((chat_id, user_id), (0.0, False))
    if until > time.monotonic():
        return answer
    try:
        member = await context.bot.get_chat_member(chat_id, user_id)
    except TelegramError:
        return False
    if len(known) > 1000:  # noqa: PLR2004  what an evening's group admins need, and no more
        known.clear()
    answer = member.status in {ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.OWNER}
    known[chat_id, user_id] = (time.monotonic() + MEMBER_SECONDS, answer)
    return answer


async def decides(context: Context, chat: Chat, user_id: int) -> bool:
    """Tell whether a person may decide for a chat: in private of course, in a group as its admin."""
    return chat.type == ChatType.PRIVATE or await is_admin_of(chat.id, user_id, context)


async def may_press(context: Context, query: CallbackQuery, message: Message, owner: int) -> bool:
    """Tell whether who pressed a button under `message` is the one it was made for, or decides for the chat."""
    return query.from_user.id == owner or await decides(context, message.chat, query.from_user.id)


@dataclass(frozen=True, slots=True)
class Named:
    """The chat that an order names, and the words behind the name."""

    chat_id: int
    rest: Sequence[str]


async def named(message: Message, context: Context, is_value: Callable[[str], bool] = lambda _: False) -> Named | None:
    """Find the chat an order names: here, an id, @username seen before, or the person whose message is answered.

    `is_value` tells what may stand behind the name, so that "/grant 5" in an answer is no chat 5. None: there is none
    by that name, and the admin was told; raises ValueError when no name was given at all.
    """
    words = context.typed.split()
    answered = message.reply_to_message
    if answered and (not words or (is_value(words[0]) and not (len(words) > 1 and is_value(words[1])))):
        author = answered.sender_chat or answered.from_user
        if author is not None and author.id != context.bot.id:
            return Named(author.id, words)
    if not words:
        raise ValueError(context.typed)
    who, rest = words[0].lower(), words[1:]
    if who == "here":
        return Named(message.chat_id, rest)
    if who.removeprefix("-").isdecimal() and len(who) <= _LONGEST_ID and abs(int(who)) <= _LARGEST_ID:
        return Named(int(who), rest)
    chat = await context.house.db.look(lambda conn: chats.find(conn, who)) if who.startswith("@") else None
    if chat is None:
        await context.reply(message, context.say("chat_unknown", chat=words[0]))
        return None
    return Named(chat.chat_id, rest)


def number(word: str) -> int | None:
    """Read a whole number of credits, at most MOST either way; None for anything else."""
    digits = word.replace("\N{MINUS SIGN}", "-").removeprefix("+")
    if not digits.removeprefix("-").isdecimal() or len(digits) > len(str(MOST)) + 1:
        return None
    found = int(digits)
    return found if abs(found) <= MOST else None


async def note(conn: Connection, message: Message, chat_id: int | None = None) -> None:
    """Write an order into the audit log, in the transaction that carries it out."""
    by = message.from_user.id if message.from_user else 0
    await people.note_action(conn, by, message.text or "", chat_id, source_of(message))


def source_of(message: Message) -> str:
    """Name a message for good, so that a repeated update has no second effect."""
    return f"{message.chat_id}:{message.message_id}"
