"""What those who run the bot may change in it: a chat's allowance, its credits, who may come in."""

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Message

from handlers.context import Context
from handlers.guards import MOST, for_admins, named, note, number, source_of
from storage import ledger, people, quotas
from storage.database import Connection
from storage.ledger import LedgerError, Quota
from storage.periods import KINDS, Kind, kind_of

_ALLOWANCES = {"unlimited": quotas.UNLIMITED, "default": None}


@dataclass(frozen=True, slots=True)
class Setting:
    """What /setquota sets: `kind` None leaves the period as it is; `member` is the member cap, if `with_member`."""

    allowance: int | None
    kind: Kind | None = None
    member: int | None = None
    with_member: bool = False

    @classmethod
    def read(cls, words: Sequence[str]) -> "Setting":
        """Read `<n|unlimited|default> [day|week|month] [member <n|none>]`. Raises ValueError."""
        first, *rest = [word.lower() for word in words] or [""]
        own = _ALLOWANCES[first] if first in _ALLOWANCES else _amount(first)
        kind = kind_of(rest.pop(0)) if rest and rest[0] in KINDS else None
        match rest:
            case []:
                return cls(own, kind)
            case ["member", cap]:
                return cls(own, kind, None if cap == "none" else _amount(cap), with_member=True)
        raise ValueError(rest)


def _amount(word: str) -> int:
    found = number(word)
    if found is None or found < 0:
        raise ValueError(word)
    return found


def _is_amount(word: str) -> bool:
    return word.lower() in _ALLOWANCES or number(word) is not None


@for_admins
async def setquota(message: Message, context: Context) -> None:
    """/setquota <who> <n|unlimited|default> [day|week|month] [member <n|none>]."""
    try:
        who = await named(message, context, _is_amount)
        if who is None:
            return
        wanted = Setting.read(who.rest)
    except ValueError:
        await context.reply(message, context.say("setquota_usage", most=MOST))
        return
    chat_id = who.chat_id

    async def work(conn: Connection) -> Quota:
        await quotas.set_allowance(conn, chat_id, wanted.allowance)
        if wanted.kind or wanted.allowance is None:
            await quotas.set_period(conn, chat_id, wanted.kind)
        if wanted.with_member:
            await quotas.set_member_cap(conn, chat_id, wanted.member)
        await note(conn, message, chat_id)
        return await quotas.quota(conn, chat_id, context.house.terms)

    quota = await context.house.db.transact(work)
    key = "setquota_default" if wanted.allowance is None and quota.kind == "day" else f"setquota_{quota.kind}"
    if quota.allowance is None:
        key = "setquota_default_unlimited" if wanted.allowance is None else "setquota_unlimited"
    text = context.say(key, chat=str(chat_id), n=quota.allowance or 0)
    if quota.member_cap is not None:
        text += "\n" + context.say("member_cap_is", n=quota.member_cap)
    await context.reply(message, text)


@for_admins
async def grant(message: Message, context: Context) -> None:
    """/grant <who> <±n> [reason]: credits that do not expire; below zero takes some back."""
    try:
        who = await named(message, context, lambda word: number(word) is not None)
        if who is None:
            return
        amount = number(who.rest[0]) if who.rest else None
    except ValueError:
        who = amount = None
    if who is None or not amount:
        await context.reply(message, context.say("grant_usage", most=MOST))
        return
    house, chat_id, by = context.house, who.chat_id, message.from_user.id if message.from_user else 0
    source, reason = f"grant:{source_of(message)}", " ".join(who.rest[1:]) or None

    async def work(conn: Connection) -> Quota:
        quota = await ledger.grant(conn, chat_id, amount, house.terms, by=by, source=source, note=reason)
        await note(conn, message, chat_id)
        return quota

    try:
        quota = await house.db.transact(work)
    except LedgerError:
        quota = await house.db.look(lambda conn: ledger.quota(conn, chat_id, house.terms))
        key = "grant_too_low" if amount < 0 else "grant_too_high"
        text = context.say(key, chat=str(chat_id), n=quota.granted, most=ledger.MOST_GRANTED)
        await context.reply(message, text)
        return
    await context.reply(message, context.say("grant_done", chat=str(chat_id), n=quota.lasting))


@for_admins
async def block(message: Message, context: Context) -> None:
    """/block <who>: a chat or a person is let in no more."""
    await _set_blocked(message, context, blocked=True)


@for_admins
async def unblock(message: Message, context: Context) -> None:
    """/unblock <who>: let in again."""
    await _set_blocked(message, context, blocked=False)


async def _set_blocked(message: Message, context: Context, *, blocked: bool) -> None:
    try:
        who = await named(message, context)
    except ValueError:
        await context.reply(message, context.say("block_usage"))
        return
    if who is None:
        return
    house, chat_id = context.house, who.chat_id
    if blocked and chat_id in house.admin_ids:
        await context.reply(message, context.say("block_admin"))
        return

    async def work(conn: Connection) -> None:
        await people.set_blocked(conn, chat_id, blocked=blocked)
        await note(conn, message, chat_id)

    await house.db.transact(work)
    await context.reply(message, context.say("blocked" if blocked else "unblocked", chat=str(chat_id)))
