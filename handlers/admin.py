"""What those who run the bot may do in it: set a chat's allowance, give credits."""

from collections.abc import Awaitable, Callable

from telegram import Message, Update

from handlers.addressing import is_admin
from handlers.context import Context
from storage import chats, ledger
from storage.ledger import LedgerError

MOST = 10**9
"""Credits in one command, at most."""

_ALLOWANCES = {"unlimited": ledger.UNLIMITED, "default": None}
_Handler = Callable[[Update, Context], Awaitable[None]]


def for_admins(command: Callable[[Message, Context], Awaitable[None]]) -> _Handler:
    """Let only admins through; everyone else is told that it isn't theirs, and nothing more."""

    async def guarded(update: Update, context: Context) -> None:
        if update.message is None:
            return
        if is_admin(update, context):
            await command(update.message, context)
        else:
            await context.reply(update.message, context.say("admin_only"))

    return guarded


@for_admins
async def setquota(message: Message, context: Context) -> None:
    """/setquota <chat id|@username|here> <n|unlimited|default>."""
    who, word = _words(context.typed)
    own = _ALLOWANCES[word] if word in _ALLOWANCES else _credits(word)
    if not who or (word not in _ALLOWANCES and (own is None or own < 0)):
        await context.reply(message, context.say("setquota_usage"))
        return
    chat_id = await _chat_id(message, context, who)
    if chat_id is None:
        return
    async with context.house.db.begin() as conn:
        await ledger.set_allowance(conn, chat_id, own)
        quota = await ledger.quota(conn, chat_id, context.house.terms)
    key = "setquota_default" if own is None else "setquota_done"
    if quota.allowance is None:
        key = "setquota_default_unlimited" if own is None else "setquota_unlimited"
    await context.reply(message, context.say(key, chat=str(chat_id), n=quota.allowance or 0))


@for_admins
async def grant(message: Message, context: Context) -> None:
    """/grant <chat id|@username|here> <n>: credits that do not expire; below zero takes some back."""
    who, amount = _words(context.typed)
    credits_ = _credits(amount)
    if not who or not credits_:
        await context.reply(message, context.say("grant_usage"))
        return
    chat_id = await _chat_id(message, context, who)
    if chat_id is None:
        return
    house, admin = context.house, message.from_user
    source = f"grant:{message.chat_id}:{message.message_id}"  # a repeated update grants once
    try:
        async with house.db.begin() as conn:
            quota = await ledger.grant(conn, chat_id, credits_, house.terms, by=admin.id if admin else 0, source=source)
    except LedgerError:
        async with house.db.read() as conn:
            quota = await ledger.quota(conn, chat_id, house.terms)
        await context.reply(message, context.say("grant_too_low", chat=str(chat_id), n=quota.granted))
        return
    await context.reply(message, context.say("grant_done", chat=str(chat_id), n=quota.granted))


def _words(typed: str) -> tuple[str, str]:
    """Split into the two words both commands take; blanks for anything else."""
    words = typed.lower().split()
    return (words[0], words[1]) if len(words) == 2 else ("", "")  # noqa: PLR2004  who, and how much


def _credits(word: str) -> int | None:
    """Read a whole number of credits, at most MOST either way; None for anything else."""
    digits = word.replace("\N{MINUS SIGN}", "-").removeprefix("+")
    if not digits.removeprefix("-").isdecimal() or len(digits) > len(str(MOST)) + 1:
        return None
    number = int(digits)
    return number if abs(number) <= MOST else None


async def _chat_id(message: Message, context: Context, who: str) -> int | None:
    """Find the chat that `who` names: here, an id, or the @username of one the bot has met; say so if there is none."""
    if who == "here":
        return message.chat_id
    if who.removeprefix("-").isdecimal() and len(who) <= 19:  # noqa: PLR2004  Telegram's ids have 52 bits; the database 63
        return int(who)
    async with context.house.db.read() as conn:
        chat = await chats.find(conn, who) if who.startswith("@") else None
    if chat is None:
        await context.reply(message, context.say("chat_unknown", chat=who))
        return None
    return chat.chat_id
